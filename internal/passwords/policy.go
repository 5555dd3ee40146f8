package passwords

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/passwords/blocklist"
)

// The least lengths that a policy may demand, in code points: alone, and where
// a second factor is always asked for or composition rules were chosen instead.
const (
	minAlone    = 15
	minCombined = 8
	// maxMin leaves room for long passwords under every policy.
	maxMin = 64
)

// Policy is what a store demands of a new password, besides that it is not on
// the blocklist, does not repeat a shorter text and is not what its owner is
// known by, which every policy demands. The zero value is [NIST].
type Policy struct {
	// MinLength is the least number of Unicode code points; zero is 15, or 8
	// with composition rules.
	MinLength int `json:"min_length"`
	// Capital demands a capital letter.
	Capital bool `json:"capital"`
	// Number demands a digit.
	Number bool `json:"number"`
}

// NIST returns the default policy, NIST SP 800-63B-4 section 3.1.1.2: at least
// 15 characters and no composition rules. A store that demands a second factor
// of everybody may lower the length to 8.
func NIST() Policy { return Policy{MinLength: minAlone} }

// Classic returns the policy of at least 8 characters with a capital letter and
// a number.
func Classic() Policy { return Policy{MinLength: minCombined, Capital: true, Number: true} }

// ErrPolicy says that a policy is weaker or stricter than any may be.
var ErrPolicy = fault.New(fault.Invalid, "invalid_password_policy", "The password policy is not allowed.")

// Validate reports with [ErrPolicy] whether a store may have the policy,
// given whether it demands a second factor of everybody.
func (p Policy) Validate(secondFactorEnforced bool) error {
	least := minAlone
	if secondFactorEnforced || p.composed() {
		least = minCombined
	}
	if p.MinLength < least || p.MinLength > maxMin {
		return ErrPolicy.On("min_length", fmt.Sprintf("must be %d to %d", least, maxMin))
	}
	return nil
}

func (p Policy) composed() bool { return p.Capital && p.Number }

func (p Policy) minLength() int {
	switch {
	case p.MinLength > 0:
		return max(p.MinLength, minCombined)
	case p.composed():
		return minCombined
	}
	return minAlone
}

// Person is what a password's owner is known by. Empty values are skipped.
type Person struct {
	Username  string
	Email     string
	StoreName string
	Names     []string // given name, family name, company, in that order
}

// Faults of [Policy.Check], one for each rule.
var (
	ErrNotText    = fault.New(fault.Invalid, "password_not_text", "The password is not valid UTF-8 text.")
	ErrTooShort   = fault.New(fault.Invalid, "password_too_short", "The password is too short.")
	ErrNoCapital  = fault.New(fault.Invalid, "password_needs_capital", "The password needs a capital letter.")
	ErrNoNumber   = fault.New(fault.Invalid, "password_needs_number", "The password needs a number.")
	ErrRepetitive = fault.New(fault.Invalid, "password_repetitive", "The password repeats a text that is too short.")
	ErrCommon     = fault.New(fault.Invalid, "password_common", "The password is one that many people use.")
	ErrPersonal   = fault.New(fault.Invalid, "password_personal", "The password is a name or address that you or the store are known by.")
)

// field is what the faults name as the input at fault.
const field = "password"

// Check refuses a new password that breaks a rule. The fault is that of the
// first rule broken and has a field "password" for every one, in a fixed order;
// it never repeats the password.
func (p Policy) Check(password string, person Person) error {
	if !utf8.ValidString(password) {
		return ErrNotText.On(field, "is not valid UTF-8")
	}
	// Nothing is computed for a text of any length.
	if len(password) > MaxBytes {
		return ErrTooLong.On(field, fmt.Sprintf("has more than %d bytes", MaxBytes))
	}
	password = normal(password)
	length := utf8.RuneCountInString(password)
	unit := period(blocklist.Fold(password))

	broken := fault.Error{Kind: fault.Invalid}
	rule := func(isBroken bool, f *fault.Error, message string) {
		if !isBroken {
			return
		}
		if broken.Code == "" {
			broken.Code, broken.Message = f.Code, f.Message
		}
		broken.Fields = append(broken.Fields, fault.Field{Name: field, Message: message})
	}
	least := p.minLength()
	rule(length > MaxCharacters || len(password) > MaxBytes, ErrTooLong, fmt.Sprintf("must have at most %d characters", MaxCharacters))
	rule(length < least, ErrTooShort, fmt.Sprintf("must have at least %d characters", least))
	rule(p.Capital && !strings.ContainsFunc(password, unicode.IsUpper), ErrNoCapital, "must have a capital letter")
	rule(p.Number && !strings.ContainsFunc(password, unicode.IsDigit), ErrNoNumber, "must have a number")
	rule(unit != "" && utf8.RuneCountInString(unit) < least, ErrRepetitive, "must not repeat a text that is shorter than a password may be")
	rule(blocklist.Contains(password) || unit != "" && blocklist.Contains(unit), ErrCommon, "must not be one that many people use")
	rule(person.knownBy(password) || unit != "" && person.knownBy(unit), ErrPersonal, "must not be a name or address that you or the store are known by")
	if broken.Code == "" {
		return nil
	}
	return &broken
}

// knownBy reports whether password is, in any letter case and with any
// punctuation, one of the values.
func (p Person) knownBy(password string) bool {
	local, _, _ := strings.Cut(p.Email, "@")
	values := append([]string{p.Username, p.Email, local, p.StoreName, strings.Join(p.Names, "")}, p.Names...)
	bare := squash(password)
	return slices.ContainsFunc(values, func(v string) bool {
		known := squash(v)
		return known != "" && known == bare
	})
}

// squash keeps the letters and digits of a text, case-folded.
func squash(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			return r
		}
		return -1
	}, blocklist.Fold(text))
}

// period returns the shortest text that text repeats at least twice, the last
// time perhaps not to its end, or "" if there is none.
func period(text string) string {
	runes := []rune(text)
	// border[i] is the length of the longest proper prefix of the first i+1
	// runes that is also their suffix (the failure function of Knuth, Morris and
	// Pratt): the rest is the period.
	border := make([]int, len(runes))
	for i := 1; i < len(runes); i++ {
		k := border[i-1]
		for k > 0 && runes[i] != runes[k] {
			k = border[k-1]
		}
		if runes[i] == runes[k] {
			k++
		}
		border[i] = k
	}
	if len(runes) == 0 {
		return ""
	}
	if n := len(runes) - border[len(runes)-1]; 2*n <= len(runes) {
		return string(runes[:n])
	}
	return ""
}
