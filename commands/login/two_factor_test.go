package login_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider/decidertest"
)

var (
	secret   = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0011")
	recovery = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0012")
	session  = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0013")
	other    = uuid.MustParse("5f8f3c1e-6a55-4b0c-9a43-0d6c2a3f0014")
)

func TestTwoFactor(t *testing.T) {
	t.Parallel()
	registered := set(first, uuid.Nil, events.PasswordRegistered)
	started := func(credential, replaced uuid.UUID) events.LoginTwoFactorStarted {
		return events.LoginTwoFactorStarted{LoginID: id, CustomerID: customer, CredentialID: credential, ReplacedID: replaced, Secret: events.Clear("secret")}
	}
	enabled := events.LoginTwoFactorEnabled{
		LoginID: id, CustomerID: customer, CredentialID: secret, Step: 100, RecoveryID: recovery, Recovery: events.Clear("hashes"),
	}
	on := history{registered, started(secret, uuid.Nil), enabled}
	accepted := events.LoginCodeAccepted{LoginID: id, CustomerID: customer, Step: 101, SessionID: session}
	used := func(index, left int) events.LoginRecoveryCodeUsed {
		return events.LoginRecoveryCodeUsed{LoginID: id, CustomerID: customer, Index: index, Remaining: left, SessionID: session}
	}
	disabled := events.LoginTwoFactorDisabled{LoginID: id, CustomerID: customer, ReplacedIDs: []uuid.UUID{secret, recovery}}
	confirm := login.ConfirmTwoFactor{CredentialID: secret, Step: 100, RecoveryID: recovery, Recovery: "hashes"}
	again := confirm
	again.CredentialID, again.RecoveryID, again.Step = other, session, 200
	decidertest.Run(t, login.Decider, []tcase{
		{
			Name: "S3-12 is started", Given: history{registered}, When: login.StartTwoFactor{CredentialID: secret, Secret: "secret"},
			Then: history{started(secret, uuid.Nil)}, Anew: true,
		},
		{
			Name: "shows another secret", Given: history{registered, started(other, uuid.Nil)}, When: login.StartTwoFactor{CredentialID: secret, Secret: "secret"},
			Then: history{started(secret, other)}, Anew: true,
		},
		{Name: "S3-15 S3-20 is on when confirmed", Given: history{registered, started(secret, uuid.Nil)}, When: confirm, Then: history{enabled}, Again: login.ErrNotStarted},
		{Name: "is confirmed with the secret that was shown last", Given: history{registered, started(secret, uuid.Nil), started(other, secret)}, When: confirm, Err: login.ErrNotStarted},
		{Name: "is not confirmed out of nothing", Given: history{registered}, When: confirm, Err: login.ErrNotStarted},
		{
			Name: "S3-34 moves to another app", Given: append(append(history{}, on...), started(other, uuid.Nil)), When: again,
			Then: history{events.LoginTwoFactorEnabled{
				LoginID: id, CustomerID: customer, CredentialID: other, ReplacedIDs: []uuid.UUID{secret, recovery}, Step: 200,
				RecoveryID: session, Recovery: events.Clear("hashes"),
			}},
			Again: login.ErrNotStarted,
		},
		{Name: "S3-25 accepts a code", Given: on, When: login.AcceptCode{Step: 101, SessionID: session}, Then: history{accepted}, Again: login.ErrCodeUsed},
		{Name: "T4 not the one that confirmed it", Given: on, When: login.AcceptCode{Step: 100, SessionID: session}, Err: login.ErrCodeUsed},
		{Name: "T1 not one twice", Given: append(append(history{}, on...), accepted), When: login.AcceptCode{Step: 101}, Err: login.ErrCodeUsed},
		{Name: "T3 not an earlier one", Given: append(append(history{}, on...), accepted), When: login.AcceptCode{Step: 99}, Err: login.ErrCodeUsed},
		{Name: "S3-30 accepts a recovery code", Given: on, When: login.UseRecoveryCode{Index: 3, SessionID: session}, Then: history{used(3, 9)}, Again: login.ErrCodeUsed},
		{Name: "S3-18 S3-32 once", Given: append(append(history{}, on...), used(3, 9)), When: login.UseRecoveryCode{Index: 3, SessionID: session}, Err: login.ErrCodeUsed},
		{Name: "and counts what is left", Given: append(append(history{}, on...), used(3, 9)), When: login.UseRecoveryCode{Index: 9, SessionID: session}, Then: history{used(9, 8)}, Again: login.ErrCodeUsed},
		{Name: "knows ten", Given: on, When: login.UseRecoveryCode{Index: 10}, Err: login.ErrCodeUsed},
		{
			Name: "gets new recovery codes", Given: append(append(history{}, on...), used(3, 9)), When: login.RenewRecoveryCodes{RecoveryID: other, Recovery: "more"},
			Then: history{events.LoginRecoveryCodesRenewed{LoginID: id, CustomerID: customer, ReplacedID: recovery, RecoveryID: other, Recovery: events.Clear("more")}}, Anew: true,
		},
		{Name: "S3-38 is turned off", Given: on, When: login.DisableTwoFactor{}, Then: history{disabled}, Again: login.ErrFactorOff},
		{Name: "S3-49 S3-63 is off already", Given: append(append(history{}, on...), disabled), When: login.DisableTwoFactor{}, Err: login.ErrFactorOff},
		{Name: "accepts nothing while off", Given: history{registered}, When: login.AcceptCode{Step: 1}, Err: login.ErrFactorOff},
		{Name: "needs a login", When: login.StartTwoFactor{CredentialID: secret}, Err: login.ErrUnknown},
	})
	s := login.Decider.Fold(append(append(history{}, on...), used(0, 9), set(second, first, events.PasswordChanged)))
	if !s.TwoFactor.Enabled || s.TwoFactor.Remaining() != 9 {
		t.Errorf("S3-55: after a new password the second factor is %+v", s.TwoFactor)
	}
}
