package esnode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The administration service is the node's own: operators' commands reach through it a store that another
// process has open. Each call takes its options, sends its progress and ends with its result, all as JSON.
const (
	adminService = "steward.esnode.Admin"

	methodCheck  = "Check"
	methodStats  = "Stats"
	methodBackup = "Backup"
)

// adminMessage is what a call sends: progress any number of times, then the result.
type adminMessage struct {
	Done   uint64          `json:"done,omitempty"`
	Total  uint64          `json:"total,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// backupRequest is what the Backup call takes.
type backupRequest struct {
	Directory string `json:"directory"`
}

// registerAdmin adds the service to a server on a Unix socket. Whoever comes over a network is no operator.
func (n *Node) registerAdmin(server *grpc.Server, address net.Addr) {
	if address.Network() != "unix" {
		return
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: adminService,
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			adminMethod(methodCheck, func(ctx context.Context, _ struct{}, progress func(done, total uint64)) (CheckReport, error) {
				return n.Check(ctx, CheckOptions{Progress: progress})
			}),
			adminMethod(methodStats, func(ctx context.Context, options StatsOptions, progress func(done, total uint64)) (Stats, error) {
				options.Progress = progress
				return n.Stats(ctx, options)
			}),
			adminMethod(methodBackup, func(ctx context.Context, request backupRequest, progress func(done, total uint64)) (Backup, error) {
				return n.Backup(ctx, request.Directory, BackupOptions{Progress: progress})
			}),
		},
	}, n)
}

// adminProgressInterval is how often progress is sent.
const adminProgressInterval = 100 * time.Millisecond

// adminMethod makes a call of the service. What it does reports its progress in the goroutine of the call.
func adminMethod[Request, Result any](name string, do func(context.Context, Request, func(done, total uint64)) (Result, error)) grpc.StreamDesc {
	handle := func(_ any, call grpc.ServerStream) error {
		var message wrapperspb.BytesValue
		if err := call.RecvMsg(&message); err != nil {
			return err
		}
		var request Request
		if err := json.Unmarshal(message.GetValue(), &request); err != nil {
			return errInvalid("the request cannot be read: %v", err)
		}
		var sent time.Time
		result, err := do(call.Context(), request, func(done, total uint64) {
			if time.Since(sent) >= adminProgressInterval {
				sent = time.Now()
				// A client that is gone is noticed by the context.
				_ = sendAdmin(call, adminMessage{Done: done, Total: total})
			}
		})
		if err != nil {
			return finish(call.Context(), err)
		}
		text, err := json.Marshal(result)
		if err != nil {
			return fmt.Errorf("encode the result: %w", err)
		}
		return sendAdmin(call, adminMessage{Result: text})
	}
	return grpc.StreamDesc{StreamName: name, Handler: handle, ServerStreams: true}
}

func sendAdmin(call grpc.ServerStream, message adminMessage) error {
	text, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	return call.SendMsg(wrapperspb.Bytes(text))
}

// Admin does to a node that another process serves what an operator does to a store.
type Admin struct{ connection *grpc.ClientConn }

// Dial makes an Admin of the node on a socket. It connects with the first call. The caller must Close it.
func Dial(socketPath string) (*Admin, error) {
	connection, err := grpc.NewClient(Address(socketPath), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("connect to the event store on %s: %w", socketPath, err)
	}
	return &Admin{connection}, nil
}

// Close closes the connection. Calls under way end.
func (a *Admin) Close() error { return a.connection.Close() }

// Check is [Node.Check].
func (a *Admin) Check(ctx context.Context, options CheckOptions) (CheckReport, error) {
	return callAdmin[CheckReport](ctx, a, methodCheck, struct{}{}, options.Progress)
}

// Stats is [Node.Stats].
func (a *Admin) Stats(ctx context.Context, options StatsOptions) (Stats, error) {
	return callAdmin[Stats](ctx, a, methodStats, options, options.Progress)
}

// Backup is [Node.Backup]. The process that serves the node writes the directory, as the user that it runs as.
func (a *Admin) Backup(ctx context.Context, dir string, options BackupOptions) (Backup, error) {
	return callAdmin[Backup](ctx, a, methodBackup, backupRequest{dir}, options.Progress)
}

func callAdmin[Result any](ctx context.Context, a *Admin, method string, request any, progress func(done, total uint64)) (result Result, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	text, err := json.Marshal(request)
	if err != nil {
		return result, err
	}
	call, err := a.connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/"+adminService+"/"+method)
	if err != nil {
		return result, adminError(ctx, err)
	}
	if err := call.SendMsg(wrapperspb.Bytes(text)); err != nil {
		return result, adminError(ctx, err)
	}
	if err := call.CloseSend(); err != nil {
		return result, adminError(ctx, err)
	}
	for {
		var packed wrapperspb.BytesValue
		if err := call.RecvMsg(&packed); err != nil {
			return result, adminError(ctx, err)
		}
		var message adminMessage
		if err := json.Unmarshal(packed.GetValue(), &message); err != nil {
			return result, fmt.Errorf("the event store's answer cannot be read: %w", err)
		}
		if message.Result != nil {
			return result, json.Unmarshal(message.Result, &result)
		}
		if progress != nil {
			progress(message.Done, message.Total)
		}
	}
}

// adminError is what a failed call means for an operator.
func adminError(ctx context.Context, err error) error {
	s := status.Convert(err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.Code() == codes.Unimplemented:
		return fmt.Errorf("the process that has the event store open is of another version than this program (%s); restart it", s.Message())
	case s.Code() == codes.Unavailable:
		return fmt.Errorf("the process that has the event store open is going away or takes no more orders: %s", s.Message())
	}
	return errors.New(s.Message())
}
