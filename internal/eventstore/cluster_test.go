package eventstore_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
)

// cluster is three members on loopback with TLS, a password and one log, which is
// that of an embedded node. One member leads: it takes appends, the others name
// it to whoever appends. All of them tell who there is.
type cluster struct {
	t       *testing.T
	log     streams.StreamsClient
	members []*member
	caFile  string
	tls     *tls.Config

	mu     sync.Mutex
	leader int // -1 during an election
	stale  int // whom the others name as the leader meanwhile, -1 for nobody
}

// member is one of the servers.
type member struct {
	streams.UnimplementedStreamsServer
	cluster *cluster
	number  int
	address string
	port    uint32

	mu      sync.Mutex
	server  *grpc.Server // nil while it is down
	appends int          // that it was sent
	reads   int          // that it answered, subscriptions left out
}

const clusterUser, clusterPassword = "steward", "p@ss:word/1"

func startCluster(t *testing.T) *cluster {
	t.Helper()
	conn, err := grpc.NewClient(esnode.Address(startNode(t).socket), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &cluster{t: t, log: streams.NewStreamsClient(conn), stale: -1}
	c.certify()
	for i := range 3 {
		m := &member{cluster: c, number: i, address: "127.0.0.1:0"}
		c.members = append(c.members, m)
		m.start()
		t.Cleanup(m.stop)
	}
	return c
}

// certify makes an authority and a certificate for the members.
func (c *cluster) certify() {
	c.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "steward test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	ca, err := x509.CreateCertificate(rand.Reader, template, template, authority.Public(), authority)
	if err != nil {
		c.t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	node := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "eventstoredb-node"},
		NotBefore: template.NotBefore, NotAfter: template.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, node, template, key.Public(), authority)
	if err != nil {
		c.t.Fatal(err)
	}
	c.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	c.caFile = filepath.Join(c.t.TempDir(), "ca.crt")
	if err := os.WriteFile(c.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca}), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// url is how an operator would name the cluster.
func (c *cluster) url(user *url.Userinfo) string {
	var seeds []string
	for _, m := range c.members {
		seeds = append(seeds, m.address)
	}
	return fmt.Sprintf("esdb://%s@%s?tls=true&tlsCAFile=%s&nodePreference=leader", user, strings.Join(seeds, ","), url.QueryEscape(c.caFile))
}

func (c *cluster) open() *eventstore.Store {
	c.t.Helper()
	return open(c.t, "", func(config *eventstore.Config) { config.URL = c.url(url.UserPassword(clusterUser, clusterPassword)) })
}

// elect makes a member the leader; -1 begins an election, in which all name the
// one given, if any.
func (c *cluster) elect(leader, stale int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leader, c.stale = leader, stale
}

func (c *cluster) leads() (leader, stale int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leader, c.stale
}

// start serves at the member's address, which stays the same.
func (m *member) start() {
	m.cluster.t.Helper()
	listener, err := net.Listen("tcp", m.address)
	if err != nil {
		m.cluster.t.Fatal(err)
	}
	m.address = listener.Addr().String()
	_, port, _ := net.SplitHostPort(m.address)
	n, _ := strconv.Atoi(port)
	m.port = uint32(n)
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(m.cluster.tls)), grpc.WaitForHandlers(true))
	streams.RegisterStreamsServer(server, m)
	gossip.RegisterGossipServer(server, gossiper{cluster: m.cluster})
	m.mu.Lock()
	m.server = server
	m.mu.Unlock()
	go func() { _ = server.Serve(listener) }() // ends with Stop
}

// stop cuts every connection, as when the process dies.
func (m *member) stop() {
	m.mu.Lock()
	server := m.server
	m.server = nil
	m.mu.Unlock()
	if server != nil {
		server.Stop()
	}
}

func (m *member) up() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.server != nil
}

func (m *member) appended() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.appends
}

// gossiper tells who there is.
type gossiper struct {
	gossip.UnimplementedGossipServer
	cluster *cluster
}

// Read lists the members. One that is down is not alive.
func (g gossiper) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	leader, _ := g.cluster.leads()
	info := &gossip.ClusterInfo{}
	for _, m := range g.cluster.members {
		state := gossip.MemberInfo_Follower
		if m.number == leader {
			state = gossip.MemberInfo_Leader
		}
		info.Members = append(info.Members, &gossip.MemberInfo{
			InstanceId: &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}},
			State:      state, IsAlive: m.up(), HttpEndPoint: &gossip.EndPoint{Address: "127.0.0.1", Port: m.port},
		})
	}
	return info, nil
}

