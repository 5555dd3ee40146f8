package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/wireid"
)

// requestTimeout bounds a request, so that it is answered before the connection
// is cut.
const requestTimeout = 28 * time.Second

// readTimeout is that of a read, which nobody should wait for when a database
// hangs: it can be repeated at any time.
const readTimeout = 8 * time.Second

// requestIDPattern matches UUIDs and trace ids. The id is kept with the events for
// ever, so it must not be able to spell a name.
var requestIDPattern = regexp.MustCompile(`^[0-9a-fA-F-]{8,64}$`)

// requestID is the caller's, if it is one that may go into logs and headers.
func requestID(r *http.Request) string {
	if given := r.Header.Get("X-Request-Id"); requestIDPattern.MatchString(given) {
		return given
	}
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// observe is the outermost middleware: it begins the call, catches panics, and
// logs and measures what came of it.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		c := &call{
			requestID: requestID(r), method: r.Method, path: r.URL.Path, host: r.Host, query: r.URL.RawQuery,
			header: r.Header, answer: answer.Header(),
		}
		patience := requestTimeout
		if reads(r.Method) {
			patience = readTimeout
		}
		ctx, cancel := context.WithTimeout(decider.Arrive(context.WithValue(r.Context(), callKey{}, c)), patience)
		defer cancel()
		r = r.WithContext(ctx)
		answer.Header().Set("X-Request-Id", c.requestID)
		defer func() {
			s.recovered(recover(), answer, r)
			s.record(r, answer.Status(), time.Since(begun))
		}()
		next.ServeHTTP(answer, r)
	})
}

// recovered answers for a handler that panicked. What it panicked with may hold
// anything, so only its type is logged, and the stack.
func (s *Server) recovered(reason any, w middleware.WrapResponseWriter, r *http.Request) {
	switch reason {
	case nil:
		return
	case http.ErrAbortHandler:
		panic(reason)
	}
	kind := "value"
	if err, ok := reason.(error); ok {
		kind = "error"
		if runtimeErr, ok := errors.AsType[interface {
			error
			RuntimeError()
		}](err); ok {
			kind = runtimeErr.Error()
		}
	}
	s.log.ErrorContext(r.Context(), "panic", "request_id", callOf(r.Context()).requestID, "route", pattern(r),
		"panic", kind, "stack", string(debug.Stack()))
	if w.Status() == 0 {
		newProblem(errInternal, callOf(r.Context()).requestID).write(w)
	}
}

// record logs and measures a request that was answered. Neither ever sees a
// query, a body, an address that was asked for, or who a customer is.
func (s *Server) record(r *http.Request, status int, took time.Duration) {
	if status == 0 {
		status = http.StatusOK
	}
	route, method := pattern(r), knownMethod(r.Method)
	s.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
	c := callOf(r.Context())
	attrs := []slog.Attr{
		slog.String("method", method), slog.String("route", route), slog.Int("status", status),
		slog.Duration("duration", took), slog.String("request_id", c.requestID),
	}
	if c.caller != nil {
		actor := c.caller.actor()
		attrs = append(attrs,
			slog.String("store_id", c.caller.storeID.String()), slog.String("actor", string(actor.Kind)),
			slog.String("staff_id", actor.StaffID.String()), slog.String("api_key_id", actor.APIKeyID.String()))
	}
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
}

// knownMethod keeps callers from making up labels.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}

// pattern is the route that a request matched.
func pattern(r *http.Request) string {
	if rc := chi.RouteContext(r.Context()); rc != nil && rc.RoutePattern() != "" {
		return rc.RoutePattern()
	}
	return "unmatched"
}

// newRequests is the histogram of answered requests.
func newRequests(registry prometheus.Registerer) (*prometheus.HistogramVec, error) {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "steward_http_request_duration_seconds", Help: "Time to answer a request, by route and status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"method", "route", "status"})
	return h, registry.Register(h)
}

// refuse answers a request with an error, and logs the ones that are our fault.
func (s *Server) refuse(ctx context.Context, err error) *Problem {
	if p, ok := asProblem(err); ok {
		return p
	}
	c := callOf(ctx)
	p := newProblem(err, c.requestID)
	if faultOf(err).Kind == fault.Unknown {
		p.CommandID = wireid.Format(wireid.Command, c.commandID)
	}
	if p.Status >= http.StatusInternalServerError {
		s.log.ErrorContext(ctx, "request failed", "request_id", c.requestID, "code", p.Code, "err", err)
	}
	return p
}

// PostgreSQL's words for a table or a column that does not exist: read models that
// were not built yet, were dropped, or are those of an older version.
const (
	undefinedTable  = "42P01"
	undefinedColumn = "42703"
)

// faultOf is what a caller may see of an error.
func faultOf(err error) *fault.Error {
	f, ok := fault.As(err)
	var refused *pgconn.PgError
	switch {
	case ok:
		return f
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errTimeout
	case errors.Is(err, eventstore.ErrClosed):
		return eventstore.ErrUnavailable
	case postgres.Unavailable(err):
		return errUnavailable
	case errors.As(err, &refused) && (refused.Code == undefinedTable || refused.Code == undefinedColumn):
		return errNotBuilt
	default:
		return errInternal
	}
}
