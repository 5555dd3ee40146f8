package importer

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// Limits of the reader. A row longer than maxRow is refused. maxScan bounds how
// far an opening quote is followed in search of its end, and with it the memory.
const (
	maxRow  = 8 << 10
	maxScan = 64 << 10
)

// Record is one row of a CSV file, or a blank line.
type Record struct {
	Line   int      // where it begins in the file; the first line is 1
	Lines  int      // how many lines it takes
	Fields []string // none for a blank line, nor for a row that is at fault
	Raw    string   // as in the file, without the end of the line
	Fault  *Refusal // why the row is not CSV, or nil
}

// Blank reports whether the record is an empty line.
func (r Record) Blank() bool { return len(r.Fields) == 0 && r.Fault == nil }

// Reader reads CSV (RFC 4180) in UTF-8, with or without a byte-order mark, with
// LF or CRLF. A row that is not CSV never stops it: the row comes back with a
// fault, and reading goes on at the next line. An opening quote that never
// properly ends costs its own line only, so that it cannot swallow the rows
// after it.
//
// A quoted text of several lines is data to the end: its lines are never taken
// for rows, unless it is longer than 64 KiB.
type Reader struct {
	src   io.Reader
	buf   []byte // read from src and not yet returned
	space []byte // where buf lives
	err   error  // what src ended with
	line  int    // where the next record begins
}

// NewReader returns a reader of r, which it buffers.
func NewReader(r io.Reader) *Reader {
	return &Reader{src: r, line: 1, space: make([]byte, 2*maxScan)}
}

// Next returns the next record. At the end of the file it returns io.EOF, and
// any other error is the file's own.
func (r *Reader) Next() (Record, error) {
	if r.line == 1 {
		r.dropMark()
	}
	if !r.has(0) {
		return Record{}, r.err
	}
	end, lines, wrong := r.scan()
	if wrong != nil {
		return r.refuse(wrong), nil
	}
	if r.err != nil && !errors.Is(r.err, io.EOF) && end == len(r.buf) {
		return Record{}, r.err // what was read of the row may not be all of it
	}
	raw := trimLineEnd(r.buf[:end])
	rec := Record{Line: r.line, Lines: lines, Raw: string(raw)}
	switch {
	case len(raw) > maxRow:
		rec.Raw, rec.Fault = rec.Raw[:maxRow], refusal("", "row_too_long", "the row is longer than 8 KiB")
	case len(raw) > 0:
		rec.Fields = split(rec.Raw)
	}
	r.consume(end, lines)
	return rec, nil
}

func (r *Reader) dropMark() {
	const mark = "\ufeff"
	if r.has(len(mark)-1) && string(r.buf[:len(mark)]) == mark {
		r.buf = r.buf[len(mark):]
	}
}

// States of the scan.
const (
	atStart = iota // of a field
	plain          // in a field without quotes
	quoted         // in a field with quotes
	closed         // after a quote inside a quoted field
)

// scan finds the end of the record at the start of the buffer, its line ending
// included, and counts its lines.
func (r *Reader) scan() (end, lines int, wrong *Refusal) {
	state := atStart
	for i := 0; ; i++ {
		if i >= maxScan {
			return 0, 0, tooFar(state)
		}
		if !r.has(i) {
			if state == quoted {
				return 0, 0, errOpenQuote
			}
			return i, lines + 1, nil
		}
		c := r.buf[i]
		switch {
		case state == quoted:
			switch c {
			case '"':
				state = closed
			case '\n':
				lines++
			}
		case c == '\n':
			return i + 1, lines + 1, nil
		case c == ',':
			state = atStart
		case c == '"' && state == atStart, c == '"' && state == closed:
			state = quoted
		case c == '"':
			return 0, 0, errBareQuote
		case state == closed:
			if c != '\r' || r.has(i+1) && r.buf[i+1] != '\n' {
				return 0, 0, errAfterQuote
			}
		default:
			state = plain
		}
	}
}

var (
	errOpenQuote  = refusal("", "quote_not_closed", "a quote is opened and not closed")
	errBareQuote  = refusal("", "quote_in_field", "a quote stands inside a field that does not begin with one")
	errAfterQuote = refusal("", "text_after_quote", "text follows the closing quote of a field")
	errTooLong    = refusal("", "row_too_long", "the row is longer than 8 KiB")
)

func tooFar(state int) *Refusal {
	if state == quoted {
		return errOpenQuote
	}
	return errTooLong
}

// refuse consumes one line, however long, and returns it as a row at fault.
func (r *Reader) refuse(wrong *Refusal) Record {
	rec := Record{Line: r.line, Lines: 1, Fault: wrong}
	var head []byte
	for from := 0; ; {
		if at := bytes.IndexByte(r.buf[from:], '\n'); at >= 0 {
			head = keep(head, r.buf[:from+at])
			r.consume(from+at+1, 1)
			break
		}
		from = len(r.buf)
		if from >= maxScan { // the line is longer than the buffer wants to be
			head = keep(head, r.buf)
			r.buf, from = r.buf[:0], 0
		}
		if !r.has(from) {
			head = keep(head, r.buf)
			r.consume(len(r.buf), 1)
			break
		}
	}
	rec.Raw = string(bytes.TrimSuffix(head, []byte{'\r'}))
	return rec
}

// keep appends what of more fits a row.
func keep(head, more []byte) []byte {
	return append(head, more[:min(len(more), maxRow-len(head))]...)
}

func (r *Reader) consume(n, lines int) {
	r.buf = r.buf[n:]
	r.line += lines
}

// has reports whether the buffer holds a byte at i, reading more if need be.
func (r *Reader) has(i int) bool {
	for i >= len(r.buf) && r.err == nil {
		if len(r.buf) == cap(r.buf) || cap(r.buf) < maxScan {
			r.buf = r.space[:copy(r.space, r.buf)]
		}
		n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		r.err = err
	}
	return i < len(r.buf)
}

func trimLineEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}

// split takes the fields of a record apart that scan has found in order.
func split(raw string) []string {
	var fields []string
	for {
		if !strings.HasPrefix(raw, `"`) {
			field, rest, more := strings.Cut(raw, ",")
			fields = append(fields, field)
			if !more {
				return fields
			}
			raw = rest
			continue
		}
		end := 1 // of the quoted text
		for raw[end] != '"' || end+1 < len(raw) && raw[end+1] == '"' {
			if raw[end] == '"' {
				end++
			}
			end++
		}
		fields = append(fields, strings.ReplaceAll(raw[1:end], `""`, `"`))
		if end+1 == len(raw) {
			return fields
		}
		raw = raw[end+2:] // the quote and the comma
	}
}

// Buffered reports whether there is more to return without reading the file.
func (r *Reader) Buffered() bool { return bytes.IndexByte(r.buf, '\n') >= 0 }
