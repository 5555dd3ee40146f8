package mail_test

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/stewardhq/steward/internal/mail"
)

func TestTheFourNotifications_S2_17(t *testing.T) {
	t.Parallel()
	names := map[mail.Template]string{}
	for _, d := range mail.Templates() {
		if _, twice := names[d.Template]; twice {
			t.Errorf("%s is there twice", d.Template)
		}
		names[d.Template] = d.Name
	}
	for _, c := range []struct {
		row      string
		template mail.Template
		name     string
	}{
		{"S2-03", "account_activation", "Storefront account activation"},
		{"S2-06", "activation_successful", "Activation was successful"},
		{"S2-09", "password_reset", "Storefront user password reset"},
		{"S2-11", "password_reset_successful", "Reset Password Was Successful"},
	} {
		t.Run(c.row, func(t *testing.T) {
			t.Parallel()
			if names[c.template] != c.name {
				t.Errorf("%s is called %q, not %q", c.template, names[c.template], c.name)
			}
		})
	}
}

// Stored names never change: this list only grows.
func TestStoredNames(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`account_activation account_reactivated account_suspended activation_successful email_change
		email_changed message new_device password_changed password_reset password_reset_successful recovery_code_used
		session_receipt set_password staff_invitation two_factor_disabled welcome`)
	var got []string
	for _, d := range mail.Templates() {
		got = append(got, string(d.Template))
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// No variable of a template can carry a password: not by its name, and there are no others than these.
func TestNoFieldCarriesASecret_S0_25(t *testing.T) {
	t.Parallel()
	telling := regexp.MustCompile(`(?i)pass|pwd|secret|token|code|credential|hash|key|pin$|totp|otp|recovery`)
	kinds := []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[bool](), reflect.TypeFor[time.Time](), reflect.TypeFor[[]string](), reflect.TypeFor[[][]string]()}
	var found []string
	var walk func(reflect.Type, string)
	walk = func(of reflect.Type, path string) {
		for f := range of.Fields() {
			name := strings.TrimPrefix(path+"."+f.Name, ".")
			switch {
			case telling.MatchString(f.Name):
				t.Errorf("%s could carry a secret", name)
			case f.Anonymous:
				walk(f.Type, path)
			case slices.Contains(kinds, f.Type):
				found = append(found, name)
			case f.Type.Kind() == reflect.Struct:
				walk(f.Type, name)
			default:
				t.Errorf("%s is a %s, which could carry anything", name, f.Type)
			}
		}
		if of.NumMethod() > 0 {
			t.Errorf("%s has methods that a template could call", of)
		}
	}
	walk(mail.View(), "")
	want := strings.Fields(`Store.Name Store.Host Store.LogoURL Store.Color Name Username Link Until At IP Device Reason
		Subject Body Staff Lines Remaining HasLink Color Ink Paragraphs`)
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("what a template sees (-want +got):\n%s", diff)
	}
}

func TestBranding_S0_29(t *testing.T) {
	t.Parallel()
	a := mail.Store{Name: "Alpha", Host: "alpha.example", LogoURL: "https://alpha.example/a.svg", Color: "#AB12CD"}
	b := mail.Store{Name: "Beta", Host: "beta.example", LogoURL: "https://beta.example/b.svg", Color: "#ffee00"}
	for _, d := range mail.Templates() {
		t.Run(string(d.Template), func(t *testing.T) {
			t.Parallel()
			for _, pair := range [][2]mail.Store{{a, b}, {b, a}} {
				own, other := pair[0], pair[1]
				data := mail.Sample(d.Template)
				data.Store = own
				data.Link = strings.ReplaceAll(data.Link, "shop.example.com", own.Host)
				r := must(t, d.Template, data)
				for _, want := range []string{own.Name, own.Host, own.LogoURL, own.Color} {
					if !strings.Contains(r.HTML, want) {
						t.Errorf("the page lacks %q", want)
					}
				}
				for _, want := range []string{own.Name, own.Host} {
					if !strings.Contains(r.Text, want) {
						t.Errorf("the text lacks %q", want)
					}
				}
				for _, foreign := range []string{other.Name, other.Host, other.Color, "Example Store", "shop.example.com"} {
					if strings.Contains(r.HTML+r.Text+r.Subject, foreign) {
						t.Errorf("%s shows %q", own.Name, foreign)
					}
				}
			}
		})
	}
	t.Run("text on the colour can be read", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct{ color, ink string }{{"#AB12CD", "#ffffff"}, {"#ffee00", "#000000"}, {"#FFFFFF", "#000000"}, {"#000000", "#ffffff"}} {
			data := mail.Sample(mail.Welcome)
			data.Store.Color = c.color
			if got := must(t, mail.Welcome, data).HTML; !strings.Contains(got, "color:"+c.ink+";font-weight:bold") {
				t.Errorf("on %s the button is not written in %s", c.color, c.ink)
			}
		}
	})
	t.Run("branding that cannot be used is left out", func(t *testing.T) {
		t.Parallel()
		for _, bad := range []string{"", "red", "#12345", "#1234567", "#12345g", "#123456;background:url(https://evil.example)", "expression(alert(1))", "#123456\n"} {
			data := mail.Sample(mail.Welcome)
			data.Store.Color = bad
			r := must(t, mail.Welcome, data)
			if !strings.Contains(r.HTML, "solid #24292f") || bad != "" && strings.Contains(r.HTML, bad) {
				t.Errorf("colour %q got into the page", bad)
			}
		}
		for _, bad := range []string{"", "http://shop.example.com/logo.png", "javascript:alert(1)", "data:image/png;base64,AA", "//shop.example.com/logo.png", "https://user:pw@shop.example.com/x", `https://x.example/"onerror=alert(1)`, "https://x.example/\r\nlogo"} {
			data := mail.Sample(mail.Welcome)
			data.Store.LogoURL = bad
			if r := must(t, mail.Welcome, data); strings.Contains(r.HTML, "<img") {
				t.Errorf("logo %q got into the page", bad)
			}
		}
	})
}

