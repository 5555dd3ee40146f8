package esnode

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// The trailers by which clients of this protocol tell failures apart.
const (
	trailerException = "exception"
	trailerStream    = "stream-name"
)

// trailed is a status that travels with trailers. It is made where the failure is known and takes its
// trailers along to where the call is.
type trailed struct {
	status   *status.Status
	trailers metadata.MD
}

// Error implements error.
func (t *trailed) Error() string { return t.status.Message() }

// GRPCStatus lets gRPC find the status.
func (t *trailed) GRPCStatus() *status.Status { return t.status }

// finish turns an error into what the client shall see: its status, with the trailers set on the call.
func finish(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var t *trailed
	if errors.As(err, &t) {
		if err := grpc.SetTrailer(ctx, t.trailers); err != nil {
			return status.Errorf(codes.Internal, "set trailers: %v", err)
		}
		return t.status.Err()
	}
	if s, ok := status.FromError(err); ok {
		return s.Err()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Unknown, err.Error())
}

func contextStatus(ctx context.Context) error { return status.FromContextError(ctx.Err()).Err() }

func errStopping() error { return errShutdown }

var errShutdown = status.Error(codes.Unavailable, "Server Is Shutting Down")

func errFailed(err error) error {
	return status.Errorf(codes.Unavailable, "the event store takes no more writes until it is opened again: %v", err)
}

func errInvalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

func errDeleted(stream []byte) error {
	return &trailed{
		status:   status.Newf(codes.FailedPrecondition, "Event stream '%s' is deleted.", stream),
		trailers: metadata.Pairs(trailerException, "stream-deleted", trailerStream, printable(stream)),
	}
}

func errDeleteConflict(stream []byte, expected, actual int64) error {
	return &trailed{
		status: status.Newf(codes.FailedPrecondition,
			"Delete failed due to WrongExpectedVersion. Stream: %s, Expected version: %d, Actual version: %d", stream, expected, actual),
		trailers: metadata.Pairs(
			trailerException, "wrong-expected-version",
			trailerStream, printable(stream),
			"expected-version", strconv.FormatInt(expected, 10),
			"actual-version", strconv.FormatInt(actual, 10)),
	}
}

func errAppendTooBig() error {
	return &trailed{
		status: status.Newf(codes.InvalidArgument, "Maximum Append Size of %d Exceeded.", maxAppendSize),
		trailers: metadata.Pairs(
			trailerException, "maximum-append-size-exceeded",
			"maximum-append-size", strconv.Itoa(maxAppendSize)),
	}
}

func errMissingMetadata(property string) error {
	return &trailed{
		status: status.New(codes.InvalidArgument, fmt.Sprintf("Required Metadata Property '%s' is missing", property)),
		trailers: metadata.Pairs(
			trailerException, "missing-required-metadata-property",
			"required-metadata-properties", "type,content-type"),
	}
}

// printable makes a stream's name fit for a trailer, which may hold nothing but visible ASCII. Names that
// are that already stay as they are.
func printable(stream []byte) string {
	for _, b := range stream {
		if b < 0x20 || b > 0x7e {
			return url.PathEscape(string(stream))
		}
	}
	return string(stream)
}
