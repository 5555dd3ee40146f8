package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stewardhq/steward/internal/mail"
)

var at = time.Date(2026, 3, 14, 10, 30, 0, 0, time.FixedZone("", 3600))

func letter() mail.Letter {
	return mail.Letter{
		MessageID: "<5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001.welcome@shop.example.com>",
		From:      mail.Address{Name: "Grüner Laden", Address: "noreply@shop.example.com"},
		ReplyTo:   mail.Address{Address: "help@shop.example.com"},
		To:        mail.Address{Name: "Mary \"M\" Shelley", Address: "mary+private@shelley.example"},
		Rendered:  mail.Rendered{Subject: "Grüße from private", Text: "Hello private\n.\nend ü\n", HTML: "<p>Hello private ü</p>\n"},
		At:        at,
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		mode mode
		url  string
	}{
		{"STARTTLS", startTLS, "smtp://HOST?tls=starttls"},
		{"STARTTLS with a password", startTLS, "smtp://steward:s3cret%23@HOST?tls=starttls"},
		{"TLS with a password", implicitTLS, "smtps://steward:s3cret%23@HOST"},
		{"in the clear to this machine", clear, "smtp://HOST"},
		{"in the clear with a password to this machine", clear, "smtp://steward:s3cret%23@HOST"},
		{"in the clear where that is asked for", clear, "smtp://HOST?tls=none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.mode, answers{auth: strings.Contains(c.url, "@")})
			if err := s.sender(t, strings.Replace(c.url, "HOST", s.address, 1)).Send(t.Context(), letter()); err != nil {
				t.Fatal(err)
			}
			got := s.only(t)
			if got.from != "noreply@shop.example.com" || !slices.Equal(got.to, []string{"mary+private@shelley.example"}) || got.utf8 {
				t.Errorf("envelope %q to %q, UTF-8 %v", got.from, got.to, got.utf8)
			}
			if got.tls != (c.mode != clear) || got.helo != "shop.example.com" || s.signedIn() != strings.Contains(c.url, "@") {
				t.Errorf("TLS %v, hello from %q, signed in %v", got.tls, got.helo, s.signedIn())
			}
		})
	}
}

func TestLetterOnTheWire(t *testing.T) {
	t.Parallel()
	s := serve(t, clear, answers{})
	if err := s.sender(t, "smtp://"+s.address).Send(t.Context(), letter()); err != nil {
		t.Fatal(err)
	}
	raw := s.only(t).data
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"Message-Id":     "<5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0001.welcome@shop.example.com>",
		"Date":           "Sat, 14 Mar 2026 09:30:00 +0000",
		"From":           "=?utf-8?q?Gr=C3=BCner_Laden?= <noreply@shop.example.com>",
		"To":             `"Mary \"M\" Shelley" <mary+private@shelley.example>`,
		"Reply-To":       "<help@shop.example.com>",
		"Subject":        "=?UTF-8?q?Gr=C3=BC=C3=9Fe_from_private?=",
		"Auto-Submitted": "auto-generated",
		"Mime-Version":   "1.0",
		"User-Agent":     "", "X-Mailer": "",
	} {
		if got := m.Header[header]; strings.Join(got, "|") != want {
			t.Errorf("%s: %q, not %q", header, got, want)
		}
	}
	if n := bytes.Count(raw, []byte("Content-Type: text/")); n != 2 || !bytes.Contains(raw, []byte("multipart/alternative")) ||
		bytes.Index(raw, []byte("text/plain")) > bytes.Index(raw, []byte("text/html")) {
		t.Errorf("not a text and a page:\n%s", raw)
	}
	for line := range bytes.Lines(raw) {
		if len(line) > 100 || !bytes.HasSuffix(line, []byte("\r\n")) {
			t.Errorf("line %q", line)
		}
	}
}

func TestInternationalAddresses(t *testing.T) {
	t.Parallel()
	t.Run("a domain is sent in ASCII", func(t *testing.T) {
		t.Parallel()
		s := serve(t, clear, answers{})
		l := letter()
		l.To.Address = "mary@bücher.example"
		if err := s.sender(t, "smtp://"+s.address).Send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if got := s.only(t); !slices.Equal(got.to, []string{"mary@xn--bcher-kva.example"}) || got.utf8 {
			t.Errorf("to %q, UTF-8 %v", got.to, got.utf8)
		}
	})
	t.Run("a mailbox demands SMTPUTF8", func(t *testing.T) {
		t.Parallel()
		s := serve(t, clear, answers{})
		l := letter()
		l.To.Address = "märy@bücher.example"
		if err := s.sender(t, "smtp://"+s.address).Send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if got := s.only(t); !slices.Equal(got.to, []string{"märy@xn--bcher-kva.example"}) || !got.utf8 {
			t.Errorf("to %q, UTF-8 %v", got.to, got.utf8)
		}
	})
	t.Run("and is rejected without it", func(t *testing.T) {
		t.Parallel()
		s := serve(t, clear, answers{noUTF8: true})
		l := letter()
		l.To.Address = "märy@bücher.example"
		refused(t, s.sender(t, "smtp://"+s.address).Send(t.Context(), l), true, "beyond ASCII")
		s.none(t)
	})
}

func TestNothingGetsIntoTheHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t, clear, answers{})
	l := letter()
	const inject = "x\r\nBcc: evil@evil.example\nX-Evil: 1\u2028\u202e"
	l.Subject, l.From.Name, l.To.Name, l.ReplyTo.Name = inject, inject, inject, inject
	if err := s.sender(t, "smtp://"+s.address).Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	m, err := netmail.ReadMessage(bytes.NewReader(s.only(t).data))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Header["Bcc"])+len(m.Header["X-Evil"]) > 0 || m.Header.Get("Subject") != "x Bcc: evil@evil.example X-Evil: 1" {
		t.Errorf("headers %v", m.Header)
	}
	for _, header := range []string{"From", "To"} {
		if a, err := m.Header.AddressList(header); err != nil || len(a) != 1 || a[0].Name != "x Bcc: evil@evil.example X-Evil: 1" {
			t.Errorf("%s: %v, %v", header, a, err)
		}
	}
}

func TestLettersThatCannotBeSent(t *testing.T) {
	t.Parallel()
	s := serve(t, clear, answers{})
	sender := s.sender(t, "smtp://"+s.address)
	for name, spoil := range map[string]func(*mail.Letter){
		"no recipient":              func(l *mail.Letter) { l.To.Address = "" },
		"a recipient with a name":   func(l *mail.Letter) { l.To.Address = "private <a@b.example>" },
		"a recipient with a line":   func(l *mail.Letter) { l.To.Address = "a@b.example\r\nDATA" },
		"two recipients":            func(l *mail.Letter) { l.To.Address = "a@b.example, private@b.example" },
		"a sender that is none":     func(l *mail.Letter) { l.From.Address = "private" },
		"a reply address with more": func(l *mail.Letter) { l.ReplyTo.Address = "a@b.example>" },
		"a message id with a line":  func(l *mail.Letter) { l.MessageID = "a@b\r\nBcc: c@d" },
		"no message id":             func(l *mail.Letter) { l.MessageID = "" },
		"no date":                   func(l *mail.Letter) { l.At = time.Time{} },
		"no subject":                func(l *mail.Letter) { l.Subject = "\n" },
		"no text":                   func(l *mail.Letter) { l.Text = "" },
		"no page":                   func(l *mail.Letter) { l.HTML = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := letter()
			spoil(&l)
			refused(t, sender.Send(t.Context(), l), true, "")
		})
	}
	t.Cleanup(func() { s.none(t) })
}

// What the server says at each step, and whether to try again.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		answers  answers
		rejected bool
		says     string
	}{
		{"a recipient that does not exist", answers{rcpt: answer(550, 5, 1, 1)}, true, "offer the recipient: the server answered 550 5.1.1"},
		{"a recipient later", answers{rcpt: answer(450, 4, 2, 1)}, false, "offer the recipient: the server answered 450 4.2.1"},
		{"a sender that is refused", answers{mail: answer(553, 5, 1, 8)}, true, "offer the sender: the server answered 553"},
		{"a sender later", answers{mail: answer(421, 4, 3, 2)}, false, "offer the sender: the server answered 421"},
		{"a server that wants a password", answers{mail: answer(530, 5, 7, 0)}, false, "530"},
		{"content that is refused", answers{data: answer(554, 5, 7, 1)}, true, "hand over the mail: the server answered 554 5.7.1"},
		{"content later", answers{data: answer(451, 4, 3, 0)}, false, "hand over the mail: the server answered 451"},
		{"a greeting that refuses", answers{hello: answer(554, 5, 3, 2)}, false, "connect to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, clear, c.answers)
			refused(t, s.sender(t, "smtp://"+s.address).Send(t.Context(), letter()), c.rejected, c.says)
			s.none(t)
		})
	}
}

func TestServersThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	t.Run("a wrong password", func(t *testing.T) {
		t.Parallel()
		s := serve(t, startTLS, answers{auth: true})
		refused(t, s.sender(t, "smtp://steward:wr0ng@"+s.address+"?tls=starttls").Send(t.Context(), letter()), false, "answered 535")
		s.none(t)
	})
	t.Run("no STARTTLS", func(t *testing.T) {
		t.Parallel()
		s := serve(t, clear, answers{auth: true})
		refused(t, s.sender(t, "smtp://steward:s3cret%23@"+s.address+"?tls=starttls").Send(t.Context(), letter()), false, "STARTTLS")
		if s.signedIn() {
			t.Error("the password went out in the clear")
		}
		s.none(t)
	})
	t.Run("a certificate of somebody else", func(t *testing.T) {
		t.Parallel()
		for url, m := range map[string]mode{"smtp://%s?tls=starttls": startTLS, "smtps://%s": implicitTLS} {
			s := serve(t, m, answers{})
			sender, err := mail.NewSender(fmt.Sprintf(url, s.address))
			if err != nil {
				t.Fatal(err)
			}
			refused(t, sender.Send(t.Context(), letter()), false, "certificate")
			s.none(t)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		s := serve(t, clear, answers{})
		s.stop()
		refused(t, s.sender(t, "smtp://"+s.address).Send(t.Context(), letter()), false, "refused")
	})
	t.Run("one that speaks something else", func(t *testing.T) {
		t.Parallel()
		address := raw(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 private\r\n\r\n") })
		refused(t, sender(t, "smtp://"+address, time.Minute).Send(t.Context(), letter()), false, "does not speak SMTP")
	})
}

func TestServersThatHang(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		says string
		when answers
	}{
		{"at the recipient", "offer the recipient", answers{rcpt: errHang}},
		{"at the content", "hand over the mail", answers{data: errHang}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, clear, c.when)
			err := sender(t, "smtp://"+s.address, 300*time.Millisecond).Send(t.Context(), letter())
			refused(t, err, false, c.says)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v is not a deadline", err)
			}
		})
		t.Run(c.name+", until the caller has enough", func(t *testing.T) {
			t.Parallel()
			s := serve(t, clear, c.when)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-s.hanging
				cancel()
			}()
			err := sender(t, "smtp://"+s.address, time.Minute).Send(ctx, letter())
			refused(t, err, false, c.says)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v is not the caller's", err)
			}
		})
	}
	t.Run("before the greeting", func(t *testing.T) {
		t.Parallel()
		for _, url := range []string{"smtp://", "smtps://"} {
			address := raw(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
			err := sender(t, url+address, 300*time.Millisecond).Send(t.Context(), letter())
			refused(t, err, false, "connect to")
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v is not a deadline", err)
			}
		}
	})
}

func TestServersThatDie(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]answers{
		"at the sender": {mail: errDie}, "at the recipient": {rcpt: errDie}, "in the middle of the content": {data: errDie},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, clear, a)
			refused(t, s.sender(t, "smtp://"+s.address).Send(t.Context(), letter()), false, "the connection failed")
			s.none(t)
		})
	}
	t.Run("after it took the mail", func(t *testing.T) {
		t.Parallel()
		s := serve(t, clear, answers{dieAfter: true})
		if err := s.sender(t, "smtp://"+s.address).Send(t.Context(), letter()); err != nil {
			t.Errorf("the server has the mail: %v", err)
		}
		s.only(t)
	})
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, clear, answers{})
	sender := s.sender(t, "smtp://"+s.address)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			l := letter()
			l.To.Address = fmt.Sprintf("c%d@shelley.example", i)
			l.MessageID = fmt.Sprintf("%d@shop.example.com", i)
			if err := sender.Send(t.Context(), l); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, got := range s.taken() {
		seen[got.to[0]] = bytes.Contains(got.data, []byte("<"+strings.TrimPrefix(strings.Split(got.to[0], "@")[0], "c")+"@shop.example.com>"))
	}
	if len(seen) != 50 {
		t.Errorf("%d of 50 arrived", len(seen))
	}
	for to, own := range seen {
		if !own {
			t.Errorf("%s got the mail of another", to)
		}
	}
}

// refused checks the kind and the words of an error, and that nobody can be recognised by it.
func refused(t *testing.T, err error, forEver bool, says string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if errors.Is(err, mail.ErrRejected) != forEver || !strings.Contains(err.Error(), says) {
		t.Errorf("%v, for ever %v; want %q, %v", err, errors.Is(err, mail.ErrRejected), says, forEver)
	}
	for _, private := range []string{"private", "mary", "märy", "shelley", "example", "s3cret", "wr0ng", "Gr"} {
		if strings.Contains(err.Error(), private) {
			t.Errorf("%v tells %q", err, private)
		}
	}
}

func sender(t *testing.T, url string, whole time.Duration) *mail.Sender {
	t.Helper()
	s, err := mail.NewSender(url)
	if err != nil {
		t.Fatal(err)
	}
	mail.Trust(s, roots(t), whole)
	return s
}
