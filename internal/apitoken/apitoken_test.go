package apitoken_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/apitoken"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, token := range []apitoken.Token{apitoken.New(), apitoken.NewSession(), apitoken.NewImpersonation()} {
		parsed, err := apitoken.Parse(token.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if parsed != token || parsed.ID() != token.ID() {
			t.Errorf("%v was read as %v", token, parsed)
		}
	}
	if apitoken.New().IsSession() || !apitoken.NewSession().IsSession() {
		t.Error("keys and sessions are mixed up")
	}
	token := apitoken.New()
	parsed, err := apitoken.Parse(token.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if parsed.ID() != token.ID() || !parsed.Matches(token.Hash()) || !strings.HasPrefix(token.Reveal(), parsed.Prefix()+"_") {
		t.Fatalf("%v was read as %v", token, parsed)
	}
	other := apitoken.New()
	if other.ID() == token.ID() || other.Matches(token.Hash()) {
		t.Fatal("two tokens are alike")
	}
}

// A mistyped character anywhere is noticed without asking anybody.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	text := apitoken.New().Reveal()
	bad := []string{"", "stw_live_", text + "0", text[1:], strings.ToUpper(text), "Bearer " + text}
	for i := range len(text) {
		b := []byte(text)
		b[i] ^= 1
		bad = append(bad, string(b))
	}
	for _, b := range bad {
		if _, err := apitoken.Parse(b); !errors.Is(err, apitoken.ErrMalformed) {
			t.Errorf("%q was read", b)
		}
	}
}

func TestNeverPrints(t *testing.T) {
	t.Parallel()
	token := apitoken.New()
	secret := strings.Split(token.Reveal(), "_")[3]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if strings.Contains(fmt.Sprintf(verb, token), secret) {
			t.Errorf("%s prints the secret", verb)
		}
	}
}

// A session and its challenge belong together and open nothing of each other.
func TestChallenge(t *testing.T) {
	t.Parallel()
	attempt := apitoken.NewSession()
	challenge := attempt.Challenge()
	session := challenge.Passed()
	if challenge.ID() != attempt.ID() || session.ID() != attempt.ID() {
		t.Error("they have different ids")
	}
	if !challenge.IsChallenge() || challenge.IsSession() || !session.IsSession() || session.IsChallenge() {
		t.Error("they are mixed up")
	}
	if challenge.Matches(attempt.Hash()) || session.Matches(attempt.Hash()) || session.Matches(challenge.Hash()) {
		t.Error("one opens what the other opens")
	}
	if parsed, err := apitoken.Parse(challenge.Reveal()); err != nil || parsed != challenge {
		t.Errorf("the challenge was read as %v, %v", parsed, err)
	}
}

// The id of an impersonation is known before its secret is.
func TestImpersonation(t *testing.T) {
	t.Parallel()
	before := apitoken.NewImpersonation()
	after := apitoken.Impersonation(before.Prefix())
	if after.ID() != before.ID() || after.Prefix() != before.Prefix() || after.Matches(before.Hash()) {
		t.Errorf("%v became %v", before, after)
	}
	if parsed, err := apitoken.Parse(after.Reveal()); err != nil || parsed != after || !parsed.IsImpersonation() || parsed.IsSession() {
		t.Errorf("it was read as %v, %v", parsed, err)
	}
}
