package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/domain"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/uniq"
	"github.com/stewardhq/steward/internal/wireid"
)

// ImportRow is a domain that was registered elsewhere, and whose it is.
type ImportRow struct {
	DomainInput
	Owner ImportOwner `json:"owner" doc:"Found by email, or created."`
}

// ImportOwner is the owner of an imported domain. Username and names are
// used only when no customer has the email address yet.
type ImportOwner struct {
	Email     string `json:"email" example:"ada@example.com"`
	Username  string `json:"username,omitempty" example:"ada"`
	FirstName string `json:"first_name,omitempty" example:"Ada"`
	LastName  string `json:"last_name,omitempty" example:"Lovelace"`
}

// account is the account to create for an owner without one.
func (o ImportOwner) account() NewCustomer {
	n := NewCustomer{Email: o.Email, Username: o.Username}
	n.Profile.FirstName.value, n.Profile.LastName.value = events.Clear(o.FirstName), events.Clear(o.LastName)
	return n
}

// ImportOutcome says what became of an imported domain.
type ImportOutcome string

// The outcomes.
const (
	ImportAccepted  ImportOutcome = "accepted"
	ImportUnchanged ImportOutcome = "unchanged" // the owner has it already
)

// Imported is what became of one imported domain.
type Imported struct {
	Outcome      ImportOutcome `json:"outcome" enum:"accepted,unchanged"`
	DomainID     string        `json:"domain_id"`
	CustomerID   string        `json:"customer_id,omitempty"`
	OwnerCreated bool          `json:"owner_created"`
}

// ImportDomainInput imports one domain.
type ImportDomainInput struct {
	CommandInput
	Body ImportRow
}

// ImportAnswer is what an import answers.
type ImportAnswer struct {
	CommandAnswer
	Imported
}

// ImportOutput is the answer to an import.
type ImportOutput struct {
	ETag     string `header:"ETag"`
	Position string `header:"Steward-Position"`
	Body     ImportAnswer
}

// importDomain handles POST /v1/domains/import.
func (s *Server) importDomain(ctx context.Context, in *ImportDomainInput) (*ImportOutput, error) {
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	done, out, err := s.importOnce(ctx, in.IdempotencyKey != "", in.Body, r)
	if err != nil {
		return nil, err
	}
	a := s.answer(done.DomainID, out, r)
	return &ImportOutput{ETag: a.ETag, Position: a.Position, Body: ImportAnswer{a.Body, done}}, nil
}

// Attempts to find or create an owner whom others are creating at the same
// moment.
const (
	ownerAttempts = 12
	ownerPause    = 10 * time.Millisecond // doubled each time, up to a second
)

// importOnce is [Server.importRow] for a row whose key may have stood for
// another one.
func (s *Server) importOnce(ctx context.Context, keyed bool, row ImportRow, r decider.Request) (done Imported, out decider.Outcome, err error) {
	err = s.onceFor(ctx, keyed, r, func() (decider.Outcome, error) {
		done, out, err = s.importRow(ctx, row, r)
		return out, err
	})
	return done, out, err
}

// importRow imports one domain. It checks everything about the row before it
// creates an owner, so that a refused row creates none.
func (s *Server) importRow(ctx context.Context, row ImportRow, r decider.Request) (Imported, decider.Outcome, error) {
	details, email, err := row.check(r.StoreID)
	if err != nil {
		return Imported{}, decider.Outcome{}, err
	}
	name := uniq.Name{Kind: events.NameEmail, Key: identity.EmailKey(email), Field: "owner.email"}
	step := r.Step("owner")
	pause := ownerPause
	var refused error // of the last attempt to create the owner
	for attempt := 1; ; attempt++ {
		owner, found, err := s.holderOfName(ctx, r.StoreID, name)
		switch {
		case err != nil:
			return Imported{}, decider.Outcome{}, err
		case found:
			return s.importFor(ctx, details, owner, r)
		case attempt > ownerAttempts, refused != nil && !passing(refused, name.Field):
			return Imported{}, decider.Outcome{}, refused
		}
		owner, refused = s.createOwner(ctx, row.Owner, details, r, step)
		switch {
		case refused == nil && r.DryRun:
			return importedDry(details, r)
		case refused == nil:
			return s.importFor(ctx, details, owner, r)
		case !errors.Is(refused, uniq.ErrNameTaken) && !errors.Is(refused, uniq.ErrNameReserved):
			return Imported{}, decider.Outcome{}, refused
		}
		// Somebody is creating the owner at this moment, or has just done so.
		if err := sleep(ctx, pause); err != nil {
			return Imported{}, decider.Outcome{}, err
		}
		pause = min(2*pause, time.Second)
	}
}

