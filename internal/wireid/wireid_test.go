package wireid_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/wireid"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for range 1000 {
		id := uuid.New()
		text := wireid.Format(wireid.Customer, id)
		if len(text) != len("cus_")+26 {
			t.Fatalf("%s has %d characters", text, len(text))
		}
		if back, err := wireid.Parse(wireid.Customer, text); err != nil || back != id {
			t.Fatalf("%s became %s, %v", text, back, err)
		}
	}
	if wireid.Format(wireid.Customer, uuid.Nil) != "" {
		t.Fatal("no id has a text")
	}
}

// There is one way to write an id: every other text is refused.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := wireid.Format(wireid.Customer, uuid.New())
	for _, bad := range []string{
		"", "cus_", good[4:], "dom_" + good[4:], strings.ToUpper(good), good + "0", good[:len(good)-1], good[:len(good)-1] + "z",
		" " + good, strings.Replace(good, "_", "-", 1), uuid.NewString(), "cus_" + strings.Repeat("!", 26),
	} {
		if _, err := wireid.Parse(wireid.Customer, bad); !errors.Is(err, wireid.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(wireid.Format(wireid.Domain, uuid.New()))
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := wireid.Parse(wireid.Domain, text); err == nil && wireid.Format(wireid.Domain, id) != text {
			t.Fatalf("%q was read as %s", text, id)
		}
	})
}
