package importer

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
)

// dangerous begin a cell that a spreadsheet would run as a formula. The
// apostrophe is there so that runnable can tell ours from theirs.
const dangerous = "=+-@\t\r'"

// harmless puts an apostrophe before a text that a spreadsheet would run.
func harmless(text string) string {
	if text != "" && strings.IndexByte(dangerous, text[0]) >= 0 {
		return "'" + text
	}
	return text
}

// runnable undoes harmless.
func runnable(text string) string {
	if len(text) > 1 && text[0] == '\'' && strings.IndexByte(dangerous, text[1]) >= 0 {
		return text[1:]
	}
	return text
}

// Rejects writes refused rows into a CSV file that can be put right and imported
// again: the columns of the file, then line, field, code and reason, and the
// original text of a row that could not be taken apart.
type Rejects struct {
	out  *csv.Writer
	cols Columns
}

// NewRejects begins the file.
func NewRejects(w io.Writer, cols Columns) (*Rejects, error) {
	r := &Rejects{out: csv.NewWriter(w), cols: cols}
	if err := r.out.Write(append(append([]string(nil), cols.Names...), verdict...)); err != nil {
		return nil, err
	}
	return r, r.Flush()
}

// Write adds a refused row.
func (r *Rejects) Write(rec Record, why Refusal) error {
	row := make([]string, 0, len(r.cols.Names)+len(verdict))
	whole := len(rec.Fields) == r.cols.all
	for _, name := range r.cols.Names {
		text := ""
		if whole {
			text = r.cols.raw(rec.Fields, name)
		}
		row = append(row, harmless(clean(text)))
	}
	original := ""
	if !whole {
		original = clean(rec.Raw)
	}
	return r.out.Write(append(row, strconv.Itoa(why.Line), why.Field, why.Code, why.Reason, harmless(original)))
}

// Flush writes what is buffered.
func (r *Rejects) Flush() error {
	r.out.Flush()
	return r.out.Error()
}

// clean makes a text fit for a file in UTF-8.
func clean(text string) string { return strings.ToValidUTF8(text, "\ufffd") }
