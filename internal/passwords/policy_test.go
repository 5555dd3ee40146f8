package passwords_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/passwords"
)

var ada = passwords.Person{Username: "ada.lovelace", Email: "Countess-of-Lovelace@example.com", StoreName: "Kestrel & Moss Hosting", Names: []string{"Ada", "Lovelace", "Analytical Engines Limited"}}

// broken returns the code of a refusal and how many rules it names.
func broken(t testing.TB, err error) (code string, fields int) {
	t.Helper()
	if err == nil {
		return "", 0
	}
	f, ok := fault.As(err)
	if !ok || f.Kind != fault.Invalid || len(f.Fields) == 0 {
		t.Fatalf("not a fault with fields: %v", err)
	}
	for _, field := range f.Fields {
		if field.Name != "password" || field.Message == "" {
			t.Fatalf("the field %+v", field)
		}
	}
	return f.Code, len(f.Fields)
}

// S4-19 S4-30: at least 8 characters, a capital and a number, naming the rule.
func TestClassic_S4_19_S4_30(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]string{
		"Kestrel7":          "",
		"kestreL7":          "",
		"Ümlaut12ü":         "",
		"Ωmega-sum 9":       "",
		"abcdefg1":          "password_needs_capital",
		"Abcdefgh":          "password_needs_number",
		"Abcde1":            "password_too_short",
		"Kestre7":           "password_too_short",
		"":                  "password_too_short",
		"kestrelmoss":       "password_needs_capital",
		"KESTREL٧MOSS":      "", // a digit of any script is a number
		"KestrelMossﬁ½":     "", // ½ is 1⁄2 in normal form
		"Abcdefg1":          "password_common",
		"Password1":         "password_common",
		"PassWord123":       "password_common",
		"Welcome2026!":      "password_common",
		"Ab1Ab1Ab1":         "password_repetitive",
		"Kestrel9Kestrel9":  "", // a repeated text that is long enough by itself
		"Welcome1Welcome1":  "password_common",
		"ADA.Lovelace":      "password_needs_number",
		"Ada-Lovelace.":     "password_needs_number",
		"\xff\xfeAbcdefgh1": "password_not_text",
	} {
		if got, _ := broken(t, passwords.Classic().Check(password, ada)); got != want {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
	// Every rule that is broken is named, the first one first.
	if code, n := broken(t, passwords.Classic().Check("-!-", ada)); code != "password_too_short" || n != 3 {
		t.Errorf("%s and %d fields", code, n)
	}
}

// P1 P2 P3: 15 characters of any kind that nobody expects.
func TestNIST_P1_P3(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]string{
		"correct horse battery":                           "",
		"kestrel moss on slate":                           "",
		"              x":                                 "", // spaces are characters
		"nul\x00in the middle":                            "",
		"äöü-ﬀ8123456789":                                 "",
		"fourteen chars":                                  "password_too_short",
		strings.Repeat("e\u0301", 8):                      "password_too_short", // 8 characters after normalisation
		"correcthorsebatterystaple":                       "password_common",
		"Correct Horse Battery Staple":                    "password_common",
		"qwertyuiop12345":                                 "password_common",
		"QWERTYuiop\uff112345":                            "password_common", // and a wide 1
		"1234567890123456":                                "password_common",
		"qwertyuiopasdfghjkl":                             "password_common",
		"password1234567":                                 "password_common",
		"passwordpassword":                                "password_repetitive",
		"aaaaaaaaaaaaaaaaaaaa":                            "password_repetitive",
		"abcabcabcabcabcabca":                             "password_repetitive",
		"Ada Lovelace":                                    "password_too_short",
		"countess-of-lovelace":                            "password_personal",
		"Countess of Lovelace":                            "password_personal",
		"COUNTESS-OF-LOVELACE@EXAMPLE.COM":                "password_personal",
		"kestrel&mosshosting":                             "password_personal",
		"Kestrel  Moss  Hosting":                          "password_personal",
		"Analytical Engines Limited":                      "password_personal",
		"adalovelaceanalyticalengineslimited":             "password_personal",
		"countess-of-lovelacecountess-of-lovelace":        "password_personal",
		"countess-of-lovelace's own":                      "", // only the whole is compared
		"correcthorsebatterystaples":                      "",
		strings.Repeat("k", 64) + strings.Repeat("m", 64): "",
		strings.Repeat("km", 60) + "on some slate":        "password_too_long",
	} {
		if got, _ := broken(t, passwords.NIST().Check(password, ada)); got != want {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
	if err := passwords.NIST().Check(strings.Repeat("x", 1<<20), ada); !errors.Is(err, passwords.ErrTooLong) {
		t.Error(err)
	}
	// A person of whom nothing is known.
	if err := passwords.NIST().Check("-- -- == -- !! ..", passwords.Person{}); err != nil {
		t.Error(err)
	}
}

// C15: which policies a store may have.
func TestPolicyValidate_C15(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		policy passwords.Policy
		second bool
		ok     bool
	}{
		{"the default", passwords.NIST(), false, true},
		{"the classic one", passwords.Classic(), false, true},
		{"the longest", passwords.Policy{MinLength: 64}, false, true},
		{"too long", passwords.Policy{MinLength: 65}, false, false},
		{"14 alone", passwords.Policy{MinLength: 14}, false, false},
		{"14 with a second factor", passwords.Policy{MinLength: 14}, true, true},
		{"8 with a second factor", passwords.Policy{MinLength: 8}, true, true},
		{"7 with a second factor", passwords.Policy{MinLength: 7}, true, false},
		{"7 with composition", passwords.Policy{MinLength: 7, Capital: true, Number: true}, false, false},
		{"8 with half of the composition", passwords.Policy{MinLength: 8, Capital: true}, false, false},
		{"negative", passwords.Policy{MinLength: -1}, true, false},
	} {
		err := c.policy.Validate(c.second)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if f, _ := fault.As(err); !c.ok && (f == nil || f.Fields[0].Name != "min_length") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// A policy that never was validated is not weaker than any may be.
	for _, c := range []struct {
		policy    passwords.Policy
		ok, short string
	}{
		{passwords.Policy{}, "kestrel moss on", "kestrel moss o"},
		{passwords.Policy{MinLength: 1}, "kestrel ", "kestrel"},
		{passwords.Policy{Capital: true, Number: true}, "Kestrel7", "Kestre7"},
	} {
		if err := c.policy.Check(c.ok, passwords.Person{}); err != nil {
			t.Errorf("%+v: %v", c.policy, err)
		}
		if err := c.policy.Check(c.short, passwords.Person{}); !errors.Is(err, passwords.ErrTooShort) {
			t.Errorf("%+v: %v", c.policy, err)
		}
	}
}

// A policy is part of an event: its JSON form stays.
func TestPolicyJSON(t *testing.T) {
	t.Parallel()
	for want, policy := range map[string]passwords.Policy{
		`{"min_length":15,"capital":false,"number":false}`: passwords.NIST(),
		`{"min_length":8,"capital":true,"number":true}`:    passwords.Classic(),
	} {
		got, err := json.Marshal(policy)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v", got, err)
		}
		var back passwords.Policy
		if err := json.Unmarshal([]byte(want), &back); err != nil || back != policy {
			t.Errorf("%+v, %v", back, err)
		}
	}
}

// S4-18: whatever is refused, no part of it is told.
func TestRefusalsNeverEcho_S4_18(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"zqjxkv", "Zqjxkv9!Zqjxkv9!", "zqjxkv\xff", strings.Repeat("zqjxkv", 400), "zqjxkvzqjxkvzqjxkv"} {
		for _, policy := range []passwords.Policy{passwords.NIST(), passwords.Classic()} {
			err := policy.Check(password, passwords.Person{Username: password})
			if err == nil {
				t.Fatalf("%q was accepted", password)
			}
			told, marshalErr := json.Marshal(err)
			if marshalErr != nil || strings.Contains(strings.ToLower(string(told)+err.Error()), "zqjx") {
				t.Errorf("told %s, %v", told, marshalErr)
			}
		}
	}
}

// Random passwords are what the rules are not about.
func TestPolicyAcceptsRandom(t *testing.T) {
	t.Parallel()
	for range 10_000 {
		if err := passwords.NIST().Check(rand.Text()[:15], ada); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	for _, seed := range []string{"", "Abcdefg1", "correct horse battery", "\xff", "ﷺﷺﷺ", "ababababababababab"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, password string) {
		for _, policy := range []passwords.Policy{passwords.NIST(), passwords.Classic(), {}} {
			err := policy.Check(password, ada)
			if code, _ := broken(t, err); (code == "") != (err == nil) {
				t.Fatalf("%q: %v", password, err)
			}
		}
	})
}
