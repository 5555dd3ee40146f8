package api

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stewardhq/steward/internal/fault"
)

// configureHuma sets what huma keeps for the whole process: its refusals become
// our problems, without what the caller sent, and names of fields are compared
// as they are spelled.
var configureHuma = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return humaProblem(nil, status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		return humaProblem(ctx, status, message, errs)
	}
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false
})

// humaProblem turns a refusal of huma's into a problem.
func humaProblem(ctx huma.Context, status int, _ string, errs []error) *Problem {
	requestID := ""
	if ctx != nil {
		requestID = callOf(ctx.Context()).requestID
	}
	for _, err := range errs {
		if p, ok := asProblem(err); ok {
			return p
		}
	}
	switch status {
	case http.StatusUnprocessableEntity:
		return newProblem(validationFault(errs), requestID)
	case http.StatusBadRequest:
		return newProblem(errBodyMissing, requestID)
	case http.StatusRequestEntityTooLarge:
		return newProblem(errBodyTooLarge, requestID)
	case http.StatusRequestTimeout:
		return newProblem(errBodyCut, requestID)
	default:
		return newProblem(errInternal, requestID)
	}
}

// errUnknownField is a refusal whose only reason is fields that do not exist.
var errUnknownField = fault.New(fault.Invalid, "unknown_field", "a field or parameter does not exist here")

// validationFault names what huma found wrong, in a fixed order: huma walks maps.
func validationFault(errs []error) *fault.Error {
	var fields []fault.Field
	unknown := len(errs) > 0
	for _, err := range errs {
		detailer, ok := err.(huma.ErrorDetailer)
		if !ok {
			unknown = false
			continue
		}
		field, message, isUnknown := refusedField(detailer.ErrorDetail())
		unknown = unknown && isUnknown
		if nameable(field) {
			fields = append(fields, fault.Field{Name: field, Message: message})
		}
	}
	slices.SortFunc(fields, func(a, b fault.Field) int { return strings.Compare(a.Name, b.Name) })
	f := errValidation
	if unknown {
		f = errUnknownField
	}
	named := *f
	named.Fields = slices.Compact(fields)
	named.Fields = named.Fields[:min(len(named.Fields), maxNamed)]
	return &named
}

// maxNamed is how many fields at fault an answer names.
const maxNamed = 100

// refusedField says which input huma means and what is wrong with it. huma's own
// words may repeat the value, so only those are taken over that cannot.
func refusedField(d *huma.ErrorDetail) (field, message string, unknown bool) {
	location := d.Location
	for _, place := range []string{"body.", "query.", "header.", "path."} {
		location = strings.TrimPrefix(location, place)
	}
	switch {
	case d.Message == "unexpected property", d.Message == "unknown query parameter":
		return location, "does not exist", true
	case strings.HasPrefix(d.Message, "expected required property "):
		name, _ := strings.CutPrefix(d.Message, "expected required property ")
		name, _, _ = strings.Cut(name, " ")
		if location == "body" {
			return name, "is missing", false
		}
		return location + "." + name, "is missing", false
	case strings.HasPrefix(d.Message, "required "):
		return location, "is missing", false
	}
	if words, ok := humaWords[d.Message]; ok {
		return location, words, false
	}
	for _, m := range humaLimits {
		if limit, ok := strings.CutPrefix(d.Message, m.prefix); ok {
			return location, m.words + limit, false
		}
	}
	return location, "is not acceptable", false
}

// humaWords translates what huma says about the kind of a value.
var humaWords = map[string]string{
	"expected string":  "is not a text",
	"expected boolean": "is neither true nor false",
	"expected integer": "is not a whole number",
	"expected number":  "is not a number",
	"expected array":   "is not a list",
	"expected object":  "is not an object",
	"invalid integer":  "is not a whole number",
	"invalid boolean":  "is neither true nor false",

	"expected string to be RFC 3339 date-time": "is not a date and time such as 2026-01-31T12:00:00Z",
	"invalid date/time":                        "is not a date and time such as 2026-01-31T12:00:00Z",
}

// humaLimits translates what comes before a limit of ours.
var humaLimits = []struct{ prefix, words string }{
	{"expected value to be one of ", "is not one of "},
	{"expected number >= ", "is less than "},
	{"expected number <= ", "is more than "},
	{"expected length >= ", "is shorter than "},
	{"expected length <= ", "is longer than "},
	{"expected array length >= ", "has fewer entries than "},
	{"expected array length <= ", "has more entries than "},
}
