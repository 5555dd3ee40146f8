package api

import (
	"context"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/domain"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/wireid"
)

// PushInput says to whom a domain is pushed: to an existing customer, or to a
// new one.
type PushInput struct {
	To          *PushTarget       `json:"to,omitempty" doc:"An existing customer."`
	NewCustomer *NewCustomer      `json:"new_customer,omitempty" doc:"An account to be created for it."`
	ReasonCode  events.PushReason `json:"reason_code,omitempty" enum:"consolidation,sale,reorganization,correction,other"`
}

// PushTarget names an existing customer in one of three ways.
type PushTarget struct {
	CustomerID string `json:"customer_id,omitempty" example:"cus_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Username   string `json:"username,omitempty"`
	Email      string `json:"email,omitempty"`
}

// PushPreview is what a push would do.
type PushPreview struct {
	DomainID     string       `json:"domain_id"`
	Name         string       `json:"name"`
	Revision     int64        `json:"revision"`
	From         DomainOwner  `json:"from"`
	To           *DomainOwner `json:"to" doc:"Null when an account would be created."`
	NewCustomer  bool         `json:"new_customer" doc:"Whether an account would be created."`
	Changes      bool         `json:"changes" doc:"False when the domain is theirs already."`
	ConfirmToken string       `json:"confirm_token" doc:"Send it with the push."`
	ExpiresAt    time.Time    `json:"expires_at" doc:"Until when the token is good."`
}

// PreviewPushInput asks what a push would do.
type PreviewPushInput struct {
	ReadInput
	ID   string `path:"id"`
	Body PushInput
}

// PreviewPushOutput is the answer with a preview.
type PreviewPushOutput struct {
	ETag string `header:"ETag"`
	Body PushPreview
}

// PushDomainInput pushes a domain.
type PushDomainInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		PushInput
		ConfirmToken string `json:"confirm_token,omitempty" doc:"From push-preview with the same input."`
	}
}

// PushAnswer is what a push answers.
type PushAnswer struct {
	CommandAnswer
	CustomerID      string `json:"customer_id,omitempty" doc:"Who holds the domain now."`
	CustomerCreated bool   `json:"customer_created" doc:"Whether the account was created for it."`
}

// PushOutput is the answer to a push.
type PushOutput struct {
	ETag     string `header:"ETag"`
	Position string `header:"Steward-Position"`
	Body     PushAnswer
}

// confirmationLifetime is how long somebody may think about a preview.
const confirmationLifetime = 10 * time.Minute

// Faults of a push.
var (
	errPushTarget      = fault.New(fault.Invalid, "invalid", "name exactly one receiver")
	errConfirm         = fault.New(fault.Precondition, "confirmation_required", "look at push-preview first and send its confirm_token").On("confirm_token", "is missing")
	errConfirmUnknown  = fault.New(fault.Malformed, "bad_confirm_token", "this token was not given for this push: look at push-preview again").On("confirm_token", "is not of this push")
	errConfirmExpired  = fault.New(fault.Stale, "confirm_token_expired", "the preview is older than ten minutes: look at push-preview again").On("confirm_token", "has expired")
	errPushUnknownName = fault.New(fault.NotFound, "customer_not_found", "no such customer")
)

// previewPush handles POST /v1/domains/{id}/push-preview.
func (s *Server) previewPush(ctx context.Context, in *PreviewPushInput) (*PreviewPushOutput, error) {
	id, err := pathID(wireid.Domain, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	r.DryRun = true
	who := callerOf(ctx)
	loaded, err := s.loadDomain(ctx, who.storeID, id)
	if err != nil {
		return nil, err
	}
	to, err := s.receiver(ctx, who.storeID, in.Body)
	if err != nil {
		return nil, err
	}
	if to.isNew {
		if _, _, err := s.openAccount(ctx, *in.Body.NewCustomer, events.OriginStaff, r.Step("customer")); err != nil {
			return nil, under("new_customer", err)
		}
	}
	decided, err := domain.Decide(loaded.State, domain.Push{By: who.actor(), To: to.holder, ReasonCode: in.Body.ReasonCode})
	if err != nil {
		return nil, err
	}
	from, err := s.loadCustomer(ctx, who.storeID, loaded.State.CustomerID)
	if err != nil {
		return nil, unexpected(err, customer.ErrNotFound)
	}
	bound, err := in.Body.bound(who, id)
	if err != nil {
		return nil, err
	}
	c := confirmation{uint64(loaded.Revision), s.clock.now().Add(confirmationLifetime).Truncate(time.Second)}
	p := PushPreview{
		DomainID: in.ID, Name: loaded.State.Name, Revision: int64(loaded.Revision), From: ownerView(from.State),
		NewCustomer: to.isNew, Changes: len(decided) > 0, ConfirmToken: s.confirmToken(c, bound), ExpiresAt: c.expires.UTC(),
	}
	if !to.isNew {
		view := ownerView(to.state)
		p.To = &view
	}
	return &PreviewPushOutput{ETag: etag(loaded.Revision), Body: p}, nil
}

// pushDomain handles POST /v1/domains/{id}/push.
func (s *Server) pushDomain(ctx context.Context, in *PushDomainInput) (*PushOutput, error) {
	id, err := pathID(wireid.Domain, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	bound, err := in.Body.bound(who, id)
	if err != nil {
		return nil, err
	}
	confirmed, err := s.parseConfirmToken(in.Body.ConfirmToken, bound)
	if err != nil {
		return nil, err
	}
	if r.IfMatch != nil && *r.IfMatch != confirmed.revision {
		return nil, decider.ErrStale
	}
	r.IfMatch = &confirmed.revision
	expired := s.clock.now().After(confirmed.expires)
	if expired {
		// A revision that no stream has lets nothing through but the answer to a
		// push that was made before.
		never := uint64(math.MaxInt64)
		r.IfMatch = &never
	}
	push := pushing{server: s, request: r, id: id, in: in.Body.PushInput, by: who.actor()}
	out, err := push.run(ctx)
	if expired && err != nil && faultOf(err).Code == decider.ErrStale.Code {
		err = errConfirmExpired
	}
	if err != nil {
		return nil, err
	}
	if push.created && r.DryRun {
		push.to = uuid.Nil // nobody yet
	}
	a := s.answer(in.ID, out, r)
	return &PushOutput{ETag: a.ETag, Position: a.Position, Body: PushAnswer{
		CommandAnswer: a.Body, CustomerID: wireid.Format(wireid.Customer, push.to), CustomerCreated: push.created,
	}}, nil
}

// pushing is a push under way.
type pushing struct {
	server  *Server
	request decider.Request
	id      uuid.UUID
	in      PushInput
	by      events.Actor

	to      uuid.UUID
	created bool
}

// run pushes the domain. For a new customer it first decides whether the push
// would be accepted, then creates the account, then pushes: two commits whose
// ids both follow from the command, so that a repeated request finishes what was
// cut short.
func (p *pushing) run(ctx context.Context) (decider.Outcome, error) {
	s, r := p.server, p.request
	if p.in.NewCustomer != nil && !r.DryRun {
		trial := r
		trial.DryRun = true
		if out, err := p.push(ctx, trial, nil); err != nil || len(out.EventIDs) > 0 {
			return out, err
		}
		id, _, err := s.openAccount(ctx, *p.in.NewCustomer, events.OriginStaff, r.Step("customer"))
		if err != nil {
			return decider.Outcome{}, under("new_customer", err)
		}
		p.created = true
		return p.push(ctx, r, &id)
	}
	return p.push(ctx, r, nil)
}

func (p *pushing) push(ctx context.Context, r decider.Request, account *uuid.UUID) (decider.Outcome, error) {
	s := p.server
	out, err := domain.Decider.HandleFrom(ctx, s.engine, events.DomainStream(p.id), func(ctx context.Context, state domain.State) (domain.Command, error) {
		if !state.Exists() {
			return nil, domain.ErrNotFound
		}
		to := receiver{}
		if account != nil {
			holder, err := s.holder(ctx, r.StoreID, *account)
			if err != nil {
				return nil, err
			}
			to.holder = holder
		} else {
			var err error
			if to, err = s.receiver(ctx, r.StoreID, p.in); err != nil {
				return nil, err
			}
		}
		p.to = to.holder.ID
		return domain.Push{By: p.by, To: to.holder, ReasonCode: p.in.ReasonCode}, nil
	}, r)
	for _, e := range out.Events {
		if pushed, ok := e.(events.DomainPushed); ok {
			p.to = pushed.ToCustomerID
		}
	}
	p.created = p.in.NewCustomer != nil
	return out, err
}
