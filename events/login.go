package events

import "github.com/google/uuid"

// Stored names of a login. Append only: never edit or reuse a value.
const (
	TypeLoginPasswordSet   = "login.password_set"
	TypeLoginSessionsEnded = "login.sessions_ended"
	TypeLoginUnlocked      = "login.unlocked"

	TypeLoginTwoFactorStarted     = "login.two_factor_started"
	TypeLoginTwoFactorEnabled     = "login.two_factor_enabled"
	TypeLoginTwoFactorDisabled    = "login.two_factor_disabled"
	TypeLoginCodeAccepted         = "login.code_accepted"
	TypeLoginRecoveryCodeUsed     = "login.recovery_code_used"
	TypeLoginRecoveryCodesRenewed = "login.recovery_codes_renewed"
)

// PasswordCause says how a login came by a password.
type PasswordCause string

// The causes.
const (
	PasswordRegistered PasswordCause = "registered" // chosen when registering
	PasswordChanged    PasswordCause = "changed"    // by the customer, who knew the one before
	PasswordWelcomed   PasswordCause = "welcomed"   // chosen by a link that the team sent
	PasswordReset      PasswordCause = "reset"      // chosen by a link, because the one before was forgotten
	PasswordStaff      PasswordCause = "staff"      // set by the team, for the customer to use
	PasswordTemporary  PasswordCause = "temporary"  // set by the team, for the customer to change at once
	PasswordGenerated  PasswordCause = "generated"  // drawn when the team opened the account, and shown to nobody
	PasswordRehashed   PasswordCause = "rehashed"   // the same password, hashed as is the custom now
)

// LoginPasswordSet gives a login a password in the place of the one before, whose
// key is destroyed: no old hash can be read again.
type LoginPasswordSet struct {
	LoginID    uuid.UUID `json:"login_id"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	StaffID    uuid.UUID `json:"staff_id,omitzero"`
	// CredentialID is what the hash is sealed under: a key for this password alone.
	CredentialID uuid.UUID `json:"credential_id"`
	// ReplacedID is the credential that ends with it.
	ReplacedID uuid.UUID     `json:"replaced_id,omitzero"`
	Hash       Personal      `json:"hash" subject:"credential"` // in the form of the PHC string format
	Scheme     string        `json:"scheme"`                    // how it was hashed: argon2id, argon2i, bcrypt
	Cause      PasswordCause `json:"cause"`
}

// LoginSessionsEnded ends every session of a login that began before it.
type LoginSessionsEnded struct {
	LoginID    uuid.UUID `json:"login_id"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	StaffID    uuid.UUID `json:"staff_id,omitzero"`
}

// LoginUnlocked forgets the failed attempts that shut somebody out.
type LoginUnlocked struct {
	LoginID    uuid.UUID `json:"login_id"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	StaffID    uuid.UUID `json:"staff_id,omitzero"`
}

// LoginTwoFactorStarted shows a customer a secret to put into their app. Nothing is
// asked for until they confirmed it.
type LoginTwoFactorStarted struct {
	LoginID      uuid.UUID `json:"login_id"`
	CustomerID   uuid.UUID `json:"customer_id,omitzero"`
	StaffID      uuid.UUID `json:"staff_id,omitzero"`
	CredentialID uuid.UUID `json:"credential_id"`
	// ReplacedID is a secret that was shown before and never confirmed.
	ReplacedID uuid.UUID `json:"replaced_id,omitzero"`
	Secret     Personal  `json:"secret" subject:"credential"` // 20 bytes in hexadecimal
}

// LoginTwoFactorEnabled asks for a code with every sign-in from now on.
type LoginTwoFactorEnabled struct {
	LoginID      uuid.UUID `json:"login_id"`
	CustomerID   uuid.UUID `json:"customer_id,omitzero"`
	StaffID      uuid.UUID `json:"staff_id,omitzero"`
	CredentialID uuid.UUID `json:"credential_id"` // of the secret
	// ReplacedIDs are what ends with it: the secret and codes of another app.
	ReplacedIDs []uuid.UUID `json:"replaced_ids,omitempty"`
	// Step is that of the code which confirmed it, so that it confirms nothing else.
	Step uint64 `json:"step"`
	// RecoveryID is what the hashes of the recovery codes are sealed under.
	RecoveryID uuid.UUID `json:"recovery_id"`
	Recovery   Personal  `json:"recovery" subject:"credential,recovery_id"` // hashes in hexadecimal, parted by commas
}

// LoginTwoFactorDisabled stops asking for codes. The secret and all recovery codes
// end with it.
type LoginTwoFactorDisabled struct {
	LoginID     uuid.UUID   `json:"login_id"`
	CustomerID  uuid.UUID   `json:"customer_id,omitzero"`
	StaffID     uuid.UUID   `json:"staff_id,omitzero"`
	ReplacedIDs []uuid.UUID `json:"replaced_ids"`
}

// LoginCodeAccepted uses a code up: neither it nor an earlier one is good again.
type LoginCodeAccepted struct {
	LoginID    uuid.UUID `json:"login_id"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	StaffID    uuid.UUID `json:"staff_id,omitzero"`
	Step       uint64    `json:"step"` // number of the 30 seconds since 1970
	SessionID  uuid.UUID `json:"session_id"`
}

