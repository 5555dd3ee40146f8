package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stewardhq/steward/internal/postgres/pgtest"
)

// asSteward makes the test binary be the program itself, so that tests drive a
// real process, race detector included.
const asSteward = "STEWARD_TEST_AS_STEWARD"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == authenticator {
		if err := authenticate(os.Stdout, os.Args[len(os.Args)-1], time.Now()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(asSteward) != "" {
		main()
	}
	os.Exit(m.Run())
}

// installation is what a process of steward runs on.
type installation struct {
	env    []string
	apiKey string
}

// newInstallation begins an installation with an embedded event store in a
// directory of its own, and a database of its own.
func newInstallation(t *testing.T) *installation {
	t.Helper()
	dir := shortDir(t)
	i := &installation{env: append(cleanEnviron(),
		asSteward+"=1",
		"XDG_RUNTIME_DIR="+dir,
		"STEWARD_ADDR=127.0.0.1:0",
		"STEWARD_DATA="+filepath.Join(dir, "data"),
		"STEWARD_POSTGRES_URL="+pgtest.URL(t),
		"STEWARD_MASTER_KEY_FILE="+filepath.Join(dir, "master.key"),
	)}
	out := i.mustRun(t, "init", "--store", "Shop", "--host", "shop.example.com", "--owner-email", "owner@example.com", "--output", "json")
	var founded struct {
		APIKey string `json:"api_key"`
	}
	if err := json.Unmarshal(out, &founded); err != nil || founded.APIKey == "" {
		t.Fatalf("init printed %q: %v", out, err)
	}
	i.apiKey = founded.APIKey
	return i
}

// shortDir is a temporary directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "st")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// cleanEnviron is the environment without settings of Steward.
func cleanEnviron() []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, envPrefix) && !strings.HasPrefix(pair, "XDG_") {
			env = append(env, pair)
		}
	}
	return env
}

func (i *installation) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = i.env
	return cmd
}

// mustRun runs a command of steward to its end and returns what it printed.
func (i *installation) mustRun(t *testing.T, args ...string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := i.command(t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("steward %s: %v\n%s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.Bytes()
}

// process is a running serve.
type process struct {
	cmd    *exec.Cmd
	base   string
	apiKey string
	exited chan error

	mu   sync.Mutex
	tail []string // of what it logged
}

// start starts serve and returns when it is ready.
func (i *installation) start(t *testing.T) *process {
	t.Helper()
	p := &process{cmd: i.command(context.WithoutCancel(t.Context()), "serve"), apiKey: i.apiKey, exited: make(chan error, 1)}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr := make(chan string, 1)
	go p.follow(stderr, addr)
	select {
	case at := <-addr:
		p.base = "http://" + at
	case err := <-p.exited:
		t.Fatalf("serve ended before it served: %v\n%s", err, p.log())
	case <-time.After(time.Minute):
		p.kill(t)
		t.Fatalf("serve does not serve\n%s", p.log())
	}
	p.await(t)
	return p
}

func (p *process) follow(stderr io.Reader, addr chan<- string) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			addr <- line.Addr
		}
		p.mu.Lock()
		p.tail = append(p.tail[max(0, len(p.tail)-50):], lines.Text())
		p.mu.Unlock()
	}
	p.exited <- p.cmd.Wait()
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.tail, "\n")
}

// await waits until the process is ready.
func (p *process) await(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		response, err := http.Get(p.base + "/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(5 * time.Millisecond) // a poll of another process, which sends no signal
	}
	t.Fatalf("serve is not ready\n%s", p.log())
}

// kill ends the process at once, as a power cut would.
func (p *process) kill(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Kill()
	select {
	case <-p.exited:
	case <-time.After(time.Minute):
		t.Fatal("serve survived kill -9")
	}
}

// stop ends the process as an operator would, and expects it to go quietly.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.exited:
		if err != nil {
			t.Fatalf("serve ended with %v\n%s", err, p.log())
		}
	case <-time.After(time.Minute):
		t.Fatal("serve does not stop")
	}
}

// errRefused is an answer that is not a success.
var errRefused = errors.New("refused")

// call sends a request and decodes the answer into answer.
func (p *process) call(ctx context.Context, method, path string, body, answer any) error {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, p.base+path, reader)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+p.apiKey)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%w: %s %s: %s %s", errRefused, method, path, response.Status, text)
	}
	return json.Unmarshal(text, answer)
}
