package storecopy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

// Target is a log to be written: an eventstore.Store.
type Target interface {
	Source
	// Append writes a batch at exactly the expected revision, or nothing.
	Append(ctx context.Context, stream string, expected eventstore.Revision, batch []events.Proposed) (eventstore.Appended, error)
	// Tombstone deletes a stream for ever at exactly the expected revision.
	Tombstone(ctx context.Context, stream string, expected eventstore.Revision) error
	// ReadStreamBackwards reads the newest events of a stream.
	ReadStreamBackwards(ctx context.Context, stream string, limit int) ([]events.Record, error)
}

// ImportOptions are the settings of an import.
type ImportOptions struct {
	// Progress is called now and then while events are written; nil for silence.
	Progress func(Progress)
	// Verifying is called now and then while what was written is read back; nil for silence.
	Verifying func(Progress)
	// Patience is how long the target may be away before the import gives up; two minutes if zero.
	Patience time.Duration
}

// Imported says what an import did.
type Imported struct {
	Summary
	// Written is how many events it wrote; the others were there.
	Written uint64 `json:"written"`
}

// Import writes an export into a log that holds nothing else: in the same order, with the same ids, at the
// same revisions. Then it reads back what it wrote and compares number and digest. A log that holds the
// beginning of the export already is completed, so an import that was interrupted is simply run again. Only
// one append is under way at a time, because the order of the log is part of what is copied.
func Import(ctx context.Context, target Target, in io.Reader, options ImportOptions) (Imported, error) {
	f, err := openFile(in)
	if err != nil {
		return Imported{}, err
	}
	if options.Patience == 0 {
		options.Patience = 2 * time.Minute
	}
	i := &importer{target: target, file: f, options: options, there: newTally()}
	if err := i.run(ctx); err != nil {
		return Imported{}, err
	}
	done := Imported{Summary: summary(f.parser.tally), Written: i.written}
	done.Resumed = done.Events - i.written
	return done, nil
}

// importer is an import under way.
type importer struct {
	target  Target
	file    *file
	options ImportOptions
	there   *tally          // of the target's events that were read
	seen    events.Position // up to where that was
	batch   []events.Record
	size    int
	written uint64
}

func (i *importer) run(ctx context.Context) error {
	first, more, err := i.compare(ctx)
	if err != nil || !more {
		return err
	}
	if err := i.write(ctx, first); err != nil {
		return err
	}
	return i.verify(ctx)
}

// compare goes through the file and the log side by side until the log ends, and returns the first event
// that it lacks.
func (i *importer) compare(ctx context.Context) (events.Record, bool, error) {
	log := readPages(ctx, i.target, events.Position{})
	defer log.stop()
	for {
		have, there, err := i.nextThere(ctx, log)
		if err != nil {
			return have, false, err
		}
		want, more, err := i.file.next(ctx)
		switch {
		case err != nil:
			return want, false, err
		case !more && there:
			return want, false, fmt.Errorf(
				"the target holds all %d events of the export, and others after them, from %s on: it is in use already, and there is nothing to import", i.there.events, place(have))
		case !more || !there:
			return want, more, nil
		case !same(have, want):
			return want, false, fmt.Errorf(
				"the target is not empty and holds another log: its event %d is %s, and that of the export is %s; import into an empty event store", i.there.events+1, place(have), place(want))
		}
		i.accept(have)
		report(i.options.Progress, i.there.events, want.Position, i.file.parser.header.Until)
	}
}

// nextThere returns the next event of the target that does not belong to the server.
func (i *importer) nextThere(ctx context.Context, log *pages) (events.Record, bool, error) {
	for {
		r, ok, err := log.next(ctx)
		if err != nil || !ok || !ofServer(r.Stream) {
			return r, ok, err
		}
		i.seen = r.Position
	}
}

func (i *importer) accept(r events.Record) {
	i.there.add(r)
	i.seen = r.Position
}

func place(r events.Record) string {
	return fmt.Sprintf("%s with id %s at revision %d of %s", r.Type, r.ID, r.Revision, r.Stream)
}

// maxBatch is how many events one append may carry, besides its limit in bytes.
const maxBatch = 500

// write writes the rest of the file, beginning with an event that was read already.
func (i *importer) write(ctx context.Context, r events.Record) error {
	for more := true; more; {
		if !i.fits(r) {
			if err := i.flush(ctx); err != nil {
				return err
			}
		}
		i.batch = append(i.batch, r)
		i.size += size(r)
		var err error
		if r, more, err = i.file.next(ctx); err != nil {
			return errors.Join(err, i.flush(ctx))
		}
	}
	return i.flush(ctx)
}

func size(r events.Record) int { return len(r.Data) + len(r.Metadata) + 2*len(r.Type) }

// fits reports whether an event may go into one append with those that wait: it must follow them in their
// stream. What the server answers with an event of its own making goes alone.
func (i *importer) fits(r events.Record) bool {
	if len(i.batch) == 0 {
		return true
	}
	last := i.batch[len(i.batch)-1]
	return r.Stream == last.Stream && r.Revision == last.Revision+1 && !isMetastream(r.Stream) && r.Type != typeStreamDeleted &&
		len(i.batch) < maxBatch && i.size+size(r) <= eventstore.MaxAppendSize
}

