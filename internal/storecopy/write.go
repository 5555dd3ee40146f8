package storecopy

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
)

// memberBytes is how much text a packed file gathers before it closes a member. What was written of a member
// that was not closed is lost when the export is interrupted.
const memberBytes = 1 << 20

// writer writes lines, packed on demand. A packed file consists of members that end with a line, so that it
// can be cut after each of them and be continued.
type writer struct {
	out    *bufio.Writer
	pack   *gzip.Writer // nil when the file is not packed
	member int
}

func newWriter(out io.Writer, packed bool) *writer {
	w := &writer{out: bufio.NewWriterSize(out, 1<<20)}
	if packed {
		// It knows the level that it is given.
		w.pack, _ = gzip.NewWriterLevel(w.out, gzip.BestSpeed)
	}
	return w
}

// write writes whole lines.
func (w *writer) write(text []byte) error {
	if w.pack == nil {
		_, err := w.out.Write(text)
		return err
	}
	if _, err := w.pack.Write(text); err != nil {
		return err
	}
	if w.member += len(text); w.member >= memberBytes {
		return w.closeMember()
	}
	return nil
}

func (w *writer) closeMember() error {
	if w.pack == nil || w.member == 0 {
		return nil
	}
	if err := w.pack.Close(); err != nil {
		return err
	}
	w.pack.Reset(w.out)
	w.member = 0
	return nil
}

// flush hands everything on to the file.
func (w *writer) flush() error {
	if err := w.closeMember(); err != nil {
		return err
	}
	return w.out.Flush()
}

// writeObject writes the header or the end, and flushes.
func (w *writer) writeObject(name string, value any) error {
	text, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		return fmt.Errorf("encode the %s: %w", name, err)
	}
	if err := w.write(append(text, '\n')); err != nil {
		return err
	}
	return w.flush()
}
