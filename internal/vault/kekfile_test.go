package vault_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/vault"
)

func TestCreateKEKFile(t *testing.T) {
	t.Parallel()

	t.Run("makes a private file that opens", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "master.key")
		if err := vault.CreateKEKFile(path); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("mode %v, want 0600", info.Mode())
		}
		kek, err := vault.OpenKEKFile(path)
		if err != nil {
			t.Fatal(err)
		}
		wrapped, err := kek.Wrap(t.Context(), []byte("aad"), []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kek.Unwrap(t.Context(), []byte("other"), wrapped); !errors.Is(err, vault.ErrWrongKEK) {
			t.Errorf("unwrap with other data: %v, want %v", err, vault.ErrWrongKEK)
		}
		plain, err := kek.Unwrap(t.Context(), []byte("aad"), wrapped)
		if err != nil || string(plain) != "secret" {
			t.Errorf("unwrap: %q, %v", plain, err)
		}
		left, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(left) != 1 {
			t.Errorf("the directory holds %v, %v: want the key alone", left, err)
		}
	})

	t.Run("never overwrites", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "master.key")
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := vault.CreateKEKFile(path)
		if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want a refusal that names the file", err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
			t.Errorf("the file is now %q, %v", text, err)
		}
	})

	t.Run("makes another key each time", func(t *testing.T) {
		t.Parallel()
		if a, b := newKEK(t), newKEK(t); a.ID() == b.ID() {
			t.Errorf("both are %s", a.ID())
		}
	})
}

func TestOpenKEKFile(t *testing.T) {
	t.Parallel()
	good := make([]byte, 32)
	for i := range good {
		good[i] = byte(i*i*7 + 131*i + 200)
	}
	encoded := base64.StdEncoding.EncodeToString(good)
	sample := func(key []byte) string { return base64.StdEncoding.EncodeToString(key) }
	sequence := make([]byte, 32)
	for i := range sequence {
		sequence[i] = byte(i + 1)
	}
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
		want string // in the error; empty for success
	}{
		"takes a key":                  {encoded + "\n", 0o600, ""},
		"takes a file that is read":    {encoded, 0o400, ""},
		"takes a key without padding":  {strings.TrimRight(encoded, "="), 0o600, ""},
		"refuses a file others read":   {encoded, 0o644, "chmod 600"},
		"refuses a file the group has": {encoded, 0o640, "chmod 600"},
		"refuses an executable file":   {encoded, 0o700, "chmod 600"},
		"refuses a short key":          {sample(good[:31]), 0o600, "31 bytes instead of 32"},
		"refuses a long key":           {sample(append(good[:32:32], 1)), 0o600, "33 bytes instead of 32"},
		"refuses an empty file":        {"\n", 0o600, "it is empty"},
		"refuses what is not base64":   {"!" + encoded, 0o600, "not base64"},
		"refuses a huge file":          {strings.Repeat(encoded, 100), 0o600, "master key file"},
		"refuses all zeros":            {sample(make([]byte, 32)), 0o600, "sample"},
		"refuses one byte repeated":    {sample(bytes.Repeat([]byte{0xa5}, 32)), 0o600, "sample"},
		"refuses a pattern":            {sample(bytes.Repeat(good[:8], 4)), 0o600, "sample"},
		"refuses a sequence":           {sample(sequence), 0o600, "sample"},
		"refuses text":                 {sample([]byte("change-me-change-me-change-me-ok")), 0o600, "sample"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "master.key")
			if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			kek, err := vault.OpenKEKFile(path)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if shown := fmt.Sprintf("%v %+v %#v", kek, kek, kek); strings.Contains(shown, encoded[:8]) || !strings.Contains(shown, path) {
					t.Errorf("shows as %s", shown)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want %q and the file's name", err, c.want)
			}
			if text := strings.TrimSpace(c.text); text != "" && strings.Contains(err.Error(), text[:min(len(text), 8)]) {
				t.Errorf("the error shows what is in the file: %v", err)
			}
		})
	}

	t.Run("refuses a missing file and says how to make one", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "master.key")
		_, err := vault.OpenKEKFile(path)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "head -c 32 /dev/urandom | base64 > "+path) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("refuses a directory", func(t *testing.T) {
		t.Parallel()
		if _, err := vault.OpenKEKFile(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("got %v", err)
		}
	})
}
