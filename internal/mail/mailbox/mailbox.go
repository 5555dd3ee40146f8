// Package mailbox catches mails instead of delivering them: an SMTP server on this machine, a page that shows what it
// caught, and the same for programs and tests. Nothing ever leaves it, and nothing is kept after the process.
package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Capacity is how many mails a mailbox keeps: the newest.
const Capacity = 1000

// maxMessage is the most that one mail may have, in bytes.
const maxMessage = 1 << 20

// Message is a mail that was caught, one for every recipient.
type Message struct {
	ID      string    `json:"id"`
	To      string    `json:"to"` // as the SMTP client gave it
	From    string    `json:"from"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html"`
	At      time.Time `json:"at"`    // when it was caught
	Links   []string  `json:"links"` // of text and page, each once
	Raw     []byte    `json:"-"`
}

// Mailbox catches mails until it is closed. It serves its page over HTTP, see [Mailbox.ServeHTTP].
type Mailbox struct {
	listener net.Listener
	server   *smtp.Server
	pages    *http.ServeMux
	close    func() error

	mu       sync.Mutex
	messages []Message // the oldest first
	caught   int
	more     chan struct{} // closed and replaced when a mail comes
}

// Listen catches mails at addr, which must be on this machine: "127.0.0.1:0" takes any free port. It ends with
// [Mailbox.Close], or with ctx.
func Listen(ctx context.Context, addr string) (*Mailbox, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		_ = l.Close()
		return nil, errors.New("mailbox: the address is not a loopback one: whoever reads the mails can use their links")
	}
	m := &Mailbox{listener: l, more: make(chan struct{})}
	m.pages = m.routes()
	m.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{box: m}, nil }))
	m.server.Domain, m.server.EnableSMTPUTF8 = "localhost", true
	m.server.MaxMessageBytes, m.server.MaxRecipients = maxMessage, 100
	m.server.ReadTimeout, m.server.WriteTimeout = time.Minute, time.Minute
	m.server.ErrorLog = log.New(io.Discard, "", 0) // it would tell addresses
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.server.Serve(l) // it ends when it is closed
	}()
	m.close = sync.OnceValue(func() error {
		err := m.server.Close()
		_ = l.Close() // it may not have been the server's yet
		<-done
		return err
	})
	stop := context.AfterFunc(ctx, func() { _ = m.close() })
	go func() {
		<-done
		stop()
	}()
	return m, nil
}

// Close stops catching. What was caught can still be read.
func (m *Mailbox) Close() error { return m.close() }

// URL is where a sender delivers to.
func (m *Mailbox) URL() string { return "smtp://" + m.listener.Addr().String() + "?tls=none" }

// Messages returns the mails to an address, the oldest first; all of them when the address is empty.
func (m *Mailbox) Messages(to string) []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Message
	for _, one := range m.messages {
		if to == "" || strings.EqualFold(one.To, to) {
			found = append(found, one)
		}
	}
	return found
}

// Await returns the newest mail that matches, as soon as there is one. It fails when ctx ends first.
func (m *Mailbox) Await(ctx context.Context, match func(Message) bool) (Message, error) {
	for {
		m.mu.Lock()
		all, more := slices.Clone(m.messages), m.more
		m.mu.Unlock()
		for _, one := range slices.Backward(all) {
			if match(one) {
				return one, nil
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Message{}, fmt.Errorf("mailbox: none of %d mails matches: %w", len(all), ctx.Err())
		}
	}
}

func (m *Mailbox) message(id string) (Message, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.messages, func(one Message) bool { return one.ID == id })
	if i < 0 {
		return Message{}, false
	}
	return m.messages[i], true
}

func (m *Mailbox) keep(one Message, recipients []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, to := range recipients {
		m.caught++
		one.ID, one.To = strconv.Itoa(m.caught), to
		m.messages = append(m.messages, one)
	}
	if over := len(m.messages) - Capacity; over > 0 {
		m.messages = slices.Clone(m.messages[over:])
	}
	close(m.more)
	m.more = make(chan struct{})
}

// session takes whatever it is given.
type session struct {
	box *Mailbox
	to  []string
}

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

// bounces is what an address begins with that the mailbox rejects, to see what follows from that.
const bounces = "bounce@"

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(strings.ToLower(to), bounces) {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "there is no such mailbox"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	one := read(raw)
	one.At = time.Now().UTC()
	s.box.keep(one, s.to)
	return nil
}

func (s *session) Reset() { s.to = nil }

func (s *session) Logout() error { return nil }
