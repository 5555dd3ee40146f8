package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

// StoreDetail is a storefront.
type StoreDetail struct {
	ID        string          `json:"id" example:"sto_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Name      string          `json:"name"`
	Hosts     []string        `json:"hosts" doc:"The host names under which it is reached."`
	Branding  events.Branding `json:"branding"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`
	Revision  int64           `json:"revision"`
	Links     StoreLinks      `json:"links"`
}

// StoreLinks lead to what belongs to a store.
type StoreLinks struct {
	Self      string `json:"self"`
	Customers string `json:"customers"`
	Domains   string `json:"domains"`
	Staff     string `json:"staff"`
	Log       string `json:"log"`
}

// StoreOutput is the answer with one store.
type StoreOutput struct {
	ETag string `header:"ETag"`
	Body StoreDetail
}

// getOwnStore handles GET /v1/store.
func (s *Server) getOwnStore(ctx context.Context, in *ReadInput) (*StoreOutput, error) {
	return s.readStore(ctx, *in, callerOf(ctx).storeID)
}

// getStore handles GET /v1/stores/{id}.
func (s *Server) getStore(ctx context.Context, in *IDInput) (*StoreOutput, error) {
	id, err := pathID(wireid.Store, in.ID)
	if err != nil {
		return nil, err
	}
	return s.readStore(ctx, in.ReadInput, id)
}

// listStores handles GET /v1/stores.
func (s *Server) listStores(ctx context.Context, in *ReadInput) (*PageOutput[StoreDetail], error) {
	own, err := s.readStore(ctx, *in, callerOf(ctx).storeID)
	if err != nil {
		return nil, err
	}
	return page(ctx, s, list{name: "stores"}, []StoreDetail{own.Body}, nil)
}

func (s *Server) readStore(ctx context.Context, in ReadInput, id uuid.UUID) (out *StoreOutput, err error) {
	own := callerOf(ctx).storeID
	err = s.read(ctx, in, func(ctx context.Context) error {
		loaded, err := store.Decider.LoadHistory(ctx, s.engine, own, events.StoreStream(id))
		switch {
		case err != nil:
			return err
		case loaded.State.ID == uuid.Nil:
			return store.ErrNotFound
		}
		history := loaded.Events
		out = storeOutput(projections.Store{
			StoreID: id, Name: loaded.State.Name, Hosts: loaded.State.Hosts,
			LogoURL: loaded.State.Branding.LogoURL, Color: loaded.State.Branding.Color,
			CreatedAt: history[0].RecordedAt, UpdatedAt: history[len(history)-1].RecordedAt, Revision: uint64(loaded.Revision),
		})
		return nil
	}, func(ctx context.Context) error {
		row, found, err := s.queries.Store(ctx, id)
		switch {
		case err != nil:
			return err
		case !found || id != own:
			return store.ErrNotFound
		}
		out = storeOutput(row)
		return nil
	})
	return out, err
}

func storeOutput(row projections.Store) *StoreOutput {
	id := wireid.Format(wireid.Store, row.StoreID)
	return &StoreOutput{ETag: etag(eventstore.Revision(row.Revision)), Body: StoreDetail{
		ID: id, Name: row.Name, Hosts: nonNil(row.Hosts), Branding: events.Branding{LogoURL: row.LogoURL, Color: row.Color},
		CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, Revision: int64(row.Revision),
		Links: StoreLinks{
			Self: "/v1/stores/" + id, Customers: "/v1/customers", Domains: "/v1/domains", Staff: "/v1/staff", Log: "/v1/log",
		},
	}}
}

// onStore handles a command on the store in the path.
func (s *Server) onStore(ctx context.Context, text string, command store.Command) (*CommandOutput, error) {
	id, err := pathID(wireid.Store, text)
	if err != nil {
		return nil, err
	}
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	out, err := store.Decider.Handle(ctx, s.engine, events.StoreStream(id), command, r)
	if err != nil {
		return nil, err
	}
	return s.answer(text, out, r), nil
}

// RenameInput changes a name.
type RenameInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Name string `json:"name"`
	}
}

// renameStore handles POST /v1/stores/{id}/rename.
func (s *Server) renameStore(ctx context.Context, in *RenameInput) (*CommandOutput, error) {
	return s.onStore(ctx, in.ID, store.Rename{Name: in.Body.Name})
}

// ChangeHostsInput changes the host names of a store.
type ChangeHostsInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Hosts []string `json:"hosts" maxItems:"100" doc:"1 to 20 host names." example:"[\"shop.example.com\"]"`
	}
}

// changeStoreHosts handles POST /v1/stores/{id}/change-hosts.
func (s *Server) changeStoreHosts(ctx context.Context, in *ChangeHostsInput) (*CommandOutput, error) {
	return s.onStore(ctx, in.ID, store.ChangeHosts{Hosts: in.Body.Hosts})
}

// ChangeBrandingInput changes how a store looks.
type ChangeBrandingInput struct {
	CommandInput
	ID   string `path:"id"`
	Body struct {
		Branding struct {
			LogoURL string `json:"logo_url,omitempty" doc:"An https address, or nothing." example:"https://shop.example.com/logo.svg"`
			Color   string `json:"color,omitempty" doc:"#rrggbb, or nothing." example:"#1f6feb"`
		} `json:"branding"`
	}
}

// changeStoreBranding handles POST /v1/stores/{id}/change-branding.
func (s *Server) changeStoreBranding(ctx context.Context, in *ChangeBrandingInput) (*CommandOutput, error) {
	return s.onStore(ctx, in.ID, store.ChangeBranding{Branding: events.Branding{
		LogoURL: in.Body.Branding.LogoURL, Color: in.Body.Branding.Color,
	}})
}
