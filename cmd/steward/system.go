package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/jobs"
	"github.com/stewardhq/steward/internal/mail"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/uniq"
	"github.com/stewardhq/steward/internal/vault"
	"github.com/stewardhq/steward/projections"
)

// system is an installation opened by this process: what every subcommand
// builds on. Close it.
type system struct {
	config   config
	log      *slog.Logger
	registry *prometheus.Registry

	pool  *pgxpool.Pool // as the owner of the tables
	vault *vault.Vault
	store *eventstore.Store

	// Of a development: the page that links lead to, and the mails that were captured.
	linkURL string
	mailbox http.Handler

	databaseURL string
	socket      string // of the embedded event store, if that is used
	closers     []func() error
}

// owner says what a process needs of an embedded event store: serve and dev
// must own it, operators' commands borrow the running process's.
type owner bool

const (
	own    owner = true
	borrow owner = false
)

// openSystem opens the database, the vault and the event store of c.
func openSystem(ctx context.Context, c config, log *slog.Logger, as owner) (*system, error) {
	s := &system{config: c, log: log, registry: newRegistry()}
	for _, open := range []func(context.Context, owner) error{s.openEvents, s.openDatabase, s.openVault} {
		if err := open(ctx, as); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Close closes in the reverse order of opening.
func (s *system) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *system) onClose(fn func() error) { s.closers = append(s.closers, fn) }

// openEvents connects to the event store: the cluster that the environment
// names, or the embedded one in the data directory.
func (s *system) openEvents(ctx context.Context, as owner) error {
	target := eventstore.Config{
		URL: s.config.EventStoreURL, Insecure: s.config.EventStoreInsecure,
		Logger: s.log, Registerer: s.registry,
	}
	if target.URL == "" {
		if s.config.Data == "" {
			return errors.New("no event store: set STEWARD_EVENTSTORE_URL to a cluster, or STEWARD_DATA to a directory for the embedded one")
		}
		socket, err := s.startNode(ctx, as)
		if err != nil {
			return err
		}
		target.Socket, s.socket = socket, socket
	}
	store, err := eventstore.Open(ctx, target)
	if err != nil {
		return err
	}
	s.store = store
	s.onClose(store.Close)
	return nil
}

// startNode serves the embedded store of the data directory and returns its
// socket. A borrower uses the one that a running process serves.
func (s *system) startNode(ctx context.Context, as owner) (string, error) {
	data := dataDir(s.config.Data)
	if as == borrow {
		if running, err := data.served(ctx); err != nil || running != "" {
			return running, err
		}
	}
	switch {
	case s.config.begin:
		if err := data.create(); err != nil {
			return "", err
		}
	case !data.holdsEvents():
		return "", fmt.Errorf("%s holds no event store: run steward init or steward dev first, or say where it is", s.config.Data)
	}
	var node *esnode.Node
	var running string
	err := whenFree(ctx, func() (err error) {
		node, err = esnode.Open(data.events(), esnode.Options{Logger: s.log, Registerer: s.registry})
		if as == borrow && errors.Is(err, esnode.ErrInUse) {
			// Whoever has it open may be about to serve it.
			if running, _ = data.served(ctx); running != "" {
				return nil
			}
		}
		return err
	})
	if err != nil || running != "" {
		return running, err
	}
	// The directory has to be there before its links can be followed.
	socket, err := data.socket()
	if err != nil {
		return "", errors.Join(err, node.Close())
	}
	listener, err := esnode.Listen(socket)
	if err != nil {
		return "", errors.Join(err, node.Close())
	}
	served := make(chan error, 1)
	go func() { served <- node.ServeListener(context.WithoutCancel(ctx), listener) }()
	s.onClose(func() error { return errors.Join(node.Close(), <-served) })
	return socket, nil
}

// handover is how long a process waits for another one that has the embedded
// event store open: one that ends, or a command of an operator that is soon done.
const handover = 5 * time.Second

// whenFree opens an embedded event store, and waits a moment for whoever has it
// open.
func whenFree(ctx context.Context, open func() error) error {
	patience, cancel := context.WithTimeout(ctx, handover)
	defer cancel()
	for {
		err := open()
		if !errors.Is(err, esnode.ErrInUse) {
			return err
		}
		select {
		case <-patience.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// answers reports whether somebody listens on the socket.
func answers(ctx context.Context, socket string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", socket)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// openDatabase connects to the database and brings it up to date: the one that
// the environment names, or the private one in the data directory.
func (s *system) openDatabase(ctx context.Context, as owner) error {
	s.databaseURL = s.config.PostgresURL
	if s.databaseURL == "" {
		if !s.config.private {
			return errors.New("no database: set STEWARD_POSTGRES_URL")
		}
		url, err := s.startPostgres(ctx, as)
		if err != nil {
			return err
		}
		s.databaseURL = url
	}
	if err := postgres.Migrate(ctx, s.databaseURL); err != nil {
		return err
	}
	pool, err := s.connect(ctx, postgres.Owner, 16)
	if err != nil {
		return err
	}
	s.pool = pool
	return jobs.Migrate(ctx, pool)
}

// connect opens a pool on the database in one of the roles.
func (s *system) connect(ctx context.Context, role postgres.Role, connections int32) (*pgxpool.Pool, error) {
	pool, err := postgres.Connect(ctx, s.databaseURL, postgres.Options{Role: role, MaxConns: connections})
	if err != nil {
		return nil, err
	}
	s.onClose(func() error { pool.Close(); return nil })
	return pool, nil
}

// databaseName is the database of a private cluster.
const databaseName = "steward"

// startPostgres starts the private cluster of the data directory and returns
// the address of the database in it. A borrower uses the one that is running.
func (s *system) startPostgres(ctx context.Context, as owner) (string, error) {
	data := dataDir(s.config.Data)
	if as == borrow {
		var running instance
		if ok, err := readSecret(data.instance(), &running); err != nil {
			return "", err
		} else if ok && running.alive() {
			return running.PostgresURL, nil
		}
	}
	if !s.config.begin && !data.private() {
		return "", fmt.Errorf("%s holds no installation: run steward dev there first, or set STEWARD_POSTGRES_URL", s.config.Data)
	}
	cluster, err := postgres.StartCluster(ctx, postgres.ClusterOptions{Dir: data.postgres()})
	if err != nil {
		return "", err
	}
	s.onClose(func() error {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		return cluster.Stop(stop)
	})
	if err := postgres.CreateDatabase(ctx, cluster.URL("postgres"), databaseName); err != nil {
		return "", err
	}
	return cluster.URL(databaseName), nil
}

// openVault opens the keys, which may live in a database of their own.
func (s *system) openVault(ctx context.Context, _ owner) error {
	file := s.config.MasterKeyFile
	if file == "" && s.config.private {
		file = dataDir(s.config.Data).masterKey()
	}
	if file == "" {
		return errors.New("no master key: set STEWARD_MASTER_KEY_FILE to its file")
	}
	pool := s.pool
	if url := s.config.VaultURL; url != "" && url != s.databaseURL {
		if err := postgres.Migrate(ctx, url); err != nil {
			return fmt.Errorf("vault: %w", err)
		}
		own, err := postgres.Connect(ctx, url, postgres.Options{AppName: "steward-vault", Role: postgres.Owner})
		if err != nil {
			return fmt.Errorf("vault: %w", err)
		}
		pool = own
		s.onClose(func() error { pool.Close(); return nil })
	}
	if s.config.begin {
		if err := beginKey(ctx, pool, file); err != nil {
			return err
		}
	}
	kek, err := vault.OpenKEKFile(file)
	if err != nil {
		return err
	}
	s.vault, err = vault.Open(ctx, pool, kek)
	return err
}

// beginKey makes the master key of a vault that is still empty. Beside a vault
// that holds keys a new one would open none of them.
func beginKey(ctx context.Context, pool *pgxpool.Pool, file string) error {
	var used bool
	if err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM vault.log)`).Scan(&used); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	if used {
		return nil
	}
	if err := vault.CreateKEKFile(file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// engine decides commands on the opened installation. Its metrics go to r, unless
// that is nil.
func (s *system) engine(scope events.IdentityScope, r prometheus.Registerer) (*decider.Engine, error) {
	index, err := s.vault.Secret(vault.SecretIndex)
	if err != nil {
		return nil, err
	}
	sealer := seal.New(s.vault)
	return decider.NewEngine(decider.Config{
		Log: s.store, Sealer: sealer,
		Names: uniq.New(uniq.Config{
			Log: s.store, Sealer: sealer, IndexKey: index, Scope: scope, Now: time.Now,
		}),
		Registerer: r,
	})
}

// links derives the secrets of links that are good once.
func (s *system) links() (*onetime.Deriver, error) {
	keys, err := s.vault.SecretVersions(vault.SecretToken)
	if err != nil {
		return nil, err
	}
	return onetime.New(keys)
}

// queue runs jobs. Without a server to hand mails to, they are only written down.
func (s *system) queue(engine *decider.Engine, links *onetime.Deriver, pool *pgxpool.Pool) (*jobs.Queue, error) {
	config := jobs.Config{Pool: pool, Logger: s.log}
	if s.config.SMTPURL == "" {
		s.log.Warn("no mails are sent: set STEWARD_SMTP_URL")
		return jobs.New(config)
	}
	sender, err := mail.NewSender(s.config.SMTPURL)
	if err != nil {
		return nil, fmt.Errorf("STEWARD_SMTP_URL: %w", err)
	}
	mailer := &api.Mailer{
		Engine: engine, Links: links, Sender: sender, Now: time.Now, Logger: s.log,
		LinkURL: func(uuid.UUID) string { return s.linkURL },
	}
	mailer.Done = api.Receipts{
		Queries: projections.NewQueries(pool), Opener: engine.Sealer, Waiter: projector.NewWaiter(pool, projections.Core(engine.Sealer), nil),
	}.Done
	config.SendMail, config.EndImpersonation = mailer.Send, mailer.EndImpersonation
	return jobs.New(config)
}
