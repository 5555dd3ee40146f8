package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stewardhq/steward/internal/esnode/yardstick"
)

// server is an event store by itself, or one that stores nothing, in a process of
// its own with one client.
type server struct {
	*process

	socket string
	client *yardstick.Client
	ready  time.Duration // from its start to the first answer
}

// serverPatience is how long a server may take to answer after its start.
const serverPatience = time.Minute

// startServer starts this program in a role and waits until it answers. The node
// has its store in dir.
func (b *bench) startServer(ctx context.Context, role, dir string) (*server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program to start it again: %w", err)
	}
	b.servers++
	s := &server{socket: filepath.Join(b.runDir(), fmt.Sprintf("%s-%d", role, b.servers))}
	cmd := exec.CommandContext(ctx, program) //nolint:gosec // ourselves
	cmd.Dir = b.dir
	cmd.Env = b.environment(roleVariable+"="+role, dirVariable+"="+dir, socketVariable+"="+s.socket,
		seedVariable+"="+strconv.FormatUint(b.seed, 10))
	// The server ends when this pipe does, that is with this process at the latest.
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	if s.process, err = launch("event store ("+role+")", cmd); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// connect waits for the first answer: that of a read, if there is anything to read.
func (s *server) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, serverPatience)
	defer cancel()
	go func() {
		select {
		case <-s.ended: // nobody will answer
			cancel()
		case <-ctx.Done():
		}
	}()
	var err error
	if s.client, err = yardstick.Connect(ctx, s.socket); err != nil {
		return fmt.Errorf("%w%s", err, s.log.because())
	}
	if err := s.client.ReadNewest(ctx); err != nil && !errors.Is(err, yardstick.ErrEmpty) {
		return fmt.Errorf("%w%s", err, s.log.because())
	}
	s.ready = time.Since(s.began)
	return nil
}

// stop closes the client and stops the server in order.
func (s *server) stop() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.disconnect(), s.process.stop())
}

// crash ends the server as a power cut would, and closes the client.
func (s *server) crash() error { return errors.Join(s.kill(), s.disconnect()) }

func (s *server) disconnect() error {
	if s.client == nil {
		return nil
	}
	err := s.client.Close()
	s.client = nil
	return err
}

// effort is processor time, of a server and of this process.
type effort struct{ server, client time.Duration }

// effort reads what was used up to now.
func (s *server) effort() (effort, error) {
	own, err := ownCPU()
	if err != nil {
		return effort{}, err
	}
	used, err := s.cpu()
	return effort{server: used, client: own}, err
}

// worked is what something took: time, and processor time on both sides.
type worked struct {
	effort

	elapsed time.Duration
}

// observe runs fn and tells what it took.
func (s *server) observe(fn func() error) (worked, error) {
	before, err := s.effort()
	if err != nil {
		return worked{}, err
	}
	began := time.Now()
	if err := fn(); err != nil {
		return worked{}, err
	}
	elapsed := time.Since(began)
	after, err := s.effort()
	return worked{
		effort:  effort{server: after.server - before.server, client: after.client - before.client},
		elapsed: elapsed,
	}, err
}
