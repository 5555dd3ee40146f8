package esnode

import (
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// pageEvents and pageBytes bound what is collected before it is sent. Between two pages nothing of the
	// store is held open, so a client that does not read costs memory for one page.
	pageEvents = 512
	pageBytes  = 512 << 10
)

// reader serves one Read call.
type reader struct {
	node    *Node
	call    streams.Streams_ReadServer
	form    uuidForm
	resolve bool
	filter  *filter
	items   []item // the page under construction, reused
}

// item is one event of a page. Its frame is nil when the filter does not want it.
type item struct {
	position uint64
	frame    frame
}

// Read implements the Read call: reads and catch-up subscriptions, of a stream and of $all.
func (s *streamsServer) Read(request *streams.ReadReq, call streams.Streams_ReadServer) error {
	return finish(call.Context(), s.node.serveRead(request.GetOptions(), call))
}

func (n *Node) serveRead(options *streams.ReadReq_Options, call streams.Streams_ReadServer) (err error) {
	defer n.condition.rescue(&err)
	defer func() { err = n.condition.diagnose(err) }()
	r := &reader{node: n, call: call, resolve: options.GetResolveLinks()}
	switch form := options.GetUuidOption().GetContent().(type) {
	case *streams.ReadReq_Options_UUIDOption_Structured:
		r.form = structuredUUID
	case *streams.ReadReq_Options_UUIDOption_String_:
		r.form = stringUUID
	default:
		return errInvalid("'%T' is not a valid uuid option.", form)
	}
	if r.filter, err = parseFilter(options); err != nil {
		return err
	}

	backwards := options.GetReadDirection() == streams.ReadReq_Options_Backwards
	switch source := options.GetStreamOption().(type) {
	case *streams.ReadReq_Options_Stream:
		return r.serveStream(source.Stream, options, backwards)
	case *streams.ReadReq_Options_All:
		return r.serveAll(source.All, options, backwards)
	default:
		return errInvalid("'%T' is not a valid stream option.", source)
	}
}

func (r *reader) serveStream(source *streams.ReadReq_Options_StreamOptions, options *streams.ReadReq_Options, backwards bool) error {
	stream := parseName(source.GetStreamIdentifier().GetStreamName())
	if len(stream.base) == 0 {
		return errInvalid("'%s' is not a valid stream name.", stream.full)
	}
	if r.filter != nil {
		return errInvalid("The combination of (stream, filter) is invalid.")
	}
	switch counted := options.GetCountOption().(type) {
	case *streams.ReadReq_Options_Subscription:
		if backwards {
			return errInvalid("The combination of (subscription, backwards) is invalid.")
		}
		return r.subscribeStream(stream, source)
	case *streams.ReadReq_Options_Count:
		if counted.Count == 0 {
			return errInvalid("'0' is not a valid count.")
		}
		return r.readStream(stream, source, counted.Count, backwards)
	default:
		return errInvalid("'%T' is not a valid count option.", counted)
	}
}

func (r *reader) serveAll(source *streams.ReadReq_Options_AllOptions, options *streams.ReadReq_Options, backwards bool) error {
	switch counted := options.GetCountOption().(type) {
	case *streams.ReadReq_Options_Subscription:
		if backwards {
			return errInvalid("The combination of (subscription, backwards) is invalid.")
		}
		if r.filter != nil && r.filter.interval == 0 {
			return errInvalid("'0' is not a valid checkpoint interval.")
		}
		return r.subscribeAll(source)
	case *streams.ReadReq_Options_Count:
		if counted.Count == 0 {
			return errInvalid("'0' is not a valid count.")
		}
		return r.readAll(source, counted.Count, backwards)
	default:
		return errInvalid("'%T' is not a valid count option.", counted)
	}
}

func (r *reader) send(f frame) error { return r.call.SendMsg(f) }

func (r *reader) sendNotFound(stream name) error {
	return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
		StreamNotFound: &streams.ReadResp_StreamNotFound{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: stream.full},
		},
	}})
}

// checkPosition refuses pairs that no event can have.
func checkPosition(p *streams.ReadReq_Options_Position) error {
	if p.GetCommitPosition() < p.GetPreparePosition() {
		return status.Errorf(codes.Unknown, "the commit position %d lies before the prepare position %d",
			p.GetCommitPosition(), p.GetPreparePosition())
	}
	return nil
}