// Read reads the log, which every member has. Whoever asks for the leader gets an
// answer from nobody else.
func (m *member) Read(req *streams.ReadReq, call streams.Streams_ReadServer) error {
	if err := m.authorize(call.Context()); err != nil {
		return err
	}
	if slices.Equal(metadata.ValueFromIncomingContext(call.Context(), "requires-leader"), []string{"true"}) {
		if err := m.leads(call); err != nil {
			return err
		}
	}
	if req.GetOptions().GetSubscription() == nil {
		m.mu.Lock()
		m.reads++
		m.mu.Unlock()
	}
	from, err := m.cluster.log.Read(call.Context(), req)
	if err != nil {
		return err
	}
	for {
		message, err := from.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := call.Send(message); err != nil {
			return err
		}
	}
}

// Append appends to the log if this member leads.
func (m *member) Append(call streams.Streams_AppendServer) error {
	m.mu.Lock()
	m.appends++
	m.mu.Unlock()
	var requests []*streams.AppendReq
	for {
		req, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		requests = append(requests, req)
	}
	if err := m.authorize(call.Context()); err != nil {
		return err
	}
	if err := m.leads(call); err != nil {
		return err
	}
	to, err := m.cluster.log.Append(call.Context())
	if err != nil {
		return err
	}
	for _, req := range requests {
		if err := to.Send(req); err != nil {
			break // the answer says why
		}
	}
	answer, err := to.CloseAndRecv()
	if err != nil {
		return err
	}
	return call.SendAndClose(answer)
}

// leads refuses a call unless this member leads, and names who does.
func (m *member) leads(call grpc.ServerStream) error {
	leader, stale := m.cluster.leads()
	if leader < 0 {
		leader = stale
	}
	if leader < 0 {
		return status.Error(codes.Unavailable, "Server Is Not Ready")
	}
	if leader != m.number || stale == leader {
		named := m.cluster.members[leader]
		call.SetTrailer(metadata.Pairs("exception", "not-leader", "leader-endpoint-host", "127.0.0.1", "leader-endpoint-port", fmt.Sprint(named.port)))
		return status.Error(codes.NotFound, "Leader info available")
	}
	return nil
}

func (m *member) answered() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads
}

func (m *member) authorize(ctx context.Context) error {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(clusterUser+":"+clusterPassword))
	got := metadata.ValueFromIncomingContext(ctx, "authorization")
	if !slices.Equal(got, []string{want}) {
		return status.Error(codes.Unauthenticated, "Authentication failed")
	}
	return nil
}

func TestAClusterIsFoundByItsSeeds(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	for leader := range c.members {
		c.elect(leader, -1)
		s := c.open()
		f := follow(t, s, events.Position{})
		name, batch := stream(), proposed(3)
		before := c.members[leader].appended()
		mustAppend(t, s, name, eventstore.NoStream, batch)
		mustBe(t, mustRead(t, s, name), batch)
		for r := f.take(t, 1)[0]; r.ID != batch[2].ID; {
			r = f.take(t, 1)[0]
		}
		if n := c.members[leader].appended() - before; n != 1 {
			t.Errorf("the leader was sent %d appends", n)
		}
	}
}

// A leader that goes on as a follower may be behind: reads follow the leader, as
// what was acknowledged does.
func TestReadsFollowTheLeader(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.elect(0, -1)
	s := c.open()
	name, batch := stream(), proposed(1)
	mustAppend(t, s, name, eventstore.NoStream, batch)
	for _, leader := range []int{1, 2, 0, 2, 1} {
		c.elect(leader, -1) // nobody goes away
		var before []int
		for _, m := range c.members {
			before = append(before, m.answered())
		}
		mustBe(t, mustRead(t, s, name), batch)
		if _, err := s.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, m := range c.members {
			if n := m.answered() - before[i]; (n > 0) != (i == leader) {
				t.Errorf("member %d answered %d reads while %d led", i, n, leader)
			}
		}
	}
	c.elect(-1, -1)
	if got, err := s.ReadStream(t.Context(), name, 0); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("while nobody leads a read finds %d events, %v", len(got), err)
	}
}

func TestAClusterWithAMemberDown(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.members[1].stop()
	for range 6 { // in whatever order the seeds are asked
		s := c.open()
		mustAppend(t, s, stream(), eventstore.NoStream, proposed(1))
	}
}

func TestAClusterRefusesAWrongPassword(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	s := open(t, "", func(config *eventstore.Config) { config.URL = c.url(url.UserPassword(clusterUser, "guess")) })
	_, err := s.Append(t.Context(), stream(), eventstore.NoStream, proposed(1))
	if status.Code(err) != codes.Unauthenticated || errors.Is(err, eventstore.ErrUnavailable) || strings.Contains(err.Error(), "guess") {
		t.Errorf("append: %v", err)
	}
	if _, err := s.Head(t.Context()); err == nil || errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("head: %v", err)
	}
	if err := s.Subscribe(t.Context(), events.Position{}, eventstore.Handler{}); err == nil || errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("subscribe: %v", err)
	}
}

