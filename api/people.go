package api

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/passwords"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/uniq"
)

// audience is for whom a way in is. Secrets work alike for both.
type audience int

const (
	forCustomers audience = iota
	forTeam
)

// bucket is what attempts on a name count for. The audiences do not shut each other
// out.
func (a audience) bucket(name string) string {
	if a == forTeam {
		return "staff\x00" + nameKey(name)
	}
	return nameKey(name)
}

// identified is who stands behind a name or a login, as far as it is somebody's: a
// customer or a member of the team. Of the other everything is zero.
type identified struct {
	account     decider.Loaded[customer.State]
	member      decider.Loaded[staff.State]
	credentials decider.Loaded[login.State]
}

func (i identified) audience() audience {
	if i.member.State.ID != uuid.Nil {
		return forTeam
	}
	return forCustomers
}

// id is the customer's or the team member's, zero for nobody's.
func (i identified) id() uuid.UUID {
	if i.audience() == forTeam {
		return i.member.State.ID
	}
	return i.account.State.ID
}

func (i identified) loginID() uuid.UUID {
	if i.audience() == forTeam {
		return loginID(i.member.State.ID)
	}
	return i.account.State.LoginID
}

// status is the customer's; a team member's is active, or empty.
func (i identified) status() events.CustomerStatus {
	switch {
	case i.audience() == forCustomers:
		return i.account.State.Status
	case i.member.State.Active:
		return events.StatusActive
	default:
		return ""
	}
}

// active reports whether they may sign in at all.
func (i identified) active() bool { return i.status() == events.StatusActive }

// mayFollow reports whether links lead somewhere for them.
func (i identified) mayFollow() bool {
	return i.audience() == forTeam && i.active() || mayFollow(i.account.State)
}

// standing is what a link is good under.
func (i identified) standing() uint64 {
	if i.audience() == forTeam {
		return i.member.State.Standing
	}
	return i.account.State.Standing
}

// epoch is what a session is good under. Who was let back into the team signs in anew.
func (i identified) epoch() uint64 { return i.credentials.State.Epoch + i.member.State.Standing }

// actor is them as written into events, in a session or before there is one.
func (i identified) actor(session uuid.UUID) events.Actor {
	if i.audience() == forTeam {
		return events.Staff(i.id(), session)
	}
	return events.Customer(i.id(), session)
}

// refusal is what they are told who may not sign in. The team is told nothing.
func (i identified) refusal(policies policy.Set, refused events.RefusalReason) error {
	shutOut := i.account.State.Exists() && !i.active()
	switch policies.Get(policy.RevealStatus) {
	case policy.RevealAlways:
		if shutOut {
			return errDisabled
		}
	case policy.RevealAfterPassword:
		if shutOut && refused == "" {
			return errDisabled
		}
	}
	return errCredentials
}

// mustEnroll reports whether they lack a second factor that the store requires.
func (i identified) mustEnroll(policies policy.Set) bool {
	required := policy.CustomerTwoFactor
	if i.audience() == forTeam {
		required = policy.StaffTwoFactor
	}
	return policies.Get(required) == policy.TwoFactorRequired && !i.credentials.State.TwoFactor.Enabled
}

// address is where mails to them go.
func (i identified) address() events.Personal {
	if i.audience() == forTeam {
		return i.member.State.Email
	}
	return i.account.State.Email
}

// person is what their password must not be made of.
func (i identified) person() passwords.Person {
	if i.audience() == forTeam {
		return passwords.Person{Email: text(shown(i.member.State.Email)), Names: []string{text(shown(i.member.State.Name))}}
	}
	return passwords.Person{Username: text(shown(i.account.State.Username)), Email: text(shown(i.account.State.Email))}
}

// name is what they call themselves when they sign in.
func (i identified) name() string {
	if name := text(shown(i.account.State.Username)); name != "" {
		return name
	}
	return i.person().Email
}

// identify finds who of an audience stands behind a name. For a name that is nobody's
// it reads as much as for one that is somebody's.
func (s *Server) identify(ctx context.Context, shop storefront, of audience, name string) (identified, error) {
	as := uniq.Name{Kind: events.NameUsername, Key: nameKey(name)}
	switch {
	case of == forTeam:
		as = uniq.Name{Kind: events.NameStaffEmail, Key: identity.EmailKey(name)}
	case strings.Contains(name, "@"):
		as.Kind = events.NameEmail
	}
	id, found, err := s.holderOfName(ctx, shop.id, as)
	if err != nil {
		return identified{}, err
	}
	if !found {
		id = uuid.NewSHA1(shop.id, []byte("nobody\x00"+as.Key))
	}
	if of == forTeam {
		return s.personOf(ctx, shop.id, uuid.Nil, id)
	}
	return s.personOf(ctx, shop.id, id, uuid.Nil)
}

// asker is whoever asks: in a customer's session the customer.
func (s *Server) asker(ctx context.Context) (identified, error) {
	c := callerOf(ctx)
	if c.isCustomer() {
		return s.personOf(ctx, c.storeID, c.customerID, uuid.Nil)
	}
	return s.personOf(ctx, c.storeID, uuid.Nil, c.staffID)
}

// personOf is a customer, or else a member of the team, with their login.
func (s *Server) personOf(ctx context.Context, store, customerID, staffID uuid.UUID) (identified, error) {
	return loadPerson(ctx, s.engine, store, customerID, staffID)
}

func loadPerson(ctx context.Context, e *decider.Engine, store, customerID, staffID uuid.UUID) (identified, error) {
	var who identified
	var err error
	secrets := loginID(staffID)
	if staffID != uuid.Nil {
		who.member, err = staff.Decider.Load(ctx, e, store, events.StaffStream(staffID))
	} else {
		who.account, err = customer.Decider.Load(ctx, e, store, events.CustomerStream(customerID))
		if who.account.State.Status == events.StatusErased { // who keeps the name, and is nobody
			who.account = decider.Loaded[customer.State]{}
		}
		if secrets = who.account.State.LoginID; secrets == uuid.Nil {
			secrets = customerID
		}
	}
	if err != nil {
		return identified{}, err
	}
	who.credentials, err = login.Decider.Load(ctx, e, store, events.LoginStream(secrets))
	return who, err
}