// The link is there once to press and once to read, and a page loads nothing but the logo.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, d := range mail.Templates() {
		t.Run(string(d.Template), func(t *testing.T) {
			t.Parallel()
			const link = "https://shop.example.com/links/a-b_c?x=1&y=2%20+3#z"
			data := mail.Sample(d.Template)
			data.Link = link
			r := must(t, d.Template, data)
			want := 0
			if d.HasLink {
				want = 1
			}
			if got := strings.Count(r.Text, link); got != want || strings.Count(r.Text, "http") != want {
				t.Errorf("the text has the link %d times:\n%s", got, r.Text)
			}
			hrefs, texts := 0, 0
			for token := range tokens(r.HTML) {
				if token.Type == html.TextToken && strings.Contains(token.Data, link) {
					texts++
				}
				for _, a := range token.Attr {
					switch {
					case token.Data == "a" && a.Key == "href" && a.Val == link:
						hrefs++
					case token.Data == "img" && a.Key == "src" && a.Val == data.Store.LogoURL:
					case strings.Contains(a.Val, "//") || strings.Contains(a.Val, "url("), a.Key == "href", a.Key == "src", a.Key == "background", a.Key == "srcset":
						t.Errorf("<%s %s=%q>", token.Data, a.Key, a.Val)
					}
				}
				if slices.Contains([]string{"script", "link", "style", "iframe", "object", "form", "base"}, token.Data) {
					t.Errorf("there is a <%s>", token.Data)
				}
			}
			if hrefs != want || texts != want {
				t.Errorf("the link is %d times to press and %d times to read, not %d", hrefs, texts, want)
			}
		})
	}
}

func tokens(page string) func(func(html.Token) bool) {
	return func(yield func(html.Token) bool) {
		for z := html.NewTokenizer(strings.NewReader(page)); z.Next() != html.ErrorToken; {
			if !yield(z.Token()) {
				return
			}
		}
	}
}

func TestMissingFields(t *testing.T) {
	t.Parallel()
	if _, err := mail.Render("nonesuch", mail.Sample("nonesuch")); !errors.Is(err, mail.ErrUnknownTemplate) {
		t.Errorf("an unknown template: %v", err)
	}
	type change struct {
		field string
		make  func(*mail.Data)
	}
	refused := func(t *testing.T, name mail.Template, c change) {
		t.Helper()
		d := mail.Sample(name)
		c.make(&d)
		if _, err := mail.Render(name, d); !errors.Is(err, mail.ErrMissing) || !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s without %s: %v", name, c.field, err)
		}
	}
	for _, d := range mail.Templates() {
		for _, c := range []change{
			{"Store.Name", func(d *mail.Data) { d.Store.Name = " \u200b\n" }},
			{"Store.Host", func(d *mail.Data) { d.Store.Host = "" }},
		} {
			refused(t, d.Template, c)
		}
		if d.HasLink {
			refused(t, d.Template, change{"Until", func(d *mail.Data) { d.Until = time.Time{} }})
			for _, link := range []string{"", "/links/x", "//shop.example/x", "javascript:alert(1)", "mailto:a@b.example", "https://", "https://u:p@shop.example/", "https://shop.example/ x", "https://shop.example/\nx", "https://shop.example/<b>", "https://shop.example/\u202ex"} {
				refused(t, d.Template, change{"Link", func(d *mail.Data) { d.Link = link }})
			}
		}
	}
	for _, name := range []mail.Template{mail.PasswordResetSuccessful, mail.PasswordChanged, mail.TwoFactorDisabled, mail.RecoveryCodeUsed, mail.NewDevice, mail.SessionReceipt} {
		refused(t, name, change{"At", func(d *mail.Data) { d.At = time.Time{} }})
	}
	refused(t, mail.SessionReceipt, change{"Lines", func(d *mail.Data) { d.Lines = []string{"", "\u200b"} }})
	refused(t, mail.Message, change{"Subject", func(d *mail.Data) { d.Subject = "\r\n" }})
	refused(t, mail.Message, change{"Body", func(d *mail.Data) { d.Body = "\n \n" }})
}

