package projector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/postgres"
)

// transient reports whether something that is needed is away, so that the same
// work may succeed later without anybody doing anything about an event.
func transient(err error) bool {
	if err == nil {
		return false
	}
	if postgres.Unavailable(err) || pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if f, ok := fault.As(err); ok && f.Kind == fault.Unavailable && f.Code != codeKeyUnavailable {
		return true
	}
	switch state := sqlState(err); {
	case state == "40001", state == "40P01", state == "55P03", state == "57014", // conflict, deadlock, lock or statement timeout
		state == "25P03", state == "25006", // idle too long, read-only (a standby)
		strings.HasPrefix(state, "53"), strings.HasPrefix(state, "58"): // out of disk, memory or connections; I/O
		return true
	}
	return false
}

// codeKeyUnavailable is the fault of a data key that is missing: unlike a vault
// that is away, it is about one event.
const codeKeyUnavailable = "key_unavailable"

// cause says why an event cannot be applied, without anything that the event or
// a row holds: the texts of the server quote values.
func cause(err error) string {
	var shape *json.UnmarshalTypeError
	var unknown *events.UnknownTypeError
	switch {
	case sqlState(err) != "":
		return harmless(err)
	case errors.As(err, &unknown):
		return unknown.Error()
	case errors.As(err, &shape):
		return fmt.Sprintf("its data has another shape: field %s is not of type %s", shape.Field, shape.Type)
	case errors.Is(err, errGap), errors.Is(err, errPanic):
		return err.Error()
	}
	if f, ok := fault.As(err); ok {
		return f.Error()
	}
	return "it cannot be decoded or opened"
}

// harmless is an error without the texts of the server, which quote values.
func harmless(err error) string {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return err.Error()
	}
	at := refused.TableName
	if at != "" && refused.ColumnName != "" {
		at += "." + refused.ColumnName
	}
	return strings.Join(strings.Fields("PostgreSQL refused it: SQLSTATE "+refused.Code+" "+at+" "+refused.ConstraintName), " ")
}
