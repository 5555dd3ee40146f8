package storecopy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/stewardhq/steward/events"
)

// Progress says how far a copy is.
type Progress struct {
	// Events is how many events were copied or compared.
	Events uint64
	// Done and Total are positions in the log that the export was made of.
	Done, Total uint64
}

// Summary says what was copied.
type Summary struct {
	// Events is how many events the export holds.
	Events uint64 `json:"events"`
	// LeftOut is how many events of the server's own were left out of it.
	LeftOut uint64 `json:"left_out"`
	// SHA256 is the digest of the events, in hexadecimal.
	SHA256 string `json:"sha256"`
	// Resumed is how many of the events an earlier run had copied.
	Resumed uint64 `json:"resumed"`
}

func summary(t *tally) Summary {
	e := t.end()
	return Summary{Events: e.Events, LeftOut: e.LeftOut, SHA256: e.SHA256}
}

// reportEvery is how many events pass between two reports.
const reportEvery = 256

func report(progress func(Progress), count uint64, done events.Position, total position) {
	if progress != nil && count%reportEvery == 0 {
		progress(Progress{Events: count, Done: done.Commit, Total: total[0]})
	}
}

// ExportOptions are the settings of an export.
type ExportOptions struct {
	// From names the log that is read, for people. It must not hold credentials.
	From string
	// Progress is called now and then; nil for silence.
	Progress func(Progress)
}

// Export writes the log as it stands now, not packed.
func Export(ctx context.Context, source Source, out io.Writer, options ExportOptions) (Summary, error) {
	e := &exporter{writer: newWriter(out, false), parser: newParser(), options: options}
	if err := e.begin(ctx, source); err != nil {
		return Summary{}, err
	}
	return e.run(ctx, source)
}

// ExportFile writes the log as it stands now into a file that only its owner may read, packed if its name
// ends in .gz. A file that an interrupted export left behind is completed: it then holds, to the byte if it
// is not packed, what the interrupted export would have written. It fails when the file holds anything
// else, or is complete.
func ExportFile(ctx context.Context, source Source, path string, options ExportOptions) (done Summary, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the file that the user names
	if err != nil {
		return Summary{}, err
	}
	defer func() {
		if closed := f.Close(); err == nil && closed != nil {
			err = closed
		}
	}()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return Summary{}, fmt.Errorf("%s is being written by another export: wait for it, or give another name", path)
	}
	packed := strings.HasSuffix(path, ".gz")
	info, err := f.Stat()
	if err != nil {
		return Summary{}, err
	}
	e := &exporter{writer: newWriter(f, packed), parser: newParser(), options: options}
	if info.Size() == 0 {
		err = e.begin(ctx, source)
	} else {
		err = e.resume(ctx, source, f, packed)
	}
	if err == nil {
		done, err = e.run(ctx, source)
	}
	if err == nil {
		err = errors.Join(f.Sync(), syncDirectory(path))
	}
	if err != nil {
		return done, fmt.Errorf("%s: %w", path, err)
	}
	return done, nil
}

func syncDirectory(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// exporter is an export under way. Its parser knows what is in the file, as if it had read it.
type exporter struct {
	writer  *writer
	parser  *parser
	options ExportOptions
	resumed uint64
}

// begin writes the header.
func (e *exporter) begin(ctx context.Context, source Source) error {
	head, err := source.Head(ctx)
	if err != nil {
		return err
	}
	e.parser.header = &header{Format: format, From: e.options.From, MadeAt: time.Now().UTC().Truncate(time.Second), Until: at(head)}
	return e.writer.writeObject("header", e.parser.header)
}

// run writes the events behind the last one in the file, and the end.
func (e *exporter) run(ctx context.Context, source Source) (Summary, error) {
	var (
		t       = e.parser.tally
		until   = e.parser.header.Until
		between uint64
		text    []byte
	)
	log := readPages(ctx, source, e.parser.last.Position)
	defer log.stop()
	for {
		r, ok, err := log.next(ctx)
		if err != nil {
			return Summary{}, errors.Join(err, e.writer.flush())
		}
		if !ok || until.position().Before(r.Position) {
			break
		}
		if ofServer(r.Stream) {
			between++
			continue
		}
		text = appendEvent(text[:0], r, between)
		if err := e.writer.write(text); err != nil {
			return Summary{}, err
		}
		t.add(r)
		t.leftOut += between
		between = 0
		report(e.options.Progress, t.events, r.Position, until)
	}
	t.leftOut += between
	if err := e.writer.writeObject("end", t.end()); err != nil {
		return Summary{}, err
	}
	done := summary(t)
	done.Resumed = e.resumed
	return done, nil
}
