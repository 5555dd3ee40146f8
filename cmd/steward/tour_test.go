package main

import (
	"bytes"
	"encoding/base32"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stewardhq/steward/internal/totp"
)

// authenticator is the app that the tour uses. Where it is not installed, the program
// of the tests stands in for it.
const authenticator = "oathtool"

// authenticate prints the code of a key.
func authenticate(out io.Writer, key string, now time.Time) error {
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
	if err != nil {
		return err
	}
	secret, err := totp.SecretFrom(raw)
	if err != nil {
		return err
	}
	step, _ := totp.Step(now)
	_, err = fmt.Fprintln(out, secret.Code(step))
	return err
}

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The README's tour works as printed, command for command, against a dev with
// demo data. Only the key, the address and the file to import are put in.
func TestReadmeTour(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tour, found := strings.Cut(string(readme), "## A tour in five minutes")
	tour, _, _ = strings.Cut(tour, "\n## ")
	blocks := shellBlock.FindAllStringSubmatch(tour, -1)
	if !found || len(blocks) < 5 {
		t.Fatalf("the README has a tour of %d blocks", len(blocks))
	}
	data := devDir(t)
	d := startDev(t, data)
	defer d.stop(t)

	home := filepath.Dir(data)
	csv := "domain,owner_email,owner_username,registered_at,expires_at\ntour-1.com,tour@example.com,tour,2020-01-01,2030-01-01\n"
	if err := os.WriteFile(filepath.Join(home, "domains.csv"), []byte(csv), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(home, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.Args[0], filepath.Join(home, "bin", "steward")); err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	if _, err := exec.LookPath(authenticator); err != nil {
		if err := os.Symlink(os.Args[0], filepath.Join(home, "bin", authenticator)); err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(home, "bin") + string(os.PathListSeparator) + path
	}
	script := strings.Builder{}
	script.WriteString("set -euo pipefail\n")
	for i, block := range blocks {
		text := strings.ReplaceAll(block[1], "stw_live_…", d.apiKey)
		text = strings.ReplaceAll(text, "http://127.0.0.1:8080", d.base)
		fmt.Fprintf(&script, "echo '#### %d'\n%s\necho\n", i, text)
	}
	// The program's own default directory is the one of make run; here it is ours.
	text := regexp.MustCompile(`(?m)^bin/steward .*`).ReplaceAllString(script.String(), "$0 --data "+data)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", text)
	cmd.Dir = home
	cmd.Env = append(d.cmd.Env, "HOME="+home, "PATH="+path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the tour failed: %v\n%s%s", err, out, stderr.String())
	}
	for _, says := range []string{
		`"available_actions"`, `"event_ids":[]`, `"Travelling."`, `"domain.pushed"`,
		`"customer.reactivated"`, `"next":"sign_in"`, `"next":"signed_in"`, "by reseller", "accepted", "identical", "current",
	} {
		if !bytes.Contains(out, []byte(says)) {
			t.Errorf("the tour does not show %s", says)
		}
	}
	if bytes.Contains(out, []byte(`"code":"`)) {
		t.Errorf("something was refused:\n%s", out)
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
	var customers page
	if err := d.call(t.Context(), http.MethodGet, "/v1/customers?q=mary.shelley", nil, &customers); err != nil || len(customers.Items) != 1 {
		t.Errorf("found %d customers, %v", len(customers.Items), err)
	}
}
