package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Options tunes Connect. The zero value suits requests: short statements on a small pool.
type Options struct {
	// AppName is what pg_stat_activity shows; "steward" by default.
	AppName string
	// Role is what every connection acts in, from its start and whatever is done on it; by default the user of the URL.
	Role Role
	// MaxConns bounds the pool; by default pgx's rule, four or the number of CPUs.
	MaxConns int32
	// StatementTimeout ends a statement that runs longer; 30 s by default, negative for none, as a rebuild wants.
	StatementTimeout time.Duration
	// IdleTransactionTimeout ends a session that holds a transaction open and does nothing; 60 s by default,
	// negative for none.
	IdleTransactionTimeout time.Duration
	// Configure changes the pool's configuration last, for instance to add a tracer.
	Configure func(*pgxpool.Config)
}

// connectTimeout bounds one attempt to reach a server, so that a host that drops packets is reported in time.
const connectTimeout = 5 * time.Second

// ErrBadURL means that a database URL cannot be parsed. The URL itself is never part of the message: what is wrong
// with it is often a character of its password.
var ErrBadURL = errors.New("the database URL cannot be parsed: it should look like postgres://USER:PASSWORD@HOST:5432/NAME, " +
	"with every special character of the password percent-encoded")

// Connect opens a pool and checks that the database answers. A parameter that the URL sets (application_name,
// statement_timeout, pool_max_conns) wins over opts. It fails with ErrBadURL or a *ConnectError.
func Connect(ctx context.Context, url string, opts Options) (*pgxpool.Pool, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	params := config.ConnConfig.RuntimeParams
	setDefault(params, "application_name", cmp.Or(opts.AppName, "steward"))
	setDefault(params, "statement_timeout", milliseconds(cmp.Or(opts.StatementTimeout, 30*time.Second)))
	setDefault(params, "idle_in_transaction_session_timeout", milliseconds(cmp.Or(opts.IdleTransactionTimeout, time.Minute)))
	setDefault(params, "timezone", "UTC")
	if opts.Role != "" {
		params["role"] = string(opts.Role)
	}
	if opts.MaxConns > 0 {
		config.MaxConns = opts.MaxConns
	}
	if opts.Configure != nil {
		opts.Configure(config)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, connectError(config.ConnConfig, err)
	}
	return pool, nil
}

// parse reads a URL and drops pgx's own message, which may quote a part of the password.
func parse(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, ErrBadURL
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	return config, nil
}

func setDefault(params map[string]string, key, value string) {
	if _, ok := params[key]; !ok {
		params[key] = value
	}
}

// milliseconds is the server's form of a timeout, in which 0 means none.
func milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(d, 0).Milliseconds(), 10)
}