// What may be left out leaves no hole.
func TestOptionalFields(t *testing.T) {
	t.Parallel()
	for _, d := range mail.Templates() {
		data := mail.Sample(d.Template)
		data.Name, data.Username, data.IP, data.Device, data.Reason, data.Staff, data.Store.LogoURL = "", "", "", "", "", "", ""
		r := must(t, d.Template, data)
		if strings.Contains(r.Text, "\n\n\n") || !strings.HasPrefix(r.Text, "Hello,\n\n") || strings.Contains(r.Text, " .") || strings.Contains(r.Text, "  ") {
			t.Errorf("%s:\n%s", d.Template, r.Text)
		}
		if !strings.Contains(r.HTML, "Hello,") || strings.Contains(r.HTML, "<bdi></bdi>") {
			t.Errorf("%s:\n%s", d.Template, r.HTML)
		}
	}
}

func TestRecoveryCodesLeft(t *testing.T) {
	t.Parallel()
	for left, want := range map[int]string{0: "No recovery codes are left.", 1: "One recovery code is left.", 2: "2 recovery codes are left."} {
		d := mail.Sample(mail.RecoveryCodeUsed)
		d.Remaining = left
		if r := must(t, mail.RecoveryCodeUsed, d); !strings.Contains(r.Text, want) || !strings.Contains(r.HTML, want) {
			t.Errorf("%d left: %s", left, r.Text)
		}
	}
}

// Whatever people put into their names and words stays text in its place.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	const evil = "X\r\nBcc: v@evil.example\r\n\r\n<script>alert(1)</script><img src=x onerror=y>\u202e\u2066\u200b\u2028{{.Link}}\x00\xff"
	for _, d := range mail.Templates() {
		t.Run(string(d.Template), func(t *testing.T) {
			t.Parallel()
			data := mail.Sample(d.Template)
			plain := must(t, d.Template, data)
			for _, field := range []*string{&data.Name, &data.Username, &data.IP, &data.Device, &data.Reason, &data.Subject, &data.Body, &data.Staff, &data.Store.Name, &data.Store.Host} {
				if *field != "" {
					*field = evil
				}
			}
			for i := range data.Lines {
				data.Lines[i] = evil
			}
			r := must(t, d.Template, data)
			if strings.ContainsAny(r.Subject, "\r\n") {
				t.Errorf("the subject breaks: %q", r.Subject)
			}
			if strings.ContainsAny(r.Subject+r.Text+r.HTML, "\r\u202e\u2066\u200b\u2028\x00") {
				t.Error("an invisible character shows")
			}
			if got, want := shape(r.HTML), shape(plain.HTML); d.Template != mail.Message && got != want {
				t.Errorf("the page has other elements: %s, not %s", got, want)
			}
			if strings.Contains(r.HTML, "<script") || strings.Contains(r.HTML, "src=x onerror=y>") {
				t.Error("markup gets into the page")
			}
			if d.Template != mail.Message && strings.Count(r.Text, "\nBcc:") > 0 {
				t.Errorf("a value makes a line of its own:\n%s", r.Text)
			}
		})
	}
}

// shape is the elements of a page in their order.
func shape(page string) string {
	var b strings.Builder
	for token := range tokens(page) {
		if token.Type == html.StartTagToken && token.Data != "bdi" { // a name that is not greeted has none
			b.WriteString(token.Data + " ")
		}
	}
	return b.String()
}

// Who registers a stranger's address must not be able to send him an advertisement.
func TestNamesThatAreAddresses(t *testing.T) {
	t.Parallel()
	for name, greeted := range map[string]bool{
		"Mary Shelley": true, "Dr. J. R. O'Neill-Müller": true, "שלום": true, "李小龍": true, "J.R. Ewing": true,
		"Win at https://evil.example": false, "see evil.example": false, "www.evil.example": false, "write a@evil": false, "evil/x": false,
		strings.Repeat("long ", 20): false,
	} {
		d := mail.Sample(mail.Welcome)
		d.Name = name
		r := must(t, mail.Welcome, d)
		want := "Hello,\n"
		if greeted {
			want = "Hello " + name + ",\n"
		}
		if !strings.HasPrefix(r.Text, want) {
			t.Errorf("%q is greeted with %q", name, r.Text[:30])
		}
	}
}

func TestMessagesKeepTheirShape_S1_32(t *testing.T) {
	t.Parallel()
	d := mail.Sample(mail.Message)
	d.Subject, d.Body = "Grüße & <more>", "One\r\ntwo\r\n\r\n\r\n\r\n<b>three</b>  \n"
	r := must(t, mail.Message, d)
	if r.Subject != "Grüße & <more>" {
		t.Errorf("subject %q", r.Subject)
	}
	if !strings.Contains(r.Text, "\n\nOne\ntwo\n\n<b>three</b>\n\nPercy\n") {
		t.Errorf("text:\n%s", r.Text)
	}
	if !strings.Contains(r.HTML, "One<br>\ntwo</p>") || !strings.Contains(r.HTML, "&lt;b&gt;three&lt;/b&gt;</p>") {
		t.Errorf("page:\n%s", r.HTML)
	}
}
