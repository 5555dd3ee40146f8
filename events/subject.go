package events

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// SubjectKind says what kind of person or tenant a data key protects.
type SubjectKind string

// The kinds of subject. A customer and the login behind it are separate
// subjects, because a login may go while the customer stays.
const (
	SubjectPlatform SubjectKind = "platform"
	SubjectStore    SubjectKind = "store"
	SubjectStaff    SubjectKind = "staff"
	SubjectCustomer SubjectKind = "customer"
	SubjectLogin    SubjectKind = "login"

	// SubjectCredential is one version of a secret: a password, a second factor.
	SubjectCredential SubjectKind = "credential"
	// SubjectVisitor is everybody unknown who came to a store in a month.
	SubjectVisitor SubjectKind = "visitor"
)

// Subject is whom a personal value is about. Destroying the keys of a subject
// erases what the log knows of it.
type Subject struct {
	Kind SubjectKind
	ID   uuid.UUID
}

// String returns kind:id, the stored form.
func (s Subject) String() string { return string(s.Kind) + ":" + s.ID.String() }

// ParseSubject reads the stored form of a subject.
func ParseSubject(text string) (Subject, error) {
	kind, id, ok := strings.Cut(text, ":")
	if !ok {
		return Subject{}, fmt.Errorf("subject %q: want kind:id", text)
	}
	parsed, err := uuid.Parse(id)
	if err != nil {
		return Subject{}, fmt.Errorf("subject %q: %w", text, err)
	}
	return Subject{Kind: SubjectKind(kind), ID: parsed}, nil
}

// MarshalText writes the stored form.
func (s Subject) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the stored form.
func (s *Subject) UnmarshalText(text []byte) error {
	parsed, err := ParseSubject(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// About returns the subject that free text given with an event is sealed under:
// the customer for a domain or an impersonation, whoever has a login, a session or a
// mail, the staff member for an API key, otherwise the stream's own subject.
// Reservation streams are about nobody.
func About(stream string, e Event) (Subject, bool) {
	switch e := e.(type) {
	case DomainEvent:
		return Subject{Kind: SubjectCustomer, ID: e.Owner()}, true
	case APIKeyEvent:
		return Subject{Kind: SubjectStaff, ID: e.Staff()}, true
	case LoginEvent:
		return personOf(e.Customer(), e.Staff())
	case SessionEvent:
		return personOf(e.Customer(), e.Staff())
	case MailEvent:
		return personOf(e.Customer(), e.Staff())
	case ImpersonationEvent:
		return Subject{Kind: SubjectCustomer, ID: e.Customer()}, true
	case PlatformEvent:
		return PlatformSubject, true
	}
	kind, ok := map[string]SubjectKind{
		CategoryStore:    SubjectStore,
		CategoryStaff:    SubjectStaff,
		CategoryCustomer: SubjectCustomer,
	}[Category(stream)]
	id, err := StreamID(stream)
	return Subject{Kind: kind, ID: id}, ok && err == nil
}

// personOf is the one of the two who is somebody.
func personOf(customer, staff uuid.UUID) (Subject, bool) {
	if staff != uuid.Nil {
		return Subject{Kind: SubjectStaff, ID: staff}, true
	}
	return Subject{Kind: SubjectCustomer, ID: customer}, customer != uuid.Nil
}

// NetSubject returns the person whose key seals where an actor was: the customer,
// the staff member, the visitors of the month for a customer whom nobody knows,
// and nobody for the system.
func NetSubject(md Metadata) (Subject, bool) {
	switch a := md.Actor; a.Kind {
	case ActorReseller, ActorAsCustomer:
		return Subject{Kind: SubjectStaff, ID: a.StaffID}, true
	case ActorCustomer:
		if a.ID == "" {
			return Subject{Kind: SubjectVisitor, ID: VisitorID(md.StoreID, md.OccurredAt)}, true
		}
		id, err := uuid.Parse(a.ID)
		return Subject{Kind: SubjectCustomer, ID: id}, err == nil
	default:
		return Subject{}, false
	}
}
