package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a running Steward, or a server of ours that it is compared with.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   *logTail
	began time.Time
	ended chan struct{}
	err   error // of the process, once it has ended
}

// stopPatience is how long a process may take to stop before it is killed.
const stopPatience = 40 * time.Second

// start runs the program under test.
func (b *bench) start(ctx context.Context, env []string, stdout io.Writer, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, b.steward, args...) //nolint:gosec // the program to measure
	cmd.Dir, cmd.Env, cmd.Stdout = b.dir, env, stdout
	return launch("steward "+args[0], cmd)
}

// launch starts a command, which must have a context. It is told to stop when that
// ends, and has a process group of its own, so that a Ctrl-C at the terminal
// reaches this program alone, which then stops things in order.
func launch(name string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, cmd: cmd, log: &logTail{}, ended: make(chan struct{})}
	cmd.Stderr = p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopPatience
	p.began = time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// run runs the program to its end and returns what it printed.
func (b *bench) run(ctx context.Context, env []string, args ...string) ([]byte, error) {
	var stdout bytes.Buffer
	p, err := b.start(ctx, env, &stdout, args...)
	if err != nil {
		return nil, err
	}
	if err := p.wait(); err != nil {
		return nil, err
	}
	return stdout.Bytes(), nil
}

// wait waits for the end. A process that fails is an error with its last words.
func (p *process) wait() error {
	<-p.ended
	if p.err != nil {
		return fmt.Errorf("%s: %w%s", p.name, p.err, p.log.because())
	}
	return nil
}

// stop asks the process to stop and waits until it has.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	select {
	case <-p.ended:
		return p.wait()
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it fails only when the process is gone
	select {
	case <-p.ended:
		return p.wait()
	case <-time.After(stopPatience):
		return errors.Join(fmt.Errorf("%s did not stop in %s and was killed%s", p.name, stopPatience, p.log.because()), p.kill())
	}
}

// kill ends the process as a power cut would, and waits until it is gone.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.ended
	return nil
}

// memory is what a process has resident.
type memory struct{ now, peak float64 } // MiB

// memory reads what the kernel says of the process.
func (p *process) memory() (memory, error) {
	path := fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)
	text, err := os.ReadFile(path) //nolint:gosec // the kernel's file
	if err != nil {
		return memory{}, fmt.Errorf("memory of %s: %w", p.name, err)
	}
	var m memory
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(fields[1], 64) // other lines hold no number and are not looked at
		switch fields[0] {
		case "VmRSS:":
			m.now = kib / 1024
		case "VmHWM:":
			m.peak = kib / 1024
		}
	}
	if m.now == 0 {
		return memory{}, fmt.Errorf("memory of %s: %s says nothing of it: the process has ended%s", p.name, path, p.log.because())
	}
	return m, nil
}

// ticksPerSecond is the unit of the kernel's processor times on every Linux.
const ticksPerSecond = 100

// cpu is how much processor time the process has used.
func (p *process) cpu() (time.Duration, error) {
	path := fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid)
	text, err := os.ReadFile(path) //nolint:gosec // the kernel's file
	if err != nil {
		return 0, fmt.Errorf("processor time of %s: %w%s", p.name, err, p.log.because())
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name before may hold anything
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("processor time of %s: %s cannot be read", p.name, path)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return 0, fmt.Errorf("processor time of %s: %w", p.name, err)
	}
	return time.Duration(user+system) * time.Second / ticksPerSecond, nil
}

// ownCPU is how much processor time this process has used.
func ownCPU() (time.Duration, error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0, fmt.Errorf("processor time of this process: %w", err)
	}
	return time.Duration(own.Utime.Nano() + own.Stime.Nano()), nil
}

// quietPatience bounds the wait for a process to come to rest.
const quietPatience = 15 * time.Minute

// awaitQuiet waits until the process uses next to no processor time: until it
// has caught up with everything that it does by itself.
func (p *process) awaitQuiet(ctx context.Context) error {
	const look, share = 2 * time.Second, 20 // a twentieth of a processor
	begun := time.Now()
	for time.Since(begun) < quietPatience {
		before, err := p.cpu()
		if err != nil {
			return err
		}
		if err := wait(ctx, look); err != nil {
			return err
		}
		after, err := p.cpu()
		if err != nil {
			return err
		}
		if after-before <= look/share {
			return nil
		}
	}
	return fmt.Errorf("%s was still busy after %s", p.name, quietPatience)
}

// logTail keeps the end of what a process writes to standard error.
type logTail struct {
	mu   sync.Mutex
	last []byte
}

// logTailSize is how much of it is kept.
const logTailSize = 4096

// Write never fails.
func (t *logTail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if extra := len(t.last) - logTailSize; extra > 0 {
		t.last = append(t.last[:0], t.last[extra:]...)
	}
	return len(p), nil
}

// because is ": " and the last three lines, or nothing.
func (t *logTail) because() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.last)), "\n")
	if text := strings.Join(lines[max(0, len(lines)-3):], "; "); text != "" {
		return ": " + text
	}
	return ""
}
