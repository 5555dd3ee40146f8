package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// devProcess is a running dev.
type devProcess struct {
	process
	summary summary
	stderr  *bytes.Buffer
}

// startDev starts dev on a data directory and returns when it printed its
// summary.
func startDev(t *testing.T, data string, args ...string) *devProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"dev", "--data", data, "--addr", "127.0.0.1:0", "--output", "json"}, args...)...)
	cmd.Env = append(cleanEnviron(), asSteward+"=1", "XDG_RUNTIME_DIR="+filepath.Dir(data))
	d := &devProcess{process: process{cmd: cmd, exited: make(chan error, 1)}, stderr: &bytes.Buffer{}}
	cmd.Stderr = d.stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	printed := make(chan error, 1)
	go func() {
		printed <- json.NewDecoder(stdout).Decode(&d.summary)
		_, _ = io.Copy(io.Discard, stdout)
		d.exited <- cmd.Wait()
	}()
	select {
	case err := <-printed:
		if err != nil {
			<-d.exited
			t.Fatalf("dev printed no summary: %v\n%s", err, d.stderr)
		}
	case <-time.After(2 * time.Minute):
		_ = cmd.Process.Kill()
		t.Fatal("dev is not ready")
	}
	d.base, d.apiKey = d.summary.BaseURL, d.summary.APIKeys["owner"]
	return d
}

// devDir is a directory that the database's own user can reach.
func devDir(t *testing.T) string {
	t.Helper()
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}

type page struct {
	Items []map[string]any `json:"items"`
}

// Everything is there when the summary is printed, is gone after SIGTERM, and
// is there again at the next start, also after a kill -9.
func TestDev(t *testing.T) {
	t.Parallel()
	data := devDir(t)
	d := startDev(t, data)
	for role, key := range d.summary.APIKeys {
		d.apiKey = key
		var customers page
		if err := d.call(t.Context(), http.MethodGet, "/v1/customers?limit=100", nil, &customers); err != nil {
			t.Fatalf("%s: %v", role, err)
		}
		if n := len(customers.Items); n != len(demoPeople)-1 { // one of them is deleted
			t.Errorf("%s sees %d customers", role, n)
		}
	}
	d.apiKey = d.summary.APIKeys["owner"]
	postmaster := postmasterOf(t, data)
	d.stop(t)
	if alive(postmaster) {
		t.Error("PostgreSQL outlives a dev that was told to stop")
	}
	if _, err := os.Stat(dataDir(data).instance()); err == nil {
		t.Error("dev left its instance file")
	}

	d = startDev(t, data)
	d.kill(t)
	d = startDev(t, data)
	var customers page
	if err := d.call(t.Context(), http.MethodGet, "/v1/customers?limit=100", nil, &customers); err != nil || len(customers.Items) != len(demoPeople)-1 {
		t.Fatalf("after a kill there are %d customers: %v", len(customers.Items), err)
	}
	d.stop(t)
}

func postmasterOf(t *testing.T, data string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dataDir(data).postgres(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// Operators' commands find the running dev, and start what they need when none
// runs.
func TestOperatorCommandsOnDev(t *testing.T) {
	t.Parallel()
	data := devDir(t)
	d := startDev(t, data)
	var customers page
	if err := d.call(t.Context(), http.MethodGet, "/v1/customers?q=lovelace", nil, &customers); err != nil || len(customers.Items) != 1 {
		t.Fatalf("found %d, %v", len(customers.Items), err)
	}
	ada := customers.Items[0]["id"].(string)
	i := &installation{env: d.cmd.Env}
	for range 2 {
		if out := i.mustRun(t, "replay", ada, "--data", data); !bytes.Contains(out, []byte("by reseller")) {
			t.Errorf("replay printed %s", out)
		}
		if out := i.mustRun(t, "replay", ada, "--data", data, "--until", "2001-01-01"); len(out) != 0 {
			t.Errorf("before the beginning there was %s", out)
		}
		var status struct {
			Health string
			Lag    int `json:"lag_events"`
		}
		// Mails of the demo may still be on their way, and when nothing runs any more
		// what the last of them wrote waits for the next start.
		var out []byte
		for deadline := time.Now().Add(30 * time.Second); status.Health != "current" && time.Now().Before(deadline); {
			out = i.mustRun(t, "projections", "--data", data, "--output", "json")
			if err := json.Unmarshal(out, &status); err != nil {
				t.Fatalf("projections printed %s: %v", out, err)
			}
			if d == nil {
				break
			}
		}
		if status.Health != "current" && (d != nil || status.Health != "behind") {
			t.Errorf("projections printed %s", out)
		}
		var rebuilt struct{ Same, Swapped bool }
		if out := i.mustRun(t, "rebuild", "--data", data, "--output", "json"); json.Unmarshal(out, &rebuilt) != nil || !rebuilt.Same || !rebuilt.Swapped {
			t.Errorf("rebuild printed %s", out)
		}
		if d != nil {
			if err := d.call(t.Context(), http.MethodGet, "/v1/customers?q=lovelace", nil, &customers); err != nil || len(customers.Items) != 1 {
				t.Errorf("after a rebuild: %d, %v", len(customers.Items), err)
			}
			d.stop(t)
			d = nil
		}
	}
}
