package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// ConnectError says which database could not be reached, why, and what to do. Its text is one line and holds no
// password.
type ConnectError struct {
	Server   string // "db.example:5432" or the path of a socket
	Database string
	Reason   string
	Remedy   string
	err      error
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("cannot reach PostgreSQL database %q at %s: %s; %s", e.Database, e.Server, e.Reason, e.Remedy)
}

func (e *ConnectError) Unwrap() error { return e.err }

// connectError turns a failed first contact into a *ConnectError. A context that the caller ended stays visible
// to errors.Is.
func connectError(config *pgx.ConnConfig, err error) error {
	e := &ConnectError{Database: config.Database, Server: serverName(config.Host, config.Port), err: err}
	e.Reason, e.Remedy = explain(config, err)
	return e
}

func serverName(host string, port uint16) string {
	if strings.HasPrefix(host, "/") {
		return filepath.Join(host, ".s.PGSQL."+strconv.Itoa(int(port)))
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

func explain(config *pgx.ConnConfig, err error) (reason, remedy string) {
	var (
		server *pgconn.PgError
		lookup *net.DNSError
	)
	switch {
	case errors.As(err, &server):
		return explainServer(config, server)
	case errors.As(err, &lookup):
		return "no address is known for that host", "check the host in the database URL"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", "check that PostgreSQL runs there and that the database URL names its host and port"
	case errors.Is(err, os.ErrNotExist):
		return "no such socket", "check that PostgreSQL runs and keeps its socket in that directory"
	case errors.Is(err, os.ErrPermission):
		return "the socket may not be used by this user", "run Steward as the user who owns it"
	case errors.Is(err, context.Canceled):
		return "interrupted", "start again"
	case pgconn.Timeout(err), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time", "check the host, the network and any firewall between"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "the connection was closed at once", "check that PostgreSQL, not another service, listens there"
	}
	return oneLine(err), "check the database URL and the server's log"
}

func explainServer(config *pgx.ConnConfig, err *pgconn.PgError) (reason, remedy string) {
	switch err.Code {
	case "28P01", "28000":
		return fmt.Sprintf("the server does not let user %q in", config.User), "check user and password in the database URL and the server's pg_hba.conf"
	case "3D000":
		return "there is no such database", fmt.Sprintf("create it (createdb %s) or correct the database URL", config.Database)
	case "53300":
		return "the server has no connection left", "raise its max_connections or lower pool_max_conns in the database URL"
	case "57P03":
		return "the server is starting up or shutting down", "try again in a moment"
	}
	return oneLine(err), "check the database URL and the server's log"
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// Unavailable reports whether err means that the database is away, so that the same request may succeed later:
// it could not be reached, it ended the connection, or it is starting up or shutting down. A statement that the
// server refused is not that, nor is a context that the caller ended.
func Unavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	var (
		ours    *ConnectError
		connect *pgconn.ConnectError
		server  *pgconn.PgError
		network *net.OpError
	)
	switch {
	case errors.As(err, &ours), errors.As(err, &connect):
		return true // even when the server answered, with a refusal to let us in
	case errors.As(err, &server):
		return awayCode(server.Code)
	case errors.As(err, &network):
		return true
	}
	for _, away := range []error{
		puddle.ErrClosedPool, pgconn.ErrConnClosed, net.ErrClosed, io.ErrUnexpectedEOF,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE,
	} {
		if errors.Is(err, away) {
			return true
		}
	}
	return false
}

// awayCode reports whether a server's SQLSTATE says that the server, not the statement, is the trouble.
func awayCode(code string) bool {
	switch code {
	case "57P01", "57P02", "57P03", // shut down by an administrator, after a crash, not ready yet
		"53300": // no connection left
		return true
	}
	return strings.HasPrefix(code, "08") // connection exceptions
}
