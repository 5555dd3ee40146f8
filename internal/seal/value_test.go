package seal

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/vault"
)

func testKey(tb testing.TB) (*vault.Key, place) {
	tb.Helper()
	customer := uuid.MustParse("0b5f0e0c-92a3-4c43-9b9f-2f9d1c6e2b10")
	key, err := vault.NewKey(uuid.MustParse("3f0b8f5e-54a9-4a52-8f3c-0d7f6a1b2c3d"),
		events.Subject{Kind: events.SubjectCustomer, ID: customer}, []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		tb.Fatal(err)
	}
	return key, place{
		store: uuid.MustParse("11111111-2222-4333-8444-555555555555"), stream: events.CustomerStream(customer),
		event: uuid.MustParse("99999999-8888-4777-8666-555555555555"), eventType: events.TypeCustomerSuspended,
	}
}

func mustSealValue(tb testing.TB, text string) string {
	tb.Helper()
	key, at := testKey(tb)
	sealed, err := new(scratch).seal(key, at, "data.reason", text)
	if err != nil {
		tb.Fatal(err)
	}
	_, ciphertext, _ := sealed.Ciphertext()
	return ciphertext
}

// The stored form is for ever: this value was sealed once and must open in
// every later version.
func TestOpensWhatWasStored(t *testing.T) {
	t.Parallel()
	const stored = "buNEAz1QVpX2hrKIfGc_tfM5G3LwxCB3EYpmcceuLRMZNISiXE2QhtuXSqse98bKxYkAoQpILn9WqT0O"
	key, at := testKey(t)
	opened, err := new(scratch).open(key, at, "data.reason", stored)
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := opened.Reveal(); !ok || text != "chargeback on order 4711" {
		t.Errorf("got %q, %v", text, ok)
	}
}

func TestPad(t *testing.T) {
	t.Parallel()

	t.Run("lengths in one bucket look the same", func(t *testing.T) {
		t.Parallel()
		sizes := make(map[int][]int)
		for length := range 100 {
			size := len(mustSealValue(t, strings.Repeat("x", length)))
			sizes[size] = append(sizes[size], length)
		}
		// One byte tells the length of a short text, so 31 bytes fit the first bucket.
		want := map[int]int{32: 32, 64: 32, 96: 32, 128: 4}
		if len(sizes) != len(want) {
			t.Errorf("%d sizes: %v", len(sizes), sizes)
		}
		for padded, lengths := range want {
			if got := sizes[encoding.EncodedLen(12+padded+16)]; len(got) != lengths {
				t.Errorf("bucket %d holds the lengths %v", padded, got)
			}
		}
	})

	t.Run("is undone", rapid.MakeCheck(func(t *rapid.T) {
		text := rapid.String().Draw(t, "text") + strings.Repeat("é", rapid.IntRange(0, 500).Draw(t, "more"))
		padded := pad(nil, text)
		if len(padded)%bucket != 0 || len(padded) >= len(text)+bucket+4 {
			t.Fatalf("%d bytes for %d", len(padded), len(text))
		}
		if got, ok := unpad(padded); !ok || string(got) != text {
			t.Fatalf("got %q, %v", got, ok)
		}
	}))

	for name, b := range map[string][]byte{
		"nothing":                {},
		"less than a bucket":     make([]byte, bucket-1),
		"a length beyond":        append([]byte{bucket}, make([]byte, bucket-1)...),
		"a huge length":          append(bytes.Repeat([]byte{0xff}, 9), append([]byte{1}, make([]byte, bucket-10)...)...),
		"a length without end":   bytes.Repeat([]byte{0xff}, bucket),
		"something after it":     append(make([]byte, bucket-1), 1),
		"a bucket more of zeros": make([]byte, 2*bucket),
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			t.Parallel()
			if text, ok := unpad(b); ok {
				t.Errorf("got %q", text)
			}
		})
	}
}

func TestOpenValueRefusesEveryChange(t *testing.T) {
	t.Parallel()
	key, at := testKey(t)
	good := mustSealValue(t, "fraud")
	sealed, err := encoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	var memory scratch
	for bit := range len(sealed) * 8 {
		bad := bytes.Clone(sealed)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := memory.open(key, at, "data.reason", encoding.EncodeToString(bad)); !errors.Is(err, ErrAltered) {
			t.Fatalf("bit %d: got %v", bit, err)
		}
	}
	for length := range len(good) {
		if _, err := memory.open(key, at, "data.reason", good[:length]); !errors.Is(err, ErrAltered) {
			t.Fatalf("length %d: got %v", length, err)
		}
	}
	for _, bad := range []string{good + "=", good + "A", good + "\n", good[:9] + "\n" + good[9:], strings.ReplaceAll(good, "_", "/") + "+"} {
		if _, err := memory.open(key, at, "data.reason", bad); !errors.Is(err, ErrAltered) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	if _, err := memory.open(key, at, "data.reason", good); err != nil {
		t.Errorf("the value itself: %v", err)
	}
}

// No two places may have the same additional data, also when a part ends as
// another begins.
func TestAdditionalIsUnambiguous(t *testing.T) {
	t.Parallel()
	key, at := testKey(t)
	seen := make(map[string]int)
	for i, c := range []struct{ stream, eventType, path string }{
		{"ab", "c", "d"}, {"a", "bc", "d"}, {"a", "b", "cd"}, {"abc", "", "d"}, {"", "abc", "d"}, {"abcd", "", ""},
	} {
		at.stream, at.eventType = c.stream, c.eventType
		var s scratch
		s.additional(key, at, c.path)
		if other, ok := seen[string(s.aad)]; ok {
			t.Errorf("cases %d and %d are the same", i, other)
		}
		seen[string(s.aad)] = i
	}
}

func FuzzOpenValue(f *testing.F) {
	key, at := testKey(f)
	for _, text := range []string{"", "fraud", strings.Repeat("long ", 50)} {
		f.Add(mustSealValue(f, text))
	}
	f.Add("")
	f.Add("AAAA")
	f.Add("not base64!")
	f.Fuzz(func(t *testing.T, ciphertext string) {
		opened, err := new(scratch).open(key, at, "data.reason", ciphertext)
		if err == nil {
			if _, ok := opened.Reveal(); !ok {
				t.Error("opened to nothing")
			}
			return
		}
		if !errors.Is(err, ErrAltered) || !opened.IsZero() {
			t.Errorf("got %v, %v", opened, err)
		}
	})
}

func FuzzUnpad(f *testing.F) {
	f.Add([]byte{})
	f.Add(pad(nil, "fraud"))
	f.Add(pad(nil, strings.Repeat("x", 200)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if text, ok := unpad(b); ok && len(text) > len(b) {
			t.Errorf("%d bytes out of %d", len(text), len(b))
		}
	})
}

func BenchmarkValue(b *testing.B) {
	key, at := testKey(b)
	var memory scratch
	ciphertext := mustSealValue(b, "wilhelmina@example.com")
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := memory.seal(key, at, "data.email", "wilhelmina@example.com"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := memory.open(key, at, "data.reason", ciphertext); err != nil {
				b.Fatal(err)
			}
		}
	})
}
