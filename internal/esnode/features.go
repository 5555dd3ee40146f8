package esnode

import (
	"context"
	"encoding/binary"
	"net"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
)

// announcedVersion is the server version whose behaviour the node has. Clients parse it: three numbers,
// nothing behind them.
const announcedVersion = "24.10.0"

// featuresServer tells clients what they may call. Names are in lower case because clients compare them so.
type featuresServer struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

// GetSupportedMethods implements the GetSupportedMethods call.
func (featuresServer) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	const (
		streamsService  = "event_store.client.streams.streams"
		gossipService   = "event_store.client.gossip.gossip"
		featuresService = "event_store.client.server_features.serverfeatures"
	)
	return &serverfeatures.SupportedMethods{
		EventStoreServerVersion: announcedVersion,
		Methods: []*serverfeatures.SupportedMethod{
			{ServiceName: streamsService, MethodName: "read", Features: []string{"position", "events"}},
			{ServiceName: streamsService, MethodName: "append"},
			{ServiceName: streamsService, MethodName: "delete"},
			{ServiceName: streamsService, MethodName: "tombstone"},
			{ServiceName: gossipService, MethodName: "read"},
			{ServiceName: featuresService, MethodName: "getsupportedmethods"},
		},
	}, nil
}

// gossipServer presents the node as a cluster of one, for clients that insist on asking.
type gossipServer struct {
	gossip.UnimplementedGossipServer
	instance uuid.UUID
	address  net.Addr
}

// Read implements the Read call.
func (g *gossipServer) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		InstanceId: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
			MostSignificantBits:  int64(binary.BigEndian.Uint64(g.instance[:8])),
			LeastSignificantBits: int64(binary.BigEndian.Uint64(g.instance[8:])),
		}}},
		TimeStamp:    ticks(time.Now()),
		State:        gossip.MemberInfo_Leader,
		IsAlive:      true,
		HttpEndPoint: endPoint(g.address),
	}}}, nil
}

// endPoint names the listener. A Unix socket has no port: its path stands for the address, which is of use
// to people only, since clients can dial nothing but host and port.
func endPoint(address net.Addr) *gossip.EndPoint {
	host, port, err := net.SplitHostPort(address.String())
	number, bad := strconv.ParseUint(port, 10, 16)
	if err != nil || bad != nil {
		return &gossip.EndPoint{Address: address.String()}
	}
	return &gossip.EndPoint{Address: host, Port: uint32(number)}
}
