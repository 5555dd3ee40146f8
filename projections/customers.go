package projections

import (
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/projector"
)

// Customer is a row of customers: one per customer account. Personal values are
// nil when there is none, and once the person was erased.
type Customer struct {
	CustomerID uuid.UUID             `json:"customer_id" db:"customer_id"`
	StoreID    uuid.UUID             `json:"store_id" db:"store_id"`
	LoginID    uuid.UUID             `json:"login_id" db:"login_id"`
	Status     events.CustomerStatus `json:"status" db:"status"`
	// HoldServices says that the domains are on hold with the customer.
	HoldServices bool          `json:"hold_services" db:"hold_services"`
	Origin       events.Origin `json:"origin" db:"origin"`
	Email        *string       `json:"email" db:"email"`
	Username     *string       `json:"username" db:"username"`
	FirstName    *string       `json:"first_name" db:"first_name"`
	LastName     *string       `json:"last_name" db:"last_name"`
	Company      *string       `json:"company" db:"company"`
	Country      *string       `json:"country" db:"country"`
	ExternalID   *string       `json:"external_id" db:"external_id"`
	// EmailProvisional says that the email address is a stand-in.
	EmailProvisional bool     `json:"email_provisional" db:"email_provisional"`
	Tags             []string `json:"tags" db:"tags"`
	TwoFactor        bool     `json:"two_factor" db:"two_factor"`
	// PasswordScheme is how the password is hashed, nil without one, and
	// PasswordUnreadable that the last attempt to check it could not read it.
	PasswordScheme     *string `json:"password_scheme" db:"password_scheme"`
	PasswordUnreadable bool    `json:"password_unreadable" db:"password_unreadable"`
	// LastSignInAt is nil until the customer has signed in themself. The next two are
	// where the event is, which knows from where: see [Queries.LastSignIns].
	LastSignInAt      *time.Time `json:"last_sign_in_at" db:"last_sign_in_at"`
	LastSignInCommit  *uint64    `json:"last_sign_in_commit" db:"last_sign_in_commit"`
	LastSignInPrepare *uint64    `json:"last_sign_in_prepare" db:"last_sign_in_prepare"`
	// StatusSince is when the status was last set, by the actor in the next three.
	StatusSince     time.Time        `json:"status_since" db:"status_since"`
	StatusActorKind events.ActorKind `json:"status_actor_kind" db:"status_actor_kind"`
	StatusActorID   string           `json:"status_actor_id" db:"status_actor_id"`
	StatusStaffID   *uuid.UUID       `json:"status_staff_id" db:"status_staff_id"`
	// ReasonCode is why the customer is suspended or banned, or was when deleted.
	ReasonCode events.ReasonCode `json:"reason_code" db:"reason_code"`
	CreatedAt  time.Time         `json:"created_at" db:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at" db:"updated_at"`
	Revision   uint64            `json:"revision" db:"revision"` // of the customer's stream
	Position   uint64            `json:"position" db:"position"` // commit position of the last event
}

// Badge is the colour that a status is shown in.
type Badge string

// The badges.
const (
	BadgeGreen  Badge = "green"  // active
	BadgeYellow Badge = "yellow" // suspended, or pending confirmation
	BadgeRed    Badge = "red"    // banned
	BadgeNone   Badge = ""       // deleted or erased
)

// Badge returns the colour of the customer's status.
func (c Customer) Badge() Badge {
	switch c.Status {
	case events.StatusActive:
		return BadgeGreen
	case events.StatusSuspended, events.StatusPending:
		return BadgeYellow
	case events.StatusBanned:
		return BadgeRed
	}
	return BadgeNone
}

// customerRow is all columns: the ranks order lists, search is what terms match.
type customerRow struct {
	Customer
	SignInRank   int64  `json:"sign_in_rank" db:"sign_in_rank"`
	UsernameRank string `json:"username_rank" db:"username_rank"`
	Search       string `json:"search" db:"search"`
}

