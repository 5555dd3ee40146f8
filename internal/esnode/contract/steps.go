package contract

import (
	"context"
	"errors"
	"io"
	"regexp"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// stream is a stream that only one case uses. Events are named by short labels; a label always means the
// same event id within a stream.
type stream struct {
	t    *testing.T
	s    *server
	name string
	ctx  context.Context
}

func (s *server) stream(t *testing.T) stream {
	t.Helper()
	return stream{t: t, s: s, name: "contract-" + uuid.NewString(), ctx: testContext(t)}
}

// metastream is the stream that holds the stream's metadata.
func (st stream) metastream() stream {
	st.name = "$$" + st.name
	return st
}

func (st stream) id(label string) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(st.name+"/"+label))
}

func (st stream) event(label string) esdb.EventData {
	return esdb.EventData{EventID: st.id(label), EventType: "contract.happened", ContentType: esdb.ContentTypeJson, Data: []byte(`{"label":"` + label + `"}`)}
}

func (st stream) events(labels ...string) []esdb.EventData {
	events := make([]esdb.EventData, len(labels))
	for i, label := range labels {
		events[i] = st.event(label)
	}
	return events
}

func (st stream) append(expected esdb.ExpectedRevision, events ...esdb.EventData) (*esdb.WriteResult, error) {
	return st.s.client.AppendToStream(st.ctx, st.name, esdb.AppendToStreamOptions{ExpectedRevision: expected}, events...)
}

// write appends labelled events and insists on success and on the revision in the answer.
func (st stream) write(expected esdb.ExpectedRevision, want uint64, labels ...string) *esdb.WriteResult {
	st.t.Helper()
	result, err := st.append(expected, st.events(labels...)...)
	if err != nil {
		st.t.Fatalf("append %v at %v: %v", labels, expected, err)
	}
	if result.NextExpectedVersion != want {
		st.t.Fatalf("append %v at %v: revision %d, want %d", labels, expected, result.NextExpectedVersion, want)
	}
	return result
}

// refuse appends labelled events and insists on a failure of this kind.
func (st stream) refuse(code esdb.ErrorCode, expected esdb.ExpectedRevision, labels ...string) {
	st.t.Helper()
	_, err := st.append(expected, st.events(labels...)...)
	st.failed(err, code)
}

// failed insists on an error with a code of the client.
func (st stream) failed(err error, code esdb.ErrorCode) {
	st.t.Helper()
	var failure *esdb.Error
	if !errors.As(err, &failure) {
		st.t.Fatalf("got %v, want an error with code %d", err, code)
	}
	if failure.Code() != code {
		st.t.Fatalf("got code %d (%v), want %d", failure.Code(), err, code)
	}
}

// holds insists on exactly these events, read forwards; labels stand for ids.
func (st stream) holds(labels ...string) {
	st.t.Helper()
	st.reads(esdb.ReadStreamOptions{From: esdb.Start{}}, unlimited, labels...)
}

// reads insists on what a read returns, in this order.
func (st stream) reads(options esdb.ReadStreamOptions, count uint64, labels ...string) []*esdb.ResolvedEvent {
	st.t.Helper()
	events, err := st.read(options, count)
	if err != nil {
		st.t.Fatalf("read %s: %v", st.name, err)
	}
	want := make([]uuid.UUID, len(labels))
	for i, label := range labels {
		want[i] = st.id(label)
	}
	if diff := cmp.Diff(want, ids(events)); diff != "" {
		st.t.Fatalf("events of %s (-want +got):\n%s", st.name, diff)
	}
	return events
}

func ids(events []*esdb.ResolvedEvent) []uuid.UUID {
	ids := make([]uuid.UUID, len(events))
	for i, e := range events {
		ids[i] = e.OriginalEvent().EventID
	}
	return ids
}

func revisions(events []*esdb.ResolvedEvent) []uint64 {
	numbers := make([]uint64, len(events))
	for i, e := range events {
		numbers[i] = e.OriginalEvent().EventNumber
	}
	return numbers
}

func (st stream) read(options esdb.ReadStreamOptions, count uint64) ([]*esdb.ResolvedEvent, error) {
	found, err := st.s.client.ReadStream(st.ctx, st.name, options, count)
	if err != nil {
		return nil, err
	}
	return drain(found)
}