// flush writes what waits.
func (i *importer) flush(ctx context.Context) error {
	if len(i.batch) == 0 {
		return nil
	}
	first, last := i.batch[0], i.batch[len(i.batch)-1]
	var err error
	if first.Type == typeStreamDeleted {
		err = i.tombstone(ctx, first.Stream)
	} else {
		err = i.append(ctx, first)
	}
	if err != nil {
		return err
	}
	before := (i.there.events + i.written) / reportEvery
	i.written += uint64(len(i.batch))
	i.batch, i.size = i.batch[:0], 0
	if now := i.there.events + i.written; i.options.Progress != nil && now/reportEvery != before {
		i.options.Progress(Progress{Events: now, Done: last.Position.Commit, Total: i.file.parser.header.Until[0]})
	}
	return nil
}

func (i *importer) append(ctx context.Context, first events.Record) error {
	batch := make([]events.Proposed, len(i.batch))
	for n, r := range i.batch {
		batch[n] = events.Proposed{ID: r.ID, Type: r.Type, Data: r.Data, Metadata: r.Metadata, Binary: r.Binary}
	}
	expected := eventstore.Revision(first.Revision) - 1 //nolint:gosec // a revision that no stream reaches is refused
	err := i.patiently(ctx, func() error {
		_, err := i.target.Append(ctx, first.Stream, expected, batch)
		return err
	})
	switch {
	case errors.Is(err, eventstore.ErrWrongRevision):
		return i.conflict(ctx, first)
	case errors.Is(err, eventstore.ErrTooLarge):
		return fmt.Errorf("%s is larger than the %d bytes that an append may have, so it cannot be written: %w", place(first), eventstore.MaxAppendSize, err)
	case errors.Is(err, eventstore.ErrFull):
		return fmt.Errorf("the target has no room left; make room and run the import again, which goes on here: %w", err)
	}
	return err
}

// conflict explains why an event does not fit where it belongs. Metadata that the target wrote by itself,
// when a deleted stream came back, is what the file has: that is no conflict.
func (i *importer) conflict(ctx context.Context, r events.Record) error {
	newest, err := i.target.ReadStreamBackwards(ctx, r.Stream, 1)
	switch {
	case err != nil:
		return err
	case len(newest) == 0 && r.Revision > 0:
		return fmt.Errorf(
			"the export has %s from revision %d on: its beginning was truncated and removed before the export, and an event store gives no event another revision than the next", r.Stream, r.Revision)
	case len(newest) == 0:
		return fmt.Errorf("the target has deleted %s: import into an empty event store", r.Stream)
	case isMetastream(r.Stream) && same(newest[0], r):
		return nil
	default:
		return fmt.Errorf("%s does not fit: in the target %s ends with revision %d; somebody else writes to it, or a part of the stream was removed before the export", place(r), r.Stream, newest[0].Revision)
	}
}

// tombstone deletes a stream for ever, from where it stands in the target.
func (i *importer) tombstone(ctx context.Context, stream string) error {
	err := i.patiently(ctx, func() error {
		newest, err := i.target.ReadStreamBackwards(ctx, stream, 1)
		if err != nil {
			return err
		}
		expected := eventstore.NoStream // also of a stream that is deleted but for its tombstone
		if len(newest) > 0 {
			expected = eventstore.Revision(newest[0].Revision) //nolint:gosec // the target has this event
		}
		return i.target.Tombstone(ctx, stream, expected)
	})
	if errors.Is(err, eventstore.ErrStreamDeleted) {
		return nil // by an attempt whose answer was lost
	}
	return err
}

// patiently repeats what can be repeated while the target is away.
func (i *importer) patiently(ctx context.Context, do func() error) error {
	until := time.Now().Add(i.options.Patience)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := do()
		if !errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrOutcomeUnknown) {
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("the target was away for %v; run the import again, which goes on here: %w", i.options.Patience, err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// verify reads back what was written and compares it with the file.
func (i *importer) verify(ctx context.Context) error {
	total := i.file.parser.tally.events
	log := readPages(ctx, i.target, i.seen)
	defer log.stop()
	for {
		r, ok, err := i.nextThere(ctx, log)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		i.accept(r)
		if n := i.there.events; i.options.Verifying != nil && n%reportEvery == 0 {
			i.options.Verifying(Progress{Events: n, Done: n, Total: total})
		}
	}
	want, have := i.file.parser.tally.end(), i.there.end()
	if want.Events != have.Events || want.SHA256 != have.SHA256 {
		return fmt.Errorf(
			"the target differs from the export: it holds %d events with SHA-256 %s, and the export %d with %s; begin again with an empty event store that nobody else writes to",
			have.Events, have.SHA256, want.Events, want.SHA256)
	}
	return nil
}
