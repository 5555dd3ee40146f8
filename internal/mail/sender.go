package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// Sender hands letters to one SMTP server. It may be used by many goroutines.
type Sender struct {
	server server
	tls    *tls.Config
	whole  time.Duration // the most that one letter may take
	step   time.Duration // the most that connecting and sending may take each
	quit   time.Duration // the most to wait for the server's goodbye
}

// NewSender makes a sender for smtp://user:password@host:587 or smtps://user:password@host:465. With smtp:// the
// connection must become TLS by STARTTLS, unless the host is this machine or ?tls=none says that it need not;
// ?tls=starttls demands it of this machine too. A password never goes to another machine without TLS. No error repeats
// the address.
func NewSender(url string) (*Sender, error) {
	s, err := parseServer(url)
	if err != nil {
		return nil, err
	}
	return &Sender{
		server: s, tls: &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12},
		whole: time.Minute, step: 25 * time.Second, quit: 2 * time.Second,
	}, nil
}

// String names the server, without user and password.
func (s *Sender) String() string { return s.server.String() }

// Format keeps the password out of whatever is printed.
func (s *Sender) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// Send delivers l over a connection of its own and returns when the server has taken it. An error wraps [ErrRejected]
// when sending again is of no use; any other may pass. What happened before the letter was offered (no connection, no
// TLS, a wrong password) is never the letter's fault. No error holds an address, a subject or the server's own words.
func (s *Sender) Send(ctx context.Context, l Letter) error {
	e, err := l.seal()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.whole)
	defer cancel()
	line := connection{whole: ctx, tls: s.tls, server: &s.server}
	defer line.close()
	client, err := s.client(e, &line)
	if err != nil {
		return err
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return s.unreachable(ctx, err)
	}
	defer s.part(client, session, &line)
	if utf8, _ := session.Extension("SMTPUTF8"); e.international && !utf8 {
		return rejected("the server cannot send to or from addresses beyond ASCII")
	}
	// Without a reset afterwards, the server's answer to the content is the last thing that can go wrong.
	if err := client.SendWithSMTPClient(session, e.msg); err != nil {
		return undelivered(ctx, err)
	}
	return nil
}

func (s *Sender) client(e envelope, line *connection) (*gomail.Client, error) {
	starttls := gomail.TLSMandatory
	if s.server.implicit || s.server.clear {
		starttls = gomail.NoTLS
	}
	options := []gomail.Option{
		gomail.WithPort(s.server.port), gomail.WithTimeout(s.step), gomail.WithHELO(e.helo), gomail.WithDialContextFunc(line.dial),
		gomail.WithTLSConfig(s.tls), gomail.WithTLSPolicy(starttls), gomail.WithoutNoop(), gomail.WithoutRset(),
	}
	if !e.international { // a server would pass the demand on to others, who may not know it
		options = append(options, gomail.WithoutSMTPUTF8())
	}
	if s.server.user != "" {
		mechanisms := []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin}
		if s.server.clear { // to this machine alone
			mechanisms = []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc}
		}
		options = append(options, gomail.WithOpportunisticSMTPAuth(mechanisms...),
			gomail.WithUsername(s.server.user), gomail.WithPassword(s.server.password))
	}
	client, err := gomail.NewClient(s.server.host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail: set up the client: %w", err)
	}
	return client, nil
}

// part says goodbye, briefly: whether the server answers changes nothing.
func (s *Sender) part(client *gomail.Client, session *smtp.Client, line *connection) {
	_ = line.conn.SetDeadline(time.Now().Add(s.quit))
	_ = client.CloseWithSMTPClient(session)
}

// unreachable tells why no letter could be offered.
func (s *Sender) unreachable(ctx context.Context, err error) error {
	var answer *textproto.Error
	var garbled textproto.ProtocolError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("mail: connect to %s: %w", &s.server, ctx.Err())
	case errors.As(err, &answer):
		return fmt.Errorf("mail: connect to %s: the server answered %d", &s.server, answer.Code)
	case errors.As(err, &garbled):
		return fmt.Errorf("mail: connect to %s: the server does not speak SMTP", &s.server)
	}
	return fmt.Errorf("mail: connect to %s: %w", &s.server, err)
}

// undelivered tells why a letter that was offered was not taken.
func undelivered(ctx context.Context, err error) error {
	var failed *gomail.SendError
	if !errors.As(err, &failed) {
		return errors.New("mail: send: the connection failed")
	}
	answer := strings.TrimSpace(fmt.Sprintf("%s: the server answered %d %s", step(failed.Reason), failed.ErrorCode(), failed.EnhancedStatusCode()))
	switch code := failed.ErrorCode(); {
	case code == 530: // it wants us to sign in or to use TLS first
		return errors.New("mail: " + answer)
	case code >= 500:
		return rejected(answer)
	case code >= 400:
		return errors.New("mail: " + answer)
	case ctx.Err() != nil:
		return fmt.Errorf("mail: %s: %w", step(failed.Reason), ctx.Err())
	}
	return fmt.Errorf("mail: %s: the connection failed", step(failed.Reason))
}

// step names the part of the conversation that failed.
func step(reason gomail.SendErrReason) string {
	switch reason {
	case gomail.ErrSMTPMailFrom:
		return "offer the sender"
	case gomail.ErrSMTPRcptTo:
		return "offer the recipient"
	case gomail.ErrSMTPData, gomail.ErrWriteContent, gomail.ErrSMTPDataClose:
		return "hand over the mail"
	default:
		return "send"
	}
}

// connection is the one to the server while one letter is sent. It ends with the context of the sending, which go-mail
// heeds only while it connects.
type connection struct {
	whole  context.Context // outlasts the connecting
	tls    *tls.Config
	server *server
	conn   net.Conn
	stop   func() bool
}

// dial ignores the address given: go-mail writes one of IPv6 without its brackets.
func (c *connection) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, c.server.address())
	if err != nil {
		return nil, err
	}
	c.conn = conn
	c.stop = context.AfterFunc(c.whole, func() { _ = conn.Close() })
	if !c.server.implicit {
		return conn, nil
	}
	secure := tls.Client(conn, c.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, nil
}

func (c *connection) close() {
	if c.conn != nil {
		c.stop()
		_ = c.conn.Close()
	}
}
