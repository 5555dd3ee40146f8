package events

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Categories: the part of a stream name before its first dash. A category has
// no dash of its own.
const (
	CategoryPlatform = "platform"
	CategoryStore    = "store"
	CategoryStaff    = "staff"
	CategoryAPIKey   = "api_key"
	CategoryCustomer = "customer"
	CategoryDomain   = "domain"
	CategoryLogin    = "login"
	CategorySession  = "session"
	CategoryMail     = "mail"

	CategoryImpersonation = "impersonation"

	// CategoryReservationPrefix starts the category of every reservation
	// stream; the kind of name follows.
	CategoryReservationPrefix = "uniq_"
)

// PlatformStream is the one stream of the platform itself.
var PlatformStream = CategoryPlatform + "-" + uuid.NewSHA1(Namespace, []byte("platform")).String()

// StoreStream names the stream of a store.
func StoreStream(id uuid.UUID) string { return CategoryStore + "-" + id.String() }

// StaffStream names the stream of a staff member.
func StaffStream(id uuid.UUID) string { return CategoryStaff + "-" + id.String() }

// APIKeyStream names the stream of an API key.
func APIKeyStream(id uuid.UUID) string { return CategoryAPIKey + "-" + id.String() }

// CustomerStream names the stream of a customer.
func CustomerStream(id uuid.UUID) string { return CategoryCustomer + "-" + id.String() }

// LoginStream names the stream of a customer's login: their secrets.
func LoginStream(id uuid.UUID) string { return CategoryLogin + "-" + id.String() }

// SessionStream names the stream of a session.
func SessionStream(id uuid.UUID) string { return CategorySession + "-" + id.String() }

// MailStream names the stream of a mail.
func MailStream(id uuid.UUID) string { return CategoryMail + "-" + id.String() }

// ImpersonationStream names the stream of a team member in a customer's session.
func ImpersonationStream(id uuid.UUID) string { return CategoryImpersonation + "-" + id.String() }

// DomainStream names the stream of a domain.
func DomainStream(id uuid.UUID) string { return CategoryDomain + "-" + id.String() }

// DomainID is the id of a DNS name in a store, for ever: the name is the
// constraint that keeps a domain from existing twice. The name is the
// lower-case ASCII form without a trailing dot.
func DomainID(store uuid.UUID, asciiName string) uuid.UUID {
	return uuid.NewSHA1(store, []byte("domain\x00"+asciiName))
}

// Category returns the part of stream before its first dash.
func Category(stream string) string {
	category, _, _ := strings.Cut(stream, "-")
	return category
}

// IsSystem reports whether a stream or event type belongs to the event store
// itself; such records carry no Steward event.
func IsSystem(name string) bool { return strings.HasPrefix(name, "$") }

// StreamID returns the id in the name of a stream whose id is a UUID.
func StreamID(stream string) (uuid.UUID, error) {
	_, id, ok := strings.Cut(stream, "-")
	if !ok {
		return uuid.Nil, fmt.Errorf("stream %q has no id", stream)
	}
	parsed, err := uuid.Parse(id)
	if err != nil {
		return uuid.Nil, fmt.Errorf("stream %q: %w", stream, err)
	}
	return parsed, nil
}
