package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// progress tells on standard error what is being done. On a terminal a long step
// has a bar; elsewhere, a line now and then.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	open     bool // the last line is a bar
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if file, ok := w.(*os.File); ok {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

func (p *progress) heading(text string) { p.line("==> " + text) }

func (p *progress) say(format string, args ...any) { p.line("    " + fmt.Sprintf(format, args...)) }

func (p *progress) line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
		p.open = false
	}
	_, _ = fmt.Fprintln(p.w, text)
}

func (p *progress) bar(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprint(p.w, "\r\x1b[K    "+text)
	p.open = true
}

// counter counts towards a known total. It may be used by several goroutines.
type counter struct {
	progress *progress
	what     string
	total    int

	mu    sync.Mutex
	done  int
	began time.Time
	told  time.Time
}

// count begins a long step.
func (p *progress) count(what string, total int) *counter {
	now := time.Now()
	return &counter{progress: p, what: what, total: total, began: now, told: now}
}

const barWidth = 30

// add counts n more.
func (c *counter) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += n
	pause := 10 * time.Second
	if c.progress.terminal {
		pause = 200 * time.Millisecond
	}
	if time.Since(c.told) < pause {
		return
	}
	c.told = time.Now()
	text := fmt.Sprintf("%s: %s of %s, %s/s", c.what, grouped(float64(c.done)), grouped(float64(c.total)), grouped(c.rate()))
	if !c.progress.terminal {
		c.progress.say("%s", text)
		return
	}
	filled := min(barWidth, barWidth*c.done/max(1, c.total))
	c.progress.bar("[" + strings.Repeat("#", filled) + strings.Repeat(".", barWidth-filled) + "] " + text)
}

// finish says how it went and returns how many there were per second.
func (c *counter) finish() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	rate := c.rate()
	c.progress.say("%s: %s in %.1f s, %s/s", c.what, grouped(float64(c.done)), time.Since(c.began).Seconds(), grouped(rate))
	return rate
}

func (c *counter) rate() float64 { return float64(c.done) / max(time.Since(c.began).Seconds(), 1e-9) }