const createCustomers = `
	CREATE TABLE customers (
		customer_id          uuid PRIMARY KEY,
		store_id             uuid NOT NULL,
		login_id             uuid NOT NULL,
		status               text NOT NULL,
		hold_services        boolean NOT NULL,
		origin               text NOT NULL,
		email                text,
		username             text,
		first_name           text,
		last_name            text,
		company              text,
		country              text,
		external_id          text,
		email_provisional    boolean NOT NULL,
		tags                 text[] NOT NULL,
		two_factor           boolean NOT NULL,
		password_scheme      text,
		password_unreadable  boolean NOT NULL,
		last_sign_in_at      timestamptz,
		last_sign_in_commit  bigint,
		last_sign_in_prepare bigint,
		status_since         timestamptz NOT NULL,
		status_actor_kind    text NOT NULL,
		status_actor_id      text NOT NULL,
		status_staff_id      uuid,
		reason_code          text NOT NULL,
		created_at           timestamptz NOT NULL,
		updated_at           timestamptz NOT NULL,
		revision             bigint NOT NULL,
		position             bigint NOT NULL,
		sign_in_rank         bigint NOT NULL, -- ascending: the newest sign-in first, never signed in last
		username_rank        text COLLATE "C" NOT NULL, -- ascending: none last
		search               text COLLATE "C" NOT NULL
	) WITH (fillfactor = 90)`

// The first index also holds what a search looks at, so that walking it for a
// frequent term reads no rows.
var indexCustomers = []string{
	`CREATE INDEX customers_sign_in ON customers (store_id, sign_in_rank, customer_id) INCLUDE (status, two_factor, email_provisional, search)`,
	`CREATE INDEX customers_status ON customers (store_id, status, sign_in_rank, customer_id)`,
	`CREATE INDEX customers_created ON customers (store_id, created_at, customer_id)`,
	`CREATE INDEX customers_username ON customers (store_id, username_rank, customer_id)`,
	`CREATE INDEX customers_two_factor ON customers (store_id, sign_in_rank, customer_id) WHERE two_factor`,
	`CREATE INDEX customers_provisional ON customers (store_id, sign_in_rank, customer_id) WHERE email_provisional`,
	`CREATE INDEX customers_tags ON customers USING gin (tags)`,
	`CREATE INDEX customers_search ON customers USING gin (search gin_trgm_ops)`,
}

const customerColumns = `customer_id, store_id, login_id, status, hold_services, origin, email, username, first_name, last_name,
	company, country, external_id, email_provisional, tags, two_factor, password_scheme, password_unreadable, last_sign_in_at,
	last_sign_in_commit, last_sign_in_prepare, status_since, status_actor_kind, status_actor_id, status_staff_id, reason_code,
	created_at, updated_at, revision, position`

const loadCustomers = `
	SELECT ` + customerColumns + `, sign_in_rank, username_rank, search
	FROM customers
	WHERE customer_id = ANY($1)`

const saveCustomers = `
	INSERT INTO customers
	SELECT * FROM json_populate_recordset(NULL::customers, $1)
	ON CONFLICT (customer_id) DO UPDATE SET
		status = EXCLUDED.status, hold_services = EXCLUDED.hold_services,
		email = EXCLUDED.email, username = EXCLUDED.username, first_name = EXCLUDED.first_name, last_name = EXCLUDED.last_name,
		company = EXCLUDED.company, country = EXCLUDED.country, external_id = EXCLUDED.external_id,
		email_provisional = EXCLUDED.email_provisional, tags = EXCLUDED.tags, two_factor = EXCLUDED.two_factor,
		password_scheme = EXCLUDED.password_scheme, password_unreadable = EXCLUDED.password_unreadable,
		last_sign_in_at = EXCLUDED.last_sign_in_at, last_sign_in_commit = EXCLUDED.last_sign_in_commit,
		last_sign_in_prepare = EXCLUDED.last_sign_in_prepare,
		status_since = EXCLUDED.status_since, status_actor_kind = EXCLUDED.status_actor_kind,
		status_actor_id = EXCLUDED.status_actor_id, status_staff_id = EXCLUDED.status_staff_id, reason_code = EXCLUDED.reason_code,
		updated_at = EXCLUDED.updated_at, revision = EXCLUDED.revision, position = EXCLUDED.position,
		sign_in_rank = EXCLUDED.sign_in_rank, username_rank = EXCLUDED.username_rank, search = EXCLUDED.search`

