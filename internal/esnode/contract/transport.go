package contract

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	streamsService    = "event_store.client.streams.streams"
	persistentService = "event_store.client.persistent_subscriptions.persistentsubscriptions"
)

// announced returns what the server says that clients may call, with the features of each method.
func (s *server) announced(t *testing.T) map[string][]string {
	t.Helper()
	answer, err := s.features.GetSupportedMethods(testContext(t), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	methods := make(map[string][]string)
	for _, m := range answer.GetMethods() {
		methods[m.GetServiceName()+"/"+m.GetMethodName()] = m.GetFeatures()
	}
	return methods
}

func transportCases() []testCase {
	return []testCase{
		{"2.0", "version_is_three_numbers_and_24_or_later", func(t *testing.T, s *server) {
			answer, err := s.features.GetSupportedMethods(testContext(t), &shared.Empty{})
			if err != nil {
				t.Fatal(err)
			}
			if version := answer.GetEventStoreServerVersion(); !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(version) {
				t.Errorf("version %q", version)
			}
			if s.version.Major < 24 {
				t.Errorf("the client reads version %v", s.version)
			}
		}},
		{"2.0", "supported_methods_are_in_lower_case", func(t *testing.T, s *server) {
			methods := s.announced(t)
			for name := range methods {
				if name != strings.ToLower(name) {
					t.Errorf("%s is not in lower case", name)
				}
			}
			for _, method := range []string{"read", "append", "delete", "tombstone"} {
				if _, ok := methods[streamsService+"/"+method]; !ok {
					t.Errorf("%s is not announced", method)
				}
			}
			for _, feature := range []string{"position", "events"} {
				if !slices.Contains(methods[streamsService+"/read"], feature) {
					t.Errorf("reads lack the feature %s", feature)
				}
			}
		}},
		{"2.0", "what_is_not_announced_is_unimplemented", func(t *testing.T, s *server) {
			methods := s.announced(t)
			check := func(method string, call func() error) {
				t.Helper()
				_, has := methods[method]
				if code := status.Code(call()); has == (code == codes.Unimplemented) {
					t.Errorf("%s: announced is %v, and the call answers %v", method, has, code)
				}
			}
			check(streamsService+"/batchappend", func() error {
				call, err := s.streams.BatchAppend(testContext(t))
				if err != nil {
					return err
				}
				if err := call.CloseSend(); err != nil {
					return err
				}
				_, err = call.Recv()
				return ended(err)
			})
			check(persistentService+"/delete", func() error {
				// Nothing is deleted: there is no such group.
				_, err := s.persistent.Delete(testContext(t), &persistent.DeleteReq{Options: &persistent.DeleteReq_Options{
					GroupName: "contract",
					StreamOption: &persistent.DeleteReq_Options_StreamIdentifier{
						StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(s.stream(t).name)},
					},
				}})
				return err
			})
		}},
		{"2.0", "gossip_knows_a_living_leader", func(t *testing.T, s *server) {
			cluster, err := s.gossip.Read(testContext(t), &shared.Empty{})
			if err != nil {
				t.Fatal(err)
			}
			leaders := 0
			for _, m := range cluster.GetMembers() {
				if m.GetIsAlive() && m.GetState() == gossip.MemberInfo_Leader {
					leaders++
					if m.GetHttpEndPoint().GetAddress() == "" {
						t.Errorf("nobody knows where the leader is: %v", m)
					}
				}
			}
			if leaders != 1 {
				t.Errorf("%d living leaders in %v", leaders, cluster)
			}
		}},
	}
}