func drain(found *esdb.ReadStream) ([]*esdb.ResolvedEvent, error) {
	defer found.Close()
	var events []*esdb.ResolvedEvent
	for {
		e, err := found.Recv()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
}

// missing insists that readers find no such stream.
func (st stream) missing() {
	st.t.Helper()
	for _, options := range []esdb.ReadStreamOptions{
		{Direction: esdb.Forwards, From: esdb.Start{}},
		{Direction: esdb.Backwards, From: esdb.End{}},
	} {
		_, err := st.read(options, 10)
		st.failed(err, esdb.ErrorCodeResourceNotFound)
	}
}

// here returns a position in the log that everything before this call lies before, and everything after it
// behind: that of an event written for it.
func (s *server) here(t *testing.T) esdb.Position {
	t.Helper()
	return positionOf(s.stream(t).write(noStream, 0, "here"))
}

func positionOf(result *esdb.WriteResult) esdb.Position {
	return esdb.Position{Commit: result.CommitPosition, Prepare: result.PreparePosition}
}

// log returns everything that $all holds from a position on up to now. Others may write faster than anybody
// reads, so the end is marked by an event.
func (s *server) log(t *testing.T, from esdb.Position) []*esdb.ResolvedEvent {
	t.Helper()
	end := s.here(t)
	var events []*esdb.ResolvedEvent
	s.walk(t, esdb.ReadAllOptions{From: from}, func(e *esdb.ResolvedEvent) bool {
		events = append(events, e)
		return e.OriginalEvent().Position != end
	})
	return events
}

// walk reads $all until look has seen enough or the log ends.
func (s *server) walk(t *testing.T, options esdb.ReadAllOptions, look func(*esdb.ResolvedEvent) bool) {
	t.Helper()
	found, err := s.client.ReadAll(testContext(t), options, unlimited)
	if err != nil {
		t.Fatalf("read $all: %v", err)
	}
	defer found.Close()
	for {
		e, err := found.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("read $all: %v", err)
		}
		if name := e.OriginalEvent().StreamID; neverShown.MatchString(name) {
			t.Fatalf("$all shows an event of %s", name)
		}
		if !look(e) {
			return
		}
	}
}

// neverShown are the streams that $all leaves out.
var neverShown = regexp.MustCompile(`^(\$epoch-information|\$persistentsubscription-\$all::.*-(checkpoint|parked))$`)

// only keeps the events of some streams.
func only(events []*esdb.ResolvedEvent, names ...string) []*esdb.ResolvedEvent {
	var kept []*esdb.ResolvedEvent
	for _, e := range events {
		for _, name := range names {
			if e.OriginalEvent().StreamID == name {
				kept = append(kept, e)
			}
		}
	}
	return kept
}

func (st stream) setMetadata(data string) *esdb.WriteResult {
	st.t.Helper()
	result, err := st.metastream().append(esdb.Any{}, esdb.EventData{
		EventID: uuid.New(), EventType: "$metadata", ContentType: esdb.ContentTypeJson, Data: []byte(data),
	})
	if err != nil {
		st.t.Fatalf("set metadata: %v", err)
	}
	return result
}

func (st stream) delete(expected esdb.ExpectedRevision) (*esdb.DeleteResult, error) {
	return st.s.client.DeleteStream(st.ctx, st.name, esdb.DeleteStreamOptions{ExpectedRevision: expected})
}

func (st stream) mustDelete(expected esdb.ExpectedRevision) *esdb.DeleteResult {
	st.t.Helper()
	result, err := st.delete(expected)
	if err != nil {
		st.t.Fatalf("delete: %v", err)
	}
	return result
}

func (st stream) tombstone(expected esdb.ExpectedRevision) (*esdb.DeleteResult, error) {
	return st.s.client.TombstoneStream(st.ctx, st.name, esdb.TombstoneStreamOptions{ExpectedRevision: expected})
}

func (st stream) mustTombstone() *esdb.DeleteResult {
	st.t.Helper()
	result, err := st.tombstone(esdb.Any{})
	if err != nil {
		st.t.Fatalf("tombstone: %v", err)
	}
	return result
}