var customersModel = projector.State[uuid.UUID, customerRow]{
	Name:    "customers",
	Create:  createCustomers,
	Indexes: indexCustomers,
	Key:     customerOf,
	Evolve:  evolveCustomer,
	ID:      func(r customerRow) uuid.UUID { return r.CustomerID },
	Load:    loadCustomers,
	Save:    saveCustomers,
}

var customerStream = inCategory(events.CategoryCustomer)

// customerOf returns the customer whose row an event changes: one of their stream,
// or what their row shows of how they sign in.
func customerOf(env projector.Event) (uuid.UUID, bool) {
	switch e := env.Event.(type) {
	case events.LoginPasswordSet:
		return e.CustomerID, e.StaffID == uuid.Nil
	case events.LoginTwoFactorEnabled:
		return e.CustomerID, e.StaffID == uuid.Nil
	case events.LoginTwoFactorDisabled:
		return e.CustomerID, e.StaffID == uuid.Nil
	case events.SessionRefused:
		return e.CustomerID, e.Reason == events.RefusedUnreadable && e.StaffID == uuid.Nil
	case events.SessionStarted:
		return e.CustomerID, e.Scope == "" && env.Metadata.Actor.Kind == events.ActorCustomer
	}
	return customerStream(env)
}

// evolveCustomer folds an event into the row of its customer.
func evolveCustomer(row customerRow, env projector.Event) (customerRow, bool) {
	if e, ok := env.Event.(events.CustomerCreated); ok {
		row = createdCustomer(e, env)
	} else if row.CustomerID == uuid.Nil {
		return row, false // an aborted claim on a customer who never came to be
	}
	if e, own := env.Event.(events.CustomerEvent); own {
		row.change(e, env)
		row.UpdatedAt, row.Revision = recorded(env), env.Revision
	} else {
		row.signIn(env)
	}
	row.Position = env.Position.Commit
	row.rank()
	return row, true
}

// change folds an event of the customer's stream.
func (r *customerRow) change(e events.CustomerEvent, env projector.Event) {
	switch e := e.(type) {
	case events.CustomerProfileEdited:
		r.edit(e)
	case events.CustomerEmailProvisionalSet:
		r.EmailProvisional = e.After
	case events.CustomerTagsChanged:
		r.Tags = listed(e.After)
	case events.CustomerEmailChanged:
		r.Email = shown(e.After)
	case events.CustomerUsernameChanged:
		r.Username = shown(e.After)
	case events.CustomerExternalIDChanged:
		r.ExternalID = shown(e.After)
	case events.CustomerSuspended:
		r.HoldServices = e.HoldServices
		r.become(e.After, e.ReasonCode, env)
	case events.CustomerReactivated:
		r.HoldServices = r.HoldServices && !e.ReleaseServices
		r.become(e.After, "", env)
	case events.CustomerBanned:
		r.HoldServices = e.HoldServices
		r.become(e.After, e.ReasonCode, env)
	case events.CustomerDeleted:
		r.become(e.After, r.ReasonCode, env) // a restored customer may be suspended still
	case events.CustomerActivated:
		r.become(e.After, "", env)
	case events.CustomerRestored:
		r.become(e.After, r.ReasonCode, env)
	case events.CustomerErasureRequested:
		r.become(e.After, r.ReasonCode, env)
	case events.CustomerErasureCancelled:
		r.become(e.After, r.ReasonCode, env)
	case events.CustomerErased:
		r.erase()
		r.become(e.After, "", env)
	case events.CustomerNamesClaimed:
		r.Email, r.Username, r.ExternalID = shown(e.Email), shown(e.Username), shown(e.ExternalID)
	}
}

