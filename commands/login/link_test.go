package login_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func issued(link uuid.UUID, purpose events.LinkPurpose, until time.Time) events.LoginLinkIssued {
	return events.LoginLinkIssued{LoginID: id, CustomerID: customer, LinkID: link, Purpose: purpose, ExpiresAt: until, KeyVersion: 1, Standing: 4}
}

func used(link uuid.UUID, purpose events.LinkPurpose) events.LoginLinkUsed {
	return events.LoginLinkUsed{LoginID: id, CustomerID: customer, LinkID: link, Purpose: purpose, SessionID: session}
}

// CRE-02: of every purpose {good, used, expired, superseded, other standing, of
// another password}.
func TestLinks_CRE02(t *testing.T) {
	t.Parallel()
	soon := now.Add(time.Minute)
	use := func(link uuid.UUID) login.UseLink {
		return login.UseLink{LinkID: link, Standing: 4, SessionID: session, Now: now}
	}
	var cases []tcase
	for _, purpose := range []events.LinkPurpose{
		events.LinkWelcome, events.LinkSetPassword, events.LinkReset, events.LinkActivate, events.LinkEmailChange, events.LinkEmailUndo,
	} {
		shutOut := tcase{
			Name: string(purpose) + " after the customer's standing changed", Given: history{issued(first, purpose, soon)},
			When: login.UseLink{LinkID: first, Standing: 5, SessionID: session, Now: now}, Err: login.ErrLinkOver,
		}
		newer := tcase{
			Name: string(purpose) + " after a newer one", Given: history{issued(first, purpose, soon), issued(second, purpose, soon)},
			When: use(first), Err: login.ErrLinkOver,
		}
		if purpose == events.LinkEmailUndo { // whoever takes an account over cannot stop its owner
			shutOut.Then, shutOut.Err, shutOut.Again = history{used(first, purpose)}, nil, login.ErrLinkOver
			newer.Then, newer.Err, newer.Again = history{used(first, purpose)}, nil, login.ErrLinkOver
		}
		cases = append(cases,
			tcase{
				Name: string(purpose) + " is good once", Given: history{issued(first, purpose, soon)}, When: use(first),
				Then: history{used(first, purpose)}, Again: login.ErrLinkOver,
			},
			tcase{
				Name: string(purpose) + " that was used", Given: history{issued(first, purpose, soon), used(first, purpose)}, When: use(first),
				Err: login.ErrLinkOver,
			},
			tcase{Name: string(purpose) + " at its end", Given: history{issued(first, purpose, now)}, When: use(first), Err: login.ErrLinkOver},
			tcase{Name: string(purpose) + " that was never issued", Given: history{issued(first, purpose, soon)}, When: use(second), Err: login.ErrLinkOver},
			tcase{Name: string(purpose) + " of nobody", When: use(first), Err: login.ErrLinkOver},
			shutOut, newer,
		)
	}
	cases = append(cases,
		tcase{
			Name: "a reset takes the place of a welcome", Given: history{issued(first, events.LinkWelcome, soon), issued(second, events.LinkReset, soon)},
			When: use(first), Err: login.ErrLinkOver,
		},
		tcase{
			Name: "a reset leaves an activation alone", Given: history{issued(first, events.LinkActivate, soon), issued(second, events.LinkReset, soon)},
			When: use(first), Then: history{used(first, events.LinkActivate)}, Again: login.ErrLinkOver,
		},
		tcase{
			Name: "R4 a new password ends it", Given: history{issued(first, events.LinkReset, soon), set(second, uuid.Nil, events.PasswordChanged)},
			When: use(first), Err: login.ErrLinkOver,
		},
		tcase{
			Name: "the same password in another form does not", Given: history{issued(first, events.LinkReset, soon), set(second, uuid.Nil, events.PasswordRehashed)},
			When: use(first), Then: history{used(first, events.LinkReset)}, Again: login.ErrLinkOver,
		},
		tcase{
			Name: "one that was generated meanwhile does not either", Given: history{issued(first, events.LinkReset, soon), set(second, uuid.Nil, events.PasswordGenerated)},
			When: use(first), Then: history{used(first, events.LinkReset)}, Again: login.ErrLinkOver,
		},
		tcase{
			Name: "is issued", When: login.IssueLink{LoginID: id, CustomerID: customer, LinkID: first, Purpose: events.LinkReset, ExpiresAt: soon, KeyVersion: 1, Standing: 4},
			Then: history{issued(first, events.LinkReset, soon)}, Anew: true,
		},
	)
	decidertest.Run(t, login.Decider, cases)
}

