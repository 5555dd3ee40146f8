package storecopy

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/stewardhq/steward/events"
)

// parser makes events of lines and checks that the lines belong together.
type parser struct {
	tally  *tally
	number int // of the line parsed last
	header *header
	end    *end
	last   events.Record
}

func newParser() *parser { return &parser{tally: newTally()} }

// parse takes the next line. It returns false for the lines that are no events.
func (p *parser) parse(text []byte) (events.Record, bool, error) {
	p.number++
	r, isEvent, err := p.parseLine(text)
	if err != nil {
		return r, false, fmt.Errorf("line %d: %w", p.number, err)
	}
	return r, isEvent, nil
}

func (p *parser) parseLine(text []byte) (events.Record, bool, error) {
	if p.end != nil {
		return events.Record{}, false, errors.New("something stands after the end of the export")
	}
	var l line
	err := json.Unmarshal(text, &l)
	if p.header == nil {
		switch {
		case err != nil || l.Header == nil || l.Header.Format == 0:
			return events.Record{}, false, errors.New("this is not what steward store export writes")
		case l.Header.Format != format:
			return events.Record{}, false, fmt.Errorf("the export has format %d and this program reads format %d; use the program that wrote it", l.Header.Format, format)
		}
		p.header = l.Header
		return events.Record{}, false, nil
	}
	if err != nil {
		return events.Record{}, false, fmt.Errorf("it is damaged: %w", err)
	}
	if l.End != nil {
		if have := p.tally.end(); have.Events != l.End.Events || have.SHA256 != l.End.SHA256 {
			return events.Record{}, false, fmt.Errorf(
				"the export is damaged: its end speaks of %d events with SHA-256 %s and it holds %d with %s", l.End.Events, l.End.SHA256, have.Events, have.SHA256)
		}
		p.end, p.tally.leftOut = l.End, l.End.LeftOut
		return events.Record{}, false, nil
	}
	r, err := l.record()
	if err != nil {
		return r, false, fmt.Errorf("it is damaged: %w", err)
	}
	if !p.last.Position.Before(r.Position) {
		return r, false, errors.New("its position is not behind that of the event before")
	}
	p.last = r
	p.tally.add(r)
	p.tally.leftOut += l.LeftOut
	return r, true, nil
}

// longestLine is more than the largest event needs that a server can store, in base64.
const longestLine = 64 << 20

// lines splits a text into lines.
type lines struct {
	in  *bufio.Reader
	buf []byte
}

func newLines(in io.Reader) *lines { return &lines{in: bufio.NewReaderSize(in, 1<<20)} }

// next returns the next line without its end, valid until the one after. A text that breaks off within a
// line ends with io.ErrUnexpectedEOF.
func (l *lines) next() ([]byte, error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.in.ReadSlice('\n')
		l.buf = append(l.buf, part...)
		switch {
		case err == nil:
			return l.buf[:len(l.buf)-1], nil
		case errors.Is(err, bufio.ErrBufferFull) && len(l.buf) <= longestLine:
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, errors.New("a line has no end")
		case errors.Is(err, io.EOF) && len(l.buf) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// file reads an export from its beginning to its end.
type file struct {
	parser *parser
	lines  *lines
}

// openFile begins to read an export, packed or not, and reads its header.
func openFile(in io.Reader) (*file, error) {
	buffered := bufio.NewReader(in)
	text := io.Reader(buffered)
	if magic, err := buffered.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if text, err = gzip.NewReader(buffered); err != nil {
			return nil, fmt.Errorf("the export cannot be unpacked: %w", err)
		}
	}
	f := &file{parser: newParser(), lines: newLines(text)}
	first, err := f.lines.next()
	if err != nil {
		return nil, f.failed(err)
	}
	if _, _, err := f.parser.parse(first); err != nil {
		return nil, err
	}
	return f, nil
}

// next returns the next event, and false at the end of a complete export.
func (f *file) next(ctx context.Context) (events.Record, bool, error) {
	if err := ctx.Err(); err != nil {
		return events.Record{}, false, err
	}
	for {
		text, err := f.lines.next()
		if errors.Is(err, io.EOF) && f.parser.end != nil {
			return events.Record{}, false, nil
		}
		if err != nil {
			return events.Record{}, false, f.failed(err)
		}
		r, isEvent, err := f.parser.parse(text)
		if err != nil || isEvent {
			return r, isEvent, err
		}
	}
}

// errIncomplete means that the end of an export is missing.
var errIncomplete = errors.New("the export was interrupted before its end; run the same steward store export again, which completes it")

func (f *file) failed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("after line %d: %w", f.parser.number, errIncomplete)
	}
	return fmt.Errorf("after line %d: %w", f.parser.number, err)
}

// Verify reads a whole export and fails if it is damaged or incomplete. Progress may be nil.
func Verify(ctx context.Context, in io.Reader, progress func(Progress)) (Summary, error) {
	f, err := openFile(in)
	if err != nil {
		return Summary{}, err
	}
	for {
		r, ok, err := f.next(ctx)
		if err != nil {
			return Summary{}, err
		}
		if !ok {
			return summary(f.parser.tally), nil
		}
		report(progress, f.parser.tally.events, r.Position, f.parser.header.Until)
	}
}
