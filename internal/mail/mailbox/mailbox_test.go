package mailbox_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	netsmtp "net/smtp"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/stewardhq/steward/internal/mail"
	"github.com/stewardhq/steward/internal/mail/mailbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T) *mailbox.Mailbox {
	t.Helper()
	m, err := mailbox.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func send(t *testing.T, m *mailbox.Mailbox, to string, template mail.Template, d mail.Data) {
	t.Helper()
	sender, err := mail.NewSender(m.URL())
	if err != nil {
		t.Fatal(err)
	}
	r, err := mail.Render(template, d)
	if err != nil {
		t.Fatal(err)
	}
	err = sender.Send(t.Context(), mail.Letter{
		MessageID: "1@shop.example.com", From: mail.Address{Name: "Grüner Laden", Address: "noreply@shop.example.com"},
		To: mail.Address{Address: to}, Rendered: r, At: d.At,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What is rendered and sent is what is caught, to the letter.
func TestEveryMailArrivesAsRendered(t *testing.T) {
	t.Parallel()
	m := listen(t)
	for _, d := range mail.Templates() {
		data := mail.Sample(d.Template)
		data.Store.Name = "Grüner Laden \"&\" Söhne"
		want, err := mail.Render(d.Template, data)
		if err != nil {
			t.Fatal(err)
		}
		to := string(d.Template) + "@müller.example"
		send(t, m, to, d.Template, data)
		got, err := m.Await(t.Context(), func(one mailbox.Message) bool { return one.Subject == want.Subject })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, mail.Rendered{Subject: got.Subject, Text: got.Text, HTML: got.HTML}); diff != "" {
			t.Errorf("%s (-rendered +caught):\n%s", d.Template, diff)
		}
		if got.From != "Grüner Laden <noreply@shop.example.com>" || got.To != string(d.Template)+"@xn--mller-kva.example" || got.At.IsZero() {
			t.Errorf("from %q to %q at %v", got.From, got.To, got.At)
		}
		links := []string{}
		if d.HasLink {
			links = append(links, data.Link)
		}
		if !slices.Equal(got.Links, links) {
			t.Errorf("%s: links %q, not %q", d.Template, got.Links, links)
		}
	}
	if n := len(m.Messages("")); n != len(mail.Templates()) {
		t.Errorf("%d mails", n)
	}
	if own := m.Messages("Welcome@xn--mller-kva.example"); len(own) != 1 {
		t.Errorf("%d mails to one address", len(own))
	}
}

func TestInternationalMailboxes(t *testing.T) {
	t.Parallel()
	m := listen(t)
	send(t, m, "märy@shelley.example", mail.Welcome, mail.Sample(mail.Welcome))
	if len(m.Messages("märy@shelley.example")) != 1 {
		t.Error("the mail is not there")
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	m := listen(t)
	arrived := make(chan error, 1)
	asked := make(chan struct{})
	go func() {
		first := true
		_, err := m.Await(t.Context(), func(one mailbox.Message) bool {
			if first {
				first = false
				close(asked)
			}
			return one.To == "second@shelley.example"
		})
		arrived <- err
	}()
	send(t, m, "first@shelley.example", mail.Welcome, mail.Sample(mail.Welcome))
	<-asked // it waits, and the first one is not it
	send(t, m, "second@shelley.example", mail.Welcome, mail.Sample(mail.Welcome))
	if err := <-arrived; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Await(ctx, func(mailbox.Message) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("a mail that never comes: %v", err)
	}
}

func TestTheNewestAreKept(t *testing.T) {
	t.Parallel()
	m := listen(t)
	host, _, _ := strings.Cut(strings.TrimPrefix(m.URL(), "smtp://"), "?")
	c, err := netsmtp.Dial(host)
	if err != nil {
		t.Fatal(err)
	}
	for i := range mailbox.Capacity + 3 {
		if err := errors.Join(c.Mail("a@b.example"), c.Rcpt(fmt.Sprintf("%d@b.example", i))); err != nil {
			t.Fatal(err)
		}
		w, err := c.Data()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(w, "Subject: %d\r\n\r\nno parts at all, see <https://b.example/%d>.", i, i); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	all := m.Messages("")
	if len(all) != mailbox.Capacity || all[0].Subject != "3" || all[len(all)-1].Subject != fmt.Sprint(mailbox.Capacity+2) {
		t.Errorf("%d mails, from %q to %q", len(all), all[0].Subject, all[len(all)-1].Subject)
	}
	if !strings.HasPrefix(all[0].Text, "no parts") || !slices.Equal(all[0].Links, []string{"https://b.example/3"}) {
		t.Errorf("%q with links %q", all[0].Text, all[0].Links)
	}
}

func TestOnlyOnThisMachine(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		if m, err := mailbox.Listen(t.Context(), addr); err == nil {
			_ = m.Close()
			t.Errorf("it listens at %s", addr)
		}
	}
}

func TestItEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*mailbox.Mailbox, context.CancelFunc){
		"closed":    func(m *mailbox.Mailbox, _ context.CancelFunc) { _ = m.Close() },
		"cancelled": func(m *mailbox.Mailbox, cancel context.CancelFunc) { cancel(); _ = m.Close() },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		m, err := mailbox.Listen(ctx, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		send(t, m, "mary@shelley.example", mail.Welcome, mail.Sample(mail.Welcome))
		end(m, cancel)
		cancel()
		if c, err := netsmtp.Dial(strings.TrimSuffix(strings.TrimPrefix(m.URL(), "smtp://"), "?tls=none")); err == nil {
			_ = c.Close()
			t.Errorf("%s, it still listens", name)
		}
		if len(m.Messages("")) != 1 {
			t.Errorf("%s, its mails are gone", name)
		}
	}
}

func TestAnAddressMayBounce(t *testing.T) {
	t.Parallel()
	m := listen(t)
	sender, err := mail.NewSender(m.URL())
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := mail.Render(mail.PasswordChanged, mail.Sample(mail.PasswordChanged))
	if err != nil {
		t.Fatal(err)
	}
	err = sender.Send(t.Context(), mail.Letter{
		MessageID: "1@shop.example", From: mail.Address{Address: "no-reply@shop.example"}, To: mail.Address{Address: "Bounce@shelley.example"},
		Rendered: rendered, At: time.Now(),
	})
	if !errors.Is(err, mail.ErrRejected) || len(m.Messages("")) != 0 {
		t.Errorf("%v, and %d mails are kept", err, len(m.Messages("")))
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	m := listen(t)
	if got := get(t, m, "/mailbox.json").Body.String(); got != "[]\n" {
		t.Errorf("an empty mailbox is %q", got)
	}
	send(t, m, "mary@shelley.example", mail.PasswordReset, mail.Sample(mail.PasswordReset))
	send(t, m, "percy@shelley.example", mail.PasswordChanged, mail.Sample(mail.PasswordChanged))
	var got []map[string]any
	if err := json.Unmarshal(get(t, m, "/mailbox.json").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0]["to"] != "percy@shelley.example" || got[1]["to"] != "mary@shelley.example" {
		t.Fatalf("%v", got)
	}
	var hers []map[string]any
	if err := json.Unmarshal(get(t, m, "/mailbox.json?to=mary@shelley.example").Body.Bytes(), &hers); err != nil || len(hers) != 1 || hers[0]["id"] != got[1]["id"] {
		t.Errorf("to her: %v, %v", hers, err)
	}
	var fields []string
	for name := range got[1] {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	if diff := cmp.Diff([]string{"at", "from", "html", "id", "links", "subject", "text", "to"}, fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{mail.Sample(mail.PasswordReset).Link}, got[1]["links"]); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if _, err := time.Parse(time.RFC3339, got[1]["at"].(string)); err != nil {
		t.Error(err)
	}
	if got[0]["links"] == nil {
		t.Error("no links are null, not an empty list")
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	m := listen(t)
	if body := get(t, m, "/mailbox").Body.String(); !strings.Contains(body, "No mail has been sent yet") {
		t.Error(body)
	}
	d := mail.Sample(mail.PasswordReset)
	d.Store.Name = "<script>alert(1)</script>"
	send(t, m, "mary@shelley.example", mail.Welcome, mail.Sample(mail.Welcome))
	send(t, m, "percy@shelley.example", mail.PasswordReset, d)
	newest := m.Messages("percy@shelley.example")[0]

	list := get(t, m, "/mailbox").Body.String()
	if i, j := strings.Index(list, "percy@"), strings.Index(list, "mary@"); i < 0 || j < i || !strings.Contains(list, `href="/mailbox/`+newest.ID+`"`) {
		t.Errorf("not the newest first:\n%s", list)
	}
	one := get(t, m, "/mailbox/"+newest.ID)
	for _, want := range []string{
		`<a href="` + d.Link + `" target="_blank"`, `src="/mailbox/` + newest.ID + `/html"`, `sandbox="allow-popups allow-popups-to-escape-sandbox"`,
		`href="/mailbox/` + newest.ID + `/raw"`, "percy@shelley.example", "<pre dir=\"auto\">Hello Mary Shelley,",
	} {
		if !strings.Contains(one.Body.String(), want) {
			t.Errorf("the page lacks %s:\n%s", want, one.Body.String())
		}
	}
	for _, body := range []string{list, one.Body.String()} {
		if strings.Contains(body, "<script") {
			t.Error("the subject becomes markup")
		}
	}
	css := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(one.Body.String())[1]
	sum := sha256.Sum256([]byte(css))
	if policy := one.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; frame-src 'self';") {
		t.Errorf("policy %q does not fit the style", policy)
	}

	frame := get(t, m, "/mailbox/"+newest.ID+"/html")
	policy := frame.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';") || strings.Contains(policy, "script") {
		t.Errorf("policy of the mail's page: %q", policy)
	}
	if got := strings.Replace(frame.Body.String(), `<base target="_blank">`, "", 1); got != newest.HTML || got == frame.Body.String() {
		t.Errorf("the frame shows another page:\n%s", frame.Body.String())
	}
	raw := get(t, m, "/mailbox/"+newest.ID+"/raw")
	if raw.Body.String() != string(newest.Raw) || !strings.HasPrefix(raw.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("source %q", raw.Body.String())
	}
	for path, want := range map[string]int{"/mailbox/": 200, "/mailbox/99": 404, "/mailbox/99/html": 404, "/mailbox/x/raw": 404, "/": 404, "/mailbox/1/other": 404} {
		if got := serve(m, http.MethodGet, path); got.Code != want {
			t.Errorf("%s answers %d, not %d", path, got.Code, want)
		}
	}
	if got := serve(m, http.MethodPost, "/mailbox"); got.Code != http.StatusMethodNotAllowed {
		t.Errorf("a POST answers %d", got.Code)
	}
}

func get(t *testing.T, m *mailbox.Mailbox, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := serve(m, http.MethodGet, path)
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("%s answers %d %v", path, w.Code, w.Header())
	}
	return w
}

func serve(m *mailbox.Mailbox, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}
