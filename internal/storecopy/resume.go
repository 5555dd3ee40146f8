package storecopy

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/stewardhq/steward/events"
)

// errComplete means that there is nothing to add to an export.
var errComplete = errors.New("it is a complete export already; give another name, or remove it first")

// resume takes up an export where it was interrupted: it reads what is there, cuts off what was not written
// to its end, and makes sure that the log is the one that the export was begun with.
func (e *exporter) resume(ctx context.Context, source Source, f *os.File, packed bool) error {
	r := resumption{parser: e.parser, progress: e.options.Progress}
	read := r.readText
	if packed {
		read = r.readPacked
	}
	size, err := read(ctx, f)
	switch {
	case err != nil:
		return err
	case e.parser.header == nil:
		return errors.New("it is not what steward store export writes; give another name, or remove it first")
	case e.parser.end != nil:
		return errComplete
	}
	if err := r.find(ctx, source); err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	_, err = f.Seek(size, io.SeekStart)
	e.resumed = e.parser.tally.events
	return err
}

// resumption reads the file of an interrupted export.
type resumption struct {
	parser   *parser
	before   events.Position // of the event before the last
	progress func(Progress)
}

func (r *resumption) take(text []byte) error {
	before := r.parser.last.Position
	event, isEvent, err := r.parser.parse(text)
	if isEvent {
		r.before = before
		report(r.progress, r.parser.tally.events, event.Position, r.parser.header.Until)
	}
	return err
}

// readText reads a text and returns the size of its whole lines.
func (r *resumption) readText(ctx context.Context, in io.Reader) (size int64, err error) {
	for all := newLines(in); ; {
		text, err := all.next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return size, nil
		}
		if err == nil {
			err = errors.Join(r.take(text), ctx.Err())
		}
		if err != nil {
			return size, err
		}
		size += int64(len(text)) + 1
	}
}

// readPacked reads a packed text and returns the size of its whole members.
func (r *resumption) readPacked(ctx context.Context, in io.Reader) (size int64, err error) {
	counted := &counter{in: bufio.NewReaderSize(in, 1<<20)}
	var unpack *gzip.Reader
	for {
		if unpack == nil {
			unpack, err = gzip.NewReader(counted)
		} else {
			err = unpack.Reset(counted)
		}
		if err != nil {
			return size, nil //nolint:nilerr // the members end here, whole or broken
		}
		unpack.Multistream(false)
		member, err := io.ReadAll(io.LimitReader(unpack, memberBytes+longestLine))
		if err != nil {
			return size, nil //nolint:nilerr // this member was interrupted
		}
		for text := range bytes.Lines(member) {
			if err := errors.Join(r.take(bytes.TrimSuffix(text, []byte{'\n'})), ctx.Err()); err != nil {
				return size, err
			}
		}
		size = counted.n
	}
}

// counter counts what was read. As a byte reader it is never read ahead of what is needed.
type counter struct {
	in *bufio.Reader
	n  int64
}

// Read implements io.Reader.
func (c *counter) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.n += int64(n)
	return n, err
}

// ReadByte implements io.ByteReader.
func (c *counter) ReadByte() (byte, error) {
	b, err := c.in.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// find looks for the last event of the file in the log.
func (r *resumption) find(ctx context.Context, source Source) error {
	if r.parser.tally.events == 0 {
		return nil
	}
	log := readPages(ctx, source, r.before)
	defer log.stop()
	for {
		found, ok, err := log.next(ctx)
		if err != nil {
			return err
		}
		if ok && ofServer(found.Stream) {
			continue
		}
		want := r.parser.last
		if !ok || found.ID != want.ID || found.Position != want.Position || !same(found, want) {
			return fmt.Errorf("it was begun with another log: there is no event %s at position %d in this one; give another name", want.ID, want.Position.Commit)
		}
		return nil
	}
}