// signIn folds an event of the customer's login or of one of their sessions.
func (r *customerRow) signIn(env projector.Event) {
	switch e := env.Event.(type) {
	case events.LoginPasswordSet:
		r.PasswordScheme, r.PasswordUnreadable = &e.Scheme, false
	case events.LoginTwoFactorEnabled:
		r.TwoFactor = true
	case events.LoginTwoFactorDisabled:
		r.TwoFactor = false
	case events.SessionRefused:
		r.PasswordUnreadable = true
	case events.SessionStarted:
		at := recorded(env)
		r.LastSignInAt, r.LastSignInCommit, r.LastSignInPrepare = &at, &env.Position.Commit, &env.Position.Prepare
		r.PasswordUnreadable = false
	}
}

func createdCustomer(e events.CustomerCreated, env projector.Event) customerRow {
	row := customerRow{Customer: Customer{
		CustomerID: e.CustomerID, StoreID: env.Metadata.StoreID, LoginID: e.LoginID, Origin: e.Origin,
		Email: shown(e.Email), Username: shown(e.Username), ExternalID: shown(e.ExternalID),
		FirstName: shown(e.Profile.FirstName), LastName: shown(e.Profile.LastName),
		Company: shown(e.Profile.Company), Country: shown(e.Profile.Country),
		Tags:      []string{},
		CreatedAt: recorded(env),
	}}
	row.become(e.Status, "", env)
	return row
}

// edit takes over the fields that the event changes: those that it names before
// or after.
func (r *customerRow) edit(e events.CustomerProfileEdited) {
	for _, f := range []struct {
		column        **string
		before, after events.Personal
	}{
		{&r.FirstName, e.Before.FirstName, e.After.FirstName},
		{&r.LastName, e.Before.LastName, e.After.LastName},
		{&r.Company, e.Before.Company, e.After.Company},
		{&r.Country, e.Before.Country, e.After.Country},
	} {
		if !f.before.IsZero() || !f.after.IsZero() {
			*f.column = shown(f.after)
		}
	}
}

// erase removes all that is personal, and how they signed in. Whether the keys were
// gone when it was put there does not matter then: a rebuild comes to the same row.
func (r *customerRow) erase() {
	r.Email, r.Username, r.ExternalID = nil, nil, nil
	r.FirstName, r.LastName, r.Company, r.Country = nil, nil, nil, nil
	r.EmailProvisional, r.Tags = false, []string{}
	r.TwoFactor, r.PasswordScheme, r.PasswordUnreadable = false, nil, false
	r.LastSignInAt, r.LastSignInCommit, r.LastSignInPrepare = nil, nil, nil
}

// become sets the status and who set it.
func (r *customerRow) become(status events.CustomerStatus, reason events.ReasonCode, env projector.Event) {
	actor := env.Metadata.Actor
	r.Status, r.ReasonCode, r.StatusSince = status, reason, recorded(env)
	r.StatusActorKind, r.StatusActorID, r.StatusStaffID = actor.Kind, actor.ID, optional(actor.StaffID)
}

// rank derives the columns that lists are ordered and searched by.
func (r *customerRow) rank() {
	r.SignInRank = math.MaxInt64
	if r.LastSignInAt != nil {
		r.SignInRank = -r.LastSignInAt.UnixMicro()
	}
	r.UsernameRank = usernameRank(r.Username)
	first, last := deref(r.FirstName), deref(r.LastName)
	name := first
	if last != "" {
		name += " " + last
	}
	r.Search = searchText(name, last, deref(r.Username), deref(r.Email), deref(r.Company))
}

// usernameRank puts those without a username last: no name begins with the last
// character there is.
func usernameRank(name *string) string {
	if name == nil {
		return "\U0010FFFF"
	}
	return bounded(folded(*name), rankBytes)
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
