package importer

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// No cell of a file of refused rows begins with what a spreadsheet would run,
// and reading the file gives back what was refused.
func TestRejectsAreHarmless(t *testing.T) {
	t.Parallel()
	cols, err := columns(append(append([]string(nil), required...), colName))
	if err != nil {
		t.Fatal(err)
	}
	cell := rapid.OneOf(rapid.StringMatching(`[=+\-@'\t\r]{0,3}[a-z,"\n=]{0,5}`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.SliceOfN(cell, 0, 8).Draw(t, "cells")
		raw := cell.Draw(t, "raw")
		var out bytes.Buffer
		r, err := NewRejects(&out, cols)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Write(Record{Line: 7, Raw: raw, Fields: fields}, refusal(colEmail, "invalid", "is empty").at(7)); err != nil {
			t.Fatal(err)
		}
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		back := NewReader(&out)
		again, err := ReadColumns(back)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := back.Next()
		if err != nil || rec.Fault != nil || len(rec.Fields) != again.all {
			t.Fatalf("the row reads %+v, %v", rec, err)
		}
		for i, text := range rec.Fields {
			if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
				t.Errorf("cell %d begins with %q", i, text[0])
			}
		}
		if len(fields) != cols.all {
			if got := again.raw(rec.Fields, "original"); got != clean(raw) {
				t.Errorf("the original %q became %q", raw, got)
			}
			return
		}
		var got, want []string
		for i, name := range cols.Names {
			got, want = append(got, again.raw(rec.Fields, name)), append(want, clean(fields[i]))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-refused +read again):\n%s", diff)
		}
	})
}
