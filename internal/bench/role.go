package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"

	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/esnode/yardstick"
)

// The variables that make this program a server instead: the event store by
// itself, or a server that stores nothing, in a process of its own.
const (
	roleVariable   = "BENCH_ROLE"
	dirVariable    = "BENCH_DIR"
	socketVariable = "BENCH_SOCKET"
	seedVariable   = "BENCH_SEED"
	// profileVariable names a directory for processor profiles of these servers.
	profileVariable = "BENCH_PROFILE"

	roleNode = "node"
	roleNull = "null"
)

// playRole serves until ctx ends, or until the program that began it does: what
// holds the other end of standard input.
func playRole(ctx context.Context, role string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin) // that it ends counts, not how
	}()
	if dir := os.Getenv(profileVariable); dir != "" {
		stop, err := profile(filepath.Join(dir, fmt.Sprintf("%s-%d.pprof", role, os.Getpid())))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	switch role {
	case roleNode:
		return serveNode(ctx)
	case roleNull:
		seed, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", seedVariable, err)
		}
		return yardstick.ServeNull(ctx, os.Getenv(socketVariable), seed)
	}
	return fmt.Errorf("%s: there is no role %q", roleVariable, role)
}

// serveNode serves a store with the settings of production.
func serveNode(ctx context.Context) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	node, err := esnode.Open(os.Getenv(dirVariable), esnode.Options{Logger: logger})
	if err != nil {
		return err
	}
	return errors.Join(node.Serve(ctx, os.Getenv(socketVariable)), node.Close())
}

// profile writes what the processor does into a file until stop is called.
func profile(path string) (stop func() error, err error) {
	file, err := os.Create(path) //nolint:gosec // the caller's choice
	if err != nil {
		return nil, fmt.Errorf("%s: %w", profileVariable, err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", profileVariable, err), file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}
