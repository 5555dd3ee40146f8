package totp_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stewardhq/steward/internal/totp"
)

// S3-16 P11: ten codes of 24 characters, all different.
func TestNewRecoveryCodes_S3_16(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$`)
	seen := make(map[string]bool)
	for range 100 {
		codes := totp.NewRecoveryCodes()
		if len(codes) != 10 {
			t.Fatalf("%d codes", len(codes))
		}
		for _, c := range codes {
			text := c.Reveal()
			if !pattern.MatchString(text) || seen[text] {
				t.Fatalf("%s, seen before: %v", text, seen[text])
			}
			seen[text] = true
		}
	}
}

// What people make of a code when they type it.
func TestParseRecoveryCode(t *testing.T) {
	t.Parallel()
	const shown = "0123-4567-89AB-CDEF-GHJK-MN01"
	want, err := totp.ParseRecoveryCode(shown)
	if err != nil || want.Reveal() != shown {
		t.Fatalf("%s: %v", want.Reveal(), err)
	}
	for _, good := range []string{
		"0123456789ABCDEFGHJKMN01", "0123456789abcdefghjkmn01", " 0123 4567 89ab cdef ghjk mn01 ", "oi23-4567-89ab-cdef-ghjk-mnol", "OL23-4567-89AB-CDEF-GHJK-MNOI",
		"--0123--4567 - 89AB CDEF GHJK MN01", "0 1 2 3 4 5 6 7 8 9 A B C D E F G H J K M N 0 1",
	} {
		if got, err := totp.ParseRecoveryCode(good); err != nil || got.Reveal() != want.Reveal() {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "-", shown[1:], shown + "0", shown + "-0123", strings.Replace(shown, "A", "U", 1), strings.Replace(shown, "A", "$", 1), strings.Replace(shown, "-", "_", 1), strings.Replace(shown, "-", "\t", 1),
		strings.Replace(shown, "-", "\n", 1), shown + "\n", strings.Replace(shown, "A", "\n", 1), strings.Replace(shown, "-", "\u00a0", 1), strings.Replace(shown, "-", "–", 1), strings.Replace(shown, "K", "\u212a", 1),
		strings.Replace(shown, "1", "ı", 1), strings.Replace(shown, "1", "\uff11", 1), strings.Replace(shown, "A", "\xff", 1), "\x00" + shown, strings.Repeat(shown, 2), strings.Repeat("-", 1<<20), "123456",
	} {
		if _, err := totp.ParseRecoveryCode(bad); !errors.Is(err, totp.ErrRecoveryCode) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// S3-18 S3-32 S3-61 T7: each code of a set matches at its place until it is
// used, and then tells that it was.
func TestMatchRecovery_S3_18_S3_61(t *testing.T) {
	t.Parallel()
	codes, others := totp.NewRecoveryCodes(), totp.NewRecoveryCodes()
	hashes := make([]totp.RecoveryHash, 0, len(codes))
	for _, c := range codes {
		stored, err := totp.RecoveryHashFrom(c.Hash().Bytes())
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, stored)
	}
	var used uint64
	for i, c := range codes {
		if index, ok := totp.MatchRecovery(hashes, used, c); index != i || !ok {
			t.Errorf("code %d: %d, %v", i, index, ok)
		}
		used |= 1 << i
		if index, ok := totp.MatchRecovery(hashes, used, c); index != i || ok {
			t.Errorf("code %d again: %d, %v", i, index, ok)
		}
		if index, ok := totp.MatchRecovery(hashes, 0, others[i]); index != -1 || ok {
			t.Errorf("another code: %d, %v", index, ok)
		}
	}
	if index, ok := totp.MatchRecovery(nil, 0, codes[0]); index != -1 || ok {
		t.Errorf("no hashes: %d, %v", index, ok)
	}
	for _, hashes := range [][]totp.RecoveryHash{hashes, {{}}, {totp.RecoveryCode{}.Hash()}} {
		if index, ok := totp.MatchRecovery(hashes, 0, totp.RecoveryCode{}); index != -1 || ok {
			t.Errorf("no code: %d, %v", index, ok)
		}
	}
	if index, ok := totp.MatchRecovery([]totp.RecoveryHash{{}}, 0, codes[0]); index != -1 || ok {
		t.Errorf("an empty hash: %d, %v", index, ok)
	}
}

// S3-19: what is stored has a salt, and neither the code nor another's hash.
func TestRecoveryHash_S3_19(t *testing.T) {
	t.Parallel()
	code := totp.NewRecoveryCodes()[0]
	a, b := code.Hash(), code.Hash()
	if bytes.Equal(a.Bytes()[:16], b.Bytes()[:16]) || bytes.Equal(a.Bytes()[16:], b.Bytes()[16:]) {
		t.Error("two hashes of one code are alike")
	}
	if bytes.Contains(a.Bytes(), []byte(strings.ReplaceAll(code.Reveal(), "-", "")[:4])) {
		t.Error("the hash has a piece of the code")
	}
	for _, n := range []int{0, 32, 47, 49} {
		if _, err := totp.RecoveryHashFrom(make([]byte, n)); err == nil {
			t.Errorf("%d bytes were accepted", n)
		}
	}
	// SHA-256 of sixteen zero bytes and the code, by sha256sum.
	known, err := totp.ParseRecoveryCode("0123456789ABCDEFGHJKMNPQ")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := totp.RecoveryHashFrom(append(make([]byte, 16), knownSum...))
	if err != nil {
		t.Fatal(err)
	}
	if index, ok := totp.MatchRecovery([]totp.RecoveryHash{stored}, 0, known); index != 0 || !ok {
		t.Errorf("%d, %v", index, ok)
	}
}

const knownSum = "\x27\x1a\x48\x13\xfa\x58\xc5\x30\x60\xad\x47\xb2\x8e\x18\xa9\x8e\x11\xea\x63\x4e\x48\x0c\x81\xc2\xf1\xb9\x4e\x35\xe4\x80\xd0\x50"

// However a code is spelled, it is the code, and a changed character is not.
func TestRecoveryCodeSpellings(t *testing.T) {
	t.Parallel()
	code := totp.NewRecoveryCodes()[0]
	hashes := []totp.RecoveryHash{code.Hash()}
	plain := strings.ReplaceAll(code.Reveal(), "-", "")
	rapid.Check(t, func(t *rapid.T) {
		var typed strings.Builder
		for _, r := range plain {
			typed.WriteString(rapid.SampledFrom([]string{"", "", " ", "-"}).Draw(t, "separator"))
			if rapid.Bool().Draw(t, "lower") {
				r = []rune(strings.ToLower(string(r)))[0]
			}
			typed.WriteRune(r)
		}
		got, err := totp.ParseRecoveryCode(typed.String())
		if err != nil {
			t.Fatalf("%q: %v", typed.String(), err)
		}
		if index, ok := totp.MatchRecovery(hashes, 0, got); index != 0 || !ok {
			t.Fatalf("%q: %d, %v", typed.String(), index, ok)
		}
		changed := []byte(plain)
		i := rapid.IntRange(0, len(changed)-1).Draw(t, "at")
		changed[i] = rapid.SampledFrom([]byte("0123456789ABCDEFGHJKMNPQRSTVWXYZ")).Filter(func(b byte) bool { return b != plain[i] }).Draw(t, "to")
		other, err := totp.ParseRecoveryCode(string(changed))
		if err != nil {
			t.Fatal(err)
		}
		if index, ok := totp.MatchRecovery(hashes, 0, other); index != -1 || ok {
			t.Fatalf("%s: %d, %v", changed, index, ok)
		}
	})
}

func FuzzParseRecoveryCode(f *testing.F) {
	for _, seed := range []string{"", "0123-4567-89AB-CDEF-GHJK-MN01", "oi23 4567 89ab cdef ghjk mnol", "\xff", "0123456789ABCDEFGHJKMN0\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := totp.ParseRecoveryCode(typed)
		if err != nil {
			return
		}
		if again, err := totp.ParseRecoveryCode(code.Reveal()); err != nil || again.Reveal() != code.Reveal() {
			t.Fatalf("%q was read as %s, then %v", typed, code.Reveal(), err)
		}
	})
}
