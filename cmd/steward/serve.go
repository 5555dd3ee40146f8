package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/erasure"
	"github.com/stewardhq/steward/internal/jobs"
	"github.com/stewardhq/steward/internal/passwords"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/sessions"
	"github.com/stewardhq/steward/internal/vault"
	"github.com/stewardhq/steward/projections"
)

func newServeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run Steward with the event store, the database and the keys that the environment names",
		Long: `Run Steward: the API, the projections and the reactions, in one process.

Run "steward init" once before. Any number of instances may run against one
EventStoreDB cluster and one database; an embedded event store belongs to one
process.

` + environmentHelp,
		Example: `  export STEWARD_POSTGRES_URL=postgres://steward@db/steward
  export STEWARD_MASTER_KEY_FILE=/etc/steward/master.key
  export STEWARD_DATA=/var/lib/steward        # or STEWARD_EVENTSTORE_URL=esdb://…
  steward serve`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := readConfig()
			if err != nil {
				return err
			}
			listener, err := listen(cmd.Context(), c.Addr)
			if err != nil {
				return err
			}
			s, err := openSystem(cmd.Context(), c, c.logger(), own)
			if err != nil {
				return errors.Join(err, listener.Close())
			}
			return errors.Join(s.serve(cmd.Context(), listener, func(context.Context) error { return nil }), s.Close())
		},
	}
}

func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w: choose another address with STEWARD_ADDR or --addr", addr, errors.Unwrap(err))
	}
	return listener, nil
}

// drain is how long requests that are being answered get when the process is
// told to stop.
const drain = 25 * time.Second

// serve runs everything until ctx ends: first requests are drained, then
// projections and reactions stop. It calls ready when requests are answered.
func (s *system) serve(ctx context.Context, listener net.Listener, ready func(context.Context) error) error {
	service, err := s.newService(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := api.HTTPServer(service.api)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, running := errgroup.WithContext(background)
	group.Go(func() error { return service.projector.Run(running) })
	group.Go(func() error { return service.reactions.Run(running) })
	group.Go(func() error { return service.jobs.Run(running) })
	group.Go(func() error {
		runSweeps(running, service.sweeps, s.log)
		return nil
	})
	group.Go(func() error {
		service.engine.Follow(running)
		return nil
	})
	group.Go(func() error {
		service.erasures.Run(running)
		return nil
	})
	group.Go(func() error {
		service.api.Housekeep(running)
		return nil
	})
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	s.log.InfoContext(ctx, "serving", "addr", listener.Addr().String(), "version", version)
	group.Go(func() error {
		if err := ready(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		return nil
	})
	select {
	case <-ctx.Done():
	case <-running.Done():
	}
	s.log.InfoContext(ctx, "stopping")
	service.api.Drain()
	patience, cancel := context.WithTimeout(background, drain)
	defer cancel()
	err = server.Shutdown(patience)
	stop()
	return errors.Join(err, group.Wait())
}

// throttleKey derives the key of what attempts are counted by from the one of the
// fingerprints. It may change: what was counted is forgotten then.
func throttleKey(fingerprints []byte) []byte {
	mac := hmac.New(sha256.New, fingerprints)
	mac.Write([]byte("steward/throttle/1"))
	return mac.Sum(nil)
}

// service is what runs on an opened system.
type service struct {
	engine    *decider.Engine
	api       *api.Server
	projector *projector.Projector
	reactions *reactions.Router
	erasures  *erasure.Erasures
	jobs      *jobs.Queue
	sweeps    []sweep
}

func (s *system) newService(ctx context.Context) (*service, error) {
	began, err := s.boot(ctx)
	if err != nil {
		return nil, err
	}
	engine, err := s.engine(began.IdentityScope, s.registry)
	if err != nil {
		return nil, err
	}
	answering, err := s.connect(ctx, postgres.API, 16)
	if err != nil {
		return nil, err
	}
	working, err := s.connect(ctx, postgres.Worker, 12)
	if err != nil {
		return nil, err
	}
	core := projections.Core(engine.Sealer)
	projecting, err := projector.New(projector.Config{
		Group: core, Pool: s.pool, Log: s.store, Logger: s.log, Registerer: s.registry,
	})
	if err != nil {
		return nil, err
	}
	checkpoints := reactions.NewCheckpoints(working, began.LogID)
	if again, err := reactions.Reerase(ctx, working, s.store, checkpoints, s.vault); err != nil {
		return nil, fmt.Errorf("compare the vault with what was erased: %w", err)
	} else if again > 0 {
		s.log.WarnContext(ctx, "the vault held keys that had been destroyed: it was restored from a backup, and they are destroyed again", "keys", again)
	}
	links, err := s.links()
	if err != nil {
		return nil, err
	}
	queue, err := s.queue(engine, links, working)
	if err != nil {
		return nil, err
	}
	reacting, err := reactions.NewRouter(reactions.Config{
		Log: s.store, Checkpoints: checkpoints,
		Reactions: reactionsOf(engine, s.vault, links, queue), Logger: s.log,
	})
	if err != nil {
		return nil, err
	}
	s.registry.MustRegister(reacting)
	fingerprints, err := s.vault.Secret(vault.SecretFingerprint)
	if err != nil {
		return nil, err
	}
	cursors, err := s.vault.Secret(vault.SecretCursor)
	if err != nil {
		return nil, err
	}
	hasher, err := passwords.New(passwords.Config{Params: s.config.hashing, Registerer: s.registry})
	if err != nil {
		return nil, err
	}
	handler, err := api.New(api.Config{
		Engine: engine, LogID: began.LogID, Pool: answering, Group: core, Projector: projecting, Reactions: reacting,
		FingerprintKey: fingerprints, CursorKey: cursors, ThrottleKey: throttleKey(fingerprints), Hasher: hasher, Links: links, Mailbox: s.mailbox,
		TrustedProxies: s.config.proxies, Logger: s.log, Registry: s.registry, Version: version,
	})
	if err != nil {
		return nil, err
	}
	erasures := erasure.New(erasure.Config{
		Pool: working, Accounts: api.Erasures{Engine: engine}, Sessions: sessions.New(working), Keys: s.vault, Logger: s.log,
	})
	return &service{engine: engine, api: handler, projector: projecting, reactions: reacting, erasures: erasures, jobs: queue, sweeps: sweeps(working)}, nil
}
