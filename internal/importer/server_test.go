package importer_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/internal/dnsname"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/importer"
)

const testKey = "stw_test_key"

// server is a store behind the import address: it keeps what is imported, judges
// rows by the rules of domains and customers, and answers a repeated key with
// the first answer.
type server struct {
	t testing.TB
	// before may answer a request instead of the store, by returning true.
	before func(w http.ResponseWriter, number int) bool
	// after may spoil the answer to a request that was carried out.
	after func(w http.ResponseWriter, number int) bool
	// judge may refuse a row with a status.
	judge func(name string, number int) int
	code  string
	limit int // rows of a request; more are answered with 422

	mu        sync.Mutex
	requests  int
	holders   map[string]string // name to email key
	owners    map[string]string // email key to username and names
	usernames map[string]bool
	answers   map[string]verdict       // of applied rows, by key
	bodies    map[string]importer.Body // by key
	applied   []string                 // names in the order in which they were applied
}

type verdict struct {
	Status       int    `json:"status"`
	Outcome      string `json:"outcome,omitempty"`
	OwnerCreated bool   `json:"owner_created"`
	Code         string `json:"code,omitempty"`
	Field        string `json:"field,omitempty"`
	Message      string `json:"message,omitempty"`
}

func refuse(status int, code, field, message string) verdict {
	return verdict{Status: status, Code: code, Field: field, Message: message}
}

func newServer(t testing.TB) *server {
	return &server{
		t: t, holders: make(map[string]string), owners: make(map[string]string),
		usernames: make(map[string]bool), answers: make(map[string]verdict), bodies: make(map[string]importer.Body),
	}
}

// RoundTrip answers without a network, so that tests can run on a clock of their
// own.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	switch w.Header().Get("Trouble") {
	case "cut":
		return nil, io.ErrUnexpectedEOF
	case "dial":
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	return w.Result(), nil
}

func (s *server) client() *importer.Client {
	s.t.Helper()
	c, err := importer.NewClient("http://store.test", testKey, 8, s)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	number := s.requests
	s.mu.Unlock()
	if r.URL.Path != "/v1/domains/import-batch" || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+testKey {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var body struct{ Rows []importer.Body }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Rows) < 1 || len(body.Rows) > 100 {
		s.t.Errorf("the request is not one: %v, %d rows", err, len(body.Rows))
	}
	if s.before != nil && s.before(w, number) {
		return
	}
	if s.limit > 0 && len(body.Rows) > s.limit {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	var answer struct {
		Rows []verdict `json:"rows"`
	}
	s.mu.Lock()
	for _, row := range body.Rows {
		if first, again := s.bodies[row.Key]; again && !cmp.Equal(first, row) || row.Key == "" {
			s.t.Errorf("the key %q is used for two rows", row.Key)
		}
		s.bodies[row.Key] = row
		answer.Rows = append(answer.Rows, s.apply(row, number, r.URL.Query().Get("dry_run") == "true"))
	}
	s.mu.Unlock()
	if s.after != nil && s.after(w, number) {
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// apply answers a row that was applied before as it did then.
func (s *server) apply(row importer.Body, number int, dry bool) verdict {
	if s.judge != nil {
		if status := s.judge(row.Name, number); status != 0 {
			return verdict{Status: status, Code: s.code}
		}
	}
	if v, ok := s.answers[row.Key]; ok {
		return v
	}
	v := s.decide(row, dry)
	if !dry && v.Outcome == "accepted" {
		s.answers[row.Key] = v
	}
	return v
}

func (s *server) decide(row importer.Body, dry bool) verdict {
	invalid := func(field, message string) verdict {
		return refuse(422, "invalid", field, message)
	}
	name, err := dnsname.Registrable(row.Name)
	if err != nil {
		return invalid("name", err.Error())
	}
	if _, err := identity.Email(row.Owner.Email); err != nil {
		return invalid("owner.email", err.Error())
	}
	if _, err := identity.Line(row.Owner.FirstName, 100); err != nil {
		return invalid("owner.profile.first_name", err.Error())
	}
	if row.ExpiresAt <= row.RegisteredAt {
		return invalid("expires_at", "is not after registered_at")
	}
	if len(row.Nameservers) == 1 {
		return invalid("nameservers[0]", "needs a second one")
	}
	email, username := identity.EmailKey(row.Owner.Email), identity.UsernameKey(row.Owner.Username)
	switch holder, held := s.holders[name]; {
	case held && holder == email:
		return verdict{Status: 200, Outcome: "unchanged"}
	case held:
		return refuse(409, "domain_held_by_other", "name", "belongs to another customer")
	}
	_, known := s.owners[email]
	if !known && s.usernames[username] {
		return refuse(409, "name_taken", "owner.username", "is already in use")
	}
	if !dry {
		s.holders[name] = email
		s.applied = append(s.applied, name)
		if !known {
			o := row.Owner
			s.owners[email], s.usernames[username] = o.Username+"|"+o.FirstName+"|"+o.LastName, true
		}
	}
	return verdict{Status: 201, Outcome: "accepted", OwnerCreated: !known}
}

// lines joins rows below the usual header.
func lines(rows ...string) string {
	return "domain,owner_email,owner_username,registered_at,expires_at\n" + strings.Join(rows, "\n") + "\n"
}

// row is a good row.
func row(name, owner string) string {
	return name + "," + owner + "@example.org," + owner + ",2020-01-01,2027-01-01"
}
