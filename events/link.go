package events

import (
	"time"

	"github.com/google/uuid"
)

// Stored names of the links that a login issues. Append only: never edit or reuse a
// value.
const (
	TypeLoginLinkIssued = "login.link_issued"
	TypeLoginLinkUsed   = "login.link_used"
)

// LinkPurpose is what a link that is good once does.
type LinkPurpose string

// The purposes.
const (
	LinkWelcome     LinkPurpose = "welcome"      // the first password of an account that the team opened
	LinkSetPassword LinkPurpose = "set_password" // the same, sent in place of a welcome
	LinkReset       LinkPurpose = "reset"        // another password for one that was forgotten
	LinkActivate    LinkPurpose = "activate"     // confirms the address of an account that somebody opened for themself
	LinkEmailChange LinkPurpose = "email_change" // confirms an address that is to be the account's
	LinkEmailUndo   LinkPurpose = "email_undo"   // goes back to the address before
	LinkInvitation  LinkPurpose = "invitation"   // the first password of a team member
)

// ChoosesPassword reports whether the link leads to a session that can do nothing but
// choose a password.
func (p LinkPurpose) ChoosesPassword() bool {
	return p == LinkWelcome || p == LinkSetPassword || p == LinkReset || p == LinkInvitation
}

// LoginLinkIssued issues a link that is good once and is sent by mail. Its secret is
// derived and stands nowhere.
type LoginLinkIssued struct {
	LoginID    uuid.UUID   `json:"login_id"`
	CustomerID uuid.UUID   `json:"customer_id,omitzero"`
	StaffID    uuid.UUID   `json:"staff_id,omitzero"`
	LinkID     uuid.UUID   `json:"link_id"`
	Purpose    LinkPurpose `json:"purpose"`
	ExpiresAt  time.Time   `json:"expires_at"`
	KeyVersion int         `json:"key_version"` // of the key that its secret is derived from
	// Standing is the person's when it was issued: under a later one it is good no
	// more.
	Standing uint64 `json:"standing"`
	// Email is the address that an email link leads to.
	Email Personal `json:"email,omitzero" subject:"login"`
}

// LoginLinkUsed uses a link up.
type LoginLinkUsed struct {
	LoginID    uuid.UUID   `json:"login_id"`
	CustomerID uuid.UUID   `json:"customer_id,omitzero"`
	StaffID    uuid.UUID   `json:"staff_id,omitzero"`
	LinkID     uuid.UUID   `json:"link_id"`
	Purpose    LinkPurpose `json:"purpose"`
	// SessionID is the session in which a password may be chosen.
	SessionID uuid.UUID `json:"session_id,omitzero"`
}

func (LoginLinkIssued) EventType() string { return TypeLoginLinkIssued }
func (LoginLinkUsed) EventType() string   { return TypeLoginLinkUsed }

// Customer is whose login it is.
func (e LoginLinkIssued) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e LoginLinkIssued) Staff() uuid.UUID { return e.StaffID }

// Customer is whose login it is.
func (e LoginLinkUsed) Customer() uuid.UUID { return e.CustomerID }

// Staff is the team member, where it is one's.
func (e LoginLinkUsed) Staff() uuid.UUID { return e.StaffID }

func (LoginLinkIssued) loginEvent() {}
func (LoginLinkUsed) loginEvent()   {}
