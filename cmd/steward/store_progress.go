package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/stewardhq/steward/internal/storecopy"
)

// meter shows how far a long task is: as a bar on a terminal, elsewhere as a
// line every five seconds, and not at all where the output is for programs.
type meter struct {
	w     io.Writer
	what  string
	bar   *progressbar.ProgressBar // nil off a terminal
	began time.Time

	done, total, events atomic.Uint64
	first               atomic.Uint64 // events of an earlier run, which say nothing about the pace

	quit, gone chan struct{}
	once       sync.Once
}

const (
	meterBarEvery  = 100 * time.Millisecond
	meterLineEvery = 5 * time.Second
	// meterSteps is how fine a bar is.
	meterSteps = 1000
)

// newMeter begins to show a task, such as "checking". The caller must stop it.
func newMeter(w io.Writer, what, output string) *meter {
	m := &meter{w: w, what: what, began: time.Now(), quit: make(chan struct{}), gone: make(chan struct{})}
	every := meterLineEvery
	switch {
	case output == outputJSON:
		close(m.gone)
		return m
	case isTerminal(w):
		every = meterBarEvery
		m.bar = progressbar.NewOptions64(meterSteps,
			progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionSetPredictTime(true),
			progressbar.OptionSetWidth(30), progressbar.OptionSetSpinnerChangeInterval(0), progressbar.OptionClearOnFinish())
	}
	go func() {
		defer close(m.gone)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.show()
			case <-m.quit:
				return
			}
		}
	}()
	return m
}

// set notes how much of the task is done, in whatever it is measured.
func (m *meter) set(done, total uint64) {
	m.done.Store(min(done, total))
	m.total.Store(total)
}

// copied notes how far a copy is.
func (m *meter) copied(p storecopy.Progress) {
	m.first.CompareAndSwap(0, p.Events)
	m.events.Store(p.Events)
	m.set(p.Done, p.Total)
}

// show shows the present state. A terminal that is gone is no reason to stop.
func (m *meter) show() {
	done, total := m.done.Load(), m.total.Load()
	if m.bar == nil {
		_, _ = fmt.Fprintln(m.w, m.line(done, total))
		return
	}
	if events := m.events.Load(); events > 0 {
		m.bar.Describe(fmt.Sprintf("%s, %d events", m.what, events))
	}
	if total > 0 {
		_ = m.bar.Set64(int64(float64(done) / float64(total) * (meterSteps - 1)))
	}
}

// line is what a log or a pipe gets: exporting: 42%, 120000 events, 35000
// events/s, 6s left.
func (m *meter) line(done, total uint64) string {
	var b strings.Builder
	share := float64(done) / float64(max(total, 1))
	fmt.Fprintf(&b, "%s: %.0f%%", m.what, 100*share)
	elapsed := time.Since(m.began)
	if events := m.events.Load(); events > 0 {
		fmt.Fprintf(&b, ", %d events, %.0f events/s", events, float64(events-m.first.Load())/max(elapsed.Seconds(), 0.001))
	}
	if share > 0 && share < 1 {
		fmt.Fprintf(&b, ", %s left", time.Duration(float64(elapsed)*(1-share)/share).Round(time.Second))
	}
	return b.String()
}

// stop removes the bar: the result follows.
func (m *meter) stop() {
	m.once.Do(func() {
		close(m.quit)
		<-m.gone
		if m.bar != nil {
			_ = m.bar.Clear()
			_ = m.bar.Exit()
		}
	})
}

// sizeText is a number of bytes for people.
func sizeText(n uint64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	if n < 1024 {
		return fmt.Sprintf("%d bytes", n)
	}
	size, unit := float64(n)/1024, 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}
