package customer

import (
	"errors"
	"regexp"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
)

// EditProfile sets the fields of the profile that are present; a field that is
// present and empty is removed.
type EditProfile struct{ Profile events.Profile }

func (EditProfile) customerCommand() {}

func editProfile(s State, c EditProfile) ([]events.CustomerEvent, error) {
	if err := changeable(s); err != nil {
		return nil, err
	}
	wanted, refused := checkProfile(c.Profile, ErrInvalid)
	if len(refused.Fields) > 0 {
		return nil, refused
	}
	edited := events.CustomerProfileEdited{CustomerID: s.ID}
	for _, f := range profileFields {
		before, after := *f.of(&s.Profile), *f.of(&wanted)
		if after.IsZero() || after == before || before.IsZero() && after == events.Clear("") {
			continue
		}
		*f.of(&edited.Before), *f.of(&edited.After) = before, after
	}
	if edited.After == (events.Profile{}) {
		return nil, nil
	}
	return []events.CustomerEvent{edited}, nil
}

// profileField is one field of the profile: its name, how to reach it, and what
// it accepts.
type profileField struct {
	name  string
	of    func(*events.Profile) *events.Personal
	check func(string) (string, error)
}

var (
	phonePattern   = regexp.MustCompile(`^\+?[0-9][0-9 ()./-]{3,30}$`)
	countryPattern = regexp.MustCompile(`^[A-Z]{2}$`)
)

var profileFields = []profileField{
	{"first_name", func(p *events.Profile) *events.Personal { return &p.FirstName }, line(100)},
	{"last_name", func(p *events.Profile) *events.Personal { return &p.LastName }, line(100)},
	{"company", func(p *events.Profile) *events.Personal { return &p.Company }, line(200)},
	{"phone", func(p *events.Profile) *events.Personal { return &p.Phone }, matching(phonePattern, "is not a phone number")},
	{"street", func(p *events.Profile) *events.Personal { return &p.Street }, func(s string) (string, error) { return identity.Text(s, 300) }},
	{"postal_code", func(p *events.Profile) *events.Personal { return &p.PostalCode }, line(20)},
	{"city", func(p *events.Profile) *events.Personal { return &p.City }, line(100)},
	{"region", func(p *events.Profile) *events.Personal { return &p.Region }, line(100)},
	{"country", func(p *events.Profile) *events.Personal { return &p.Country }, matching(countryPattern, "is not a two-letter country code such as DE")},
}

func line(limit int) func(string) (string, error) {
	return func(s string) (string, error) { return identity.Line(s, limit) }
}

func matching(pattern *regexp.Regexp, otherwise string) func(string) (string, error) {
	return func(s string) (string, error) {
		if s != "" && !pattern.MatchString(s) {
			return "", errors.New(otherwise)
		}
		return s, nil
	}
}

// checkProfile returns p with every present field normalised, and refused with
// every field that is not acceptable.
func checkProfile(p events.Profile, refused *fault.Error) (events.Profile, *fault.Error) {
	for _, f := range profileFields {
		text, ok := f.of(&p).Reveal()
		if !ok {
			continue
		}
		text, err := f.check(text)
		refused = refuse(refused, "profile."+f.name, err)
		*f.of(&p) = events.Clear(text)
	}
	return p, refused
}

// overlay returns p with the present fields of changes; an empty one removes.
func overlay(p, changes events.Profile) events.Profile {
	for _, f := range profileFields {
		if after := *f.of(&changes); !after.IsZero() {
			*f.of(&p) = after
		}
	}
	return withoutEmpty(p)
}

func withoutEmpty(p events.Profile) events.Profile {
	for _, f := range profileFields {
		if *f.of(&p) == events.Clear("") {
			*f.of(&p) = events.Personal{}
		}
	}
	return p
}
