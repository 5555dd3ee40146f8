package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/passwords"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/sessions"
	"github.com/stewardhq/steward/internal/throttle"
	"github.com/stewardhq/steward/projections"
)

// Config is what a server works with. Engine, LogID, Pool, Group and both keys
// are required.
type Config struct {
	Engine *decider.Engine
	// LogID is the id of the log, which positions are bound to.
	LogID uuid.UUID
	// Pool reads the read models. It acts as steward_api, which sees one store at
	// a time.
	Pool *pgxpool.Pool
	// Group is the one that the read models belong to.
	Group projector.Group
	// Projector is the one that keeps them current in this process; nil when
	// another process does.
	Projector *projector.Projector
	// Reactions tell how they are; nil when they run elsewhere.
	Reactions Reactions
	// FingerprintKey keys the fingerprints of requests, CursorKey seals cursors,
	// positions and confirmations.
	FingerprintKey []byte
	CursorKey      []byte
	// Hasher hashes and checks passwords.
	Hasher *passwords.Hasher
	// Links derives the secrets of links that are good once.
	Links *onetime.Deriver
	// ThrottleKey keys what attempts are counted by.
	ThrottleKey []byte
	// Mailbox shows the mails that a development captures, at /mailbox; nil for none.
	Mailbox http.Handler
	// Registry receives the metrics and is what /metrics shows; by default an
	// empty one.
	Registry *prometheus.Registry
	// Logger gets a line for every request; nil discards.
	Logger *slog.Logger
	// TrustedProxies are the networks whose X-Forwarded-For is believed. Without
	// any, the address of the connection is the caller's.
	TrustedProxies []netip.Prefix
	// Now is the clock, [time.Now] if nil.
	Now func() time.Time
	// Version of the program, as the documentation shows it.
	Version string
}

// Reactions are what [reactions.Router] runs.
type Reactions interface {
	Statuses() []reactions.Status
}

// Server is the HTTP interface. It is a [http.Handler].
type Server struct {
	engine    *decider.Engine
	pool      *pgxpool.Pool
	queries   projections.Queries
	waiter    *projector.Waiter
	projector *projector.Projector
	reactions Reactions
	log       *slog.Logger
	registry  *prometheus.Registry
	requests  *prometheus.HistogramVec
	logID     uuid.UUID
	tokens    *tokens
	clock     clock
	outage    outage
	repeats   repeats
	uses      keyUses
	drain     draining

	hasher   *passwords.Hasher
	links    *onetime.Deriver
	mailbox  http.Handler
	throttle *throttle.Throttle
	sessions *sessions.Sessions

	fingerprintKey []byte

	router *chi.Mux
	huma   huma.API
	table  []route
	spec   specification
}

// minKey is the least that a key must have.
const minKey = 32