func TestAClusterWhoseCertificateIsNotTrusted(t *testing.T) {
	t.Parallel()
	c, other := startCluster(t), startCluster(t)
	other.members = c.members // whose authority did not sign their certificate
	// Long enough to be refused on a busy machine: it goes on trying until then.
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	_, err := eventstore.Open(ctx, eventstore.Config{URL: other.url(url.UserPassword(clusterUser, clusterPassword))})
	if !errors.Is(err, eventstore.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
}

// The leadership moves in every way that it can, while a writer appends and two
// subscriptions follow: each event is written once and delivered once, and both
// go on within five seconds.
func TestTheLeaderChanges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *cluster){
		// It stays as a follower and names its successor.
		"steps down": func(c *cluster) { c.elect(1, -1) },
		// Every connection to it breaks; another leads at once.
		"dies": func(c *cluster) {
			c.elect(1, -1)
			c.members[0].stop()
		},
		// For a while nobody leads, and nobody says who will.
		"dies, and an election takes a while": func(c *cluster) {
			c.elect(-1, -1)
			c.members[0].stop()
			<-time.After(700 * time.Millisecond)
			c.elect(2, -1)
		},
		// For a while the others name a leader who is gone.
		"dies, and is still named": func(c *cluster) {
			c.elect(-1, 0)
			c.members[0].stop()
			<-time.After(700 * time.Millisecond)
			c.elect(2, -1)
		},
		"steps down, and names itself for a while": func(c *cluster) {
			c.elect(-1, 0)
			<-time.After(300 * time.Millisecond)
			c.elect(1, -1)
		},
		"comes back as a follower": func(c *cluster) {
			c.elect(1, -1)
			c.members[0].stop()
			c.members[0].start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			s := c.open()
			followers := []*follower{follow(t, s, events.Position{}), follow(t, c.open(), events.Position{})}
			name, revision := stream(), eventstore.NoStream
			var want []events.Proposed
			append1 := func() {
				batch := proposed(1)
				if err := retry(t.Context(), func() error {
					done, err := s.Append(t.Context(), name, revision, batch)
					if err == nil {
						revision = done.Revision
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				want = append(want, batch...)
			}
			for range 10 {
				append1()
			}
			done := make(chan time.Time, 1)
			go func() {
				change(c)
				done <- time.Now()
			}()
			var changed time.Time
			for changed.IsZero() {
				append1()
				select {
				case changed = <-done:
				default:
				}
			}
			append1()
			appended := time.Since(changed)
			for range 10 {
				append1()
			}
			mustBe(t, mustRead(t, s, name), want)
			for _, f := range followers {
				mustBe(t, f.take(t, len(want)), want)
			}
			took := time.Since(changed)
			t.Logf("the first append took %v, everything %v", appended, took)
			if took > recovery {
				t.Errorf("recovery took %v", took)
			}
		})
	}
}

// A node names a leader that is gone to many callers at once. The client is closed
// beside them, and nobody waits for it.
func TestManyAreSentToALeaderThatIsGone(t *testing.T) {
	t.Parallel()
	if underRace {
		t.Skip("closing a channel beside those who send is a race by definition; their panic is received")
	}
	c := startCluster(t)
	c.members[2].stop()
	s := c.open()
	mustAppend(t, s, stream(), eventstore.NoStream, proposed(1))
	c.elect(-1, 2) // everybody names the third
	var writers sync.WaitGroup
	for range 50 {
		writers.Go(func() {
			if _, err := s.Append(t.Context(), stream(), eventstore.NoStream, proposed(1)); err != nil {
				t.Error(err)
			}
		})
	}
	<-time.After(500 * time.Millisecond)
	c.elect(1, -1)
	within(t, recovery, "going on", writers.Wait)
	within(t, 2*time.Second, "closing", func() { _ = s.Close() })
}

// The embedded node speaks gossip too, so a list of seeds and a name to discover
// lead to it, also past an address where nobody is.
func TestAnEmbeddedNodeIsFoundByGossip(t *testing.T) {
	t.Parallel()
	node, err := esnode.Open(t.TempDir(), esnode.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- node.ServeListener(context.WithoutCancel(t.Context()), listener) }()
	t.Cleanup(func() {
		if err := errors.Join(node.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	for _, address := range []string{
		"esdb://" + listener.Addr().String(),
		"esdb+discover://" + listener.Addr().String(),
		"esdb://127.0.0.1:1," + listener.Addr().String(),
	} {
		s := open(t, "", func(c *eventstore.Config) { c.URL, c.Insecure = address+"?tls=false", true })
		name, batch := stream(), proposed(2)
		mustAppend(t, s, name, eventstore.NoStream, batch)
		mustBe(t, mustRead(t, s, name), batch)
	}
}
