package events

import (
	"time"

	"github.com/google/uuid"
)

// Stored names of a store. Append only: never edit or reuse a value.
const (
	TypeStoreCreated         = "store.created"
	TypeStoreRenamed         = "store.renamed"
	TypeStoreHostsChanged    = "store.hosts_changed"
	TypeStoreBrandingChanged = "store.branding_changed"
	TypeStorePolicySet       = "store.policy_set"
	TypeStoreMailChanged     = "store.mail_changed"
)

// Branding is how a store looks to its customers.
type Branding struct {
	LogoURL string `json:"logo_url,omitempty"`
	Color   string `json:"color,omitempty"` // #rrggbb
}

// MailSettings say whom a store's mails come from and where their links lead. What is
// empty follows from the store's name and its first host.
type MailSettings struct {
	SenderName    string `json:"sender_name,omitempty"`
	SenderAddress string `json:"sender_address,omitempty"`
	ReplyTo       string `json:"reply_to,omitempty"`
	LinkURL       string `json:"link_url,omitempty"` // the page that links lead to; the token follows behind a #
}

// StoreMailChanged changes whom mails come from or where their links lead.
type StoreMailChanged struct {
	StoreID uuid.UUID    `json:"store_id"`
	Before  MailSettings `json:"before"`
	After   MailSettings `json:"after"`
}

// StoreCreated opens a storefront.
type StoreCreated struct {
	StoreID  uuid.UUID `json:"store_id"`
	Name     string    `json:"name"`
	Hosts    []string  `json:"hosts"` // host names, lower-case ASCII
	Branding Branding  `json:"branding,omitzero"`
}

// StoreRenamed changes the name that customers see.
type StoreRenamed struct {
	StoreID uuid.UUID `json:"store_id"`
	Before  string    `json:"before"`
	After   string    `json:"after"`
}

// StoreHostsChanged changes the host names under which the store is reached.
type StoreHostsChanged struct {
	StoreID uuid.UUID `json:"store_id"`
	Before  []string  `json:"before"`
	After   []string  `json:"after"`
}

// StoreBrandingChanged changes the logo or the colour.
type StoreBrandingChanged struct {
	StoreID uuid.UUID `json:"store_id"`
	Before  Branding  `json:"before"`
	After   Branding  `json:"after"`
}

// StorePolicySet decides something that stores decide for themselves. It holds
// from EffectiveAt on, and takes the place of whatever was to hold from then or
// later. Names and values are those of internal/policy.
type StorePolicySet struct {
	StoreID     uuid.UUID `json:"store_id"`
	Policy      string    `json:"policy"`
	Before      string    `json:"before"` // in force at EffectiveAt until then
	After       string    `json:"after"`
	EffectiveAt time.Time `json:"effective_at"`
}

func (StoreCreated) EventType() string         { return TypeStoreCreated }
func (StoreRenamed) EventType() string         { return TypeStoreRenamed }
func (StoreHostsChanged) EventType() string    { return TypeStoreHostsChanged }
func (StoreBrandingChanged) EventType() string { return TypeStoreBrandingChanged }
func (StoreMailChanged) EventType() string     { return TypeStoreMailChanged }
func (StorePolicySet) EventType() string       { return TypeStorePolicySet }

func (StoreCreated) storeEvent()         {}
func (StoreRenamed) storeEvent()         {}
func (StoreHostsChanged) storeEvent()    {}
func (StoreBrandingChanged) storeEvent() {}
func (StoreMailChanged) storeEvent()     {}
func (StorePolicySet) storeEvent()       {}

// Creates returns the store.
func (e StoreCreated) Creates() []Subject {
	return []Subject{{Kind: SubjectStore, ID: e.StoreID}}
}
