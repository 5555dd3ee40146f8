package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/vault"
	"github.com/stewardhq/steward/internal/wireid"
)

// founding is what init is asked to begin with.
type founding struct {
	store, host, ownerEmail string
	scope                   string
	output                  string
}

func newInitCommand() *cobra.Command {
	var f founding
	cmd := &cobra.Command{
		Use:   "init --store NAME --host HOST --owner-email ADDRESS",
		Short: "Begin an installation, or add a store to it, and print the owner's API key once",
		Long: `Begin an installation: the log, its keys, a first store, its owner, and one API
key, which is shown once. Run again with another store, it adds that store.

The master key file is made if it does not exist. Keep a copy of it apart from
the backups of the database: without it nothing personal can be read again.

` + environmentHelp,
		Example: `  steward init --store "Ada's Domains" --host shop.example.com --owner-email ada@example.com`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := readConfig()
			if err != nil {
				return err
			}
			c.begin = true
			s, err := openSystem(cmd.Context(), c, c.logger(), borrow)
			if err != nil {
				return err
			}
			return errors.Join(s.initialize(cmd.Context(), cmd.OutOrStdout(), f), s.Close())
		},
	}
	cmd.Flags().StringVar(&f.store, "store", "", "name of the store, as customers see it (required)")
	cmd.Flags().StringVar(&f.host, "host", "", "host name of the store (required)")
	cmd.Flags().StringVar(&f.ownerEmail, "owner-email", "", "email address of the store's owner (required)")
	cmd.Flags().StringVar(&f.scope, "identity-scope", string(events.ScopeStore), "where an email or username is unique, for ever: store or platform")
	for _, name := range []string{"store", "host", "owner-email"} {
		_ = cmd.MarkFlagRequired(name)
	}
	addOutputFlag(cmd, &f.output)
	return cmd
}

func (s *system) initialize(ctx context.Context, w io.Writer, f founding) error {
	result, err := s.found(ctx, api.Bootstrap{
		IdentityScope: events.IdentityScope(f.scope),
		StoreName:     f.store, Hosts: []string{f.host}, OwnerEmail: f.ownerEmail,
		Roles: []events.Role{events.RoleOwner},
	})
	if err != nil {
		return err
	}
	store := wireid.Format(wireid.Store, result.StoreID)
	key := result.Keys[events.RoleOwner].Reveal()
	if f.output == outputJSON {
		return json.NewEncoder(w).Encode(map[string]string{"store_id": store, "api_key": key})
	}
	return table(w, []string{"store", store}, []string{"owner's API key", key}, []string{"", "shown once: keep it"})
}

// found begins the log if it is empty and creates a store in it.
func (s *system) found(ctx context.Context, b api.Bootstrap) (api.Founded, error) {
	began, err := s.boot(ctx)
	switch {
	case errors.Is(err, errEmptyLog):
		b.LogID = s.vault.LogID()
		if b.LogID == uuid.Nil {
			b.LogID = uuid.New()
		}
		if err := s.vault.Init(ctx, b.LogID); err != nil {
			return api.Founded{}, err
		}
		if err := reactions.NewCheckpoints(s.pool, b.LogID).Begin(ctx, reactionNames()...); err != nil {
			return api.Founded{}, err
		}
	case err != nil:
		return api.Founded{}, err
	case b.IdentityScope != "" && b.IdentityScope != began.IdentityScope:
		return api.Founded{}, fmt.Errorf("--identity-scope: this installation was begun with %q, for ever", began.IdentityScope)
	default:
		b.LogID, b.IdentityScope = began.LogID, began.IdentityScope
	}
	engine, err := s.engine(b.IdentityScope, nil)
	if err != nil {
		return api.Founded{}, err
	}
	if b.FingerprintKey, err = s.vault.Secret(vault.SecretFingerprint); err != nil {
		return api.Founded{}, err
	}
	b.KeyChecks, b.Now = s.vault.Checks(), time.Now
	return b.Run(ctx, engine)
}