// LoginRecoveryCodeUsed uses a recovery code up.
type LoginRecoveryCodeUsed struct {
	LoginID    uuid.UUID `json:"login_id"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	StaffID    uuid.UUID `json:"staff_id,omitzero"`
	Index      int       `json:"index"`
	Remaining  int       `json:"remaining"`
	SessionID  uuid.UUID `json:"session_id"`
}

// LoginRecoveryCodesRenewed replaces all recovery codes.
type LoginRecoveryCodesRenewed struct {
	LoginID    uuid.UUID `json:"login_id"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	StaffID    uuid.UUID `json:"staff_id,omitzero"`
	ReplacedID uuid.UUID `json:"replaced_id"`
	RecoveryID uuid.UUID `json:"recovery_id"`
	Recovery   Personal  `json:"recovery" subject:"credential,recovery_id"`
}

func (LoginPasswordSet) EventType() string          { return TypeLoginPasswordSet }
func (LoginSessionsEnded) EventType() string        { return TypeLoginSessionsEnded }
func (LoginUnlocked) EventType() string             { return TypeLoginUnlocked }
func (LoginTwoFactorStarted) EventType() string     { return TypeLoginTwoFactorStarted }
func (LoginTwoFactorEnabled) EventType() string     { return TypeLoginTwoFactorEnabled }
func (LoginTwoFactorDisabled) EventType() string    { return TypeLoginTwoFactorDisabled }
func (LoginCodeAccepted) EventType() string         { return TypeLoginCodeAccepted }
func (LoginRecoveryCodeUsed) EventType() string     { return TypeLoginRecoveryCodeUsed }
func (LoginRecoveryCodesRenewed) EventType() string { return TypeLoginRecoveryCodesRenewed }

// Customer is whose login it is.
func (e LoginPasswordSet) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e LoginPasswordSet) Staff() uuid.UUID { return e.StaffID }

// Customer is whose login it is.
func (e LoginSessionsEnded) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e LoginSessionsEnded) Staff() uuid.UUID { return e.StaffID }

// Customer is whose login it is.
func (e LoginUnlocked) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e LoginUnlocked) Staff() uuid.UUID { return e.StaffID }

// Customer is whose login it is.
func (e LoginTwoFactorStarted) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e LoginTwoFactorStarted) Staff() uuid.UUID { return e.StaffID }

// Customer is whose login it is.
func (e LoginTwoFactorEnabled) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e LoginTwoFactorEnabled) Staff() uuid.UUID { return e.StaffID }

// Customer is whose login it is.
func (e LoginTwoFactorDisabled) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e LoginTwoFactorDisabled) Staff() uuid.UUID { return e.StaffID }

// Customer is whose login it is.
func (e LoginCodeAccepted) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e LoginCodeAccepted) Staff() uuid.UUID { return e.StaffID }

// Customer is whose login it is.
func (e LoginRecoveryCodeUsed) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e LoginRecoveryCodeUsed) Staff() uuid.UUID { return e.StaffID }

// Customer is whose login it is.
func (e LoginRecoveryCodesRenewed) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e LoginRecoveryCodesRenewed) Staff() uuid.UUID { return e.StaffID }

func (LoginPasswordSet) loginEvent()          {}
func (LoginSessionsEnded) loginEvent()        {}
func (LoginUnlocked) loginEvent()             {}
func (LoginTwoFactorStarted) loginEvent()     {}
func (LoginTwoFactorEnabled) loginEvent()     {}
func (LoginTwoFactorDisabled) loginEvent()    {}
func (LoginCodeAccepted) loginEvent()         {}
func (LoginRecoveryCodeUsed) loginEvent()     {}
func (LoginRecoveryCodesRenewed) loginEvent() {}

// Creates returns the credential: its key seals this one hash.
func (e LoginPasswordSet) Creates() []Subject {
	return []Subject{{Kind: SubjectCredential, ID: e.CredentialID}}
}

// Creates returns the secret.
func (e LoginTwoFactorStarted) Creates() []Subject {
	return []Subject{{Kind: SubjectCredential, ID: e.CredentialID}}
}

// Creates returns the recovery codes.
func (e LoginTwoFactorEnabled) Creates() []Subject {
	return []Subject{{Kind: SubjectCredential, ID: e.RecoveryID}}
}

// Creates returns the recovery codes.
func (e LoginRecoveryCodesRenewed) Creates() []Subject {
	return []Subject{{Kind: SubjectCredential, ID: e.RecoveryID}}
}

// Ends returns the password before.
func (e LoginPasswordSet) Ends() []Subject { return credentials(e.ReplacedID) }

// Ends returns a secret that was never confirmed.
func (e LoginTwoFactorStarted) Ends() []Subject { return credentials(e.ReplacedID) }

// Ends returns the secret and the recovery codes of another app.
func (e LoginTwoFactorEnabled) Ends() []Subject { return credentials(e.ReplacedIDs...) }

// Ends returns the secret and the recovery codes.
func (e LoginTwoFactorDisabled) Ends() []Subject { return credentials(e.ReplacedIDs...) }

// Ends returns the recovery codes before.
func (e LoginRecoveryCodesRenewed) Ends() []Subject { return credentials(e.ReplacedID) }

func credentials(ids ...uuid.UUID) []Subject {
	var all []Subject
	for _, id := range ids {
		if id != uuid.Nil {
			all = append(all, Subject{Kind: SubjectCredential, ID: id})
		}
	}
	return all
}
