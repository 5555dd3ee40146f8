package contract

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
)

// sharedCalls is how many calls any server takes at once on one connection.
const sharedCalls = 100

func concurrencyCases() []testCase {
	return []testCase{
		{"2.0", "many_calls_at_once_on_one_connection", func(t *testing.T, s *server) {
			var group sync.WaitGroup
			failures := make(chan error, 64)
			for i := range cap(failures) {
				st := s.stream(t)
				group.Go(func() {
					if _, err := st.append(noStream, st.event(fmt.Sprint(i))); err != nil {
						failures <- err
					}
				})
			}
			group.Wait()
			close(failures)
			for err := range failures {
				t.Error(err)
			}
		}},
		{"2.0", "a_hundred_calls_share_a_connection_and_the_next_waits_at_most", func(t *testing.T, s *server) {
			st := s.stream(t)
			var hangUp []context.CancelFunc
			for range sharedCalls {
				ctx, cancel := context.WithCancel(st.ctx)
				defer cancel()
				each := st
				each.ctx = ctx
				each.subscribeRaw(each.readRequest())
				hangUp = append(hangUp, cancel)
			}
			answered := make(chan error, 1)
			go func() {
				_, _, err := st.send(expectNoStream, proposed(st.id("0"), "contract.happened", nil))
				answered <- err
			}()
			hangUp[0]()
			if err := <-answered; err != nil {
				t.Errorf("a call that waited: %v", err)
			}
		}},
		{"2.0", "hundreds_of_subscriptions_over_several_connections", func(t *testing.T, s *server) {
			const connections, each = 4, 75
			st := s.stream(t)
			var followers []*follower
			for i := range connections {
				other := st
				if i > 0 {
					other.s = s.endpoint.connect(t)
				}
				for range each {
					followers = append(followers, other.follow(esdb.Start{}))
				}
			}
			st.write(noStream, 1, "0", "1")
			for _, f := range followers {
				f.events(st, "0", "1")
			}
		}},
		{"2.0", "a_cancelled_call_gives_its_place_back", func(t *testing.T, s *server) {
			st := s.stream(t)
			before := positionOf(st.write(noStream, 0, "0"))
			for i := range sharedCalls + 10 {
				each := st
				ctx, cancel := context.WithCancel(st.ctx)
				each.ctx = ctx
				options := each.readRequest()
				if i%2 == 0 {
					options = each.allRequest()
					options.StreamOption = allFrom(before.Commit, before.Prepare)
				}
				call := each.subscribeRaw(options)
				cancel()
				for {
					if _, err := call.Recv(); err != nil {
						wantStatus(t, err, codes.Canceled, "")
						break
					}
				}
			}
			if answers := st.mustAsk(st.readRequest()); len(answers) != 1 {
				t.Errorf("%d answers", len(answers))
			}
		}},
		{"2.0", "idle_clients_are_not_cut_off", func(t *testing.T, s *server) {
			needsLong(t)
			st := s.stream(t)
			st.write(noStream, 0, "0")
			f := st.follow(esdb.End{})
			f.caughtUp()
			st.mustAsk(st.readRequest())
			// The client pings every ten seconds, calls or no calls. A server with the default policy of gRPC
			// hangs up after the third.
			idle, cancel := context.WithTimeout(st.ctx, 42*time.Second)
			defer cancel()
			if s.conn.WaitForStateChange(idle, connectivity.Ready) {
				t.Errorf("the idle connection became %v", s.conn.GetState())
			}
			st.write(at(0), 1, "1")
			f.events(st, "1")
		}},
	}
}

// subscribeRaw subscribes through the bare protocol and waits for the confirmation.
func (st stream) subscribeRaw(options *streams.ReadReq_Options) streams.Streams_ReadClient {
	st.t.Helper()
	options.CountOption = toSubscribe()
	call, err := st.s.streams.Read(st.ctx, &streams.ReadReq{Options: options})
	if err != nil {
		st.t.Fatalf("subscribe: %v", err)
	}
	first, err := call.Recv()
	if err != nil {
		st.t.Fatalf("subscribe: %v", err)
	}
	if first.GetConfirmation().GetSubscriptionId() == "" {
		st.t.Fatalf("got %v, want the confirmation", first)
	}
	return call
}

func toSubscribe() *streams.ReadReq_Options_Subscription {
	return &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
}

// counted limits a read.
func counted(count uint64) *streams.ReadReq_Options_Count {
	return &streams.ReadReq_Options_Count{Count: count}
}

const unlimited = math.MaxUint64
