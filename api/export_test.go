package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
)

// RouteLine is a line of the table of routes, for tests.
type RouteLine struct {
	Method, Path, Permission string
	Customer                 bool // whether customers may use it on what is their own
}

// Table returns the table of routes.
func (s *Server) Table() []RouteLine {
	lines := make([]RouteLine, len(s.table))
	for i, rt := range s.table {
		lines[i] = RouteLine{rt.method, rt.path, string(rt.permission), (&caller{customerID: uuid.New()}).mayUse(rt)}
	}
	return lines
}

// Walk calls fn for every route of the router.
func (s *Server) Walk(fn func(method, path string)) error {
	return chi.Walk(s.router, func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		fn(method, path)
		return nil
	})
}

// ForgetRepeats makes the server know no more of commands than another one does.
func (s *Server) ForgetRepeats() {
	s.repeats.mu.Lock()
	defer s.repeats.mu.Unlock()
	clear(s.repeats.written)
}
