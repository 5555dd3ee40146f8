package onetime_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/onetime"
)

var (
	oldKey = bytes.Repeat([]byte{1}, 32)
	newKey = bytes.Repeat([]byte{2}, 32)
)

func link(version int) onetime.Link {
	return onetime.Link{
		Purpose: "reset", StoreID: uuid.MustParse("00000000-0000-4000-8000-000000000001"),
		HolderID: uuid.MustParse("00000000-0000-4000-8000-000000000002"), ID: uuid.MustParse("00000000-0000-4000-8000-000000000003"),
		Version: version,
	}
}

func mustNew(t *testing.T, keys map[int][]byte) *onetime.Deriver {
	t.Helper()
	d, err := onetime.New(keys)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustToken(t *testing.T, d *onetime.Deriver, l onetime.Link) onetime.Token {
	t.Helper()
	token, err := d.Token(l)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A mail that is sent once more carries the same link.
func TestTheSameLinkHasTheSameToken(t *testing.T) {
	t.Parallel()
	d := mustNew(t, map[int][]byte{1: oldKey})
	again := mustNew(t, map[int][]byte{1: oldKey, 2: newKey})
	if a, b := mustToken(t, d, link(1)).Reveal(), mustToken(t, again, link(1)).Reveal(); a != b {
		t.Errorf("%s is not %s", a, b)
	}
	if again.Version() != 2 {
		t.Errorf("new links are of version %d", again.Version())
	}
	if mustToken(t, again, link(1)).Reveal() == mustToken(t, again, link(2)).Reveal() {
		t.Error("another key made the same token")
	}
}

func TestATokenIsBoundToAllThatItIsFor(t *testing.T) {
	t.Parallel()
	d := mustNew(t, map[int][]byte{1: oldKey, 2: newKey})
	token, err := onetime.Parse(mustToken(t, d, link(1)).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if token.HolderID() != link(1).HolderID || token.ID() != link(1).ID || !d.Matches(token, link(1)) {
		t.Errorf("%s does not match its own link", token)
	}
	for name, change := range map[string]func(*onetime.Link){
		"purpose": func(l *onetime.Link) { l.Purpose = "activate" },
		"store":   func(l *onetime.Link) { l.StoreID = uuid.New() },
		"holder":  func(l *onetime.Link) { l.HolderID = uuid.New() },
		"id":      func(l *onetime.Link) { l.ID = uuid.New() },
		"version": func(l *onetime.Link) { l.Version = 2 },
		"no key":  func(l *onetime.Link) { l.Version = 3 },
	} {
		other := link(1)
		change(&other)
		if d.Matches(token, other) {
			t.Errorf("another %s matches too", name)
		}
	}
}

func TestParseRefusesWhatIsNoToken(t *testing.T) {
	t.Parallel()
	d := mustNew(t, map[int][]byte{1: oldKey})
	text := mustToken(t, d, link(1)).Reveal()
	for at := range text {
		for _, with := range []string{"", "A", "b", "_", "é"} {
			damaged := text[:at] + with + text[at+1:]
			if damaged == text {
				continue
			}
			if token, err := onetime.Parse(damaged); err == nil {
				t.Errorf("%q was read as %s", damaged, token)
			}
		}
	}
	for _, other := range []string{"", " " + text, text + "\n", strings.ToUpper(text)} {
		if _, err := onetime.Parse(other); err == nil {
			t.Errorf("%q was read", other)
		}
	}
}

func TestATokenDoesNotPrint(t *testing.T) {
	t.Parallel()
	d := mustNew(t, map[int][]byte{1: oldKey})
	token := mustToken(t, d, link(1))
	secret := strings.Split(strings.TrimPrefix(token.Reveal(), token.String()[:len(token.String())-len("[redacted]")]), "_")[0]
	if len(secret) < 40 {
		t.Fatalf("the secret is %q", secret)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if printed := fmt.Sprintf(format, token); strings.Contains(printed, secret) {
			t.Errorf("%s prints %s", format, printed)
		}
	}
}

func TestNewRefusesWeakKeys(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]map[int][]byte{"none": nil, "short": {1: oldKey, 2: newKey[:31]}} {
		if _, err := onetime.New(keys); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
