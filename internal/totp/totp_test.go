package totp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stewardhq/steward/internal/totp"
)

// rfc is the secret of the vectors in RFC 4226 and RFC 6238.
func rfc(t testing.TB) totp.Secret {
	t.Helper()
	s, err := totp.SecretFrom([]byte("12345678901234567890"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// RFC 4226, appendix D.
func TestVectorsRFC4226(t *testing.T) {
	t.Parallel()
	for counter, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := rfc(t).Code(uint64(counter)); got != want {
			t.Errorf("%d: %s, want %s", counter, got, want)
		}
	}
}

// S3-02: RFC 6238, appendix B, of whose eight digits an app with six shows the
// last.
func TestVectorsRFC6238_S3_02(t *testing.T) {
	t.Parallel()
	for unix, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		now := time.Unix(unix, 0)
		step, ok := totp.Step(now)
		if got := rfc(t).Code(step); !ok || got != want[2:] {
			t.Errorf("%d: %s, want %s", unix, got, want[2:])
		}
		if got, ok := totp.Verify(rfc(t), want[2:], now, 0); !ok || got != step {
			t.Errorf("%d: step %d, %v", unix, got, ok)
		}
		// S3-08: eight digits are no code.
		if _, ok := totp.Verify(rfc(t), want, now, 0); ok {
			t.Errorf("%d: eight digits were accepted", unix)
		}
	}
}

// S3-26 P9: one step before and after, no more.
func TestWindow_S3_26(t *testing.T) {
	t.Parallel()
	s, now := rfc(t), time.Unix(1_800_000_015, 0)
	current, _ := totp.Step(now)
	for d, want := range map[int]bool{-3: false, -2: false, -1: true, 0: true, 1: true, 2: false, 3: false} {
		of := current + uint64(d)
		step, ok := totp.Verify(s, s.Code(of), now, 0)
		if ok != want || ok && step != of || !ok && step != 0 {
			t.Errorf("%+d: step %d, %v", d, step, ok)
		}
	}
}

// S3-57: a code that was read off in its last moment is still good when it
// arrives.
func TestBoundary_S3_57(t *testing.T) {
	t.Parallel()
	s := rfc(t)
	read := time.Unix(1_800_000_000, 0).Add(29*time.Second + 900*time.Millisecond)
	step, _ := totp.Step(read)
	for after, want := range map[time.Duration]bool{0: true, 1100 * time.Millisecond: true, 30 * time.Second: true, 30*time.Second + 100*time.Millisecond: false} {
		if _, ok := totp.Verify(s, s.Code(step), read.Add(after), 0); ok != want {
			t.Errorf("after %v: %v", after, ok)
		}
	}
}

// T1 T3 T4 T5 S3-61: a step is accepted once, and none before it ever again; the
// refusal of one tells that it was used.
func TestRatchet_T1_T3_T5(t *testing.T) {
	t.Parallel()
	s, now := rfc(t), time.Unix(1_800_000_015, 0)
	current, _ := totp.Step(now)
	last, ok := totp.Verify(s, s.Code(current), now, 0)
	if !ok || last != current {
		t.Fatalf("step %d, %v", last, ok)
	}
	for name, code := range map[string]uint64{"the same": current, "the one before": current - 1} {
		if step, ok := totp.Verify(s, s.Code(code), now, last); ok || step != code {
			t.Errorf("%s: step %d, %v", name, step, ok)
		}
	}
	if step, ok := totp.Verify(s, s.Code(current+1), now, last); !ok || step != current+1 {
		t.Errorf("the next one: step %d, %v", step, ok)
	}
	// The clock is set back by an hour, and comes forward again.
	past := now.Add(-time.Hour)
	then, _ := totp.Step(past)
	if _, ok := totp.Verify(s, s.Code(then), past, last); ok {
		t.Error("a step of the past was accepted")
	}
	later := now.Add(time.Hour)
	next, _ := totp.Step(later)
	if step, ok := totp.Verify(s, s.Code(next), later, last); !ok || step != next {
		t.Errorf("an hour later: step %d, %v", step, ok)
	}
}

// Now and then two steps that are accepted at one time have the same code. It is
// good for the later one, and so not again for the other.
func TestOneCodeOfTwoSteps(t *testing.T) {
	t.Parallel()
	s := rfc(t)
	for _, steps := range [][2]uint64{{61331809, 61331811}, {62075368, 62075369}} {
		code, now := s.Code(steps[0]), time.Unix(int64(steps[0]+1)*30, 0)
		if s.Code(steps[1]) != code {
			t.Fatalf("the steps %v have different codes", steps)
		}
		if step, ok := totp.Verify(s, code, now, 0); !ok || step != steps[1] {
			t.Errorf("step %d, %v; want %d", step, ok, steps[1])
		}
		if step, ok := totp.Verify(s, code, now, steps[0]); !ok || step != steps[1] {
			t.Errorf("after the first: step %d, %v; want %d", step, ok, steps[1])
		}
		if _, ok := totp.Verify(s, code, now, steps[1]); ok {
			t.Errorf("%v: accepted again", steps)
		}
	}
}

// Near the beginning of time steps do not run below zero.
func TestNearTheEpoch(t *testing.T) {
	t.Parallel()
	s := rfc(t)
	if step, ok := totp.Verify(s, s.Code(0), time.Unix(0, 0), 0); ok || step != 0 {
		t.Errorf("the first step: %d, %v", step, ok)
	}
	if step, ok := totp.Verify(s, s.Code(1), time.Unix(0, 0), 0); !ok || step != 1 {
		t.Errorf("the second step: %d, %v", step, ok)
	}
	for _, code := range []uint64{math.MaxUint64, math.MaxUint64 - 1, 0, 1} {
		for _, now := range []time.Time{time.Unix(-1, 0), time.Unix(-31, 0), {}} {
			if step, ok := totp.Verify(s, s.Code(code), now, 0); ok || step != 0 {
				t.Errorf("code of step %d at %v: step %d, %v", code, now, step, ok)
			}
		}
	}
}

// P9: for any times and codes, what the specification says.
func TestVerifyAgreesWithItsSpecification(t *testing.T) {
	t.Parallel()
	s := rfc(t)
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(0, 1<<36).Draw(t, "now"), 0)
		current, _ := totp.Step(now)
		near := rapid.Uint64Range(current-min(current, 4), current+4)
		last, of := near.Draw(t, "last"), near.Draw(t, "of")
		code := s.Code(of)
		var want uint64
		for step := current - min(current, 1); step <= current+1; step++ {
			if s.Code(step) == code {
				want = step
			}
		}
		if step, ok := totp.Verify(s, code, now, last); step != want || ok != (want > last) {
			t.Fatalf("step %d, %v; want %d", step, ok, want)
		}
	})
}

