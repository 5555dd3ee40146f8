package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// chunk is what the reading goroutine hands over: the rows that were there to be
// read, or why reading ended before the end of the file.
type chunk struct {
	rows []*row
	err  error
}

const chunkRows = 128

// delivered is a batch that came back.
type delivered struct {
	batch *batch
	err   error
}

// work reads, sends and reports until the file is done or cannot go on. Memory
// is bounded: at most a window of rows lies between reading and reporting.
func (im *run) work(ctx context.Context) error {
	soft, stop := context.WithCancel(ctx) // nothing more is read or sent after it
	defer stop()
	hard, cut := context.WithCancel(context.WithoutCancel(ctx)) // requests under way are cut
	defer cut()
	defer context.AfterFunc(soft, func() { time.AfterFunc(grace, cut) })()

	s := &sender{client: im.Client, dryRun: im.DryRun, patience: im.Patience, waiting: &im.Tally.waiting}
	read, back := make(chan chunk), make(chan delivered)
	go im.read(soft, read)
	flying, window := 0, 16*im.InFlight
	for read != nil || len(im.schedule.order) > 0 {
		for b := im.schedule.take(im.InFlight - flying); b != nil; b = im.schedule.take(im.InFlight - flying) {
			flying += len(b.rows)
			go func() { back <- delivered{b, s.deliver(soft, hard, b.rows)} }()
		}
		in := read
		if len(im.schedule.order) >= window {
			in = nil
		}
		var err error
		select {
		case c, more := <-in:
			if !more {
				read = nil
			}
			for _, r := range c.rows {
				im.schedule.add(r)
			}
			err = c.err
		case d := <-back:
			flying -= len(d.batch.rows)
			if err = d.err; err == nil {
				im.schedule.finish(d.batch)
			}
		case <-soft.Done():
			err = soft.Err()
		}
		if err == nil {
			err = im.write(im.schedule.reported())
		}
		if err != nil {
			stop()
			return im.land(ctx, err, back, flying)
		}
	}
	return nil
}

// land waits for what is under way after the import was told to stop because of
// err, and reports what is done.
func (im *run) land(ctx context.Context, err error, back <-chan delivered, flying int) error {
	for flying > 0 {
		d := <-back
		flying -= len(d.batch.rows)
	}
	if wrote := im.write(im.schedule.rest()); wrote != nil && errors.Is(err, context.Canceled) {
		err = wrote
	}
	if ctx.Err() != nil {
		return ErrInterrupted
	}
	return err
}

// read turns the file into rows until its end or until ctx ends.
func (im *run) read(ctx context.Context, out chan<- chunk) {
	defer close(out)
	for {
		var c chunk
		for c.err == nil && len(c.rows) < chunkRows && (len(c.rows) == 0 || im.reader.Buffered()) {
			c.err = im.readRow(&c)
		}
		ended := c.err != nil
		if errors.Is(c.err, io.EOF) {
			c.err = nil
		}
		select {
		case out <- c:
		case <-ctx.Done():
			return
		}
		if ended {
			return
		}
	}
}

func (im *run) readRow(c *chunk) error {
	rec, err := im.reader.Next()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			err = fmt.Errorf("read the file from line %d on: %w", im.reader.line, err)
		}
		return err
	}
	if rec.Blank() {
		return nil
	}
	r, err := newRow(im.cols, rec, im.id)
	if err == nil {
		c.rows = append(c.rows, r)
	}
	return err
}

// write reports rows whose outcome is known, in file order.
func (im *run) write(rows []*row) error {
	for _, r := range rows {
		outcome := r.outcome
		if im.forecast != nil {
			outcome = im.forecast.revise(r)
		}
		im.report.count(outcome)
		im.Tally.count(outcome)
		if outcome.Refused == nil {
			continue
		}
		im.report.Rows = append(im.report.Rows, im.texts.share(*outcome.Refused))
		if im.rejects != nil {
			if err := im.rejects.Write(r.rec, *outcome.Refused); err != nil {
				return fmt.Errorf("write refused rows: %w", err)
			}
		}
	}
	return nil
}
