package api_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/vault"
	"github.com/stewardhq/steward/internal/wireid"
)

// 64 racers present each token on two instances at once, and one of them gets through
// (section 2.8 of the reliability rules). At length it is 1,000 tokens of each kind.
func TestLinks_R3_S1Rule_OneOf64OnTwoInstances(t *testing.T) {
	t.Parallel()
	const racers = 64
	tokens := 5
	if os.Getenv("STEWARD_TEST_LONG") != "" {
		tokens = 1_000
	}
	instances := newInstances(t, 2)
	h := instances[0]
	links := h.links()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: racers}}
	defer client.CloseIdleConnections()
	began := time.Now()
	won := 0
	for kind, purpose := range []events.LinkPurpose{
		events.LinkWelcome, events.LinkSetPassword, events.LinkReset, events.LinkActivate, events.LinkEmailChange, events.LinkEmailUndo,
	} {
		id := must(wireid.Parse(wireid.Customer, h.register(fmt.Sprintf("racer%d", kind))))
		for n := range tokens {
			token := h.issue(links, id, purpose, fmt.Sprintf("racer%d-%d@example.org", kind, n))
			statuses := make([]int, racers)
			var start, done sync.WaitGroup
			start.Add(1)
			for i := range racers {
				done.Go(func() {
					start.Wait()
					statuses[i] = present(t, client, instances[i%2], token, fmt.Sprintf("2001:db8:%x:%x::1", kind, n*racers+i))
				})
			}
			start.Done()
			done.Wait()
			winners := 0
			for _, status := range statuses {
				switch status {
				case http.StatusOK:
					winners++
				case http.StatusGone:
				default:
					t.Errorf("%s %d: a racer was answered %d", purpose, n, status)
				}
			}
			if winners != 1 {
				t.Fatalf("%s %d: %d racers got through", purpose, n, winners)
			}
			won++
		}
	}
	t.Logf("%d tokens, one winner each, in %v", won, time.Since(began).Round(time.Second))
}

// links derives the secrets of links.
func (h *harness) links() *onetime.Deriver {
	return must(onetime.New(must(h.vault.SecretVersions(vault.SecretToken))))
}

func mustCustomer(id string) uuid.UUID { return must(wireid.Parse(wireid.Customer, id)) }

// issue issues a link to a customer and returns its token, as the mail has it.
func (h *harness) issue(links *onetime.Deriver, id uuid.UUID, purpose events.LinkPurpose, email string) string {
	h.t.Helper()
	ctx := decider.Arrive(h.t.Context())
	account := must(customer.Decider.Load(ctx, h.engine, h.store, events.CustomerStream(id)))
	issued := login.IssueLink{
		LoginID: account.State.LoginID, CustomerID: id, LinkID: uuid.New(), Purpose: purpose,
		ExpiresAt: h.now.now().Add(time.Hour), KeyVersion: links.Version(), Standing: account.State.Standing,
	}
	if purpose == events.LinkEmailChange || purpose == events.LinkEmailUndo {
		issued.Email = email
	}
	_, err := login.Decider.Handle(ctx, h.engine, events.LoginStream(issued.LoginID), issued, decider.Request{
		StoreID: h.store, Actor: events.System("logins"), Source: events.SourceReaction, CommandID: uuid.New(), At: h.now.now(),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return must(links.Token(onetime.Link{
		Purpose: string(purpose), StoreID: h.store, HolderID: issued.LoginID, ID: issued.LinkID, Version: issued.KeyVersion,
	})).Reveal()
}

// present sends a token from an address, and returns the status of the answer.
func present(t *testing.T, client *http.Client, h *harness, token, ip string) int {
	body := []byte(`{"token":` + strconv.Quote(token) + `}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.http.URL+"/v1/links/redeem", bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Forwarded-For", ip)
	answer, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}
