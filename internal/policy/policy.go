// Package policy is the table of what a store decides for itself: every policy
// with its values and its default, and presets that set several at once. What a
// store has set is kept as events, by name and value, so that a policy which is
// new in this table needs no new event.
package policy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stewardhq/steward/internal/identity"
)

// Policy is something that a store decides.
type Policy struct {
	// Name is how commands and events call it. It never changes its meaning.
	Name string
	// About says in a sentence what it decides.
	About string
	// Values are those that it can take. A policy without any is a whole number from
	// 0 to Most, or a text where Most is 0.
	Values []Value
	Most   int
	// Default is the value in a store that has set none.
	Default string
}

// Value is one that a policy can take.
type Value struct {
	Name  string
	About string
}

// maxText is how many characters a policy that is a text may have.
const maxText = 40

// Check returns value as it is kept. Its error says what is wrong with it, and
// does not repeat it.
func (p Policy) Check(value string) (string, error) {
	if p.Most > 0 {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > p.Most {
			return "", fmt.Errorf("is not a whole number from 0 to %d", p.Most)
		}
		return strconv.Itoa(n), nil
	}
	if len(p.Values) == 0 {
		text, err := identity.Line(value, maxText)
		if err == nil && text == "" {
			err = errEmpty
		}
		return text, err
	}
	names := make([]string, len(p.Values))
	for i, v := range p.Values {
		if v.Name == value {
			return value, nil
		}
		names[i] = v.Name
	}
	return "", fmt.Errorf("is not one of %s", strings.Join(names, ", "))
}

// Named returns a policy.
func Named(name string) (Policy, bool) {
	for _, p := range Policies {
		if p.Name == name {
			return p, true
		}
	}
	return Policy{}, false
}

// Set is what a store has set, by name. Every other policy has its default.
type Set map[string]string

// Get returns the value of a policy.
func (s Set) Get(p Policy) string {
	if value, ok := s[p.Name]; ok {
		return value
	}
	return p.Default
}

// On reports whether a policy of yes or no is on.
func (s Set) On(p Policy) bool { return s.Get(p) == on }

// Number returns the value of a policy that is a number, its default for one that
// is none.
func (s Set) Number(p Policy) int {
	if n, err := strconv.Atoi(s.Get(p)); err == nil {
		return n
	}
	n, _ := strconv.Atoi(p.Default) // TestTable checks it
	return n
}
