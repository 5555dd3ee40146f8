package importer

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// How often progress is shown: as a bar, and as plain lines.
const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 5 * time.Second
)

// Watch shows on w how an import gets on, until the returned function is called:
// as a bar on a terminal, elsewhere as a line every 5 seconds. A total below
// zero says that nobody knows how many rows there are.
func Watch(w io.Writer, terminal bool, total int64, t *Tally) (stop func()) {
	p := &progress{w: w, total: total, tally: t, began: time.Now()}
	every := lineEvery
	if terminal {
		p.bar, every = newBar(w, total), barEvery
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.show()
			case <-quit:
				p.end()
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-gone
	}
}

type progress struct {
	w     io.Writer
	total int64
	tally *Tally
	began time.Time
	bar   *progressbar.ProgressBar // nil off a terminal
}

func newBar(w io.Writer, total int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("Importing"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"),
		progressbar.OptionSetPredictTime(true), progressbar.OptionSetWidth(30), progressbar.OptionSetSpinnerChangeInterval(0),
		progressbar.OptionClearOnFinish())
}

// show shows the present state. A terminal that is gone is no reason to stop.
func (p *progress) show() {
	rows, refused, waiting := p.tally.rows.Load(), p.tally.refused.Load(), p.tally.waiting.Load() > 0
	if p.bar == nil {
		_, _ = fmt.Fprintln(p.w, p.line(rows, refused, waiting))
		return
	}
	text := "Importing"
	if waiting {
		text = "Waiting for the server"
	}
	p.bar.Describe(text)
	if p.total > 0 { // blank lines and texts of several lines make the count of rows an estimate
		rows = min(rows, p.total-1)
	}
	_ = p.bar.Set64(rows)
}

// line is what a log or a pipe gets: 4213 of 9810 rows, 980 rows/s, 6s left.
func (p *progress) line(rows, refused int64, waiting bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "importing: %d", rows)
	if p.total >= 0 {
		fmt.Fprintf(&b, " of %d", p.total)
	}
	elapsed := time.Since(p.began)
	rate := float64(rows) / max(elapsed.Seconds(), 0.001)
	fmt.Fprintf(&b, " rows, %.0f rows/s", rate)
	if left := p.total - rows; left > 0 && rate > 0 && !waiting {
		fmt.Fprintf(&b, ", %s left", (time.Duration(float64(left)/rate) * time.Second).Round(time.Second))
	}
	if refused > 0 {
		fmt.Fprintf(&b, ", %d refused", refused)
	}
	if waiting {
		b.WriteString(", waiting for the server")
	}
	return b.String()
}

// end removes the bar: the report follows.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
		_ = p.bar.Exit()
	}
}

// CountRows estimates how many rows a file has, from its lines, and returns to
// where it was. It returns -1 for what cannot be read twice.
func CountRows(r io.Reader) int64 {
	seeker, ok := r.(io.ReadSeeker)
	if !ok {
		return -1
	}
	from, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return -1
	}
	lines, err := countLines(seeker)
	if _, back := seeker.Seek(from, io.SeekStart); back != nil || err != nil {
		return -1
	}
	return max(0, lines-1)
}

func countLines(r io.Reader) (int64, error) {
	buf := make([]byte, 128<<10)
	var lines int64
	last := byte('\n')
	for {
		n, err := r.Read(buf)
		for _, c := range buf[:n] {
			if c == '\n' {
				lines++
			}
			last = c
		}
		if errors.Is(err, io.EOF) {
			if last != '\n' {
				lines++
			}
			return lines, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
