package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/internal/passwords"
)

// config is what the environment says. Every variable begins with STEWARD_.
type config struct {
	Addr               string   `env:"ADDR" envDefault:"127.0.0.1:8080"`
	Data               string   `env:"DATA"`
	EventStoreURL      string   `env:"EVENTSTORE_URL"`
	EventStoreInsecure bool     `env:"EVENTSTORE_INSECURE"`
	PostgresURL        string   `env:"POSTGRES_URL"`
	VaultURL           string   `env:"VAULT_URL"`
	MasterKeyFile      string   `env:"MASTER_KEY_FILE"`
	SMTPURL            string   `env:"SMTP_URL"`
	PasswordHashing    string   `env:"PASSWORD_HASHING"`
	TrustedProxies     []string `env:"TRUSTED_PROXIES"`
	LogLevel           string   `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat          string   `env:"LOG_FORMAT" envDefault:"json"`

	// private permits a database of its own in the data directory.
	private bool
	// begin permits to make what is missing: directories, and the master key.
	begin   bool
	proxies []netip.Prefix
	hashing passwords.Params
	level   slog.Level
}

const envPrefix = "STEWARD_"

// elsewhere are variables with our prefix that other parts read.
var elsewhere = []string{"STEWARD_API_KEY", "STEWARD_PG_BIN", "STEWARD_VERSION"}

const environmentHelp = `Environment:
  STEWARD_ADDR                 where to listen (127.0.0.1:8080)
  STEWARD_POSTGRES_URL         read models and operations: postgres://user:password@host/db
  STEWARD_VAULT_URL            the keys, if they live in a database of their own
  STEWARD_MASTER_KEY_FILE      the key that wraps all others: a file of mode 0600
  STEWARD_EVENTSTORE_URL       an EventStoreDB cluster: esdb://user:password@host:2113?tls=true
  STEWARD_EVENTSTORE_INSECURE  1 permits tls=false, for a node without users
  STEWARD_DATA                 without an event store URL: the directory of the embedded one
  STEWARD_SMTP_URL             who sends mails: smtp://user:password@host:587 or smtps://…; without it they wait
  STEWARD_PASSWORD_HASHING     costs of new password hashes, Argon2id (m=47104,t=1,p=1); old ones are made anew
  STEWARD_TRUSTED_PROXIES      networks whose X-Forwarded-For is believed: 10.0.0.0/8,…
  STEWARD_LOG_LEVEL            debug, info, warn or error (info)
  STEWARD_LOG_FORMAT           json or text (json)`

// readConfig reads the environment. It names everything that is wrong at once.
func readConfig() (config, error) {
	var c config
	if err := env.ParseWithOptions(&c, env.Options{Prefix: envPrefix}); err != nil {
		return config{}, fmt.Errorf("environment: %w", err)
	}
	var wrong []error
	for _, variable := range unknownVariables() {
		wrong = append(wrong, fmt.Errorf("%s is not a setting of Steward: see steward serve --help", variable))
	}
	for _, text := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			wrong = append(wrong, errors.New("STEWARD_TRUSTED_PROXIES: want networks such as 10.0.0.0/8, separated by commas"))
			continue
		}
		c.proxies = append(c.proxies, prefix)
	}
	c.hashing = passwords.Default()
	if c.PasswordHashing != "" {
		var err error
		if c.hashing, err = passwords.ParseParams(c.PasswordHashing); err != nil {
			wrong = append(wrong, fmt.Errorf("STEWARD_PASSWORD_HASHING: %w", err))
		}
	}
	if err := c.level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		wrong = append(wrong, errors.New("STEWARD_LOG_LEVEL: want debug, info, warn or error"))
	}
	if c.LogFormat != "json" && c.LogFormat != "text" {
		wrong = append(wrong, errors.New("STEWARD_LOG_FORMAT: want json or text"))
	}
	return c, oneLine(wrong)
}

// oneLine joins errors into one line, the way a start is refused.
func oneLine(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}

func unknownVariables() []string {
	fields, err := env.GetFieldParamsWithOptions(&config{}, env.Options{Prefix: envPrefix})
	if err != nil {
		return nil
	}
	known := slices.Clone(elsewhere)
	for _, f := range fields {
		known = append(known, f.Key)
	}
	var unknown []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, envPrefix) && !strings.HasPrefix(name, envPrefix+"TEST_") && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// logger writes to standard error: standard output is for results.
func (c config) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: c.level}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(os.Stderr, options))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, options))
}

// operatorConfig is the configuration for commands that look after an
// installation: the one that dev keeps in a directory, or the environment's.
func operatorConfig(cmd *cobra.Command) (config, error) {
	c, err := readConfig()
	if err != nil {
		return config{}, err
	}
	if f := cmd.Flags().Lookup("data"); f != nil && f.Value.String() != "" {
		c.Data = f.Value.String()
	}
	if c.Data == "" && c.PostgresURL == "" {
		c.Data = defaultData()
	}
	c.private = c.PostgresURL == ""
	return c, nil
}

func addDataFlag(cmd *cobra.Command) {
	cmd.Flags().String("data", "", "directory of an installation that steward dev keeps (default "+defaultData()+", unless STEWARD_POSTGRES_URL is set)")
}
