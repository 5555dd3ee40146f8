package mail_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/internal/mail"
)

var update = flag.Bool("update", false, "rewrite the golden mails and docs/mails.md")

// Every mail is pinned as its reader gets it (S4-23, NOT-02).
func TestGolden_S4_23(t *testing.T) {
	t.Parallel()
	for _, d := range mail.Templates() {
		t.Run(string(d.Template), func(t *testing.T) {
			t.Parallel()
			got := must(t, d.Template, mail.Sample(d.Template))
			golden(t, filepath.Join("testdata", string(d.Template)+".txt"), "Subject: "+got.Subject+"\n\n"+got.Text)
			golden(t, filepath.Join("testdata", string(d.Template)+".html"), got.HTML)
		})
	}
}

// docs/mails.md is this table.
func TestDocs(t *testing.T) {
	t.Parallel()
	golden(t, "../../docs/mails.md", document())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; run the test with -update (-want +got):\n%s", file, diff)
	}
}

func document() string {
	var b strings.Builder
	b.WriteString(`# Mails

Every mail that Steward sends. Each has a text and an HTML form with the store's name, logo and colour. No mail carries a
password. A link in a mail works once and until the time that the mail names; nothing but the store's logo is loaded when
a mail is opened.

Mails go out by SMTP: ` + "`smtp://user:password@host:587`" + ` demands STARTTLS, ` + "`smtps://user:password@host:465`" + ` is TLS from the
start, and ` + "`?tls=none`" + ` at the end of the former allows neither (for a server on the same machine that is the default). A
password never goes to another machine without TLS. Certificates are checked against the system's authorities;
` + "`SSL_CERT_FILE`" + ` names others.

| stored name | name | when it is sent | link |
|---|---|---|---|
`)
	for _, d := range mail.Templates() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Template, d.Name, d.About, map[bool]string{true: "yes", false: "no"}[d.HasLink])
	}
	return b.String()
}

func must(t *testing.T, name mail.Template, d mail.Data) mail.Rendered {
	t.Helper()
	r, err := mail.Render(name, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