// variants returns other ways to write a code, none of which is one.
func variants(code string) []string {
	var list []string
	foreign := []string{"\t", "\n", "\r", "\v", "\f", "\x00", "\u0085", "\u00a0", "\u1680", "\u2000", "\u2003", "\u2007", "\u2009", "\u200a", "\u200b", "\u200c", "\u200d", "\u2028", "\u202e", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff", "\u00ad", "+", "-", ".", ",", "_", "'", "0", "a", "\xff", "%20", "e"}
	for _, f := range foreign {
		list = append(list, f+code, code+f, code[:3]+f+code[3:], f+code+f)
	}
	for _, zero := range []rune{'\uff10', '\u0660', '\u06f0', '\u0966', '\u09e6', '\u0e50', '\U0001d7ce', '\U0001d7d8', '\U0001d7e2', '\U0001fbf0', '\u2080', '\u2460'} {
		other := func(r rune) rune { return zero + r - '0' }
		list = append(list, strings.Map(other, code), string(other(rune(code[0])))+code[1:], code[:5]+string(other(rune(code[5]))))
	}
	return append(list, " "+code, code+" ", " "+code+" ", "  "+code, "", " ", "      ", code[1:], code[:5], code+code, "0x"+code[:4], code[:5]+" ", " "+code[1:], code[:3]+strings.Repeat(" ", 6)+code[3:], strings.Repeat("0", 1<<20))
}

// T2 P10 S3-08: a code can be written in one way, and with spaces between the
// digits as apps show it. Nothing else is one, be it used before or not.
func TestInput_T2_P10(t *testing.T) {
	t.Parallel()
	s, now := rfc(t), time.Unix(1_800_000_015, 0)
	step, _ := totp.Step(now)
	code := s.Code(step)
	list := variants(code)
	if len(list) < 190 {
		t.Fatalf("%d variants", len(list))
	}
	for _, variant := range list {
		for _, last := range []uint64{0, step} {
			if got, ok := totp.Verify(s, variant, now, last); ok || got != 0 {
				t.Errorf("%+q: step %d, %v", variant, got, ok)
			}
		}
	}
	for _, good := range []string{code, code[:3] + " " + code[3:], strings.Join(strings.Split(code, ""), " "), code[:2] + "  " + code[2:]} {
		if _, ok := totp.Verify(s, good, now, 0); !ok {
			t.Errorf("%q was refused", good)
		}
		if got, ok := totp.Verify(s, good, now, step); ok || got != step {
			t.Errorf("%q was accepted again, or not recognised: step %d, %v", good, got, ok)
		}
	}
}

// Whatever is accepted is the six digits of the code, in order.
func FuzzVerify(f *testing.F) {
	s, now := rfc(f), time.Unix(1_800_000_015, 0)
	step, _ := totp.Step(now)
	code := s.Code(step)
	f.Add(code)
	f.Add(code[:3] + " " + code[3:])
	f.Add("\u00a0" + code)
	f.Fuzz(func(t *testing.T, typed string) {
		got, ok := totp.Verify(s, typed, now, 0)
		if !ok {
			return
		}
		if strings.ReplaceAll(typed, " ", "") != s.Code(got) || typed[0] == ' ' || typed[len(typed)-1] == ' ' {
			t.Fatalf("%+q was accepted as step %d", typed, got)
		}
	})
}

func TestSecretFrom(t *testing.T) {
	t.Parallel()
	a, b := totp.NewSecret(), totp.NewSecret()
	if bytes.Equal(a.Bytes(), b.Bytes()) || len(a.Bytes()) != 20 {
		t.Error("two secrets are alike")
	}
	if back, err := totp.SecretFrom(a.Bytes()); err != nil || !bytes.Equal(back.Bytes(), a.Bytes()) {
		t.Errorf("read back: %v", err)
	}
	before := a.Bytes()
	a.Bytes()[0]++
	if !bytes.Equal(a.Bytes(), before) {
		t.Error("a secret was changed from outside")
	}
	now := time.Unix(1_800_000_015, 0)
	for _, code := range []string{"", "000000", rfc(t).Code(60_000_000)} {
		if _, ok := totp.Verify(totp.Secret{}, code, now, 0); ok {
			t.Errorf("no secret has the code %q", code)
		}
	}
	for _, n := range []int{0, 10, 19, 21} {
		if _, err := totp.SecretFrom(make([]byte, n)); err == nil {
			t.Errorf("%d bytes were accepted", n)
		}
	}
}

// RELIABILITY 1.5: nothing that holds a secret prints it.
func TestNothingPrints(t *testing.T) {
	t.Parallel()
	secret := rfc(t)
	key, err := totp.NewKey("Kestrel & Moss", "ada", secret)
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.ParseRecoveryCode("0123-4567-89AB-CDEF-GHJK-MNPQ")
	if err != nil {
		t.Fatal(err)
	}
	hash := code.Hash()
	for _, v := range []any{
		secret, &secret, key, &key, code, &code, hash, &hash,
		[]totp.RecoveryCode{code},
		map[string]totp.Secret{"a": secret},
		struct{ Secret totp.Secret }{secret},
		totp.NewRecoveryCodes(),
	} {
		if f, ok := v.(fmt.Formatter); ok && fmt.Sprintf("%v|%+v|%#v|%x|%10.3s", f, f, f, f, f) != strings.Repeat("|[redacted]", 5)[1:] {
			t.Errorf("%T prints %v", v, v)
		}
		var told strings.Builder
		// The last two do not fit, which is no reason to print.
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%w"} {
			fmt.Fprintf(&told, verb+"\n", v)
		}
		told.WriteString(errors.New(fmt.Sprint(v)).Error())
		asJSON, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		told.Write(asJSON)
		for _, handler := range []slog.Handler{slog.NewTextHandler(&told, nil), slog.NewJSONHandler(&told, nil)} {
			slog.New(handler).Info("told", "value", v)
		}
		text := strings.ToLower(told.String())
		if !strings.Contains(text, "[redacted]") {
			t.Errorf("%T prints %s", v, text)
		}
		// In clear, hexadecimal, Base32, and as lists of numbers.
		for _, piece := range []string{"1234567890", "3132333435", "gezdgnbv", "49 50 51", "0x31, 0x32", "49,50,51", "89abcdef", "89ab-cdef", "kestrel", "fghjk", "ghjk-mnpq", fmt.Sprintf("%x", hash.Bytes()[:4])} {
			if strings.Contains(text, piece) {
				t.Errorf("%T prints %s", v, piece)
			}
		}
	}
}

// The codes of the tool that people use on a command line are accepted.
func TestOathtool_S3_02(t *testing.T) {
	t.Parallel()
	oathtool, err := exec.LookPath("oathtool")
	if err != nil {
		t.Skip("oathtool is not installed; on Debian: apt-get install oathtool")
	}
	now := time.Unix(1_800_000_015, 0).UTC()
	for range 5 {
		secret := totp.NewSecret()
		key, err := totp.NewKey("Kestrel", "ada", secret)
		if err != nil {
			t.Fatal(err)
		}
		for offset := -30 * time.Second; offset <= 30*time.Second; offset += 30 * time.Second {
			out, err := exec.CommandContext(t.Context(), oathtool, "--totp", "--base32", key.Text(), "--now", now.Add(offset).Format("2006-01-02 15:04:05 UTC")).Output()
			if err != nil {
				t.Fatal(err)
			}
			step, _ := totp.Step(now.Add(offset))
			if got, ok := totp.Verify(secret, strings.TrimSpace(string(out)), now, 0); !ok || got != step {
				t.Errorf("%v: step %d, %v", offset, got, ok)
			}
		}
	}
}
