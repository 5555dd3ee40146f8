package eventstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/stewardhq/steward/internal/esnode"
)

// The variables that make this test binary a node instead of running its tests.
const (
	childDir    = "EVENTSTORE_TEST_DIR"
	childSocket = "EVENTSTORE_TEST_SOCKET"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDir) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := serveChild(os.Getenv(childDir), os.Getenv(childSocket)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveChild is a node with the settings of production. It ends with its parent,
// whose end of the pipe is then closed.
func serveChild(dir, socket string) error {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	node, err := esnode.Open(dir, esnode.Options{})
	if err != nil {
		return err
	}
	listener, err := esnode.Listen(socket)
	if err != nil {
		return errors.Join(err, node.Close())
	}
	fmt.Println("ready")
	return errors.Join(node.ServeListener(ctx, listener), node.Close())
}

// child is a node in a process of its own, which can be killed.
type child struct {
	dir    string
	socket string

	mu      sync.Mutex
	command *exec.Cmd
	stdin   io.Closer
}

func startChild(tb testing.TB) *child {
	tb.Helper()
	dir := shortDir(tb)
	c := &child{dir: filepath.Join(dir, "data"), socket: filepath.Join(dir, "s")}
	tb.Cleanup(c.kill)
	if err := c.start(); err != nil {
		tb.Fatal(err)
	}
	return c
}

// start returns when the node answers.
func (c *child) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), childDir+"="+c.dir, childSocket+"="+c.socket)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	c.mu.Lock()
	c.command, c.stdin = command, stdin
	c.mu.Unlock()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		return fmt.Errorf("the node said %q: %w", line, err)
	}
	return nil
}

// kill ends the node at once, with whatever it was doing.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.command == nil {
		return
	}
	_ = c.command.Process.Kill()
	_ = c.command.Wait() // killed, as it says
	_ = c.stdin.Close()
	c.command = nil
}
