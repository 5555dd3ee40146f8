package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// reply is what the server answered.
type reply struct {
	t      *testing.T
	stack  *stack
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

// want fails the test unless the status is this one.
func (r *reply) want(status int) *reply {
	r.t.Helper()
	if r.status != status {
		for line := range strings.Lines(r.stack.logs.String()) {
			if id := r.str("request_id"); r.status >= 500 && id != "" && strings.Contains(line, id) {
				r.t.Log(line)
			}
		}
		r.t.Fatalf("status %d, want %d: %s", r.status, status, r.raw)
	}
	return r
}

// refused fails the test unless this is a problem with the status, the code and
// the fields.
func (r *reply) refused(status int, code string, fields ...string) *reply {
	r.t.Helper()
	r.want(status)
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		r.t.Fatalf("content type %q of a problem", got)
	}
	if r.str("code") != code {
		r.t.Fatalf("code %q, want %q: %s", r.str("code"), code, r.raw)
	}
	for _, field := range fields {
		found := false
		for _, e := range r.list("errors") {
			found = found || e["field"] == field
		}
		if !found {
			r.t.Fatalf("the field %q is not named: %s", field, r.raw)
		}
	}
	return r
}

// at returns what stands at a path of names.
func (r *reply) at(path string) any {
	var v any = r.body
	for name := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}

func (r *reply) str(path string) string {
	text, _ := r.at(path).(string)
	return text
}

func (r *reply) num(path string) float64 {
	n, _ := r.at(path).(float64)
	return n
}

// list returns a list of objects.
func (r *reply) list(path string) []map[string]any {
	all, _ := r.at(path).([]any)
	objects := make([]map[string]any, 0, len(all))
	for _, v := range all {
		if object, ok := v.(map[string]any); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

// texts returns a list of texts.
func (r *reply) texts(path string) []string {
	all, _ := r.at(path).([]any)
	texts := []string{}
	for _, v := range all {
		text, _ := v.(string)
		texts = append(texts, text)
	}
	return texts
}

// column returns one field of every item.
func (r *reply) column(field string) []any {
	values := []any{}
	for _, item := range r.list("items") {
		values = append(values, item[field])
	}
	return values
}

// edited is an opaque text with another first character.
func edited(token string) string {
	if token[0] == 'A' {
		return "B" + token[1:]
	}
	return "A" + token[1:]
}
