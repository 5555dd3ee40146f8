package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/wireid"
)

// ExportLink leads to an export without a credential.
type ExportLink struct {
	Path      string    `json:"path" doc:"Whoever has it gets the export: give it to the customer only." example:"/v1/exports/…"`
	ExpiresAt time.Time `json:"expires_at"`
}

// exportLinkTime is how long a link leads to an export.
const exportLinkTime = 10 * time.Minute

// errExportOver answers every link that leads nowhere, for whatever reason.
var errExportOver = fault.New(fault.NotFound, "export_over", "this link leads nowhere, or not any more: ask for another export")

// exportTicket is what a link holds, sealed.
type exportTicket struct {
	Store    uuid.UUID `json:"s"`
	Customer uuid.UUID `json:"c"`
	Event    uuid.UUID `json:"e"`
	Until    time.Time `json:"u"`
}

const exportTokenKind = "export"

func (s *Server) exportLink(t exportTicket) (*ExportLink, error) {
	content, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("link to an export: %w", err)
	}
	return &ExportLink{Path: "/v1/exports/" + s.tokens.seal(exportTokenKind, nil, content), ExpiresAt: t.Until.UTC()}, nil
}

// ExportLinkInput is a link.
type ExportLinkInput struct {
	Token string `path:"token" maxLength:"1000"`
}

// getExport handles GET /v1/exports/{token}. Whoever has the link is shown what the
// customer would be.
func (s *Server) getExport(ctx context.Context, in *ExportLinkInput) (*ExportOutput, error) {
	var t exportTicket
	now := s.clock.now()
	content, ok := s.tokens.open(exportTokenKind, nil, in.Token)
	if !ok || json.Unmarshal(content, &t) != nil || !now.Before(t.Until) {
		return nil, errExportOver
	}
	account, err := customer.Decider.Load(ctx, s.engine, t.Store, events.CustomerStream(t.Customer))
	switch {
	case err != nil:
		return nil, err
	case !account.State.Exists(), account.State.Status == events.StatusErased:
		return nil, errExportOver
	}
	shop, err := store.Decider.Load(ctx, s.engine, t.Store, events.StoreStream(t.Store))
	if err != nil {
		return nil, err
	}
	callOf(ctx).caller = &caller{storeID: t.Store, customerID: t.Customer, policies: shop.State.Policies.At(now)}
	out := &ExportOutput{Body: emptyExport(now)}
	out.Body.EventID = wireid.Format(wireid.Event, t.Event)
	return out, s.collect(ctx, t.Customer, &out.Body)
}
