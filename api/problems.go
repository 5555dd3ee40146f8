package api

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/postgres"
)

// statuses is the one place where a kind of fault becomes an HTTP status.
var statuses = map[fault.Kind]int{
	fault.Invalid:      http.StatusUnprocessableEntity,
	fault.Malformed:    http.StatusBadRequest,
	fault.Unauthorized: http.StatusUnauthorized,
	fault.Forbidden:    http.StatusForbidden,
	fault.NotFound:     http.StatusNotFound,
	fault.Conflict:     http.StatusConflict,
	fault.Stale:        http.StatusPreconditionFailed,
	fault.Precondition: http.StatusPreconditionRequired,
	fault.TooLarge:     http.StatusRequestEntityTooLarge,
	fault.Unavailable:  http.StatusServiceUnavailable,
	fault.Unknown:      http.StatusGatewayTimeout,
	fault.TooMany:      http.StatusTooManyRequests,
	fault.Gone:         http.StatusGone,
	fault.Internal:     http.StatusInternalServerError,
}

// Faults of the interface itself.
var (
	errInternal    = fault.New(fault.Internal, "internal", "Something went wrong on our side. The request id finds it in our logs.")
	errNoRoute     = fault.New(fault.NotFound, "route_not_found", "There is nothing at this address.")
	errTimeout     = fault.New(fault.Unavailable, "timeout", "The answer took too long.").After(time.Second)
	errUnavailable = postgres.ErrUnavailable
	errNotBuilt    = fault.New(fault.Unavailable, "read_models_missing", "the lists are being built, try again in a moment").After(time.Second)
	errValidation  = fault.New(fault.Invalid, "invalid", "some fields are not acceptable")
)

// Problem is what a refused or failed request is answered with (RFC 9457). It
// never repeats what the caller sent.
type Problem struct {
	Type      string         `json:"type" doc:"A name of the kind of problem that is a URI. It leads nowhere." example:"urn:steward:problem:customer_not_found"`
	Title     string         `json:"title" doc:"The meaning of the HTTP status." example:"Not Found"`
	Status    int            `json:"status" doc:"The HTTP status." example:"404"`
	Detail    string         `json:"detail" doc:"What is wrong, for people." example:"no such customer"`
	Code      string         `json:"code" doc:"What is wrong, for programs: it never changes." example:"customer_not_found"`
	Errors    []ProblemField `json:"errors,omitempty" doc:"The inputs at fault."`
	RequestID string         `json:"request_id" doc:"Finds the request in the logs." example:"01k9x4t6m1c8"`
	CommandID string         `json:"command_id,omitempty" doc:"With outcome_unknown: the command that may have happened. The event log has it if it did."`

	retryAfter time.Duration
}

// ProblemField is one input at fault.
type ProblemField struct {
	Field   string `json:"field" doc:"The input, by its path in the body or its name." example:"profile.country"`
	Message string `json:"message" doc:"What is wrong with it." example:"is not a two-letter country code such as DE"`
}

// newProblem is the answer to err. Whatever is not a fault says nothing.
func newProblem(err error, requestID string) *Problem {
	f := faultOf(err)
	status := statuses[f.Kind]
	p := &Problem{
		Type: "urn:steward:problem:" + f.Code, Title: http.StatusText(status), Status: status,
		Detail: f.Message, Code: f.Code, RequestID: requestID, retryAfter: f.RetryAfter,
	}
	if f.Kind == fault.Unavailable && p.retryAfter == 0 {
		p.retryAfter = time.Second
	}
	for _, field := range f.Fields {
		p.Errors = append(p.Errors, ProblemField{Field: field.Name, Message: field.Message})
	}
	return p
}

// withStatus is for the few answers whose status is no kind of fault.
func (p *Problem) withStatus(status int) *Problem {
	p.Status, p.Title = status, http.StatusText(status)
	return p
}

// Error returns the code and the detail.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of problem documents, whatever was negotiated.
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders says when to try again and how to authenticate.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="steward"`)
	}
	return h
}

const problemType = "application/problem+json"

// write sends the problem. There is nobody left to tell when that fails.
func (p *Problem) write(w http.ResponseWriter) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(p)
}

// asProblem returns the problem in err's chain, if there is one.
func asProblem(err error) (*Problem, bool) {
	var p *Problem
	ok := errors.As(err, &p)
	return p, ok
}
