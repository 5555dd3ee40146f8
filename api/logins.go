package api

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/commands/staff"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/passwords"
	"github.com/stewardhq/steward/internal/reactions"
)

// Logins is the reaction that gives an account which the team opened a password that
// nobody sees, issues the link that is to be sent at once, and the way back to an
// address that was changed. It invites new members of the team. What it did before it does not do again.
func Logins(e *decider.Engine, links *onetime.Deriver, now func() time.Time) reactions.Reaction {
	following := followingLogins{e, links, now}
	return reactions.Reaction{
		Name: "logins",
		Wants: func(e events.Event) bool {
			switch e.(type) {
			case events.CustomerCreated, events.CustomerEmailChanged, events.StaffCreated:
				return true
			}
			return false
		},
		Handle: func(ctx context.Context, _ pgx.Tx, env events.Envelope) error {
			return following.handle(decider.Arrive(ctx), env)
		},
	}
}

type followingLogins struct {
	engine *decider.Engine
	links  *onetime.Deriver
	now    func() time.Time
}

func (f followingLogins) handle(ctx context.Context, env events.Envelope) error {
	switch e := env.Event.(type) {
	case events.CustomerCreated:
		if e.Origin == events.OriginStaff {
			if err := f.generate(ctx, e, consequence(env, "logins", "generate", f.now())); err != nil {
				return err
			}
		}
		if e.Send == "" {
			return nil
		}
		return f.issue(ctx, e.CustomerID, e.Send, "", consequence(env, "logins", "link", f.now()))
	case events.CustomerEmailChanged:
		if e.Undone {
			return nil
		}
		opened, err := f.engine.Sealer.Open(ctx, []events.Envelope{env})
		if err != nil {
			return err
		}
		before, readable := opened[0].Event.(events.CustomerEmailChanged).Before.Reveal()
		if !readable {
			return nil
		}
		return f.issue(ctx, e.CustomerID, events.LinkEmailUndo, before, consequence(env, "logins", "undo", f.now()))
	case events.StaffCreated:
		if e.Invite {
			return f.invite(ctx, e.StaffID, consequence(env, "logins", "invite", f.now()))
		}
	}
	return nil
}

// invite issues a link to a member of the team who has no password yet.
func (f followingLogins) invite(ctx context.Context, id uuid.UUID, r decider.Request) error {
	member, err := staff.Decider.Load(ctx, f.engine, r.StoreID, events.StaffStream(id))
	if err != nil {
		return err
	}
	who := identified{member: member}
	if !who.active() {
		return nil
	}
	stream := events.LoginStream(who.loginID())
	credentials, err := login.Decider.Load(ctx, f.engine, r.StoreID, stream)
	if err != nil || credentials.State.LoginID != uuid.Nil {
		return err // somebody sent a link already
	}
	_, err = login.Decider.Handle(ctx, f.engine, stream, linkTo(who, events.LinkInvitation, nil, f.links.Version(), r), r)
	return err
}

// generate gives a login that has none a password that nobody sees.
func (f followingLogins) generate(ctx context.Context, e events.CustomerCreated, r decider.Request) error {
	_, err := login.Decider.Handle(ctx, f.engine, events.LoginStream(e.LoginID), login.SetPassword{
		LoginID: e.LoginID, CustomerID: e.CustomerID, CredentialID: r.NewID("credential", 0),
		Hash: passwords.Generate(), Scheme: string(passwords.Generated), Cause: events.PasswordGenerated,
	}, r)
	return err
}

// issue issues a link to a customer who may follow it.
func (f followingLogins) issue(ctx context.Context, id uuid.UUID, purpose events.LinkPurpose, email string, r decider.Request) error {
	account, err := customer.Decider.Load(ctx, f.engine, r.StoreID, events.CustomerStream(id))
	if err != nil {
		return err
	}
	if !mayFollow(account.State) {
		return nil
	}
	shop, err := store.Decider.Load(ctx, f.engine, r.StoreID, events.StoreStream(r.StoreID))
	if err != nil {
		return err
	}
	link := linkTo(identified{account: account}, purpose, shop.State.Policies.At(r.At), f.links.Version(), r)
	link.Email = email
	_, err = login.Decider.Handle(ctx, f.engine, events.LoginStream(account.State.LoginID), link, r)
	return err
}

// consequence is the request of what a component does because of an event. For the
// same event and step it is the same command, so it is done once.
func consequence(env events.Envelope, component, step string, at time.Time) decider.Request {
	command := uuid.NewSHA1(env.ID, []byte(component+"\x00"+step))
	return decider.Request{
		StoreID: env.Metadata.StoreID, Actor: events.System(component), Source: events.SourceReaction,
		CommandID: command, Fingerprint: command.String(), CorrelationID: env.Metadata.CorrelationID, CausationID: env.ID, At: at,
	}
}
