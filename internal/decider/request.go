package decider

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// Request is everything about a command but the command: who asks, for which
// store, how it came in. It is made from the credential and by the server;
// nothing in it is taken from a request's body.
type Request struct {
	StoreID       uuid.UUID
	Actor         events.Actor
	Source        events.Source
	CommandID     uuid.UUID
	Fingerprint   string // keyed hash of the request
	CorrelationID uuid.UUID
	CausationID   uuid.UUID // zero means the command itself
	RequestID     string
	Reason        string
	Ticket        string
	Notify        *bool
	Net           events.Net
	At            time.Time

	// IfMatch is the revision that the caller saw; nil when it does not care.
	IfMatch *uint64
	// DryRun decides without appending.
	DryRun bool
}

// NewID derives the id of something that the command creates. A further
// attempt is made when the stream of an earlier one was sealed.
func (r Request) NewID(kind string, attempt int) uuid.UUID {
	return uuid.NewSHA1(r.CommandID, []byte(kind+"\x00"+strconv.Itoa(attempt)))
}

// Step returns the request for one of several commits that a single command
// makes, in streams that must be told apart by their command ids.
func (r Request) Step(name string) Request {
	r.CorrelationID = r.correlation()
	r.CausationID = r.CommandID
	r.CommandID = uuid.NewSHA1(r.CommandID, []byte("step\x00"+name))
	r.IfMatch = nil
	return r
}

func (r Request) correlation() uuid.UUID {
	if r.CorrelationID == uuid.Nil {
		return r.CommandID
	}
	return r.CorrelationID
}

// metadata is what the request writes beside its events.
func (r Request) metadata() (events.Metadata, error) {
	net, err := r.Net.Personal()
	if err != nil {
		return events.Metadata{}, err
	}
	md := events.Metadata{
		Schema: events.MetadataSchema, StoreID: r.StoreID, Actor: r.Actor, Source: r.Source,
		CommandID: r.CommandID, Fingerprint: r.Fingerprint,
		CorrelationID: r.correlation(), CausationID: r.CausationID,
		OccurredAt: r.At.UTC(), RequestID: r.RequestID, Ticket: r.Ticket, Notify: r.Notify, Net: net,
	}
	if md.CausationID == uuid.Nil {
		md.CausationID = r.CommandID
	}
	if r.Reason != "" {
		md.Reason = events.Clear(r.Reason)
	}
	return md, nil
}
