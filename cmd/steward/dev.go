package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/mail/mailbox"
	"github.com/stewardhq/steward/internal/passwords"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/projections"
)

// development is a Steward with everything it needs, in one directory.
type development struct {
	config config
	demo   bool
	output string
	stdout io.Writer
	stderr io.Writer
}

func newDevCommand() *cobra.Command {
	d := development{}
	var data, addr string
	var noDemo bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run Steward with everything it needs, in one directory, with demo data",
		Long: `Run Steward with everything it needs: an embedded event store, a private
PostgreSQL, keys, a demo store with people and domains, and an API key per role.

Everything is kept in one directory and is there again at the next start; what
is written is on disk before it is acknowledged. Mails are sent to nobody: the
page /mailbox shows them, until the process ends. Everything listens on this
machine only. Ctrl-C stops all of it.`,
		Example: `  steward dev
  steward dev --data ./scratch --addr 127.0.0.1:0 --no-demo --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.config = config{Addr: addr, Data: data, LogFormat: "text", private: true, begin: true, level: slog.LevelWarn, hashing: passwords.Default()}
			d.demo, d.stdout, d.stderr = !noDemo, cmd.OutOrStdout(), cmd.ErrOrStderr()
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&data, "data", defaultData(), "directory to keep everything in")
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8080", "where to listen; port 0 for any free one")
	cmd.Flags().BoolVar(&noDemo, "no-demo", false, "begin with an empty store")
	addOutputFlag(cmd, &d.output)
	return cmd
}

// summary is what dev prints when it is ready.
type summary struct {
	BaseURL     string            `json:"base_url"`
	APIKeys     map[string]string `json:"api_keys"` // by role
	PostgresURL string            `json:"postgres_url"`
	EventStore  string            `json:"event_store"` // path of its socket
	Data        string            `json:"data"`
}

func (d *development) run(ctx context.Context) error {
	data := dataDir(d.config.Data)
	listener, err := listen(ctx, d.config.Addr)
	if err != nil {
		return err
	}
	d.say("starting the event store and PostgreSQL in %s", data)
	captured, err := mailbox.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { _ = captured.Close() }()
	d.config.SMTPURL = captured.URL()
	s, err := openSystem(ctx, d.config, d.config.logger(), own)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s.mailbox, s.linkURL = captured, "http://"+listener.Addr().String()+"/links"
	keys, fresh, err := d.keys(ctx, s)
	if err != nil {
		return errors.Join(err, listener.Close(), s.Close())
	}
	ready := func(ctx context.Context) error { return d.ready(ctx, s, listener.Addr(), keys, fresh) }
	err = s.serve(ctx, listener, ready)
	d.say("stopping")
	_ = os.Remove(data.instance())
	return errors.Join(err, s.Close())
}

// storeName is what the demo store is called.
const storeName = "Demo Domains"

// roleImport is the key that dev leaves for imports, beside one per role.
const roleImport = "import"

// keys returns an API key per role. They are made at the first start and kept
// in a file, since the installation itself has only their hashes.
func (d *development) keys(ctx context.Context, s *system) (map[string]string, bool, error) {
	file := dataDir(d.config.Data).keys()
	keys := map[string]string{}
	if known, err := readSecret(file, &keys); err != nil || known {
		return keys, false, err
	}
	founded, err := s.found(ctx, api.Bootstrap{
		IdentityScope: events.ScopeStore, StoreName: storeName, Hosts: []string{"demo.storefront.example"},
		OwnerEmail: "owner@storefront.example", Roles: events.Roles, ImportKey: true,
	})
	if err != nil {
		return nil, false, err
	}
	for role, token := range founded.Keys {
		keys[string(role)] = token.Reveal()
	}
	keys[roleImport] = founded.ImportKey.Reveal()
	return keys, true, writeSecret(file, keys)
}

// ready is called when requests are answered: it leaves the access file for
// other commands, fills a new store, and prints the summary.
func (d *development) ready(ctx context.Context, s *system, addr net.Addr, keys map[string]string, fresh bool) error {
	data := dataDir(d.config.Data)
	base := "http://" + addr.String()
	err := errors.Join(
		writeSecret(data.access(), map[string]string{"base_url": base, "api_key": keys[roleImport]}),
		writeSecret(data.instance(), instance{PID: os.Getpid(), BaseURL: base, PostgresURL: s.databaseURL, EventStore: s.socket}),
	)
	if err != nil {
		return err
	}
	if fresh && d.demo {
		d.say("filling the demo store")
		filling := demo{base: base, key: keys[string(events.RoleAdmin)], random: rand.New(rand.NewPCG(1, 2)), log: d.stderr} //nolint:gosec // a demo, not a secret
		if err := filling.run(ctx); err != nil {
			return err
		}
		if err := s.settle(ctx); err != nil {
			return err
		}
	}
	return d.summarize(summary{BaseURL: base, APIKeys: roleKeys(keys), PostgresURL: s.databaseURL, EventStore: s.socket, Data: string(data)})
}

// settle waits until the read models show all that has happened.
func (s *system) settle(ctx context.Context) error {
	head, err := s.store.Head(ctx)
	if err != nil {
		return err
	}
	waiter := projector.NewWaiter(s.pool, projections.Core(seal.New(s.vault)), nil)
	for {
		if err := waiter.Wait(ctx, head); !errors.Is(err, projector.ErrBehind) {
			return err
		}
	}
}

func roleKeys(keys map[string]string) map[string]string {
	roles := map[string]string{}
	for _, role := range events.Roles {
		roles[string(role)] = keys[string(role)]
	}
	return roles
}

func (d *development) summarize(s summary) error {
	if d.output == outputJSON {
		return json.NewEncoder(d.stdout).Encode(s)
	}
	rows := [][]string{
		{"Steward is running", ""},
		{"  API", s.BaseURL + "/v1"},
		{"  documentation", s.BaseURL + "/docs"},
		{"  mailbox", s.BaseURL + "/mailbox  (every mail is kept here, none is sent)"},
		{"  health", s.BaseURL + "/readyz"},
		{"  database", "psql '" + s.PostgresURL + "'"},
		{"  data", s.Data},
		{"API keys", ""},
	}
	for _, role := range events.Roles {
		rows = append(rows, []string{"  " + string(role), s.APIKeys[string(role)]})
	}
	rows = append(rows,
		[]string{"Try", ""},
		[]string{"", "export STEWARD_API_KEY=" + s.APIKeys[string(events.RoleOwner)]},
		[]string{"", `curl -s -H "Authorization: Bearer $STEWARD_API_KEY" ` + s.BaseURL + "/v1/customers"},
		[]string{"Ctrl-C stops everything", ""},
	)
	return table(d.stdout, rows...)
}

func (d *development) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.stderr, "steward: "+format+"\n", args...)
}