// New makes a server. It fails when something that it needs is missing.
func New(c Config) (*Server, error) {
	if c.Engine == nil || c.Pool == nil || c.LogID == uuid.Nil || c.Hasher == nil || c.Links == nil {
		return nil, errors.New("api: an engine, a pool, a hasher, links and the id of the log are required")
	}
	if len(c.ThrottleKey) < minKey {
		return nil, fmt.Errorf("api: the throttle key has %d bytes, it needs %d", len(c.ThrottleKey), minKey)
	}
	if len(c.FingerprintKey) < minKey {
		return nil, fmt.Errorf("api: the fingerprint key has %d bytes, it needs %d", len(c.FingerprintKey), minKey)
	}
	sealing, err := newTokens(c.CursorKey)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	requests, err := newRequests(c.Registry)
	if err != nil {
		return nil, fmt.Errorf("api: metrics: %w", err)
	}
	s := &Server{
		engine: c.Engine, pool: c.Pool, queries: projections.NewQueries(c.Pool), waiter: projector.NewWaiter(c.Pool, c.Group, c.Projector),
		projector: c.Projector, reactions: c.Reactions, log: c.Logger, registry: c.Registry, requests: requests,
		logID: c.LogID, tokens: sealing, fingerprintKey: c.FingerprintKey,
		hasher: c.Hasher, links: c.Links, mailbox: c.Mailbox, throttle: throttle.New(c.Pool, c.ThrottleKey), sessions: sessions.New(c.Pool),
	}
	if err := c.Registry.Register(s.throttle); err != nil {
		return nil, fmt.Errorf("api: metrics: %w", err)
	}
	s.clock.wall = c.Now
	s.router = chi.NewMux()
	s.router.Use(s.observe, secure, clientIP(c.TrustedProxies), middleware.GetHead)
	s.router.NotFound(s.noRoute)
	s.router.MethodNotAllowed(s.noMethod)
	s.huma = newHuma(s.router, c.Version)
	s.routes()
	s.pages()
	if s.spec, err = specify(s.huma); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// routes is the whole URL space but for the pages that people look at.
func (s *Server) routes() {
	g, p, patch := http.MethodGet, http.MethodPost, http.MethodPatch

	const own = "Signing in"
	add(s, route{p, "/v1/register", permitAnyone, "Open an account for yourself", own, 0}, s.register)
	add(s, route{p, "/v1/sign-in", permitAnyone, "Sign in: begin a session", own, 0}, s.signIn)
	add(s, route{p, "/v1/sign-in/second-factor", permitAnyone, "Answer the challenge of a sign-in with a code", own, 0}, s.signInFactor)
	add(s, route{p, "/v1/forgot-password", permitAnyone, "Ask for a link to reset a password", own, 0}, s.forgotPassword)
	add(s, route{p, "/v1/staff/sign-in", permitAnyone, "Sign in as a member of the team: begin a session", own, 0}, s.signInStaff)
	add(s, route{p, "/v1/staff/forgot-password", permitAnyone, "Ask for a link to reset the password of a member of the team", own, 0}, s.forgotStaffPassword)
	add(s, route{p, "/v1/links/redeem", permitAnyone, "Follow a link that came by mail", own, 0}, s.redeem)
	add(s, route{p, "/v1/sign-out", permitSelf, "Sign out: end the session that asks", own, 0}, s.signOut)

	const store = "Store"
	add(s, route{g, "/v1/store", permitStoreRead, "Read your store", store, 0}, s.getOwnStore)
	add(s, route{g, "/v1/stores", permitStoreRead, "List the stores that you can see, which is your own", store, 0}, s.listStores)
	add(s, route{g, "/v1/stores/{id}", permitStoreRead, "Read a store", store, 0}, s.getStore)
	add(s, route{p, "/v1/stores/{id}/rename", permitStoreWrite, "Change the name that customers see", store, 0}, s.renameStore)
	add(s, route{p, "/v1/stores/{id}/change-hosts", permitStoreWrite, "Change the host names of the store", store, 0}, s.changeStoreHosts)
	add(s, route{p, "/v1/stores/{id}/change-branding", permitStoreWrite, "Change logo and colour", store, 0}, s.changeStoreBranding)
	add(s, route{g, "/v1/stores/{id}/policies", permitStoreRead, "Read what the store decides for itself, and the presets", store, 0}, s.getPolicies)
	add(s, route{p, "/v1/stores/{id}/set-policies", permitStoreWrite, "Decide policies, now or from a time on", store, 0}, s.setPolicies)

	add(s, route{p, "/v1/stores/{id}/change-mail", permitStoreWrite, "Change whom mails come from and where their links lead", store, 0}, s.changeStoreMail)
	add(s, route{g, "/v1/mail-templates", permitStoreRead, "List every mail that there is", store, 0}, s.listMailTemplates)
	add(s, route{g, "/v1/mail-templates/{name}/preview", permitStoreRead, "See a mail as this store sends it", store, 0}, s.previewMail)

	const team = "Team"
	add(s, route{g, "/v1/staff", permitStaffRead, "List the team", team, 0}, s.listStaff)
	add(s, route{p, "/v1/staff", permitStaffWrite, "Add a team member", team, 0}, s.createStaff)
	add(s, route{g, "/v1/staff/{id}", permitStaffRead, "Read a team member", team, 0}, s.getStaff)
	add(s, route{p, "/v1/staff/{id}/rename", permitStaffWrite, "Change a team member's name", team, 0}, s.renameStaff)
	add(s, route{p, "/v1/staff/{id}/change-email", permitStaffWrite, "Change a team member's email address", team, 0}, s.changeStaffEmail)
	add(s, route{p, "/v1/staff/{id}/change-role", permitStaffWrite, "Change what a team member may do", team, 0}, s.changeStaffRole)
	add(s, route{p, "/v1/staff/{id}/deactivate", permitStaffWrite, "Stop a team member and all their API keys", team, 0}, s.deactivateStaff)
	add(s, route{p, "/v1/staff/{id}/reactivate", permitStaffWrite, "Let a team member back in", team, 0}, s.reactivateStaff)

	add(s, route{p, "/v1/staff/{id}/invite", permitStaffWrite, "Send a team member a link to their first password, in place of any before", team, 0}, s.inviteStaff)
	add(s, route{g, "/v1/staff/{id}/sessions", permitStaffRead, "List the sessions that a team member has", team, 0}, s.listStaffSessions)
	add(s, route{p, "/v1/staff/{id}/end-sessions", permitStaffWrite, "End all sessions of a team member", team, 0}, s.endStaffSessions)
	add(s, route{p, "/v1/staff/{id}/two-factor/disable", permitStaffWrite, "Disable the second factor of a colleague who lost it", team, 0}, s.disableStaffTwoFactor)

	const self = "Yourself"
	add(s, route{g, "/v1/staff/me", permitSelf, "Read who you are and what you may do", self, 0}, s.getMe)
	add(s, route{g, "/v1/staff/me/sessions", permitSelf, "List your own sessions", self, 0}, s.listMySessions)
	add(s, route{p, "/v1/staff/me/end-sessions", permitSelf, "End all your own sessions", self, 0}, s.endMySessions)
	add(s, route{p, "/v1/staff/me/set-password", permitSelf, "Choose a password after following a link", self, 0}, s.setMyPassword)
	add(s, route{p, "/v1/staff/me/change-password", permitSelf, "Change your own password", self, 0}, s.changeMyPassword)
	add(s, route{p, "/v1/staff/me/two-factor/start", permitSelf, "Set up your own second factor: get a secret for the app", self, 0}, s.startMyTwoFactor)
	add(s, route{p, "/v1/staff/me/two-factor/confirm", permitSelf, "Turn your own second factor on, and get recovery codes once", self, 0}, s.confirmMyTwoFactor)
	add(s, route{p, "/v1/staff/me/two-factor/renew-codes", permitSelf, "Get new recovery codes for yourself, once", self, 0}, s.renewMyRecoveryCodes)
	add(s, route{p, "/v1/staff/me/two-factor/disable", permitSelf, "Disable your own second factor", self, 0}, s.disableMyTwoFactor)

	const keys = "API keys"
	add(s, route{g, "/v1/api-keys", permitKeysRead, "List API keys", keys, 0}, s.listAPIKeys)
	add(s, route{p, "/v1/api-keys", permitKeysWrite, "Create an API key; its secret is in the answer and nowhere else", keys, 0}, s.createAPIKey)
	add(s, route{p, "/v1/api-keys/{id}/rotate", permitKeysWrite, "Give an API key another secret; it is in the answer and nowhere else", keys, 0}, s.rotateAPIKey)
	add(s, route{p, "/v1/api-keys/{id}/revoke", permitKeysWrite, "End an API key for good", keys, 0}, s.revokeAPIKey)

	const customers = "Customers"
	add(s, route{g, "/v1/customers", permitCustomersRead, "List and search customers", customers, 0}, s.listCustomers)
	add(s, route{p, "/v1/customers", permitCustomersWrite, "Open an account", customers, 0}, s.createCustomer)
	add(s, route{g, "/v1/customers/{id}", permitCustomersRead, "Read a customer", customers, 0}, s.getCustomer)
	add(s, route{patch, "/v1/customers/{id}", permitCustomersWrite, "Edit a customer's profile", customers, 0}, s.editCustomer)
	add(s, route{p, "/v1/customers/{id}/change-email", permitCustomersWrite, "Change the email address", customers, 0}, s.changeCustomerEmail)
	add(s, route{p, "/v1/customers/{id}/change-username", permitCustomersWrite, "Change the username", customers, 0}, s.changeCustomerUsername)
	add(s, route{p, "/v1/customers/{id}/change-external-id", permitCustomersWrite, "Change the id in your own systems", customers, 0}, s.changeCustomerExternalID)
	add(s, route{p, "/v1/customers/{id}/activate", permitCustomersWrite, "Confirm a pending account", customers, 0}, s.activateCustomer)
	add(s, route{p, "/v1/customers/{id}/review-details", permitCustomersWrite, "Say that one has looked at one's own details", customers, 0}, s.reviewDetails)
	add(s, route{g, "/v1/customers/{id}/sessions", permitCustomersRead, "List the sessions that a customer has", customers, 0}, s.listSessions)
	add(s, route{p, "/v1/customers/{id}/end-sessions", permitCustomersWrite, "End all sessions of a customer", customers, 0}, s.endSessions)
	add(s, route{p, "/v1/customers/{id}/unlock", permitCustomersSuspend, "Let a customer try again whom failed attempts shut out", customers, 0}, s.unlockCustomer)
	add(s, route{p, "/v1/customers/{id}/change-password", permitCustomersWrite, "Change one's own password", customers, 0}, s.changePassword)
	add(s, route{p, "/v1/customers/{id}/set-password", permitCustomersWrite, "Choose a password after following a link; or set one for a customer, where the store permits it", customers, 0}, s.setPassword)
	add(s, route{p, "/v1/customers/{id}/request-email-change", permitCustomersWrite, "Ask for another address of one's own: a link is sent to it", customers, 0}, s.requestEmailChange)
	add(s, route{p, "/v1/customers/{id}/send-link", permitCustomersWrite, "Send the customer a link: welcome, activation, or reset of the password", customers, 0}, s.sendLink)
	add(s, route{p, "/v1/customers/{id}/two-factor/start", permitCustomersWrite, "Set up one's own second factor: get a secret for the app", customers, 0}, s.startTwoFactor)
	add(s, route{p, "/v1/customers/{id}/two-factor/confirm", permitCustomersWrite, "Turn one's own second factor on, and get recovery codes once", customers, 0}, s.confirmTwoFactor)
	add(s, route{p, "/v1/customers/{id}/two-factor/renew-codes", permitCustomersWrite, "Get new recovery codes for oneself, once", customers, 0}, s.renewRecoveryCodes)
	add(s, route{p, "/v1/customers/{id}/two-factor/disable", permitCustomersSuspend, "Disable two-factor authentication for good", customers, 0}, s.disableTwoFactor)
	add(s, route{g, "/v1/customers/{id}/mails", permitCustomersRead, "List the mails to a customer, and what became of them", customers, 0}, s.listMails)
	add(s, route{p, "/v1/customers/{id}/mails", permitCustomersWrite, "Write a customer a mail", customers, 0}, s.writeMail)
	add(s, route{p, "/v1/mails/{id}/resend", permitCustomersWrite, "Send a mail once more, to the address that the customer has now", customers, 0}, s.resendMail)
	add(s, route{p, "/v1/customers/{id}/remove-security-question", permitCustomersSuspend, "Remove the security question of an imported account", customers, 0}, s.removeSecurityQuestion)
	add(s, route{p, "/v1/customers/{id}/suspend", permitCustomersSuspend, "Suspend: shut the customer out until reactivated", customers, 0}, s.suspendCustomer)
	add(s, route{p, "/v1/customers/{id}/reactivate", permitCustomersSuspend, "Let a suspended or banned customer back in", customers, 0}, s.reactivateCustomer)
	add(s, route{p, "/v1/customers/{id}/ban", permitCustomersBan, "Ban: shut the customer out for good", customers, 0}, s.banCustomer)
	add(s, route{p, "/v1/customers/{id}/delete", permitCustomersDelete, "Delete: hide the customer and keep everything, or erase them, as the store has decided", customers, 0}, s.deleteCustomer)
	add(s, route{p, "/v1/customers/{id}/restore", permitCustomersDelete, "Undo a deletion", customers, 0}, s.restoreCustomer)
	add(s, route{p, "/v1/customers/{id}/erase", permitCustomersErase, "Erase: shut the customer out, and forget them when the store's grace is over", customers, 0}, s.eraseCustomer)
	add(s, route{p, "/v1/customers/{id}/cancel-erasure", permitCustomersErase, "Take an erasure back, until it is due", customers, 0}, s.cancelErasure)
	add(s, route{p, "/v1/customers/{id}/export", permitCustomersExport, "Get everything that is known of a customer", customers, 0}, s.exportCustomer)
	add(s, route{g, "/v1/exports/{token}", permitAnyone, "Get an export by its link, within ten minutes", customers, 0}, s.getExport)
	add(s, route{g, "/v1/customers/{id}/domains", permitDomainsRead, "List a customer's domains", customers, 0}, s.listCustomerDomains)
	add(s, route{g, "/v1/customers/{id}/log", permitLogsRead, "Read a customer's event log", customers, 0}, s.listCustomerLog)
	add(s, route{g, "/v1/customers/{id}/suspensions", permitCustomersRead, "Read why and when a customer was suspended, banned and let back in", customers, 0}, s.listSuspensions)

	add(s, route{g, "/v1/customers/{id}/sign-ins", permitLogsRead, "Read a customer's attempts to sign in", customers, 0}, s.listCustomerSignIns)
	add(s, route{g, "/v1/customers/{id}/notes", permitCustomersRead, "Read the team's notes about a customer", customers, 0}, s.listNotes)
	add(s, route{p, "/v1/customers/{id}/notes", permitCustomersWrite, "Add a note about a customer, for the team", customers, 0}, s.addNote)
	add(s, route{p, "/v1/customers/{id}/set-tags", permitCustomersWrite, "Sort a customer under tags of the team", customers, 0}, s.setTags)

	const entering = "Log in as customer"
	add(s, route{p, "/v1/customers/{id}/impersonate", permitCustomersImpersonate, "Get a grant to log in as the customer, good once and for a minute", entering, 0}, s.impersonate)
	add(s, route{p, "/v1/impersonations/redeem", permitAnyone, "Log in as a customer with a grant", entering, 0}, s.redeemGrant)
	add(s, route{p, "/v1/impersonations/end", permitStoreRead, "Leave: end the session as a customer that asks", entering, 0}, s.leave)
	add(s, route{g, "/v1/impersonations", permitLogsRead, "List who was logged in as a customer, the latest first", entering, 0}, s.listImpersonations)
	add(s, route{g, "/v1/customers/{id}/impersonations", permitLogsRead, "List who was logged in as this customer", entering, 0}, s.listCustomerImpersonations)
	add(s, route{g, "/v1/impersonations/{id}", permitLogsRead, "Read who was logged in as a customer, why and how long", entering, 0}, s.getImpersonation)
	add(s, route{p, "/v1/impersonations/{id}/end", permitCustomersImpersonate, "End a session as a customer, anybody's", entering, 0}, s.stopImpersonation)

	const domains = "Domains"
	add(s, route{g, "/v1/domains", permitDomainsRead, "List and search domains", domains, 0}, s.listDomains)
	add(s, route{p, "/v1/domains", permitDomainsWrite, "Register a domain for a customer", domains, 0}, s.registerDomain)
	add(s, route{p, "/v1/domains/import", permitDomainsWrite, "Import a domain, with its owner if need be", domains, 0}, s.importDomain)
	add(s, route{p, "/v1/domains/import-batch", permitDomainsWrite, "Import up to 100 domains", domains, 0}, s.importDomains)
	add(s, route{g, "/v1/domains/{id}", permitDomainsRead, "Read a domain", domains, 0}, s.getDomain)
	add(s, route{g, "/v1/domains/{id}/log", permitLogsRead, "Read a domain's event log", domains, 0}, s.listDomainLog)
	add(s, route{p, "/v1/domains/{id}/set-auto-renew", permitDomainsWrite, "Set whether the domain renews itself", domains, 0}, s.setAutoRenew)
	add(s, route{p, "/v1/domains/{id}/set-lock", permitDomainsWrite, "Set whether the domain is locked against transfer", domains, 0}, s.setLock)
	add(s, route{p, "/v1/domains/{id}/set-privacy", permitDomainsWrite, "Set whether public lookups hide the contacts", domains, 0}, s.setPrivacy)
	add(s, route{p, "/v1/domains/{id}/set-nameservers", permitDomainsWrite, "Set the nameservers", domains, 0}, s.setNameservers)
	add(s, route{p, "/v1/domains/{id}/push-preview", permitDomainsPush, "See what a push would do, and get the token that confirms it", domains, 0}, s.previewPush)
	add(s, route{p, "/v1/domains/{id}/push", permitDomainsPush, "Push a domain to another customer, existing or new", domains, 0}, s.pushDomain)

	const logs = "Logs and events"
	add(s, route{g, "/v1/log", permitLogsRead, "Read the event log of the store", logs, 0}, s.listLog)
	add(s, route{g, "/v1/sign-ins", permitLogsRead, "Read all attempts to sign in, also with names that are nobody's", logs, 0}, s.listSignIns)
	add(s, route{g, "/v1/reports/password-schemes", permitCustomersRead, "Count passwords by how they are hashed", logs, 0}, s.reportPasswordSchemes)
	add(s, route{g, "/v1/events", permitEventsRead, "Read the events as they were recorded, oldest first", logs, 0}, s.listEvents)
	add(s, route{g, "/v1/event-types", permitLogsRead, "List the types of events with the schemas of their data", logs, 0}, s.listEventTypes)

	const operations = "Operations"
	add(s, route{g, "/livez", permitAnyone, "Whether the process is alive", operations, 0}, s.getLive)
	add(s, route{g, "/readyz", permitAnyone, "Whether everything that is needed is there; names what is not", operations, 0}, s.getReady)
}
