package contract

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Target is the server to test.
type Target struct {
	// ConnectionString is what the official client parses. Everything in it holds for both ways in which the
	// server is talked to: seeds, discovery, TLS, certificates, the user.
	ConnectionString string
	// Address, when set, replaces the address in the connection string. It is how a Unix socket is named.
	Address string
	// Sections limits Run to some sections of the contract, such as "2.0"; empty means all.
	Sections []string
}

// Configuration is what the official client needs to reach the target.
func (target Target) Configuration() (*esdb.Configuration, error) {
	configuration, err := esdb.ParseConnectionString(target.ConnectionString)
	if err == nil {
		err = configuration.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("the connection string %s cannot be used: %s; it looks like esdb://user:password@host:2113?tls=true",
			secretless(target.ConnectionString), secretless(err.Error()))
	}
	if configuration.DisableTLS && configuration.Username != "" {
		return nil, fmt.Errorf("the connection string %s names a user, and the client sends none without TLS: use tls=true, or leave the user out",
			secretless(target.ConnectionString))
	}
	if target.Address != "" {
		configuration.Address = target.Address
	}
	configuration.Logger = esdb.NoopLogging()
	return configuration, nil
}

var userInfo = regexp.MustCompile(`//[^/?#\s]*@`)

// secretless takes the user and the password out of a text with a connection string.
func secretless(text string) string { return userInfo.ReplaceAllString(text, "//...@") }

// endpoint is a server that answers, and how to connect to it.
type endpoint struct {
	configuration *esdb.Configuration
	address       string
	dial          []grpc.DialOption
}

// find looks for the server. In a cluster it is the leader, as for the official client: it alone takes writes.
func (target Target) find(ctx context.Context) (*endpoint, error) {
	configuration, err := target.Configuration()
	if err != nil {
		return nil, err
	}
	e := &endpoint{configuration: configuration, address: configuration.Address}
	if e.dial, err = dialOptions(configuration); err != nil {
		return nil, err
	}
	switch {
	case configuration.DnsDiscover:
		e.address, err = e.leader(ctx, configuration.Address)
	case len(configuration.GossipSeeds) > 0:
		var seeds []string
		for _, seed := range configuration.GossipSeeds {
			seeds = append(seeds, seed.String())
		}
		e.address, err = e.leader(ctx, seeds...)
	}
	if err != nil {
		return nil, err
	}
	err = e.ask(ctx, e.address, func(ctx context.Context, conn *grpc.ClientConn) error {
		_, err := serverfeatures.NewServerFeaturesClient(conn).GetSupportedMethods(ctx, &shared.Empty{})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("no event store answers on %s; check the host, the port, and whether tls is right: %w", e.address, err)
	}
	return e, nil
}

// leader asks one node after the other where the leader of their cluster is.
func (e *endpoint) leader(ctx context.Context, nodes ...string) (string, error) {
	var failures []error
	for _, node := range nodes {
		var address string
		err := e.ask(ctx, node, func(ctx context.Context, conn *grpc.ClientConn) error {
			cluster, err := gossip.NewGossipClient(conn).Read(ctx, &shared.Empty{})
			if err != nil {
				return err
			}
			for _, m := range cluster.GetMembers() {
				if m.GetIsAlive() && m.GetState() == gossip.MemberInfo_Leader {
					address = net.JoinHostPort(m.GetHttpEndPoint().GetAddress(), strconv.Itoa(int(m.GetHttpEndPoint().GetPort())))
					return nil
				}
			}
			return errors.New("its cluster has no leader")
		})
		if err == nil {
			return address, nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", node, err))
	}
	return "", fmt.Errorf("no node of the cluster names a leader; check the seeds, and whether tls is right: %w", errors.Join(failures...))
}

// ask makes one call on a connection of its own, within the time that the client allows for discovery.
func (e *endpoint) ask(ctx context.Context, address string, call func(context.Context, *grpc.ClientConn) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(e.configuration.GossipTimeout)*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(address, e.dial...)
	if err != nil {
		return err
	}
	return errors.Join(call(ctx, conn), conn.Close())
}

// dialOptions are those that the official client makes of a configuration.
func dialOptions(configuration *esdb.Configuration) ([]grpc.DialOption, error) {
	options := []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(17 << 20))}
	if configuration.KeepAliveInterval >= 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: configuration.KeepAliveInterval, Timeout: configuration.KeepAliveTimeout, PermitWithoutStream: true,
		}))
	}
	if configuration.DisableTLS {
		return append(options, grpc.WithTransportCredentials(insecure.NewCredentials())), nil
	}
	secure := &tls.Config{InsecureSkipVerify: configuration.SkipCertificateVerification, RootCAs: configuration.RootCAs}
	if configuration.UserCertFile != "" {
		certificate, err := tls.LoadX509KeyPair(configuration.UserCertFile, configuration.UserKeyFile)
		if err != nil {
			return nil, fmt.Errorf("userCertFile %s with userKeyFile %s: %w", configuration.UserCertFile, configuration.UserKeyFile, err)
		}
		secure.Certificates = []tls.Certificate{certificate}
	}
	if configuration.Username != "" {
		options = append(options, grpc.WithPerRPCCredentials(basic{configuration.Username, configuration.Password}))
	}
	return append(options, grpc.WithTransportCredentials(credentials.NewTLS(secure))), nil
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

// server is the target, connected in both ways: through the official client, and through the bare protocol
// for what the client cannot send or does not show.
type server struct {
	endpoint   *endpoint
	client     *esdb.Client
	version    *esdb.ServerVersion
	conn       *grpc.ClientConn
	streams    streams.StreamsClient
	features   serverfeatures.ServerFeaturesClient
	gossip     gossip.GossipClient
	persistent persistent.PersistentSubscriptionsClient
}

// connect opens both connections, for as long as the test takes.
func (e *endpoint) connect(t *testing.T) *server {
	t.Helper()
	configuration := *e.configuration
	client, err := esdb.NewClient(&configuration)
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close the client: %v", err)
		}
	})
	// The client settles on a node with its first call and must not be raced there.
	version, err := client.GetServerVersion()
	if err != nil {
		t.Fatalf("the server does not answer: %v", err)
	}
	conn, err := grpc.NewClient(e.address, e.dial...)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close the connection: %v", err)
		}
	})
	return &server{
		endpoint:   e,
		client:     client,
		version:    version,
		conn:       conn,
		streams:    streams.NewStreamsClient(conn),
		features:   serverfeatures.NewServerFeaturesClient(conn),
		gossip:     gossip.NewGossipClient(conn),
		persistent: persistent.NewPersistentSubscriptionsClient(conn),
	}
}
