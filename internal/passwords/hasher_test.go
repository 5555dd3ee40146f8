package passwords_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/passwords"
)

func newHasher(t testing.TB, p passwords.Params) *passwords.Hasher {
	t.Helper()
	h, err := passwords.New(passwords.Config{Params: p})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Hashes of other programs, with their passwords. The PHP ones were made with
// password_hash of PHP 8.2, the argon2 ones are in the documentation of the
// reference implementation, the other bcrypt ones in the tests of crypt_blowfish.
var foreign = []struct{ name, stored, password, describes string }{
	{"S1-47 PHP bcrypt", "$2y$05$S37.FF46sws.l1FwQbmqfudQmY7tDEedLhSuyTeLsKxxEy8l5t/M.", "Schlüssel 7: ñandú", "bcrypt 5"},
	{"S1-47 PHP argon2i", "$argon2i$v=19$m=1024,t=2,p=1$ZTAyRkdIeDJ3NGNucWZVMA$7/i0WJ0oaHCnczSnv1GRLbSY3LZxzu9kBym3Nh/CA18", "Schlüssel 7: ñandú", "argon2i m=1024,t=2,p=1"},
	{"S1-47 PHP argon2id", "$argon2id$v=19$m=1024,t=2,p=1$azIwZDlkZzhxeTBYNmV2Zw$VdBHE5cOOjubtibxwcyuq2VyT0FakpWOOxmgDON5esw", "Schlüssel 7: ñandú", "argon2id m=1024,t=2,p=1"},
	{"PHP manual argon2i", "$argon2i$v=19$m=1024,t=2,p=2$YzJBSzV4TUhkMzc3d3laeg$zqU/1IN0/AogfP4cmSJI1vc8lpXRW9/S0sYY2i2jHT0", "rasmuslerdorf", "argon2i m=1024,t=2,p=2"},
	{"argon2id reference", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password", "argon2id m=256,t=2,p=1"},
	{"argon2i reference", "$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG", "password", "argon2i m=65536,t=2,p=4"},
	{"PHP argon2i, not normalised", "$argon2i$v=19$m=1024,t=2,p=1$UWFFVFh0dUEudkZ3OWt2TQ$TmfJOGy8s83vKJH7g6aSyKBwT19IwaZN/axYWsNRgmc", "5½ ﬁsh…", "argon2i m=1024,t=2,p=1"},
	{"PHP bcrypt, not normalised", "$2y$04$sGNrBvPYM6NQlEdznWir/uUOKWZT1UWvv.5bgGOA.ngQv.Rgd1O3C", "5½ ﬁsh…", "bcrypt 4"},
	{"crypt_blowfish 2a", "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored", "bcrypt 5"},
	{"crypt_blowfish 2b", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", "bcrypt 5"},
}

func TestVerifyForeignHashes_S1_47_C16(t *testing.T) {
	t.Parallel()
	h := newHasher(t, passwords.Weak())
	for _, f := range foreign {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			if got, err := h.Verify(t.Context(), f.stored, f.password); err != nil || got != (passwords.Match{Outcome: passwords.Matched, NeedsRehash: true}) {
				t.Errorf("the password: %+v, %v", got, err)
			}
			if got, err := h.Verify(t.Context(), f.stored, "x"+f.password); err != nil || got != (passwords.Match{}) {
				t.Errorf("another password: %+v, %v", got, err)
			}
			if got := passwords.Describe(f.stored); got != f.describes {
				t.Errorf("described as %q", got)
			}
		})
	}
}

// Old systems cut a password at bcrypt's 72 bytes, silently. Their customers
// get in with all of it, and the next hash has all of it.
func TestBcryptBeyond72Bytes(t *testing.T) {
	t.Parallel()
	h := newHasher(t, passwords.Weak())
	const stored = "$2y$04$6i1kqxDmwn5JXKxfhFhPk.vnWbZ5snuBSr59yWpjKSWa.VMOtfabi" // PHP, of 90 bytes
	whole := strings.Repeat("0123456789", 9)
	for _, p := range []string{whole, whole[:72], whole[:72] + "anything"} {
		if got, err := h.Verify(t.Context(), stored, p); err != nil || got.Outcome != passwords.Matched {
			t.Errorf("%d bytes: %+v, %v", len(p), got, err)
		}
	}
	if got, err := h.Verify(t.Context(), stored, whole[:71]); err != nil || got.Outcome != passwords.NotMatched {
		t.Errorf("71 bytes: %+v, %v", got, err)
	}
	rehashed, err := h.Hash(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.Verify(t.Context(), rehashed, whole[:72]); err != nil || got.Outcome != passwords.NotMatched {
		t.Errorf("hashed again, 72 bytes: %+v, %v", got, err)
	}
}

// S1-48 S1-49: new parameters verify what the old ones made, and ask for a new
// hash once.
func TestNeedsRehash_S1_48(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	old := newHasher(t, passwords.Weak())
	hash, err := old.Hash(ctx, "a password of yesterday")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := old.Verify(ctx, hash, "a password of yesterday"); err != nil || got != (passwords.Match{Outcome: passwords.Matched}) {
		t.Fatalf("the same parameters: %+v, %v", got, err)
	}
	params := passwords.Weak()
	params.Passes = 2
	current := newHasher(t, params)
	if got, err := current.Verify(ctx, hash, "a password of yesterday"); err != nil || got != (passwords.Match{Outcome: passwords.Matched, NeedsRehash: true}) {
		t.Fatalf("other parameters: %+v, %v", got, err)
	}
	if got, err := current.Verify(ctx, hash, "another"); err != nil || got != (passwords.Match{}) {
		t.Fatalf("a password that does not match needs no hash: %+v, %v", got, err)
	}
	// PHP's hashes of the current parameters, of the other scheme and of this.
	params = passwords.Weak()
	params.MemoryKiB, params.Passes = 1024, 2
	like := newHasher(t, params)
	for _, f := range foreign[1:3] {
		want := passwords.Match{Outcome: passwords.Matched, NeedsRehash: passwords.SchemeOf(f.stored) != passwords.Argon2id}
		if got, err := like.Verify(ctx, f.stored, f.password); err != nil || got != want {
			t.Fatalf("%s: %+v, %v", f.name, got, err)
		}
	}
	// The costs are current, the salt or the tag is shorter than ours.
	for _, short := range []string{
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$cpx6VEQbwTVZvcpxNIxOVUWZ5xnAipUmAe1cg2GMG70",
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$xMtwabzUMPCTZuPJN98dtgpk4NUFT9vv",
	} {
		if got, err := old.Verify(ctx, short, "password"); err != nil || got != (passwords.Match{Outcome: passwords.Matched, NeedsRehash: true}) {
			t.Fatalf("%s: %+v, %v", short, got, err)
		}
	}
}

// The PHC string format as other programs read it.
func TestHashFormat(t *testing.T) {
	t.Parallel()
	hash, err := newHasher(t, passwords.Default()).Hash(t.Context(), "a password of today")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Split(hash, "$")
	if len(fields) != 6 || strings.Join(fields[:4], "$") != "$argon2id$v=19$m=47104,t=1,p=1" || len(fields[4]) != 22 || len(fields[5]) != 43 {
		t.Errorf("made %d fields, the first %q", len(fields), fields[:min(4, len(fields))])
	}
	if got := passwords.Describe(hash); got != "argon2id m=47104,t=1,p=1" {
		t.Errorf("described as %q", got)
	}
}

// S1-44: what is no hash is an outcome, whatever it says of its costs, and takes
// the work of any other verification.
func TestUnreadable_S1_44(t *testing.T) {
	t.Parallel()
	h := newHasher(t, passwords.Weak())
	const (
		salt = "c29tZXNhbHQ"
		tag  = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
		full = "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + tag
		bc   = "$2y$05$S37.FF46sws.l1FwQbmqfudQmY7tDEedLhSuyTeLsKxxEy8l5t/M."
	)
	bad := []string{
		"", "x", "plain text password", "5f4dcc3b5aa765d61d8327deb882cf99", "$", "$$$$$", "$argon2id$", "$argon2d$v=19$m=256,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$m=256,t=2,p=1$" + salt + "$" + tag, "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + tag,
		full + "$", full + "=", full + "\n", " " + full, full + " ", strings.ToUpper(full), full[:len(full)-1] + "5", strings.Replace(full, salt, "", 1), strings.Replace(full, salt, "c29t", 1), strings.Replace(full, salt, "c29tZXNhbHR", 1),
		strings.Replace(full, tag, "", 1), strings.Replace(full, tag, "nf65EOgLrQMR", 1), strings.Replace(full, tag, strings.Repeat("A", 400), 1), strings.Replace(full, salt, salt[:4]+"\n"+salt[4:], 1),
		bc[:59], bc + "x", strings.Replace(bc, "$05$", "$03$", 1), strings.Replace(bc, "$05$", "$15$", 1), strings.Replace(bc, "$05$", "$31$", 1), strings.Replace(bc, "$05$", "$99$", 1),
		strings.Replace(bc, "$05$", "$+5$", 1), strings.Replace(bc, "$05$", "$-5$", 1), strings.Replace(bc, "$2y$", "$2x$", 1), strings.Replace(bc, "$2y$", "$2$", 1), strings.Replace(bc, "S37", "S=7", 1),
		"$6$rounds=5000$salt$hash", "$P$B12345678", strings.Repeat("$argon2id", 10000),
	}
	for _, p := range []string{
		"m=4194304,t=1,p=1", "m=262145,t=1,p=1", "m=262144,t=5,p=1", "m=4294967296,t=1,p=1", "m=256,t=1000000000,p=1", "m=256,t=65,p=1", "m=256,t=0,p=1", "m=256,t=1,p=0",
		"m=256,t=1,p=256", "m=256,t=1,p=17", "m=7,t=1,p=1", "m=8,t=1,p=2", "m=0,t=1,p=1", "m=-1,t=1,p=1", "m=+256,t=1,p=1", "m=0256,t=1,p=1", "m=256,t=1", "t=1,m=256,p=1", "m=256,t=1,p=1,data=AA", "m=,t=,p=", "",
	} {
		bad = append(bad, strings.Replace(full, "m=256,t=2,p=1", p, 1))
	}
	before := h.Calls()
	for _, stored := range bad {
		if got, err := h.Verify(t.Context(), stored, "password"); err != nil || got != (passwords.Match{Outcome: passwords.Unreadable}) {
			t.Errorf("%q: %+v, %v", stored, got, err)
		}
		if passwords.SchemeOf(stored) != passwords.Unsupported {
			t.Errorf("%q has the scheme %s", stored, passwords.SchemeOf(stored))
		}
	}
	if calls := h.Calls() - before; calls != uint64(len(bad)) {
		t.Errorf("%d verifications made %d calls", len(bad), calls)
	}
	if got, err := h.Verify(t.Context(), full, "password"); err != nil || got.Outcome != passwords.Matched {
		t.Errorf("the text that the bad ones are made from: %+v, %v", got, err)
	}
}

// The report S1-46 tells the scheme, and never a text that might be a password.
func TestDescribe_S1_46(t *testing.T) {
	t.Parallel()
	for stored, want := range map[string]string{
		"$6$rounds=5000$saltsalt$hash":        "unsupported sha512crypt",
		"$2y$31$abcdefghijklmnopqrstuu":       "unsupported bcrypt",
		"$argon2id$v=19$m=1,t=1,p=1$x$y":      "unsupported argon2",
		"pbkdf2_sha256$260000$salt$hash":      "unsupported pbkdf2",
		"Summer2024!":                         "unsupported",
		"":                                    "unsupported",
		"$secret$that is somebody's password": "unsupported",
	} {
		if got := passwords.Describe(stored); got != want {
			t.Errorf("%q is described as %q", stored, got)
		}
	}
	if passwords.SchemeOf(foreign[0].stored) != passwords.Bcrypt || passwords.SchemeOf(foreign[1].stored) != passwords.Argon2i || passwords.SchemeOf(foreign[2].stored) != passwords.Argon2id {
		t.Error("a scheme is taken for another")
	}
}

// L4: one call of a key derivation function, whatever is found.
func TestSameWork_L4(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHasher(t, passwords.Weak())
	hash, err := h.Hash(ctx, "the right password")
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"right":      func() error { _, err := h.Verify(ctx, hash, "the right password"); return err },
		"wrong":      func() error { _, err := h.Verify(ctx, hash, "a wrong password"); return err },
		"bcrypt":     func() error { _, err := h.Verify(ctx, foreign[0].stored, "a wrong password"); return err },
		"unreadable": func() error { _, err := h.Verify(ctx, "x", "a wrong password"); return err },
		"no hash":    func() error { _, err := h.Verify(ctx, "", "a wrong password"); return err },
		"nobody":     func() error { return h.VerifyNobody(ctx, "a wrong password") },
	} {
		before := h.Calls()
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := h.Calls() - before; n != 1 {
			t.Errorf("%s: %d calls", name, n)
		}
	}
}

// L6: a text of any length is refused before work.
func TestTooLong_L6(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHasher(t, passwords.Weak())
	for _, p := range []string{strings.Repeat("a", 1025), strings.Repeat("a", 1<<20)} {
		_, verifyErr := h.Verify(ctx, foreign[0].stored, p)
		_, unreadableErr := h.Verify(ctx, "", p)
		_, hashErr := h.Hash(ctx, p)
		for _, err := range []error{verifyErr, unreadableErr, hashErr, h.VerifyNobody(ctx, p)} {
			if !errors.Is(err, passwords.ErrTooLong) {
				t.Errorf("%d bytes: %v", len(p), err)
			}
		}
	}
	// U+FDFA is one character, and 18 in normal form.
	for _, p := range []string{strings.Repeat("a", 129), strings.Repeat("\ufdfa", 8), strings.Repeat("𝔸", 129)} {
		if _, err := h.Hash(ctx, p); !errors.Is(err, passwords.ErrTooLong) {
			t.Errorf("%d characters after normalisation: %v", utf8.RuneCountInString(norm.NFKC.String(p)), err)
		}
	}
	if h.Calls() != 0 {
		t.Errorf("%d calls", h.Calls())
	}
	for _, p := range []string{strings.Repeat("a", 128), strings.Repeat("界", 128), "👩‍👩‍👧‍👦" + strings.Repeat("🏳️‍🌈", 30)} {
		hash, err := h.Hash(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := h.Verify(ctx, hash, p); err != nil || got.Outcome != passwords.Matched {
			t.Errorf("%d bytes: %+v, %v", len(p), got, err)
		}
	}
}

// L9: nothing is trimmed or cut, and NUL is a character.
func TestExactBytes_L9(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHasher(t, passwords.Weak())
	base := "correct horse\x00battery staple"
	hash, err := h.Hash(ctx, base)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.Verify(ctx, hash, base); err != nil || got.Outcome != passwords.Matched {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, other := range []string{
		" " + base, base + " ", base + "\x00", base + "\n", strings.ToUpper(base), "correct horse", strings.ReplaceAll(base, "\x00", ""),
		strings.ReplaceAll(base, " ", "  "), base + "\u200b", strings.Replace(base, "o", "о", 1), "", base[:len(base)-1],
	} {
		if got, err := h.Verify(ctx, hash, other); err != nil || got != (passwords.Match{}) {
			t.Errorf("%q: %+v, %v", other, got, err)
		}
	}
}

// text draws the characters that comparison might confuse, besides any others.
func text() *rapid.Generator[string] {
	tricky := []rune("aAeiosß \u00a0\t\x00\u0301\u0308\u0327éèçöÅKÅﬁſ①½²ªµ…ａＡ１\u200b\u200d\ufeff가힣ガｶ\u3099")
	return rapid.StringOfN(rapid.OneOf(rapid.RuneFrom(tricky), rapid.Rune()), 0, 24, 512)
}

// L9: passwords that differ after NFKC never verify for each other, and those
// that do not, always.
func TestNormalisation_L9(t *testing.T) {
	t.Parallel()
	h := newHasher(t, passwords.Weak())
	rapid.Check(t, func(t *rapid.T) {
		p, q := text().Draw(t, "p"), text().Draw(t, "q")
		if rapid.Bool().Draw(t, "alike") {
			runes := []rune(p)
			if len(runes) > 0 {
				i := rapid.IntRange(0, len(runes)-1).Draw(t, "at")
				runes[i] = rapid.Rune().Draw(t, "rune")
			}
			q = string(runes)
		}
		hash, err := h.Hash(context.Background(), p)
		if errors.Is(err, passwords.ErrTooLong) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, spelling := range []string{p, norm.NFC.String(p), norm.NFD.String(p), norm.NFKD.String(p)} {
			if len(spelling) > passwords.MaxBytes {
				continue
			}
			if got, err := h.Verify(context.Background(), hash, spelling); err != nil || got.Outcome != passwords.Matched {
				t.Fatalf("%+q spelled %+q: %+v, %v", p, spelling, got, err)
			}
		}
		same := norm.NFKC.String(p) == norm.NFKC.String(q)
		if got, err := h.Verify(context.Background(), hash, q); err != nil || (got.Outcome == passwords.Matched) != same {
			t.Fatalf("%+q and %+q: %+v, %v", p, q, got, err)
		}
	})
}

// P4: the floor, and its equivalents.
func TestFloor_P4(t *testing.T) {
	t.Parallel()
	for _, p := range []passwords.Params{
		passwords.Default(),
		{MemoryKiB: 19456, Passes: 2, Threads: 1},
		{MemoryKiB: 12288, Passes: 3, Threads: 1},
		{MemoryKiB: 9216, Passes: 4, Threads: 1},
		{MemoryKiB: 7168, Passes: 5, Threads: 1},
		{MemoryKiB: 65536, Passes: 3, Threads: 4},
		{MemoryKiB: 262144, Passes: 4, Threads: 4},
	} {
		if _, err := passwords.New(passwords.Config{Params: p}); err != nil {
			t.Errorf("%v: %v", p, err)
		}
	}
	for _, c := range []struct {
		params passwords.Params
		names  string
	}{
		{passwords.Params{}, "p=0"},
		{passwords.Params{MemoryKiB: 19455, Passes: 2, Threads: 1}, "m=19455"},
		{passwords.Params{MemoryKiB: 47103, Passes: 1, Threads: 1}, "m=47103"},
		{passwords.Params{MemoryKiB: 19456, Passes: 1, Threads: 1}, "t=1"},
		{passwords.Params{MemoryKiB: 7167, Passes: 60, Threads: 1}, "m=7167"},
		{passwords.Params{MemoryKiB: 64, Passes: 1, Threads: 1}, "m=64"}, // the numbers of Weak, as a configuration would give them
		{passwords.Params{MemoryKiB: 47104, Passes: 0, Threads: 1}, "t=0"},
		{passwords.Params{MemoryKiB: 47104, Passes: 1, Threads: 17}, "p=17"},
		{passwords.Params{MemoryKiB: 1 << 20, Passes: 1, Threads: 1}, "m=1048576"},
		{passwords.Params{MemoryKiB: 262144, Passes: 5, Threads: 1}, "t=5"},
	} {
		if _, err := passwords.New(passwords.Config{Params: c.params}); err == nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%v: %v", c.params, err)
		}
	}
	if _, err := passwords.New(passwords.Config{Params: passwords.Default(), Pace: -1}); err == nil {
		t.Error("a negative pace was accepted")
	}
}

// The parameters below the floor are for tests.
// S1-49: the costs are a setting; hashes of before stay good and are made anew.
func TestParseParams_S1_49(t *testing.T) {
	t.Parallel()
	p, err := passwords.ParseParams("m=19456,t=2,p=1")
	if err != nil {
		t.Fatal(err)
	}
	before := newHasher(t, passwords.Default())
	old, err := before.Hash(t.Context(), "a password of before")
	if err != nil {
		t.Fatal(err)
	}
	h := newHasher(t, p)
	if match, err := h.Verify(t.Context(), old, "a password of before"); err != nil || match.Outcome != passwords.Matched || !match.NeedsRehash {
		t.Errorf("%v, %v", match, err)
	}
	anew, err := h.Hash(t.Context(), "a password of before")
	if err != nil || passwords.Describe(anew) != "argon2id m=19456,t=2,p=1" {
		t.Errorf("%s, %v", passwords.Describe(anew), err)
	}
	for _, bad := range []string{"", "argon2id", "m=47104", "m=47104,t=1", "m=1024,t=1,p=1", "m=99999999,t=1,p=1", "t=1,m=47104,p=1", "m=47104,t=1,p=1,x=1"} {
		if p, err := passwords.ParseParams(bad); err == nil {
			t.Errorf("%q was read as %v", bad, p)
		}
	}
}

func TestWeakIsForTests(t *testing.T) {
	t.Parallel()
	searched := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(filepath.Dir(path), "test") {
			return err
		}
		source, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file may go while we look
		}
		searched++
		if strings.Contains(string(source), "passwords.Weak(") {
			t.Errorf("%s calls passwords.Weak", path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if searched < 100 {
		t.Errorf("searched %d files only", searched)
	}
}

// With a pace, an old hash, a new one and none at all answer after the same
// time. The clock is that of the bubble: computing takes none of it.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const pace = 150 * time.Millisecond
		h, err := passwords.New(passwords.Config{Params: passwords.Weak(), Pace: pace})
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range []string{foreign[0].stored, foreign[4].stored, ""} {
			started := time.Now()
			if _, err := h.Verify(t.Context(), stored, "password"); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(started); took != pace {
				t.Errorf("%s took %v", passwords.Describe(stored), took)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), pace/2)
		defer cancel()
		if got, err := h.Verify(ctx, foreign[4].stored, "password"); !errors.Is(err, context.DeadlineExceeded) || got != (passwords.Match{}) {
			t.Errorf("a caller that has gone: %+v, %v", got, err)
		}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	h, err := passwords.New(passwords.Config{Params: passwords.Weak(), Registerer: r})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Verify(t.Context(), foreign[0].stored, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Hash(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{
		"steward_passwords_waiting": 0, "steward_passwords_running": 0, "steward_passwords_refused_total": 0,
		"steward_passwords_seconds bcrypt": 1, "steward_passwords_seconds argon2id": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	if _, err := passwords.New(passwords.Config{Params: passwords.Weak(), Registerer: r}); err == nil {
		t.Error("the metrics were registered twice")
	}
}

// S0-23: a password that nobody chose, sees or could guess; whoever tries takes as
// long as with a chosen one.
func TestGenerate_S0_23(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 1000 {
		stored := passwords.Generate()
		if len(stored) != len("$generated$")+43 || seen[stored] { // 256 bits in Base64
			t.Fatalf("%d characters, seen before: %v", len(stored), seen[stored])
		}
		seen[stored] = true
	}
	stored := passwords.Generate()
	if passwords.SchemeOf(stored) != passwords.Generated || passwords.Describe(stored) != "generated" {
		t.Errorf("it is %s", passwords.Describe(stored))
	}
	h := newHasher(t, passwords.Weak())
	for _, guess := range []string{"", "password", stored, strings.TrimPrefix(stored, "$generated$")} {
		before := h.Calls()
		match, err := h.Verify(t.Context(), stored, guess)
		if err != nil || match.Outcome != passwords.NotMatched || h.Calls() != before+1 {
			t.Errorf("%q: %v, %v, %d calls", guess, match, err, h.Calls()-before)
		}
	}
	// One whose password is known shows that it is compared.
	sum := sha256.Sum256([]byte("known"))
	known := "$generated$" + base64.RawStdEncoding.EncodeToString(sum[:])
	if match, err := h.Verify(t.Context(), known, "known"); err != nil || match.Outcome != passwords.Matched || !match.NeedsRehash {
		t.Errorf("%v, %v", match, err)
	}
	for _, damaged := range []string{"$generated$", known[:len(known)-1], known + "A", "$generated$!" + known[12:]} {
		if match, err := h.Verify(t.Context(), damaged, "known"); err != nil || match.Outcome != passwords.Unreadable {
			t.Errorf("%s: %v, %v", damaged, match, err)
		}
	}
}

func TestFaultsTellWhenToTryAgain(t *testing.T) {
	t.Parallel()
	if f := passwords.ErrBusy; f.Kind != fault.Unavailable || f.Code != "busy_hashing" || f.RetryAfter != 2*time.Second {
		t.Errorf("%+v", f)
	}
}

// Whatever is stored is read or refused within bounds, and a hash that is read
// is one that Describe can tell.
func FuzzStored(f *testing.F) {
	for _, v := range foreign {
		f.Add(v.stored)
	}
	f.Add("$argon2id$v=19$m=4194304,t=1000000000,p=0$$")
	f.Add("$2y$31$")
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4\n")
	f.Fuzz(func(t *testing.T, stored string) {
		scheme, described := passwords.SchemeOf(stored), passwords.Describe(stored)
		if !strings.HasPrefix(described, string(scheme)) {
			t.Fatalf("the scheme %s is described as %q", scheme, described)
		}
		if scheme != passwords.Argon2id && scheme != passwords.Argon2i {
			return
		}
		var m, passes, p uint64
		if _, err := fmt.Sscanf(strings.TrimPrefix(described, string(scheme)+" "), "m=%d,t=%d,p=%d", &m, &passes, &p); err != nil {
			t.Fatal(err)
		}
		if m > 256<<10 || m*passes > 1<<20 || p < 1 || p > 16 || !strings.Contains(stored, fmt.Sprintf("$m=%d,t=%d,p=%d$", m, passes, p)) {
			t.Fatalf("%q was read as %q", stored, described)
		}
	})
}
