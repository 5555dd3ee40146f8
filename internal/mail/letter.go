package mail

import (
	"errors"
	"fmt"
	netmail "net/mail"
	"regexp"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"

	"github.com/stewardhq/steward/internal/identity"
)

// Address is a mailbox and the name shown with it, which may be empty.
type Address struct {
	Name, Address string
}

// Letter is a mail ready to be sent.
type Letter struct {
	MessageID string // id@host, with or without angle brackets; the same for every attempt
	From      Address
	ReplyTo   Address // may be empty
	To        Address
	Rendered
	At time.Time // the date that the mail shows
}

// messageID is narrower than RFC 5322: what we make ourselves.
var messageID = regexp.MustCompile(`^[A-Za-z0-9._+=-]{1,200}@[A-Za-z0-9.:-]{1,253}$`)

// envelope is a letter in the form of the wire.
type envelope struct {
	msg *gomail.Msg
	// helo is the name that we introduce ourselves with: the sender's domain, as the machine's own name is nobody's business.
	helo string
	// international says that a mailbox has letters beyond ASCII, which the server must know how to take (RFC 6531).
	international bool
}

// seal checks l and makes it a message. Whatever is wrong with it now will be wrong later.
func (l Letter) seal() (envelope, error) {
	id := strings.TrimSuffix(strings.TrimPrefix(l.MessageID, "<"), ">")
	switch {
	case !messageID.MatchString(id):
		return envelope{}, rejected("the message id is not one")
	case l.At.IsZero():
		return envelope{}, rejected("there is no date")
	case line(l.Subject) == "" || l.Text == "" || l.HTML == "":
		return envelope{}, rejected("there is nothing to read")
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	e := envelope{msg: msg}
	for _, a := range []struct {
		role   string
		header gomail.AddrHeader
		Address
	}{{"the sender's address", gomail.HeaderFrom, l.From}, {"the reply address", gomail.HeaderReplyTo, l.ReplyTo}, {"the recipient's address", gomail.HeaderTo, l.To}} {
		if a.header == gomail.HeaderReplyTo && a.Address == (Address{}) {
			continue
		}
		local, domain, err := mailbox(a.Address.Address)
		if err != nil {
			return envelope{}, rejected(a.role + " is not one")
		}
		e.international = e.international || !ascii(local)
		if a.header == gomail.HeaderFrom {
			e.helo = domain
		}
		msg.SetAddrHeaderFromMailAddress(a.header, &netmail.Address{Name: line(a.Name), Address: local + "@" + domain})
	}
	msg.SetMessageIDWithValue(id)
	msg.SetDateWithValue(l.At.UTC())
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.Subject(line(l.Subject))
	msg.SetBodyString(gomail.TypeTextPlain, l.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	return e, nil
}

// mailbox splits an address. The domain is in ASCII, which every server takes.
func mailbox(address string) (local, domain string, err error) {
	if address, err = identity.Email(address); err != nil {
		return "", "", err
	}
	at := strings.LastIndexByte(address, '@')
	domain, err = idna.Lookup.ToASCII(address[at+1:])
	return address[:at], domain, err
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// ErrRejected says that a letter will not be taken, however often it is sent. Any other error of [Sender.Send] is
// temporary.
var ErrRejected = errors.New("mail rejected")

func rejected(why string) error { return fmt.Errorf("%w: %s", ErrRejected, why) }
