package api

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
	"github.com/stewardhq/steward/internal/wireid"
)

// CommandInput is what every command accepts beside its own input. It documents
// the headers; [Server.request] reads them.
type CommandInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 255 printable ASCII characters. Sent again with the same request it changes nothing and gets the same answer; with another request it is refused with idempotency_key_reused. A command that found things already so left no trace: sent again, it is decided again."`
	CommandContext
}

// CommandContext is [CommandInput] for a command whose answer holds a secret
// and that therefore cannot be repeated.
type CommandContext struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the version that you saw. The command is refused with 412 if there is a newer one." example:"\"r12\""`
	Reason  string `header:"Steward-Reason" doc:"Why you do this, in up to 1000 characters. It is kept with the event, encrypted."`
	Ticket  string `header:"Steward-Ticket" doc:"A reference into your help desk. It is kept with the event." example:"HD-4711"`
	Notify  string `header:"Steward-Notify" enum:"true,false" doc:"Whether the customer gets a mail about it, whatever the store's setting says."`
	DryRun  bool   `query:"dry_run" doc:"Decide without doing: answers the events that the command would write."`
}

// CommandAnswer is what a command answers.
type CommandAnswer struct {
	ID       string         `json:"id" doc:"What was changed." example:"cus_01k9x4t6m1c8d0e5f7g9h2j4k6"`
	Revision int64          `json:"revision" doc:"The version that resulted, or that there was already. As an ETag it reads \"r<revision>\"." example:"3"`
	EventIDs []string       `json:"event_ids" doc:"The events that were written; none when things were already so."`
	Position string         `json:"position,omitempty" doc:"Send it as Steward-Min-Position to read at least this much."`
	DryRun   bool           `json:"dry_run,omitempty" doc:"Nothing was written."`
	Events   []WrittenEvent `json:"events,omitempty" doc:"With dry_run: the events that would be written."`
}

// WrittenEvent is an event that a command would write.
type WrittenEvent struct {
	Type string         `json:"type" doc:"See /v1/event-types." example:"customer.suspended"`
	Data map[string]any `json:"data"`
}

// CommandOutput is the answer to a command.
type CommandOutput struct {
	Status   int
	ETag     string `header:"ETag"`
	Position string `header:"Steward-Position"`
	Location string `header:"Location"`
	Body     CommandAnswer
}

// Faults of what is said about a command.
var (
	errBadKey        = fault.New(fault.Malformed, "bad_idempotency_key", "an Idempotency-Key has 1 to 255 printable ASCII characters").On("Idempotency-Key", "is not 1 to 255 printable ASCII characters")
	errKeyNotAllowed = fault.New(fault.Malformed, "idempotency_key_not_allowed", "this answer holds a secret and is given once: send no Idempotency-Key").On("Idempotency-Key", "is not allowed here")
	errBadReason     = fault.New(fault.Malformed, "bad_reason", "the Steward-Reason is not acceptable")
	errBadTicket     = fault.New(fault.Malformed, "bad_ticket", "a Steward-Ticket has 1 to 64 letters, digits, or . _ / # -").On("Steward-Ticket", "is not a ticket reference")
	errBadNotify     = fault.New(fault.Malformed, "bad_notify", "Steward-Notify is true or false").On("Steward-Notify", "is neither true nor false")
)

var (
	keyPattern    = regexp.MustCompile(`^[\x20-\x7e]{1,255}$`)
	ticketPattern = regexp.MustCompile(`^[A-Za-z0-9#._/-]{1,64}$`)
)

// request makes the request of a command from the credential, the headers and
// the connection. The command itself is not in it.
func (s *Server) request(ctx context.Context) (decider.Request, error) {
	c, who := callOf(ctx), callerOf(ctx)
	r := decider.Request{
		StoreID: who.storeID, Actor: who.actor(), Source: who.source,
		RequestID: c.requestID, Net: netOf(ctx), At: s.clock.now(), DryRun: dryRun(c.query),
	}
	var err error
	if r.IfMatch, err = ifMatch(c.header); err != nil {
		return r, err
	}
	if r.Reason, r.Ticket, r.Notify, err = remarks(c.header); err != nil {
		return r, err
	}
	key, keyed, err := single(c.header, "Idempotency-Key", errBadKey)
	switch {
	case err != nil || keyed && !keyPattern.MatchString(key):
		return r, errBadKey
	case keyed && !r.DryRun:
		r.CommandID = commandID(who, c.method, c.path, key)
	default:
		r.CommandID = uuid.New()
	}
	r.Fingerprint = s.fingerprint(c)
	c.commandID = r.CommandID
	return r, nil
}

