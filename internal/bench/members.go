package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/stewardhq/steward/internal/sessions"
)

// member is a customer who opened their account themself.
type member struct {
	person  person
	address string // of a network of their own, so that no other's attempts count against them
	session string // the token of the last one
	signIns int
}

// password of all of them.
const password = "correct horse battery"

// members are customers as a storefront sees them: it passes their requests on.
type members struct {
	caller  *caller
	storeID string
	all     []*member
}

func (m *members) close() { m.caller.close() }

// register opens that many accounts.
func (m *members) register(ctx context.Context, b *bench, count, clients int) error {
	namer := newNamer(newRandom(b.seed))
	for i := range count {
		m.all = append(m.all, &member{person: namer.person(), address: fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff)})
	}
	registered := b.progress.count("registering customers", count)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(clients)
	for _, one := range m.all {
		group.Go(func() error {
			_, err := m.send(ctx, one, "/v1/register", map[string]any{
				"email": one.person.email, "username": one.person.username, "password": password,
				"profile": map[string]any{"first_name": one.person.first, "last_name": one.person.last, "country": one.person.country},
			})
			registered.add(1)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("register customers: %w", err)
	}
	registered.finish()
	return nil
}

// errTooFew keeps the limit of sessions from being measured.
var errTooFew = errors.New("there were too few customers for so many sign-ins: more would end older sessions")

// signIn begins a session.
func (m *members) signIn(ctx context.Context, who *member) error {
	if who.signIns++; who.signIns > sessions.CustomerConcurrent {
		return errTooFew
	}
	answer, err := m.send(ctx, who, "/v1/sign-in", map[string]any{"name": who.person.email, "password": password})
	if err != nil {
		return err
	}
	var begun struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(answer, &begun); err != nil {
		return fmt.Errorf("POST /v1/sign-in: read the answer: %w", err)
	}
	if begun.Token == "" {
		return errors.New("POST /v1/sign-in began no session")
	}
	who.session = begun.Token
	return nil
}

// readSelf reads the account of the session's customer.
func (m *members) readSelf(ctx context.Context, who *member) error {
	_, err := m.caller.send(ctx, http.MethodGet, "/v1/customers/me", nil, bearer(who.session))
	return err
}

// send sends a request of somebody who is not signed in.
func (m *members) send(ctx context.Context, who *member, path string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return m.caller.send(ctx, http.MethodPost, path, text, http.Header{
		"Steward-Store": {m.storeID}, "X-Forwarded-For": {who.address},
	})
}
