package postgres

import (
	"io"
	"strings"
	"sync"
)

// tailSize is how much of a server's log is kept for the message of a failed start.
const tailSize = 4096

// tail passes a log on and remembers its end.
type tail struct {
	mu   sync.Mutex
	to   io.Writer
	last []byte
}

// Write never fails: a server must not end because its log could not be written.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if extra := len(t.last) - tailSize; extra > 0 {
		t.last = append(t.last[:0], t.last[extra:]...)
	}
	if t.to != nil {
		_, _ = t.to.Write(p)
	}
	return len(p), nil
}

// because is ": " and what the server last complained about, or nothing.
func (t *tail) because() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return complaint(string(t.last))
}

// complaint picks the server's last FATAL or PANIC line of a log, or else its last line.
func complaint(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		for _, level := range []string{"FATAL:", "PANIC:"} {
			if _, text, ok := strings.Cut(lines[i], level); ok {
				return ": " + strings.TrimSpace(text)
			}
		}
	}
	if last := lines[len(lines)-1]; last != "" {
		return ": " + last
	}
	return ""
}
