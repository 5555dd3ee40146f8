package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/storecopy"
)

// storeOnly is an environment with an event store and nothing else.
func storeOnly(t *testing.T) (i *installation, data dataDir) {
	t.Helper()
	dir := shortDir(t)
	data = dataDir(filepath.Join(dir, "data"))
	return &installation{env: append(cleanEnviron(), asSteward+"=1", "XDG_RUNTIME_DIR="+dir, "STEWARD_DATA="+string(data))}, data
}

// fails runs a command that must fail, and returns its exit code and what it says.
func (i *installation) fails(t *testing.T, args ...string) (code int, says string) {
	t.Helper()
	out, err := i.command(t.Context(), args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("steward %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return exit.ExitCode(), string(out)
}

// decode runs a command that prints JSON.
func (i *installation) decode(t *testing.T, into any, args ...string) {
	t.Helper()
	out := i.mustRun(t, append(args, "--output", "json")...)
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("steward %s printed %q: %v", strings.Join(args, " "), out, err)
	}
}

// variable is the value of a variable of the installation.
func (i *installation) variable(name string) string {
	for _, pair := range i.env {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// serveNode serves the embedded store of a directory over a network, where it
// stands for an EventStoreDB, and returns the URL.
func serveNode(t *testing.T, dir string) (*esnode.Node, string) {
	t.Helper()
	node, err := esnode.Open(dir, esnode.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- node.ServeListener(context.Background(), listener) }()
	t.Cleanup(func() {
		if err := errors.Join(node.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	return node, "esdb://" + listener.Addr().String() + "?tls=false"
}

// over is the installation with an EventStoreDB in place of the embedded store.
func (i *installation) over(url string) *installation {
	return i.set("STEWARD_DATA", "").set("STEWARD_EVENTSTORE_URL", url).set("STEWARD_EVENTSTORE_INSECURE", "1")
}

// fillNode writes n events in small batches.
func fillNode(t *testing.T, url string, n int) {
	t.Helper()
	store, err := eventstore.Open(t.Context(), eventstore.Config{URL: url, Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // always nil
	for written := 0; written < n; {
		batch := make([]events.Proposed, min(10, n-written))
		for b := range batch {
			batch[b] = events.Proposed{ID: uuid.New(), Type: "thing.happened", Data: fmt.Appendf(nil, `{"n":%d}`, written+b), Metadata: []byte(`{"schema":1}`)}
		}
		if _, err := store.Append(t.Context(), "thing-"+uuid.NewString(), eventstore.NoStream, batch); err != nil {
			t.Fatal(err)
		}
		written += len(batch)
	}
}

type statsPrinted struct {
	Events, Streams uint64
	LastPosition    uint64 `json:"last_position"`
}

// The commands for the embedded store work beside a running Steward and without
// one, and a backup that is made under load brings everything back.
func TestStoreBackupAndRestore(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	data := dataDir(i.variable("STEWARD_DATA"))
	p := i.start(t)
	seen := &acknowledged{ids: map[string]bool{}}
	domains := mustImport(t, p, seen, 10)
	backup := filepath.Join(t.TempDir(), "backup")
	before := map[string]bool{}
	underLoad(t, p, seen, domains, 0, func() {
		<-seen.more(50)
		seen.mu.Lock()
		for id := range seen.ids {
			before[id] = true
		}
		seen.mu.Unlock()
		if out := i.mustRun(t, "store", "backup", backup); !bytes.Contains(out, []byte("1. the keys")) {
			t.Errorf("backup does not say what comes next:\n%s", out)
		}
		var running statsPrinted
		i.decode(t, &running, "store", "stats")
		if running.Events < uint64(len(before)) {
			t.Errorf("stats of the running store: %+v", running)
		}
		if out := i.mustRun(t, "store", "check"); !bytes.Contains(out, []byte("everything is whole")) {
			t.Errorf("check of the running store:\n%s", out)
		}
		// An export is of the log as it stands when it begins.
		exported := i.mustRun(t, "store", "export", "-")
		if summary, err := storecopy.Verify(t.Context(), bytes.NewReader(exported), nil); err != nil || summary.Events < running.Events {
			t.Errorf("export of the running store: %+v, %v", summary, err)
		}
	})
	if code, says := i.fails(t, "store", "backup", backup); code != 1 || !strings.Contains(says, "not empty") {
		t.Errorf("a second backup into the same directory: %d %s", code, says)
	}
	if code, says := i.fails(t, "store", "restore", backup); code != 1 || !strings.Contains(says, "in use") {
		t.Errorf("restore beside a running Steward: %d %s", code, says)
	}
	p.stop(t)

	if out := i.mustRun(t, "store", "check"); !bytes.Contains(out, []byte("everything is whole")) {
		t.Errorf("check of the stopped store:\n%s", out)
	}
	if out := i.mustRun(t, "store", "stats"); !bytes.Contains(out, []byte("customer.created")) || !bytes.Contains(out, []byte("CATEGORY")) {
		t.Errorf("stats:\n%s", out)
	}
	var checked struct {
		LastPosition uint64 `json:"last_position"`
		Problems     []any
	}
	i.decode(t, &checked, "store", "check", "--backup", backup)
	if len(checked.Problems) > 0 || checked.LastPosition == 0 {
		t.Errorf("check of the backup: %+v", checked)
	}
	if code, says := i.fails(t, "store", "restore", backup); code != 1 || !strings.Contains(says, "holds an event store already") {
		t.Errorf("restore over a store: %d %s", code, says)
	}
	if err := os.Rename(data.events(), data.events()+".old"); err != nil {
		t.Fatal(err)
	}
	i.mustRun(t, "store", "restore", backup)

	// The read models are newer than the log now.
	i.mustRun(t, "rebuild")
	i.mustRun(t, "reactions", "reset", "all", "--to", "0", "--reason", "restored a backup")
	p = i.start(t)
	stored := mustReadEvents(t, p)
	for id := range before {
		if stored[id] != 1 {
			t.Errorf("%s was acknowledged before the backup and is stored %d times after the restore", id, stored[id])
		}
	}
	p.stop(t)
}

// A damaged backup is neither called whole nor restored.
func TestStoreDamagedBackup(t *testing.T) {
	t.Parallel()
	i, data := storeOnly(t)
	_, url := serveNode(t, filepath.Join(t.TempDir(), "events"))
	fillNode(t, url, 100)
	log := filepath.Join(t.TempDir(), "log.ndjson")
	i.over(url).mustRun(t, "store", "export", log)
	i.mustRun(t, "store", "import", log)
	backup := filepath.Join(t.TempDir(), "backup")
	i.mustRun(t, "store", "backup", backup)
	if _, err := os.Stat(filepath.Join(backup, "events", "LOCK")); err == nil {
		t.Error("the backup holds a lock")
	}
	wal, err := filepath.Glob(filepath.Join(backup, "events", "*.log"))
	if err != nil || len(wal) == 0 {
		t.Fatalf("no write-ahead log in the backup: %v", err)
	}
	content, err := os.ReadFile(wal[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(wal[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, says := i.fails(t, "store", "check", "--backup", backup); code != exitProblems || !strings.Contains(says, wal[0]) {
		t.Errorf("check: %d %s", code, says)
	}
	if err := os.Rename(data.events(), data.events()+".old"); err != nil {
		t.Fatal(err)
	}
	if code, says := i.fails(t, "store", "restore", backup); code != 1 || !strings.Contains(says, wal[0]) {
		t.Errorf("restore: %d %s", code, says)
	}
	if left, err := filepath.Glob(data.events() + "*"); err != nil || len(left) != 1 {
		t.Errorf("beside the old store the restore has left %v, %v", left, err)
	}
	if code, says := i.fails(t, "store", "check", "--backup", t.TempDir()); code != 1 || !strings.Contains(says, "no complete backup") {
		t.Errorf("check of no backup: %d %s", code, says)
	}

	// And a damaged store is found out.
	if err := os.Rename(data.events()+".old", data.events()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(data.events(), esnode.AcknowledgedFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data.events(), esnode.AcknowledgedFile), []byte("position 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, says := i.fails(t, "store", "check"); code != exitProblems || !strings.Contains(says, esnode.AcknowledgedFile) || !strings.Contains(says, "what to do") {
		t.Errorf("check: %d %s", code, says)
	}
}

// What is for the embedded store says so where there is another, and where
// there is none.
func TestStoreRefuses(t *testing.T) {
	t.Parallel()
	i, data := storeOnly(t)
	away := i.over("esdb://127.0.0.1:1?tls=false")
	for _, args := range [][]string{{"check"}, {"stats"}, {"backup", filepath.Join(t.TempDir(), "b")}, {"restore", t.TempDir()}} {
		code, says := away.fails(t, append([]string{"store"}, args...)...)
		if code != 1 || !strings.Contains(says, "STEWARD_EVENTSTORE_URL") || !strings.Contains(says, "EventStoreDB") || !strings.Contains(says, "--data") {
			t.Errorf("%v with an EventStoreDB: %d %s", args, code, says)
		}
	}
	for _, args := range [][]string{{"check"}, {"export", filepath.Join(t.TempDir(), "log")}} {
		if code, says := i.fails(t, append([]string{"store"}, args...)...); code != 1 || !strings.Contains(says, "holds no event store") || !strings.Contains(says, string(data)) {
			t.Errorf("%v without a store: %d %s", args, code, says)
		}
	}
	if _, err := os.Stat(string(data)); err == nil {
		t.Error("a data directory was made")
	}
	if code, says := i.fails(t, "store", "import", filepath.Join(t.TempDir(), "none")); code != 1 || !strings.Contains(says, "no such file") {
		t.Errorf("import of no file: %d %s", code, says)
	}
	if code, says := away.fails(t, "store", "export", "-"); code != 1 || !strings.Contains(says, "127.0.0.1:1") {
		t.Errorf("export from a store that is away: %d %s", code, says)
	}
}

func TestStoreHelp(t *testing.T) {
	t.Parallel()
	help := func(args ...string) string {
		var out bytes.Buffer
		root := newRootCommand()
		root.SetOut(&out)
		root.SetArgs(append(args, "--help"))
		if err := root.Execute(); err != nil {
			t.Error(err)
		}
		return out.String()
	}
	whole := help("store")
	for _, name := range []string{"check", "stats", "backup", "restore", "export", "import"} {
		if !strings.Contains(whole, "\n  "+name) {
			t.Errorf("store --help does not name %s", name)
		}
		if out := help("store", name); !strings.Contains(out, "Examples:") || !strings.Contains(out, "--data") || !strings.Contains(out, "--output") {
			t.Errorf("store %s --help teaches nothing:\n%s", name, out)
		}
	}
}

// copiedEvents is how much the tests of interrupted copies copy.
const copiedEvents = 6000

type copyPrinted struct {
	Events, Resumed, Written uint64
	SHA256                   string
}

// An export that is killed goes on where it ended, to the same file.
func TestStoreExportKilled(t *testing.T) {
	t.Parallel()
	i, _ := storeOnly(t)
	_, url := serveNode(t, filepath.Join(t.TempDir(), "events"))
	fillNode(t, url, copiedEvents)
	from := i.over(url)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.ndjson")
	var want copyPrinted
	from.decode(t, &want, "store", "export", whole)
	text, err := os.ReadFile(whole)
	if err != nil || want.Events != copiedEvents {
		t.Fatalf("exported %+v, %v", want, err)
	}
	path := filepath.Join(dir, "killed.ndjson")
	killWhen(t, from.command(t.Context(), "store", "export", path), func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Size() > 1<<20
	})
	var got copyPrinted
	from.decode(t, &got, "store", "export", path)
	if got.Resumed == 0 || got.Events != want.Events || got.SHA256 != want.SHA256 {
		t.Errorf("exported %+v, then %+v", want, got)
	}
	resumed, err := os.ReadFile(path)
	_, body, _ := bytes.Cut(text, []byte("\n")) // the header says when it was made
	_, resumedBody, _ := bytes.Cut(resumed, []byte("\n"))
	if err != nil || !bytes.Equal(body, resumedBody) {
		t.Errorf("the files differ: %d and %d bytes, %v", len(text), len(resumed), err)
	}
	if code, says := from.fails(t, "store", "export", path); code != 1 || !strings.Contains(says, "complete") {
		t.Errorf("exported over a complete file: %d %s", code, says)
	}
}

// killWhen starts a process and kills it when something is the case.
func killWhen(t *testing.T, cmd *exec.Cmd, it func() bool) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.Now().Add(time.Minute); !it(); {
		select {
		case err := <-ended:
			t.Fatalf("%v ended before it could be killed: %v", cmd.Args, err)
		case <-time.After(time.Millisecond): // a poll of another process, which sends no signal
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v gets nowhere", cmd.Args)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
}

// An import that is killed goes on behind what it wrote.
func TestStoreImportKilled(t *testing.T) {
	t.Parallel()
	i, data := storeOnly(t)
	_, url := serveNode(t, filepath.Join(t.TempDir(), "events"))
	fillNode(t, url, copiedEvents)
	log := filepath.Join(t.TempDir(), "log.ndjson.gz")
	var want copyPrinted
	i.over(url).decode(t, &want, "store", "export", log)

	target, to := serveNode(t, filepath.Join(t.TempDir(), "events"))
	killWhen(t, i.over(to).command(t.Context(), "store", "import", log), func() bool {
		stats, err := target.Stats(t.Context(), esnode.StatsOptions{Quick: true})
		return err == nil && stats.LastPosition > 20_000
	})
	// The end of a file is missing in a copy that was cut off: that is found before anything is written.
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.ndjson.gz")
	if err := os.WriteFile(cut, content[:len(content)-100], 0o600); err != nil {
		t.Fatal(err)
	}
	if code, says := i.fails(t, "store", "import", cut); code != 1 || !strings.Contains(says, cut) || !strings.Contains(says, "interrupted before its end") {
		t.Errorf("import of a file that was cut off: %d %s", code, says)
	}
	if data.holdsEvents() {
		t.Error("a store was made for a file that was cut off")
	}
	var got copyPrinted
	i.over(to).decode(t, &got, "store", "import", log)
	if got.Resumed == 0 || got.Written == 0 || got.Resumed+got.Written != want.Events || got.SHA256 != want.SHA256 {
		t.Errorf("exported %+v, imported %+v", want, got)
	}
	i.over(to).decode(t, &got, "store", "import", log)
	if got.Written != 0 || got.Resumed != want.Events {
		t.Errorf("imported once more: %+v", got)
	}
	fillNode(t, to, 1)
	if code, says := i.over(to).fails(t, "store", "import", log); code != 1 || !strings.Contains(says, "in use already") {
		t.Errorf("imported into a store that went on: %d %s", code, says)
	}
}

// An installation moves to another event store by the way that the help names:
// through a pipe, then the read models and the reactions, and then it serves.
func TestStoreMove(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	p := i.start(t)
	seen := &acknowledged{ids: map[string]bool{}}
	domains := mustImport(t, p, seen, 10)
	before := mustReadEvents(t, p)
	p.stop(t)

	target, url := serveNode(t, filepath.Join(t.TempDir(), "events"))
	moved := i.over(url)
	// A server has events of its own, so that ours get other positions.
	store, err := eventstore.Open(t.Context(), eventstore.Config{URL: url, Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	noise := events.Proposed{ID: uuid.New(), Type: "$stats", Data: []byte(`{"much":"` + strings.Repeat("x", 5000) + `"}`)}
	if _, err := store.Append(t.Context(), "$stats-1", eventstore.NoStream, []events.Proposed{noise}); err != nil {
		t.Fatal(err)
	}
	_ = store.Close()

	export, load := i.command(t.Context(), "store", "export", "-"), moved.command(t.Context(), "store", "import", "-", "--output", "json")
	pipe, err := export.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var printed, complaints bytes.Buffer
	load.Stdin, load.Stdout, load.Stderr = pipe, &printed, &complaints
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	if err := export.Start(); err != nil {
		t.Fatal(err)
	}
	if err := load.Wait(); err != nil {
		t.Fatalf("import: %v\n%s", err, complaints.String())
	}
	if err := export.Wait(); err != nil {
		t.Fatalf("export: %v", err)
	}
	var imported copyPrinted
	if err := json.Unmarshal(printed.Bytes(), &imported); err != nil || imported.Written < uint64(len(before)) {
		t.Fatalf("imported %q, %v", printed.String(), err)
	}

	if report, err := target.Check(t.Context(), esnode.CheckOptions{}); err != nil || len(report.Problems) > 0 {
		t.Errorf("%v, %v", report.Problems, err)
	}
	if says := startRefused(t, moved); !strings.Contains(says, "steward rebuild") {
		t.Errorf("serve on the copy, before the read models were made anew, says:\n%s", says)
	}
	moved.mustRun(t, "rebuild")
	moved.mustRun(t, "reactions", "reset", "all", "--to", "0", "--reason", "moved to another event store")
	p = moved.start(t)
	after := mustReadEvents(t, p)
	for id := range before {
		if after[id] != 1 {
			t.Errorf("%s is stored %d times after the move", id, after[id])
		}
	}
	// What was reserved is still so, and what was there takes commands.
	var answer struct {
		EventIDs []string `json:"event_ids"`
	}
	if err := p.call(t.Context(), "POST", "/v1/domains/"+domains[0]+"/set-lock", map[string]any{"value": true}, &answer); err != nil || len(answer.EventIDs) == 0 {
		t.Errorf("%v, %+v", err, answer)
	}
	err = p.call(t.Context(), "POST", "/v1/customers", map[string]any{"email": "owner-0@example.com", "username": "another"}, &answer)
	if !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "email") {
		t.Errorf("an email that is taken: %v", err)
	}
	p.stop(t)
}

// startRefused starts serve where its read models do not fit the log, and
// returns what it logs.
func startRefused(t *testing.T, i *installation) string {
	t.Helper()
	p := &process{cmd: i.command(context.WithoutCancel(t.Context()), "serve"), apiKey: i.apiKey, exited: make(chan error, 1)}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.follow(stderr, make(chan string, 1))
	for deadline := time.Now().Add(time.Minute); !strings.Contains(p.log(), "projection refused") && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond) // a poll of another process, which sends no signal
	}
	p.kill(t)
	return p.log()
}
