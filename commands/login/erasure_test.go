package login_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

// S4-34: a login that was erased has no secrets and gets none.
func TestErase_S4_34(t *testing.T) {
	t.Parallel()
	ids := make([]uuid.UUID, 6)
	for i := range ids {
		ids[i] = uuid.New()
	}
	loginID, customerID := ids[0], ids[1]
	password := events.LoginPasswordSet{LoginID: loginID, CustomerID: customerID, CredentialID: ids[2], Hash: events.Clear("h"), Scheme: "argon2id", Cause: events.PasswordChanged}
	started := events.LoginTwoFactorStarted{LoginID: loginID, CustomerID: customerID, CredentialID: ids[3], Secret: events.Clear("00")}
	enabled := events.LoginTwoFactorEnabled{LoginID: loginID, CustomerID: customerID, CredentialID: ids[3], RecoveryID: ids[4], Recovery: events.Clear("00")}
	another := started
	another.CredentialID = ids[5]
	erase := login.Erase{LoginID: loginID, CustomerID: customerID}
	erased := events.LoginErased{LoginID: loginID, CustomerID: customerID}
	with := func(credentials ...uuid.UUID) []events.LoginEvent {
		e := erased
		e.ReplacedIDs = credentials
		return []events.LoginEvent{e}
	}
	set := login.SetPassword{LoginID: loginID, CustomerID: customerID, CredentialID: uuid.New(), Hash: "h", Cause: events.PasswordChanged}
	decidertest.Run(t, login.Decider, []decidertest.Case[login.Command, events.LoginEvent]{
		{Name: "ends the password", Given: []events.LoginEvent{password}, When: erase, Then: with(ids[2])},
		{Name: "and both factors", Given: []events.LoginEvent{password, started, enabled, another}, When: erase, Then: with(ids[2], ids[5], ids[3], ids[4])},
		{Name: "also a login without any", When: erase, Then: with()},
		{Name: "is done", Given: []events.LoginEvent{password, erased}, When: erase},
		{Name: "gets no password", Given: []events.LoginEvent{erased}, When: set, Err: login.ErrErased},
		{Name: "nor the same again in another form", Given: []events.LoginEvent{password, erased}, When: login.Rehash{Before: ids[2]}, Err: login.ErrErased},
		{Name: "nor a second factor", Given: []events.LoginEvent{password, erased}, When: login.StartTwoFactor{CredentialID: uuid.New()}, Err: login.ErrErased},
	})
	before := login.Decider.Fold([]events.LoginEvent{password})
	after := login.Decider.Fold([]events.LoginEvent{password, erased})
	if after.Epoch <= before.Epoch || !after.Hash.IsZero() {
		t.Errorf("after it sessions go on, or a hash is kept: %+v", after)
	}
}
