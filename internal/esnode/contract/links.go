package contract

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// link appends a link to the given target and returns its id.
func (st stream) link(target string) uuid.UUID {
	st.t.Helper()
	e := esdb.EventData{EventID: uuid.New(), EventType: "$>", ContentType: esdb.ContentTypeBinary, Data: []byte(target)}
	if _, err := st.append(anyRevision, e); err != nil {
		st.t.Fatalf("link to %s: %v", target, err)
	}
	return e.EventID
}

func (st stream) resolved(resolve bool) []*esdb.ResolvedEvent {
	st.t.Helper()
	events, err := st.read(esdb.ReadStreamOptions{From: esdb.Start{}, ResolveLinkTos: resolve}, 100)
	if err != nil {
		st.t.Fatal(err)
	}
	return events
}

func linkCases() []testCase {
	return []testCase{
		{"2.10", "links_are_events_until_resolved", func(t *testing.T, s *server) {
			target, links := s.stream(t), s.stream(t)
			target.write(noStream, 1, "0", "1")
			id := links.link("1@" + target.name)
			plain := links.resolved(false)
			if plain[0].Link != nil || plain[0].Event.EventID != id || plain[0].Event.EventType != "$>" {
				t.Errorf("unresolved: %+v", plain[0].Event)
			}
			got := links.resolved(true)[0]
			if got.Link == nil || got.Link.EventID != id || got.Event == nil || got.Event.EventID != target.id("1") {
				t.Fatalf("resolved: %+v", got)
			}
			if got.Commit == nil || *got.Commit != got.Link.Position.Commit {
				t.Errorf("position %v, the link is at %v", got.Commit, got.Link.Position)
			}
		}},
		{"2.10", "links_to_what_is_gone_are_sent_alone", func(t *testing.T, s *server) {
			links := s.stream(t)
			links.link("0@" + s.stream(t).name)
			options := links.readRequest()
			options.ResolveLinks = true
			got := links.mustAsk(options)[0].GetEvent()
			if got.GetEvent() != nil || got.GetLink() == nil || got.GetCommitPosition() != got.GetLink().GetCommitPosition() {
				t.Errorf("got %v", got)
			}
			wantCreated(t, got.GetLink().GetMetadata()["created"])
		}},
		{"2.10", "links_are_resolved_backwards_and_while_live", func(t *testing.T, s *server) {
			target, links := s.stream(t), s.stream(t)
			target.write(noStream, 1, "0", "1")
			links.link("0@" + target.name)
			events, err := links.read(esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}, ResolveLinkTos: true}, 1)
			if err != nil || events[0].Event == nil || events[0].Event.EventID != target.id("0") {
				t.Fatalf("backwards: %v, %v", events, err)
			}
			sub, err := s.client.SubscribeToStream(links.ctx, links.name, esdb.SubscribeToStreamOptions{From: esdb.End{}, ResolveLinkTos: true})
			if err != nil {
				t.Fatal(err)
			}
			f := s.newFollower(t, sub)
			f.caughtUp()
			id := links.link("1@" + target.name)
			if e := f.event(); e.Link == nil || e.Link.EventID != id || e.Event == nil || e.Event.EventID != target.id("1") {
				t.Errorf("live: %+v", e)
			}
		}},
		{"2.10", "links_to_what_is_gone", func(t *testing.T, s *server) {
			links, truncated, deleted, hard := s.stream(t), s.stream(t), s.stream(t), s.stream(t)
			for _, st := range []stream{truncated, deleted, hard} {
				st.write(noStream, 1, "0", "1")
			}
			truncated.setMetadata(`{"$tb":1}`)
			deleted.mustDelete(anyRevision)
			hard.mustTombstone()
			for _, target := range []string{
				"0@" + truncated.name, "0@" + deleted.name, "0@" + hard.name, "0@" + uuid.NewString(), "9@" + truncated.name,
			} {
				links.link(target)
			}
			for i, e := range links.resolved(true) {
				if e.Link == nil || e.Event != nil {
					t.Errorf("link %d: %+v", i, e)
				}
			}
		}},
		{"2.10", "malformed_links_are_plain_events", func(t *testing.T, s *server) {
			links := s.stream(t)
			for _, target := range []string{"nonsense", "x@" + links.name, ""} {
				links.link(target)
			}
			for i, e := range links.resolved(true) {
				if e.Link != nil || e.Event == nil || e.Event.EventType != "$>" {
					t.Errorf("link %d: %+v", i, e)
				}
			}
		}},
		{"2.10", "stream_names_may_hold_an_at_sign_and_one_step_is_taken", func(t *testing.T, s *server) {
			target, first, second := s.stream(t), s.stream(t), s.stream(t)
			target.name = "0@" + target.name + "@home@@"
			target.write(noStream, 0, "0")
			id := first.link("0@" + target.name)
			if got := first.resolved(true)[0]; got.Event == nil || got.Event.EventID != target.id("0") {
				t.Errorf("%+v", got)
			}
			second.link("0@" + first.name)
			if got := second.resolved(true)[0]; got.Event == nil || got.Event.EventID != id {
				t.Errorf("a link to a link: %+v", got)
			}
		}},
		{"2.10", "links_resolve_in_all_and_in_subscriptions", func(t *testing.T, s *server) {
			target, links := s.stream(t), s.stream(t)
			before := s.here(t)
			target.write(noStream, 0, "0")
			id := links.link("0@" + target.name)
			check := func(e *esdb.ResolvedEvent) {
				t.Helper()
				if e.Link == nil || e.Link.EventID != id || e.Event == nil || e.Event.EventID != target.id("0") {
					t.Errorf("%+v", e)
				}
			}
			s.walk(t, esdb.ReadAllOptions{From: before, ResolveLinkTos: true}, func(e *esdb.ResolvedEvent) bool {
				if e.OriginalEvent().StreamID != links.name {
					return true
				}
				check(e)
				return false
			})
			sub, err := s.client.SubscribeToStream(links.ctx, links.name, esdb.SubscribeToStreamOptions{From: esdb.Start{}, ResolveLinkTos: true})
			if err != nil {
				t.Fatal(err)
			}
			check(s.newFollower(t, sub).event())
			filter := &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: []string{"$>"}}
			check(s.followAll(t, esdb.SubscribeToAllOptions{From: before, ResolveLinkTos: true, Filter: filter}, links).event())
			check(s.followAll(t, esdb.SubscribeToAllOptions{From: before, ResolveLinkTos: true}, links).event())
		}},
		{"2.10", "filters_see_the_link_and_not_its_target", func(t *testing.T, s *server) {
			target, links := s.stream(t), s.stream(t)
			before := s.here(t)
			target.write(noStream, 0, "0")
			links.link("0@" + target.name)
			for _, filter := range []esdb.SubscriptionFilter{
				{Type: esdb.StreamFilterType, Prefixes: []string{target.name}},
				{Type: esdb.EventFilterType, Prefixes: []string{"contract.happened"}},
			} {
				f := s.followAll(t, esdb.SubscribeToAllOptions{From: before, ResolveLinkTos: true, Filter: &filter}, target, links)
				f.events(target, "0")
				f.caughtUp()
			}
		}},
	}
}
