package login

import (
	"math/bits"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/totp"
)

// TwoFactor is the second factor of a login.
type TwoFactor struct {
	Enabled      bool
	CredentialID uuid.UUID // of the secret
	Secret       events.Personal
	LastStep     uint64 // no code of this step or an earlier one is good any more
	RecoveryID   uuid.UUID
	Recovery     events.Personal // hashes of the recovery codes
	Used         uint64          // bit i: the code at index i was used

	// Pending is a secret that was shown and is not confirmed yet.
	PendingID     uuid.UUID
	PendingSecret events.Personal
}

// Remaining is how many recovery codes are left.
func (f TwoFactor) Remaining() int {
	if !f.Enabled {
		return 0
	}
	return totp.RecoveryCodes - bits.OnesCount64(f.Used)
}

// Faults of the second factor.
var (
	ErrFactorOff  = fault.New(fault.Conflict, "two_factor_disabled", "two-factor authentication is not on")
	ErrNotStarted = fault.New(fault.Conflict, "two_factor_not_started", "nothing waits to be confirmed: start the set-up again")
	ErrCodeUsed   = fault.New(fault.Unauthorized, "invalid_code", "the code is wrong or was used before; wait for the next one")
)

// StartTwoFactor shows a new secret, in the place of one that waits.
type StartTwoFactor struct {
	CredentialID uuid.UUID
	Secret       string
}

// ConfirmTwoFactor turns the second factor on: a code of the secret that waits was
// right.
type ConfirmTwoFactor struct {
	CredentialID uuid.UUID // the one whose code was checked
	Step         uint64
	RecoveryID   uuid.UUID
	Recovery     string
}

// AcceptCode uses a code up that was right.
type AcceptCode struct {
	Step      uint64
	SessionID uuid.UUID
}

// UseRecoveryCode uses a recovery code up that was right.
type UseRecoveryCode struct {
	Index     int
	SessionID uuid.UUID
}

// RenewRecoveryCodes replaces all recovery codes.
type RenewRecoveryCodes struct {
	RecoveryID uuid.UUID
	Recovery   string
}

// DisableTwoFactor turns the second factor off for good: its secret and its codes
// end with it.
type DisableTwoFactor struct{}

func (StartTwoFactor) loginCommand()     {}
func (ConfirmTwoFactor) loginCommand()   {}
func (AcceptCode) loginCommand()         {}
func (UseRecoveryCode) loginCommand()    {}
func (RenewRecoveryCodes) loginCommand() {}
func (DisableTwoFactor) loginCommand()   {}

func decideTwoFactor(s State, c Command) ([]events.LoginEvent, error) {
	f := s.TwoFactor
	switch c := c.(type) {
	case StartTwoFactor:
		return []events.LoginEvent{events.LoginTwoFactorStarted{
			LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID, CredentialID: c.CredentialID, ReplacedID: f.PendingID, Secret: events.Clear(c.Secret),
		}}, nil
	case ConfirmTwoFactor:
		if f.PendingID == uuid.Nil || f.PendingID != c.CredentialID {
			return nil, ErrNotStarted
		}
		enabled := events.LoginTwoFactorEnabled{
			LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID, CredentialID: c.CredentialID, Step: c.Step,
			RecoveryID: c.RecoveryID, Recovery: events.Clear(c.Recovery),
		}
		if f.Enabled {
			enabled.ReplacedIDs = []uuid.UUID{f.CredentialID, f.RecoveryID}
		}
		return []events.LoginEvent{enabled}, nil
	}
	if !f.Enabled {
		return nil, ErrFactorOff
	}
	switch c := c.(type) {
	case AcceptCode:
		if c.Step <= f.LastStep {
			return nil, ErrCodeUsed
		}
		return []events.LoginEvent{events.LoginCodeAccepted{LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID, Step: c.Step, SessionID: c.SessionID}}, nil
	case UseRecoveryCode:
		if c.Index < 0 || c.Index >= totp.RecoveryCodes || f.Used&(1<<c.Index) != 0 {
			return nil, ErrCodeUsed
		}
		return []events.LoginEvent{events.LoginRecoveryCodeUsed{
			LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID, Index: c.Index, Remaining: f.Remaining() - 1, SessionID: c.SessionID,
		}}, nil
	case RenewRecoveryCodes:
		return []events.LoginEvent{events.LoginRecoveryCodesRenewed{
			LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID, ReplacedID: f.RecoveryID, RecoveryID: c.RecoveryID, Recovery: events.Clear(c.Recovery),
		}}, nil
	default: // DisableTwoFactor
		return []events.LoginEvent{events.LoginTwoFactorDisabled{
			LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID, ReplacedIDs: []uuid.UUID{f.CredentialID, f.RecoveryID},
		}}, nil
	}
}

func evolveTwoFactor(f TwoFactor, e events.LoginEvent) TwoFactor {
	switch e := e.(type) {
	case events.LoginTwoFactorStarted:
		f.PendingID, f.PendingSecret = e.CredentialID, e.Secret
	case events.LoginTwoFactorEnabled:
		return TwoFactor{
			Enabled: true, CredentialID: e.CredentialID, Secret: f.PendingSecret, LastStep: e.Step,
			RecoveryID: e.RecoveryID, Recovery: e.Recovery,
		}
	case events.LoginTwoFactorDisabled:
		return TwoFactor{}
	case events.LoginCodeAccepted:
		f.LastStep = max(f.LastStep, e.Step)
	case events.LoginRecoveryCodeUsed:
		f.Used |= 1 << e.Index
	case events.LoginRecoveryCodesRenewed:
		f.RecoveryID, f.Recovery, f.Used = e.RecoveryID, e.Recovery, 0
	}
	return f
}
