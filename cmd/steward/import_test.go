package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// importServer accepts every row but those of nobody.com, and counts requests.
func importServer(t *testing.T) *httptest.Server {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer stw_key" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var body struct{ Rows []struct{ Name string } }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		var answer struct {
			Rows []map[string]any `json:"rows"`
		}
		for _, row := range body.Rows {
			verdict := map[string]any{"status": 200, "outcome": "accepted", "owner_created": true}
			if row.Name == "nobody.com" {
				verdict = map[string]any{"status": 422, "code": "invalid", "field": "owner.email", "message": "is empty"}
			}
			answer.Rows = append(answer.Rows, verdict)
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(web.Close)
	return web
}

func importFile(t *testing.T, names ...string) string {
	t.Helper()
	text := "domain,owner_email,owner_username,registered_at,expires_at\n"
	for _, name := range names {
		text += name + ",ada@example.org,ada,2020-01-01,2027-01-01\n"
	}
	path := filepath.Join(t.TempDir(), "domains.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// runImportCommand returns what import prints and how it ends.
func runImportCommand(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := newImportCommand()
	var out, logs bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&logs)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestImportCommand(t *testing.T) {
	t.Parallel()
	web, data := importServer(t), t.TempDir()
	if err := writeSecret(dataDir(data).access(), map[string]string{"base_url": web.URL, "api_key": "stw_key"}); err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte("stw_key\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	t.Run("finds the Steward of a data directory", func(t *testing.T) {
		t.Parallel()
		out, err := runImportCommand(t, "", importFile(t, "a.com", "b.com"), "--data", data)
		if err != nil || !strings.Contains(out, "accepted        2") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("reads standard input and prints one object", func(t *testing.T) {
		t.Parallel()
		text, err := os.ReadFile(importFile(t, "a.com"))
		if err != nil {
			t.Fatal(err)
		}
		out, err := runImportCommand(t, string(text), "-", "--url", web.URL, "--key-file", keyFile, "--output", "json", "--dry-run")
		var report struct {
			Accepted int
			DryRun   bool `json:"dry_run"`
		}
		if err != nil || json.Unmarshal([]byte(out), &report) != nil || report.Accepted != 1 || !report.DryRun {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("ends with 3 when rows were refused, and keeps them", func(t *testing.T) {
		t.Parallel()
		rejects := filepath.Join(t.TempDir(), "refused.csv")
		out, err := runImportCommand(t, "", importFile(t, "a.com", "nobody.com"), "--url", web.URL, "--key-file", heldKey(t, "stw_key"), "--rejects", rejects)
		var exit exitError
		if !errors.As(err, &exit) || exit.code != 3 || !strings.Contains(out, "owner_email") {
			t.Errorf("%v\n%s", err, out)
		}
		text, err := os.ReadFile(rejects)
		if err != nil || !strings.Contains(string(text), "nobody.com") || strings.Contains(string(text), "a.com") {
			t.Errorf("%v\n%s", err, text)
		}
		if info, err := os.Stat(rejects); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	})
}

func TestImportCommandRefuses(t *testing.T) {
	t.Parallel()
	web := importServer(t)
	file := importFile(t, "a.com")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no file":             {nil, "1 arg"},
		"a missing file":      {[]string{"/nowhere.csv", "--url", web.URL, "--key-file", heldKey(t, "stw_key")}, "/nowhere.csv"},
		"a directory":         {[]string{os.TempDir(), "--url", web.URL, "--key-file", heldKey(t, "stw_key")}, "is a directory"},
		"no Steward here":     {[]string{file, "--data", t.TempDir()}, "steward dev"},
		"a key without url":   {[]string{file, "--key-file", heldKey(t, "stw_key")}, "--url"},
		"both ways":           {[]string{file, "--data", "x", "--url", web.URL}, "data url"},
		"a key in the url":    {[]string{file, "--url", "http://me:secret@localhost"}, "leave the user out"},
		"a bad url":           {[]string{file, "--url", "localhost:8080", "--key-file", heldKey(t, "stw_key")}, "https://"},
		"a wrong key":         {[]string{file, "--url", web.URL, "--key-file", heldKey(t, "stw_other")}, "401"},
		"nobody listening":    {[]string{file, "--url", "http://127.0.0.1:1", "--key-file", heldKey(t, "stw_key")}, "is it running"},
		"too few in flight":   {[]string{file, "--in-flight", "0"}, "--in-flight"},
		"an unknown output":   {[]string{file, "--output", "xml"}, "--output"},
		"rejects over source": {[]string{file, "--url", web.URL, "--key-file", heldKey(t, "stw_key"), "--rejects", file}, "is the file to be imported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := runImportCommand(t, "", c.args...)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want one that says %s", err, c.want)
			}
			var exit exitError
			if errors.As(err, &exit) || out != "" {
				t.Errorf("exit code %d, output %s", exit.code, out)
			}
		})
	}
}

// The importer's own sample through the real program and the real server: with
// every kind of bad row, tried out, imported, and imported again.
func TestImportIntoServe(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	p := i.start(t)
	t.Cleanup(func() { p.kill(t) })
	i.env = append(i.env, "STEWARD_API_KEY="+p.apiKey)
	for _, step := range []struct {
		name string
		args []string
		want [4]int // accepted, unchanged, refused, owners created
	}{
		{"dry run", []string{"--dry-run"}, [4]int{6, 1, 16, 4}},
		{"first", nil, [4]int{6, 1, 16, 4}},
		{"second", nil, [4]int{0, 7, 16, 0}},
		{"dry run afterwards", []string{"--dry-run"}, [4]int{0, 7, 16, 0}},
	} {
		var out bytes.Buffer
		cmd := i.command(t.Context(), append([]string{"import", "../../internal/importer/testdata/registrar.csv", "--url", p.base, "--output", "json"}, step.args...)...)
		cmd.Stdout = &out
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitRefused {
			t.Fatalf("%s: import ends with %v, want exit code %d", step.name, err, exitRefused)
		}
		var report struct {
			Accepted, Unchanged, Refused int
			OwnersCreated                int `json:"owners_created"`
			Rows                         []struct {
				Line                int
				Field, Code, Reason string
			}
		}
		if err := json.Unmarshal(out.Bytes(), &report); err != nil {
			t.Fatalf("%s: %v in %s", step.name, err, out.String())
		}
		if got := [4]int{report.Accepted, report.Unchanged, report.Refused, report.OwnersCreated}; got != step.want {
			t.Errorf("%s: accepted, unchanged, refused, owners created = %v, want %v", step.name, got, step.want)
		}
		var columns []string
		for _, row := range report.Rows {
			columns = append(columns, fmt.Sprint(row.Line, " ", row.Field))
			if row.Code == "" || row.Reason == "" {
				t.Errorf("%s: line %d is refused without a code or a reason", step.name, row.Line)
			}
		}
		want := []string{
			"7 domain", "8 domain", "9 domain", "10 domain", "11 domain", "12 owner_email", "13 owner_email", "14 registered_at",
			"15 expires_at", "16 auto_renew", "17 nameservers", "18 owner_username", "20 domain", "21 owner_name", "23 ", "24 owner_name",
		}
		if diff := cmp.Diff(want, columns); diff != "" {
			t.Errorf("%s: refused lines and columns (-want +got):\n%s", step.name, diff)
		}
	}
}

// heldKey is a file that holds an API key.
func heldKey(t *testing.T, key string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
