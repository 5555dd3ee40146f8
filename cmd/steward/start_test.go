package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/postgres/pgtest"
	"github.com/stewardhq/steward/internal/vault"
)

// set returns a copy of i with a variable changed; an empty value removes it.
func (i *installation) set(name, value string) *installation {
	c := &installation{apiKey: i.apiKey}
	for _, pair := range i.env {
		if !strings.HasPrefix(pair, name+"=") {
			c.env = append(c.env, pair)
		}
	}
	if value != "" {
		c.env = append(c.env, name+"="+value)
	}
	return c
}

// A start that cannot succeed says in one line which thing is wrong and what to
// do, and exits with a code that is not zero. K5
func TestStartRefuses(t *testing.T) {
	t.Parallel()
	good, other := newInstallation(t), newInstallation(t)
	dir := shortDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "empty", "events"), 0o700); err != nil {
		t.Fatal(err)
	}
	anotherKey := filepath.Join(dir, "another.key")
	if err := vault.CreateKEKFile(anotherKey); err != nil {
		t.Fatal(err)
	}
	database := func(i *installation) string {
		for _, pair := range i.env {
			if url, ok := strings.CutPrefix(pair, "STEWARD_POSTGRES_URL="); ok {
				return url
			}
		}
		return ""
	}
	key := func(i *installation) string {
		for _, pair := range i.env {
			if file, ok := strings.CutPrefix(pair, "STEWARD_MASTER_KEY_FILE="); ok {
				return file
			}
		}
		return ""
	}
	for name, c := range map[string]struct {
		with *installation
		says []string
	}{
		"without a master key":      {good.set("STEWARD_MASTER_KEY_FILE", ""), []string{"STEWARD_MASTER_KEY_FILE"}},
		"with a key that is gone":   {good.set("STEWARD_MASTER_KEY_FILE", filepath.Join(dir, "none.key")), []string{"none.key"}},
		"with another key":          {good.set("STEWARD_MASTER_KEY_FILE", anotherKey), []string{"another.key"}},
		"without a database":        {good.set("STEWARD_POSTGRES_URL", ""), []string{"STEWARD_POSTGRES_URL"}},
		"with a database away":      {good.set("STEWARD_POSTGRES_URL", "postgres://nobody:hush@127.0.0.1:1/none"), []string{"127.0.0.1:1"}},
		"without an event store":    {good.set("STEWARD_DATA", ""), []string{"STEWARD_EVENTSTORE_URL", "STEWARD_DATA"}},
		"with an event store away":  {good.set("STEWARD_EVENTSTORE_URL", "esdb://127.0.0.1:1?tls=false").set("STEWARD_EVENTSTORE_INSECURE", "1"), []string{"127.0.0.1:1"}},
		"with an insecure cluster":  {good.set("STEWARD_EVENTSTORE_URL", "esdb://127.0.0.1:1?tls=false"), []string{"STEWARD_EVENTSTORE_INSECURE"}},
		"with the vault of another": {good.set("STEWARD_POSTGRES_URL", database(other)).set("STEWARD_MASTER_KEY_FILE", key(other)), []string{"vault"}},
		"with an empty vault":       {good.set("STEWARD_POSTGRES_URL", pgtest.URL(t)), []string{"vault"}},
		"with a log that was lost":  {good.set("STEWARD_DATA", filepath.Join(dir, "empty")), []string{"vault"}},
		"with a mistyped directory": {good.set("STEWARD_DATA", filepath.Join(dir, "mistyped")), []string{"mistyped", "steward init"}},
		"before init":               {good.set("STEWARD_DATA", filepath.Join(dir, "fresh")).set("STEWARD_POSTGRES_URL", pgtest.URL(t)), []string{"steward init"}},
		"with a misspelt setting":   {good.set("STEWARD_POSTGRESS_URL", "x"), []string{"STEWARD_POSTGRESS_URL"}},
		"with a bad proxy":          {good.set("STEWARD_TRUSTED_PROXIES", "everyone"), []string{"STEWARD_TRUSTED_PROXIES"}},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: most share an event store
			var stderr bytes.Buffer
			cmd := c.with.command(t.Context(), "serve")
			cmd.Stderr = &stderr
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() == 0 {
				t.Fatalf("serve ended with %v", err)
			}
			text := lastLine(stderr.String())
			for _, says := range c.says {
				if !strings.Contains(text, says) {
					t.Errorf("%q does not mention %s", text, says)
				}
			}
			if !strings.HasPrefix(text, "steward: ") || strings.Contains(stderr.String(), "hush") {
				t.Errorf("printed %q", stderr.String())
			}
			if n := strings.Count(stderr.String(), "steward: "); n != 1 {
				t.Errorf("said %d things: %q", n, stderr.String())
			}
		})
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// Two processes on one data directory: the second says so and exits.
func TestSecondServeIsRefused(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	p := i.start(t)
	defer p.stop(t)
	var stderr bytes.Buffer
	cmd := i.command(t.Context(), "serve")
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil || !strings.Contains(lastLine(stderr.String()), "data") {
		t.Fatalf("the second ended with %v: %s", err, stderr.String())
	}
	var store struct{ Name string }
	if err := p.call(t.Context(), "GET", "/v1/store", nil, &store); err != nil || store.Name != "Shop" {
		t.Fatalf("the first answers %+v, %v", store, err)
	}
}

// Looking at a directory that holds no installation leaves it as it was.
func TestOperatorCommandsTouchNothingElse(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	i := &installation{env: append(cleanEnviron(), asSteward+"=1", "XDG_RUNTIME_DIR="+dir)}
	victim := filepath.Join(dir, "victim")
	if err := os.Mkdir(victim, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"replay", "customer-1"}, {"rebuild"}, {"projections"}} {
		for _, data := range []string{victim, filepath.Join(dir, "nowhere")} {
			if out, err := i.command(t.Context(), append(args, "--data", data)...).CombinedOutput(); err == nil || !strings.Contains(string(out), "holds no") {
				t.Errorf("%v on %s: %v %s", args, data, err, out)
			}
		}
	}
	info, err := os.Stat(victim)
	entries, _ := os.ReadDir(victim)
	if err != nil || info.Mode().Perm() != 0o750 || len(entries) != 0 {
		t.Errorf("the directory has mode %v and %d entries, %v", info.Mode().Perm(), len(entries), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a directory was made")
	}
}

// A founding that is refused leaves nothing behind: it can be put right under
// the same names.
func TestInitCanBePutRight(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	second := []string{"init", "--store", "Second", "--host", "second.example.com", "--output", "json", "--owner-email"}
	out, err := i.command(t.Context(), append(second, "ada@example")...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "owner.email") {
		t.Fatalf("init with a bad address: %v %s", err, out)
	}
	i.mustRun(t, append(second, "ada@example.com")...)
}
