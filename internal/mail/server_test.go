package mail_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"github.com/stewardhq/steward/internal/mail"
)

// mode is how a server is spoken to.
type mode int

const (
	clear mode = iota
	startTLS
	implicitTLS
)

// What a server may do instead of answering.
var (
	errHang = errors.New("hang")
	errDie  = errors.New("die")
)

// answers are what a server says; nil is a yes.
type answers struct {
	hello, mail, rcpt, data error
	auth                    bool // it offers AUTH, and knows steward with s3cret#
	noUTF8                  bool
	dieAfter                bool // it is gone as soon as it has taken a mail
}

// taken is a mail that a server took.
type taken struct {
	helo, from string
	to         []string
	utf8, tls  bool
	data       []byte
}

// smtpServer is a real SMTP server that says what it is told to.
type smtpServer struct {
	answers answers
	address string
	stop    func()
	hanging chan struct{} // closed when it hangs
	release chan struct{} // closed when the test is over

	mu    sync.Mutex
	mails []taken
	known bool
	once  sync.Once
}

// certified borrows the certificate of package httptest, which is for example.com and the loopback addresses.
var certified = sync.OnceValues(func() (tls.Certificate, *x509.Certificate) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0], s.Certificate()
})

func roots(t *testing.T) *x509.CertPool {
	t.Helper()
	_, root := certified()
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return pool
}

func serve(t *testing.T, m mode, a answers) *smtpServer {
	t.Helper()
	s := &smtpServer{answers: a, hanging: make(chan struct{}), release: make(chan struct{})}
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(c *gosmtp.Conn) (gosmtp.Session, error) {
		if a.hello != nil {
			return nil, a.hello
		}
		session := &smtpSession{server: s, conn: c}
		if a.auth {
			return &authSession{session}, nil
		}
		return session, nil
	}))
	server.EnableSMTPUTF8, server.AllowInsecureAuth = !a.noUTF8, true
	server.Domain, server.ErrorLog = "mx.example", log.New(io.Discard, "", 0)
	certificate, _ := certified()
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	switch m {
	case startTLS:
		server.TLSConfig = config
	case implicitTLS:
		l = tls.NewListener(l, config)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	s.stop = sync.OnceFunc(func() {
		close(s.release)
		_ = server.Close()
		_ = l.Close() // it may not have been the server's yet
		<-done
	})
	t.Cleanup(s.stop)
	return s
}

func (s *smtpServer) sender(t *testing.T, url string) *mail.Sender {
	t.Helper()
	return sender(t, url, time.Minute)
}

func (s *smtpServer) taken() []taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

func (s *smtpServer) signedIn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

func (s *smtpServer) only(t *testing.T) taken {
	t.Helper()
	all := s.taken()
	if len(all) != 1 {
		t.Fatalf("the server took %d mails", len(all))
	}
	return all[0]
}

func (s *smtpServer) none(t *testing.T) {
	t.Helper()
	if all := s.taken(); len(all) != 0 {
		t.Errorf("the server took %d mails", len(all))
	}
}

// act does what err says.
func (s *smtpServer) act(c *gosmtp.Conn, err error) error {
	switch {
	case errors.Is(err, errHang):
		s.once.Do(func() { close(s.hanging) })
		<-s.release
	case errors.Is(err, errDie):
		_ = c.Conn().Close()
	}
	return err
}

type smtpSession struct {
	server *smtpServer
	conn   *gosmtp.Conn
	got    taken
}

func (s *smtpSession) Mail(from string, o *gosmtp.MailOptions) error {
	_, secure := s.conn.TLSConnectionState()
	s.got = taken{helo: s.conn.Hostname(), from: from, utf8: o.UTF8, tls: secure}
	return s.server.act(s.conn, s.server.answers.mail)
}

func (s *smtpSession) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.got.to = append(s.got.to, to)
	return s.server.act(s.conn, s.server.answers.rcpt)
}

func (s *smtpSession) Data(r io.Reader) error {
	if errors.Is(s.server.answers.data, errDie) { // in the middle of it
		_, _ = io.ReadFull(r, make([]byte, 10))
		return s.server.act(s.conn, errDie)
	}
	var err error
	if s.got.data, err = io.ReadAll(r); err != nil {
		return err
	}
	if err := s.server.act(s.conn, s.server.answers.data); err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.got)
	return nil
}

// Reset comes after the answer to a mail.
func (s *smtpSession) Reset() {
	if s.server.answers.dieAfter && s.got.data != nil {
		_ = s.conn.Conn().Close()
	}
}

func (s *smtpSession) Logout() error { return nil }

// authSession offers AUTH.
type authSession struct{ *smtpSession }

func (s *authSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *authSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "steward" || password != "s3cret#" {
			return gosmtp.ErrAuthFailed
		}
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		s.server.known = true
		return nil
	}), nil
}

var _ gosmtp.AuthSession = (*authSession)(nil)

// raw serves connections that are not SMTP.
func raw(t *testing.T, handle func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

func answer(code int, enhanced ...int) *gosmtp.SMTPError {
	return &gosmtp.SMTPError{Code: code, EnhancedCode: gosmtp.EnhancedCode(enhanced), Message: "private mary+private@shelley.example Grüße"}
}
