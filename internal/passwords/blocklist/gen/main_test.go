package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/passwords/blocklist"
)

// The part of the embedded list that needs no inputs is what this code makes.
func TestEmbeddedListIsCurrent(t *testing.T) {
	t.Parallel()
	entries := derived(nil)
	if len(entries) < 10_000 {
		t.Fatalf("%d entries", len(entries))
	}
	for _, entry := range entries {
		if !blocklist.Contains(entry) {
			t.Fatalf("%s is not embedded: run the generator again", entry)
		}
	}
}

func TestDerived(t *testing.T) {
	t.Parallel()
	list := derived([]string{"123456", "kestrel", "abc1", "moss"})
	for _, want := range []string{"kestrel2026", "kestrel123!", "moss1", "summer2024!", "987654321098765", "mnbvcxzlkjhgfdsa", "12345678"} {
		if !slices.Contains(list, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, other := range []string{"1234562026", "abc12026", "1234567"} {
		if slices.Contains(list, other) {
			t.Errorf("%s is there", other)
		}
	}
}

func TestKeysAreSortedAndUnique(t *testing.T) {
	t.Parallel()
	got := keys([]string{"b", "A", ""}, []string{"a", "B", "c"})
	if len(got) != 3 || !slices.IsSorted(got) || !slices.Contains(got, blocklist.Key("C")) {
		t.Errorf("%x", got)
	}
}

// Another input than the documented one is noticed.
func TestInputsAreChecked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "passwords.json")
	if err := os.WriteFile(path, []byte(`["a"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if _, err := generate(path, path, path, out); err == nil || !strings.Contains(err.Error(), passwordsSum) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}