// check names every field at fault of the domain and the owner's address.
func (row ImportRow) check(store uuid.UUID) (domain.Details, string, error) {
	details, err := row.details(store)
	email, badEmail := identity.Email(row.Owner.Email)
	if badEmail != nil {
		refused := domain.ErrInvalid
		if f, ok := fault.As(err); ok {
			refused = f
		}
		err = refused.On("owner.email", badEmail.Error())
	}
	return details, email, err
}

// createOwner creates the owner of a domain that could be imported for them.
func (s *Server) createOwner(ctx context.Context, o ImportOwner, details domain.Details, r, step decider.Request) (uuid.UUID, error) {
	store, account := r.StoreID, o.account()
	candidate := step.NewID(string(wireid.Customer), 0)
	if _, err := customer.Decide(customer.State{}, account.command(candidate, events.OriginImport, callerOf(ctx).policies)); err != nil {
		return uuid.Nil, ownerFault(err)
	}
	loaded, err := domain.Decider.LoadHistory(ctx, s.engine, store, events.DomainStream(details.DomainID))
	if err != nil {
		return uuid.Nil, err
	}
	if _, done, err := loaded.Applied(r); done || err != nil {
		return loaded.State.CustomerID, err // whoever it was imported for is reachable at another address by now
	}
	future := domain.Import{Details: details, Holder: domain.Holder{ID: candidate, MayOwn: true}, By: r.Actor}
	if _, err := domain.Decide(loaded.State, future); err != nil {
		return uuid.Nil, err
	}
	id, _, err := s.openAccount(ctx, account, events.OriginImport, step)
	if err != nil {
		return uuid.Nil, ownerFault(err)
	}
	return id, nil
}

// ownerFault names the fields of an account as those of an owner.
func ownerFault(err error) error {
	f, ok := fault.As(err)
	if !ok || len(f.Fields) == 0 {
		return err
	}
	moved := fault.New(f.Kind, f.Code, f.Message).After(f.RetryAfter)
	for _, field := range f.Fields {
		moved = moved.On("owner."+strings.TrimPrefix(field.Name, "profile."), field.Message)
	}
	return moved
}

// passing reports whether an owner who was refused may be created yet, or found:
// a name is only reserved, or the address itself was taken and may have been
// given up. Any other name that is taken belongs to somebody else.
func passing(err error, field string) bool {
	f, ok := fault.As(err)
	if !ok || errors.Is(err, uniq.ErrNameReserved) {
		return ok
	}
	for _, at := range f.Fields {
		if at.Name == field {
			return true
		}
	}
	return false
}

// importFor imports the domain for an existing customer.
func (s *Server) importFor(ctx context.Context, details domain.Details, owner uuid.UUID, r decider.Request) (Imported, decider.Outcome, error) {
	out, err := domain.Decider.HandleFrom(ctx, s.engine, events.DomainStream(details.DomainID), func(ctx context.Context, _ domain.State) (domain.Command, error) {
		holder, err := s.holder(ctx, r.StoreID, owner)
		return domain.Import{Details: details, Holder: holder, By: r.Actor}, err
	}, r)
	if errors.Is(err, domain.ErrNotEligible) {
		err = domain.ErrNotEligible.On("owner.email", "belongs to a customer who is suspended, banned or deleted")
	}
	if err != nil {
		return Imported{}, out, err
	}
	for _, e := range out.Events { // of an earlier attempt, perhaps, that found another owner
		if imported, ok := e.(events.DomainImported); ok {
			owner = imported.CustomerID
		}
	}
	done := Imported{
		Outcome: ImportUnchanged, DomainID: wireid.Format(wireid.Domain, details.DomainID),
		CustomerID: wireid.Format(wireid.Customer, owner), OwnerCreated: createdBy(r, owner),
	}
	if len(out.Events) > 0 {
		done.Outcome = ImportAccepted
	}
	return done, out, nil
}

// importedDry is the answer to a dry run that would create the owner.
func importedDry(details domain.Details, r decider.Request) (Imported, decider.Outcome, error) {
	future := domain.Import{Details: details, Holder: domain.Holder{ID: r.Step("owner").NewID(string(wireid.Customer), 0), MayOwn: true}, By: r.Actor}
	decided, err := domain.Decide(domain.State{}, future)
	out := decider.Outcome{Revision: -1}
	for _, e := range decided {
		out.Events = append(out.Events, e)
	}
	return Imported{Outcome: ImportAccepted, DomainID: wireid.Format(wireid.Domain, details.DomainID), OwnerCreated: true}, out, err
}

// createdBy reports whether this command, in this or an earlier attempt, created
// the customer: their id follows from it.
func createdBy(r decider.Request, id uuid.UUID) bool {
	step := r.Step("owner")
	for n := range decider.MaxSealed {
		if step.NewID(string(wireid.Customer), n) == id {
			return true
		}
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
