package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
)

// DefaultInFlight is how many rows are on their way at once unless told
// otherwise.
const DefaultInFlight = 64

// ErrInterrupted says that an import was told to stop before the end of its
// file.
var ErrInterrupted = errors.New("interrupted; run the same import again: it completes what is missing")

// grace is how long requests under way may take once an import is told to stop.
const grace = 10 * time.Second

// Options are what an import needs.
type Options struct {
	Source   io.Reader // the CSV file
	Client   *Client
	InFlight int           // rows on their way at once; 0 means DefaultInFlight
	DryRun   bool          // change nothing, say what would happen
	Patience time.Duration // how long to try while the server is unavailable; 0 means 2 minutes
	Rejects  io.Writer     // where refused rows are written to, or nil
	Tally    *Tally        // counts as the import goes on, or nil
}

// Run imports a file. Unless the whole file was worked through it returns an
// error, with a report of what was done. Ending ctx stops it: requests under way
// are finished, nothing more is sent.
func Run(ctx context.Context, o Options) (Report, error) {
	began := time.Now()
	if o.InFlight <= 0 {
		o.InFlight = DefaultInFlight
	}
	if o.Patience <= 0 {
		o.Patience = 2 * time.Minute
	}
	if o.Tally == nil {
		o.Tally = &Tally{}
	}
	im := &run{Options: o, report: Report{DryRun: o.DryRun, Rows: []Refusal{}}, reader: NewReader(o.Source)}
	err := im.start(ctx)
	im.report.Interrupted = err != nil
	im.report.measure(time.Since(began))
	return im.report, err
}

// run is one import under way. Only its own goroutine touches the schedule and
// the report.
type run struct {
	Options
	reader   *Reader
	cols     Columns
	id       string // of the run; the idempotency keys begin with it
	rejects  *Rejects
	schedule *schedule
	forecast *forecast // of a dry run
	report   Report
	texts    texts
}

func (im *run) start(ctx context.Context) error {
	cols, err := ReadColumns(im.reader)
	if err != nil {
		return fmt.Errorf("this file cannot be imported: %w", err)
	}
	im.cols, im.id = cols, uuid.NewString()
	if im.Rejects != nil {
		if im.rejects, err = NewRejects(im.Rejects, cols); err != nil {
			return fmt.Errorf("write refused rows: %w", err)
		}
	}
	if im.DryRun {
		im.forecast = newForecast()
	}
	im.schedule = newSchedule(batchRows(im.InFlight), maxBatchSize)
	err = im.work(ctx)
	if im.rejects != nil {
		if flushed := im.rejects.Flush(); err == nil && flushed != nil {
			err = fmt.Errorf("write refused rows: %w", flushed)
		}
	}
	return err
}

// batchRows is how many rows go into one request: enough to make requests few,
// and few enough to keep several requests under way.
func batchRows(inFlight int) int { return min(maxBatchRows, max(1, inFlight/8)) }