// No password is set by a link but in the session that the link led to (R5).
func TestChoosePassword_R5(t *testing.T) {
	t.Parallel()
	soon := now.Add(time.Minute)
	choose := login.ChoosePassword{SessionID: session, CredentialID: second, Hash: "hash of " + second.String(), Scheme: "argon2id"}
	set := func(cause events.PasswordCause) events.LoginPasswordSet { return set(second, uuid.Nil, cause) }
	decidertest.Run(t, login.Decider, []tcase{
		{
			Name: "S0-28 by a welcome", Given: history{issued(first, events.LinkWelcome, soon), used(first, events.LinkWelcome)}, When: choose,
			Then: history{set(events.PasswordWelcomed)}, Again: login.ErrLinkOver,
		},
		{
			Name: "S2-10 by a reset", Given: history{issued(first, events.LinkReset, soon), used(first, events.LinkReset)}, When: choose,
			Then: history{set(events.PasswordReset)}, Again: login.ErrLinkOver,
		},
		{
			Name: "in place of a temporary one", Given: history{events.LoginPasswordSet{LoginID: id, CustomerID: customer, CredentialID: first, Cause: events.PasswordTemporary}},
			When: choose, Then: history{events.LoginPasswordSet{
				LoginID: id, CustomerID: customer, CredentialID: second, ReplacedID: first, Hash: events.Clear(choose.Hash), Scheme: "argon2id", Cause: events.PasswordChanged,
			}}, Again: login.ErrLinkOver,
		},
		{Name: "not by a link that nobody followed", Given: history{issued(first, events.LinkReset, soon)}, When: choose, Err: login.ErrLinkOver},
		{Name: "not by one that does something else", Given: history{issued(first, events.LinkActivate, soon), events.LoginLinkUsed{
			LoginID: id, CustomerID: customer, LinkID: first, Purpose: events.LinkActivate,
		}}, When: choose, Err: login.ErrLinkOver},
		{Name: "not in another session", Given: history{issued(first, events.LinkReset, soon), used(first, events.LinkReset)}, When: login.ChoosePassword{
			SessionID: uuid.New(), CredentialID: second, Hash: "x", Scheme: "argon2id",
		}, Err: login.ErrLinkOver},
		{Name: "not in none", Given: history{issued(first, events.LinkReset, soon)}, When: login.ChoosePassword{
			CredentialID: second, Hash: "x", Scheme: "argon2id",
		}, Err: login.ErrLinkOver},
		{
			Name: "not after a newer link", Given: history{issued(first, events.LinkReset, soon), used(first, events.LinkReset), issued(second, events.LinkReset, soon)},
			When: choose, Err: login.ErrLinkOver,
		},
	})
}

// Ways back to earlier addresses do not pile up, and nobody pushes the oldest out.
func TestTheOldestWayBackStays(t *testing.T) {
	t.Parallel()
	until := now.Add(login.UndoTime)
	events1 := history{issued(first, events.LinkEmailUndo, until)}
	for range 100 {
		events1 = append(events1, issued(uuid.New(), events.LinkEmailUndo, until))
	}
	s := login.Decider.Fold(events1)
	if _, ok := s.Link(first); !ok || len(s.Links) > 10 {
		t.Errorf("%d ways are kept, the oldest: %v", len(s.Links), ok)
	}
	s = login.Evolve(s, issued(second, events.LinkEmailUndo, until.Add(login.UndoTime)))
	if _, ok := s.Link(second); !ok || len(s.Links) != 1 {
		t.Errorf("when all are over, %d stay", len(s.Links))
	}
}
