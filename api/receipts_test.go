package api_test

import (
	"strings"
	"testing"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/jobs"
	"github.com/stewardhq/steward/internal/wireid"
)

// A customer is told what the team did in their session, change by change, where the
// store wants that.
func TestReceipt_WhatWasDoneInASession(t *testing.T) {
	t.Parallel()
	m := newMailing(t)
	id := m.register("ada")
	domain, _ := m.domain("hers.com", id)
	act := func() {
		t.Helper()
		session := m.enter(id)
		m.as(session, "POST", "/v1/domains/"+domain+"/set-lock", map[string]any{"value": false}).want(200)
		m.as(session, "POST", "/v1/domains/"+domain+"/set-lock", map[string]any{"value": true}).want(200)
		m.as(session, "GET", "/v1/customers/me", nil).want(200)
		m.as(session, "POST", "/v1/impersonations/end", nil).want(200)
	}
	act()
	m.policies(map[string]any{"impersonation_receipt": "true"})
	act()
	got := m.mail("ada@example.com", "This is what was done")
	unlocked, locked := strings.Index(got.Text, "Domain unlocked; lock from true to false"), strings.Index(got.Text, "Domain locked; lock from false to true")
	if unlocked < 0 || locked < unlocked || strings.Contains(got.Text, "HD-4711") || strings.Count(got.Text, "lock from") != 2 {
		t.Errorf("the receipt reads %s", got.Text)
	}
	// The first session, before the store decided so, has none.
	m.eventually("the receipt is shown", func() bool { return m.templates("/v1/customers/" + id)["session_receipt"] == "sent" })
	receipts := 0
	for _, row := range m.owner("GET", "/v1/customers/"+id+"/mails", nil).want(200).list("items") {
		if row["template"] == "session_receipt" {
			receipts++
		}
	}
	if receipts != 1 {
		t.Errorf("%d receipts", receipts)
	}
	// A grant that nobody used leads to none.
	unused := m.grant(events.RoleSupport, id)
	m.owner("POST", "/v1/impersonations/"+unused.str("id")+"/end", nil).want(200)
}

// A session that nobody ended is noted as over when its time is.
func TestReceipt_OfASessionThatExpired(t *testing.T) {
	t.Parallel()
	p := newPostponed(t)
	p.owner("POST", "/v1/stores/"+p.storeID()+"/set-policies", map[string]any{"policies": map[string]any{"impersonation_receipt": "true"}}).want(200)
	id := p.register("ada")
	session := p.enter(id)
	job := jobs.Impersonation{StoreID: p.store, ImpersonationID: must(wireid.Parse(wireid.Impersonation, session.str("impersonation_id")))}
	for range 2 {
		if err := p.mailer.EndImpersonation(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	receipt := p.created("session_receipt")
	if err := p.mailer.Send(t.Context(), receipt, 1); err != nil {
		t.Fatal(err)
	}
	if sent := p.box.Messages("ada@example.com"); len(sent) != 1 || !strings.Contains(sent[0].Text, "Nothing was changed.") {
		t.Errorf("sent %v", sent)
	}
	p.as(session, "GET", "/v1/customers/me", nil).want(401)
	ends := 0
	for _, r := range p.facts() {
		if r.Type == events.TypeImpersonationEnded {
			ends++
		}
	}
	if ends != 1 {
		t.Errorf("it ended %d times", ends)
	}
	var waiting int
	row := p.direct.QueryRow(t.Context(), `SELECT count(*) FROM ops.river_job WHERE kind = 'impersonation' AND scheduled_at > now() + interval '50 minutes'`)
	if err := row.Scan(&waiting); err != nil || waiting != 1 {
		t.Errorf("%d jobs wait for the end of a session: %v", waiting, err)
	}
}
