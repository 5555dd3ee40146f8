// Package contract holds the promises of an EventStoreDB server that Steward relies on, as tests. They need
// nothing but a server to talk to, so the embedded node and a real server take the same ones. A case is
// named after the section of the contract it belongs to and, where the contract numbers its cases, after
// that number.
//
// Cases use streams of their own and never assume an empty database, so they may run against a server that
// is in use for other tests.
package contract

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Target is the server to test.
type Target struct {
	// ConnectionString is what the official client parses.
	ConnectionString string
	// Address, when set, replaces the address in the connection string. It is how a Unix socket is named.
	Address string
}

// patience bounds every call of a case. It is generous: a case that needs it has failed anyway.
const patience = 20 * time.Second

// testCase is one promise.
type testCase struct {
	section string
	name    string
	run     func(t *testing.T, s *server)
}

// Run checks every promise against the target, each in a subtest of its own.
func Run(t *testing.T, target Target) {
	s := target.connect(t)
	var cases []testCase
	for _, group := range [][]testCase{
		transportCases(), appendCases(), resultCases(), limitCases(), wireCases(), deleteCases(), tombstoneCases(),
		streamReadCases(), allReadCases(), metadataCases(), filterCases(), streamSubscriptionCases(), allSubscriptionCases(), linkCases(),
	} {
		cases = append(cases, group...)
	}
	var sections []string
	grouped := make(map[string][]testCase)
	for _, c := range cases {
		if grouped[c.section] == nil {
			sections = append(sections, c.section)
		}
		grouped[c.section] = append(grouped[c.section], c)
	}
	for _, section := range sections {
		t.Run(section, func(t *testing.T) {
			t.Parallel()
			for _, c := range grouped[section] {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, s)
				})
			}
		})
	}
}

// server is the target, connected in both ways: through the official client, and through the bare protocol
// for what the client cannot send or does not show.
type server struct {
	client   *esdb.Client
	streams  streams.StreamsClient
	features serverfeatures.ServerFeaturesClient
	gossip   gossip.GossipClient
}

// Configuration is what the official client needs to reach the target.
func (target Target) Configuration() (*esdb.Configuration, error) {
	configuration, err := esdb.ParseConnectionString(target.ConnectionString)
	if err != nil {
		return nil, err
	}
	if target.Address != "" {
		configuration.Address = target.Address
	}
	configuration.Logger = esdb.NoopLogging()
	return configuration, nil
}

func (target Target) connect(t *testing.T) *server {
	t.Helper()
	configuration, err := target.Configuration()
	if err != nil {
		t.Fatalf("connection string: %v", err)
	}
	client, err := esdb.NewClient(configuration)
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	// The client settles on a node with its first call and must not be raced there.
	if _, err := client.GetServerVersion(); err != nil {
		t.Fatalf("the server does not answer: %v", err)
	}

	dial := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if !configuration.DisableTLS {
		dial = []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(configuration.RootCAs, ""))}
		if configuration.Username != "" {
			dial = append(dial, grpc.WithPerRPCCredentials(basic{configuration.Username, configuration.Password}))
		}
	}
	conn, err := grpc.NewClient(configuration.Address, dial...)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close the client: %v", err)
		}
		if err := conn.Close(); err != nil {
			t.Errorf("close the connection: %v", err)
		}
	})
	return &server{
		client:   client,
		streams:  streams.NewStreamsClient(conn),
		features: serverfeatures.NewServerFeaturesClient(conn),
		gossip:   gossip.NewGossipClient(conn),
	}
}

// basic sends a user's name and password with every call.
type basic struct{ user, password string }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b basic) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token := base64.StdEncoding.EncodeToString([]byte(b.user + ":" + b.password))
	return map[string]string{"authorization": "Basic " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (basic) RequireTransportSecurity() bool { return true }

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// lowerCase reports whether a name is what clients compare with.
func lowerCase(name string) bool { return name == strings.ToLower(name) }
