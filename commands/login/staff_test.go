package login_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

// K2: a team member's login goes the way of a customer's, from the invitation on, and
// every event says whose it is.
func TestStaffLogin_K2(t *testing.T) {
	t.Parallel()
	member, soon := uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0009"), now.Add(time.Minute)
	invited := events.LoginLinkIssued{LoginID: id, StaffID: member, LinkID: first, Purpose: events.LinkInvitation, ExpiresAt: soon, KeyVersion: 1, Standing: 4}
	followed := events.LoginLinkUsed{LoginID: id, StaffID: member, LinkID: first, Purpose: events.LinkInvitation, SessionID: session}
	choose := login.ChoosePassword{SessionID: session, CredentialID: second, Hash: "x", Scheme: "argon2id"}
	chosen := events.LoginPasswordSet{LoginID: id, StaffID: member, CredentialID: second, Hash: events.Clear("x"), Scheme: "argon2id", Cause: events.PasswordWelcomed}
	decidertest.Run(t, login.Decider, []tcase{
		{
			Name: "is invited", When: login.IssueLink{LoginID: id, StaffID: member, LinkID: first, Purpose: events.LinkInvitation, ExpiresAt: soon, KeyVersion: 1, Standing: 4},
			Then: history{invited}, Anew: true,
		},
		{Name: "follows the link", Given: history{invited}, When: login.UseLink{LinkID: first, Standing: 4, SessionID: session, Now: now}, Then: history{followed}, Again: login.ErrLinkOver},
		{Name: "chooses a password", Given: history{invited, followed}, When: choose, Then: history{chosen}, Again: login.ErrLinkOver},
		{Name: "ends sessions", Given: history{invited, followed, chosen}, When: login.EndSessions{}, Then: history{events.LoginSessionsEnded{LoginID: id, StaffID: member}}, Anew: true},
	})
	state := login.Decider.Fold(history{invited, followed, chosen})
	for _, c := range []login.Command{
		login.Rehash{Before: second, CredentialID: first, Hash: "y", Scheme: "argon2id"},
		login.StartTwoFactor{CredentialID: first, Secret: "s"},
		login.ConfirmTwoFactor{CredentialID: first, Step: 1, RecoveryID: second, Recovery: "r"},
		login.AcceptCode{Step: 2},
		login.UseRecoveryCode{Index: 0},
		login.RenewRecoveryCodes{RecoveryID: first, Recovery: "r"},
		login.DisableTwoFactor{},
	} {
		decided, err := login.Decide(state, c)
		if err != nil || len(decided) != 1 || decided[0].Staff() != member || decided[0].Customer() != uuid.Nil {
			t.Fatalf("%T: %+v, %v", c, decided, err)
		}
		state = login.Evolve(state, decided[0])
	}
}
