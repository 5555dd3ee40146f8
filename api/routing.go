package api

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/stewardhq/steward/internal/fault"
)

// route is one line of the table in server.go.
type route struct {
	method     string
	path       string
	permission permission
	summary    string
	tag        string
	maxBody    int64
}

// maxBody is the most that a request may send, but for the routes that say
// otherwise.
const maxBody = 64 << 10

// add puts a route into the router and into the documentation.
func add[I, O any](s *Server, rt route, handler func(context.Context, *I) (*O, error)) {
	if rt.maxBody == 0 {
		rt.maxBody = maxBody
	}
	s.table = append(s.table, rt)
	operation := huma.Operation{
		OperationID: operationID(rt), Method: rt.method, Path: rt.path, Summary: rt.summary, Tags: []string{rt.tag},
		MaxBodyBytes:                 rt.maxBody + 1, // ours is the limit that refuses
		RejectUnknownQueryParameters: true,
		Middlewares:                  huma.Middlewares{s.guard(rt)},
		Description:                  describeRoute(rt),
	}
	if rt.permission != permitAnyone {
		operation.Security = []map[string][]string{{"api_key": {}}}
	}
	huma.Register(s.huma, operation, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, s.refuse(ctx, err)
		}
		return out, nil
	})
}

// operationID names a route for generated clients: post-customers-id-suspend.
func operationID(rt route) string {
	path := strings.NewReplacer("/v1/", "", "/", "-", "{", "", "}", "", ".", "-").Replace(rt.path)
	return strings.ToLower(rt.method) + "-" + strings.Trim(path, "-")
}

func describeRoute(rt route) string {
	if rt.permission == permitAnyone {
		return "Needs no credential."
	}
	var roles []string
	for _, role := range rolesWith(rt.permission) {
		roles = append(roles, string(role))
	}
	return "Needs the permission `" + string(rt.permission) + "`, which these roles have: " + strings.Join(roles, ", ") + "."
}

// Faults of a request that no handler sees.
var (
	errMediaType = fault.New(fault.Malformed, "unsupported_media_type", "send application/json in UTF-8").On("Content-Type", "is not application/json")
	errAccept    = fault.New(fault.Malformed, "not_acceptable", "the answer would be application/json").On("Accept", "does not include application/json")
	errBadQuery  = fault.New(fault.Malformed, "bad_query", "the query of the address cannot be read")
	errMethod    = fault.New(fault.Malformed, "method_not_allowed", "this address does not have that method")
)

// guard lets a request through to its handler if it comes from somebody who may,
// and reads its body.
func (s *Server) guard(rt route) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(hc)
		if err := s.admit(r.Context(), rt, w, r); err != nil {
			s.refuse(r.Context(), err).write(w)
			return
		}
		next(hc)
	}
}

func (s *Server) admit(ctx context.Context, rt route, w http.ResponseWriter, r *http.Request) error {
	if err := checkQuery(r.URL.RawQuery); err != nil {
		return err
	}
	if !accepts(r.Header) {
		return newProblem(errAccept, callOf(ctx).requestID).withStatus(http.StatusNotAcceptable)
	}
	if rt.permission != permitAnyone {
		if err := s.authenticate(ctx, r); err != nil {
			return err
		}
		if !callerOf(ctx).mayUse(rt) {
			return s.refuseUse(ctx, rt)
		}
		if callerOf(ctx).mustEnroll && !slices.Contains(enrollingRoutes, rt.method+" "+rt.path) {
			return errEnroll
		}
		if err := s.owned(ctx, rt, r); err != nil {
			return err
		}
		if err := s.noteView(ctx, rt); err != nil {
			return err
		}
	}
	if reads(r.Method) {
		return nil
	}
	return readBody(callOf(ctx), rt.maxBody, w, r)
}

// checkQuery refuses a query that does not parse, of which half would be dropped
// silently, and a parameter that is given twice, of which one would be.
func checkQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errBadQuery.On("query", "holds a % or a ; that belongs to no parameter: write %25 for a percent sign")
	}
	for name, given := range values {
		if len(given) > 1 && name != "status" { // which may be one of several
			return errBadQuery.On(name, "is given more than once")
		}
	}
	return nil
}

// accepts reports whether the caller takes JSON. Quality values do not matter,
// for there is nothing to choose from.
func accepts(h http.Header) bool {
	values := h.Values("Accept")
	if len(values) == 0 {
		return true
	}
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		kind, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil || params["q"] == "0" {
			continue
		}
		if slices.Contains([]string{"*/*", "application/*", "application/json", problemType}, kind) {
			return true
		}
	}
	return false
}

// noRoute answers for addresses that do not exist.
func (s *Server) noRoute(w http.ResponseWriter, r *http.Request) {
	s.refuse(r.Context(), errNoRoute).write(w)
}

// noMethod answers for methods that an address does not have.
func (s *Server) noMethod(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch} {
		if !s.router.Match(chi.NewRouteContext(), method, r.URL.Path) {
			continue
		}
		if allowed = append(allowed, method); method == http.MethodGet {
			allowed = append(allowed, http.MethodHead) // answered like it, without the body
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	newProblem(errMethod, callOf(r.Context()).requestID).withStatus(http.StatusMethodNotAllowed).write(w)
}