// requestOnce is [Server.request] for a command that must not be repeated.
func (s *Server) requestOnce(ctx context.Context) (decider.Request, error) {
	if len(callOf(ctx).header.Values("Idempotency-Key")) > 0 {
		return decider.Request{}, errKeyNotAllowed
	}
	return s.request(ctx)
}

// commandID is that of a command which may be sent again.
func commandID(who *caller, method, path, key string) uuid.UUID {
	return uuid.NewSHA1(who.storeID, []byte(strings.Join([]string{"command", who.principal(), method, path, key}, "\x00")))
}

// fingerprint is a keyed hash of all that a command says. The If-Match is left
// out: whoever repeats a command with the version that it led to means the same
// command. So is the token that confirms it, which expires, and dry_run, which
// uses no key.
func (s *Server) fingerprint(c *call) string {
	mac := hmac.New(sha256.New, s.fingerprintKey)
	query, err := url.ParseQuery(c.query)
	if err != nil {
		query = url.Values{"": {c.query}}
	}
	query.Del("dry_run")
	for _, part := range []string{
		"steward-fp/1", c.method, c.path, query.Encode(),
		c.header.Get("Steward-Reason"), c.header.Get("Steward-Ticket"), c.header.Get("Steward-Notify"), string(meant(c.body)),
	} {
		sum := sha256.Sum256([]byte(part)) // of fixed length, so that no two lists run together
		mac.Write(sum[:])
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// dryRun reports whether a command is only to be decided. Whatever could be
// meant that way is taken that way: doing less than was wanted can be repeated.
func dryRun(query string) bool {
	values, _ := url.ParseQuery(query)
	for _, value := range values["dry_run"] {
		if on, err := strconv.ParseBool(value); on || err != nil {
			return true
		}
	}
	return false
}

func ifMatch(h http.Header) (*uint64, error) {
	text, given, err := single(h, "If-Match", errBadIfMatch)
	if err != nil || !given {
		return nil, err
	}
	revision, err := parseIfMatch(text)
	if err != nil {
		return nil, err
	}
	return &revision, nil
}

func remarks(h http.Header) (reason, ticket string, notify *bool, err error) {
	given := false
	if reason, given, err = single(h, "Steward-Reason", errBadReason); err != nil {
		return
	}
	if given {
		clean, refused := identity.Text(reason, 1000)
		if refused != nil {
			return "", "", nil, errBadReason.On("Steward-Reason", refused.Error())
		}
		reason = clean
	}
	if ticket, given, err = single(h, "Steward-Ticket", errBadTicket); err != nil {
		return
	}
	if given && !ticketPattern.MatchString(ticket) {
		return "", "", nil, errBadTicket
	}
	text, given, err := single(h, "Steward-Notify", errBadNotify)
	switch {
	case err != nil || !given:
	case text == "true", text == "false":
		value := text == "true"
		notify = &value
	default:
		err = errBadNotify
	}
	return reason, ticket, notify, err
}

// single returns a header that may be there once.
func single(h http.Header, name string, twice error) (value string, given bool, err error) {
	switch values := h.Values(name); len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	default:
		return "", false, twice
	}
}

// answer is what a command answers that changed the thing with this id.
func (s *Server) answer(id string, out decider.Outcome, r decider.Request) *CommandOutput {
	a := &CommandOutput{Status: http.StatusOK, Body: CommandAnswer{
		ID: id, Revision: int64(out.Revision), EventIDs: eventIDs(out.EventIDs), Position: s.position(out.Position), DryRun: r.DryRun,
	}}
	a.Position, a.ETag = a.Body.Position, etag(out.Revision)
	if r.DryRun {
		a.Body.Events = written(out.Events)
	}
	return a
}

// created is the answer to a command that made something new.
func (s *Server) created(id, location string, out decider.Outcome, r decider.Request) *CommandOutput {
	a := s.answer(id, out, r)
	if !r.DryRun {
		a.Status, a.Location = http.StatusCreated, location
	}
	return a
}

func eventIDs(ids []uuid.UUID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = wireid.Format(wireid.Event, id)
	}
	return texts
}

func written(decided []events.Event) []WrittenEvent {
	all := make([]WrittenEvent, len(decided))
	for i, e := range decided {
		all[i] = WrittenEvent{Type: e.EventType(), Data: publicData(e)}
	}
	return all
}

// meant is a canonical body without the token that confirms it.
func meant(body []byte) []byte {
	var fields map[string]json.RawMessage
	if !bytes.Contains(body, []byte(`"confirm_token"`)) || json.Unmarshal(body, &fields) != nil {
		return body
	}
	delete(fields, "confirm_token")
	rest, err := json.Marshal(fields)
	if err != nil {
		return body
	}
	return rest
}
