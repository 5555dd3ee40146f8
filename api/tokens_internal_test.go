package api

import (
	"bytes"
	"testing"
	"time"

	"github.com/stewardhq/steward/internal/eventstore"
)

func testTokens(t *testing.T, seed byte) *tokens {
	t.Helper()
	sealing, err := newTokens(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return sealing
}

func TestTokens_OpenOnlyWhatWasSealed(t *testing.T) {
	t.Parallel()
	sealing := testTokens(t, 1)
	token := sealing.seal("cursor", []byte("store"), []byte("content"))
	if content, ok := sealing.open("cursor", []byte("store"), token); !ok || string(content) != "content" {
		t.Fatalf("%q %v", content, ok)
	}
	if token != sealing.seal("cursor", []byte("store"), []byte("content")) {
		t.Error("the same content gives another token")
	}
	for name, open := range map[string]func() bool{
		"another kind":   func() bool { _, ok := sealing.open("position", []byte("store"), token); return ok },
		"bound to other": func() bool { _, ok := sealing.open("cursor", []byte("stor"), token); return ok },
		"another key":    func() bool { _, ok := testTokens(t, 2).open("cursor", []byte("store"), token); return ok },
		"nothing":        func() bool { _, ok := sealing.open("cursor", []byte("store"), ""); return ok },
		"a line break":   func() bool { _, ok := sealing.open("cursor", []byte("store"), token[:8]+"\n"+token[8:]); return ok },
	} {
		if open() {
			t.Errorf("%s opens", name)
		}
	}
	raw, err := tokenEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			if _, ok := sealing.open("cursor", []byte("store"), tokenEncoding.EncodeToString(raw)); ok {
				t.Fatalf("opens with bit %d of byte %d changed", bit, i)
			}
			raw[i] ^= 1 << bit
		}
	}
	for i := range raw {
		if _, ok := sealing.open("cursor", []byte("store"), tokenEncoding.EncodeToString(raw[:i])); ok {
			t.Fatalf("opens when cut to %d bytes", i)
		}
	}
	if _, err := newTokens([]byte("short")); err == nil {
		t.Error("a short secret is accepted")
	}
}

func TestClock_P26_NeverBehindAnEvent(t *testing.T) {
	t.Parallel()
	wall := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := clock{wall: func() time.Time { return wall }}
	if !c.now().Equal(wall) {
		t.Error("a fresh clock is not the wall's")
	}
	c.saw(wall.Add(5 * time.Second))
	c.saw(wall.Add(2 * time.Second))
	if got := c.now(); !got.Equal(wall.Add(5 * time.Second)) {
		t.Errorf("behind an event: %s", got)
	}
	c.saw(wall.Add(time.Hour))
	if got := c.now(); !got.Equal(wall.Add(5 * time.Second)) {
		t.Errorf("adopted a broken clock: %s", got)
	}
	wall = wall.Add(time.Minute)
	if !c.now().Equal(wall) {
		t.Error("does not go on")
	}
}

func TestETag_OneSpelling(t *testing.T) {
	t.Parallel()
	for _, revision := range []uint64{0, 1, 12, 1 << 40} {
		got, err := parseIfMatch(etag(eventstore.Revision(revision)))
		if err != nil || got != revision {
			t.Errorf("%d: %d, %v", revision, got, err)
		}
	}
	for _, bad := range []string{"", `""`, `"r"`, `"r+1"`, `"r01"`, `r1`, `"r1`, `"r1" `, `"r9223372036854775808"`, `"r99999999999999999999"`} {
		if got, err := parseIfMatch(bad); err == nil {
			t.Errorf("%q is taken as %d", bad, got)
		}
	}
	if etag(-1) != "" {
		t.Error("nothing has an ETag")
	}
}

func TestChains_KeepRowsOfOneNameOrOwnerInOrder(t *testing.T) {
	t.Parallel()
	row := func(name, email, username string) BatchRow {
		return BatchRow{ImportRow: ImportRow{DomainInput: DomainInput{Name: name}, Owner: ImportOwner{Email: email, Username: username}}}
	}
	got := chains([]BatchRow{
		row("a.com", "x@example.com", "x"), row("b.com", "y@example.com", "y"), row("A.com.", "z@example.com", "z"),
		row("c.com", "Z@example.com", "q"), row("d.com", "w@example.com", "w"), row("b.com", "w@example.com", "w"),
	})
	want := [][]int{{0, 2, 3}, {1, 4, 5}}
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("%v", got)
		}
		for j := range want[i] {
			if got[i][j] != want[i][j] {
				t.Fatalf("%v", got)
			}
		}
	}
}
