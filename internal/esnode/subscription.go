package esnode

import (
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
)

// A subscription is a loop that reads on from where it is and waits when there is nothing more. The node
// keeps no queue for it: while its client is slow it stands still, and afterwards it reads what it missed,
// from the tail or from the log. So nothing can be lost, and a slow client costs one page of memory.

// confirm opens a subscription on the wire.
func (r *reader) confirm() error {
	return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
}

// caughtUp tells the client that it has seen all there was.
func (r *reader) caughtUp() error {
	return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

// wait returns when the signal fires, and with an error when the call or the node ends.
func (r *reader) wait(signal <-chan struct{}) error {
	select {
	case <-signal:
		return nil
	case <-r.call.Context().Done():
		return contextStatus(r.call.Context())
	case <-r.node.stopped:
		return errStopping()
	}
}

// running fails when the call or the node has ended. Sending alone does not notice that the node stops.
func (r *reader) running() error {
	select {
	case <-r.call.Context().Done():
		return contextStatus(r.call.Context())
	case <-r.node.stopped:
		return errStopping()
	default:
		return nil
	}
}
