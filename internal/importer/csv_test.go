package importer_test

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/internal/importer"
)

// read reads a whole text, byte by byte so that no outcome depends on how much
// comes at once.
func read(t testing.TB, text string) []importer.Record {
	t.Helper()
	r := importer.NewReader(iotest.OneByteReader(strings.NewReader(text)))
	var records []importer.Record
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return records
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, rec)
	}
}

// summary is a record as the tests write it down: its line, then its fields or
// the code of its fault.
func summary(records []importer.Record) (lines []int, texts []string) {
	for _, rec := range records {
		text := strings.Join(rec.Fields, "|")
		if rec.Fault != nil {
			text = "!" + rec.Fault.Code
		}
		lines, texts = append(lines, rec.Line), append(texts, text)
	}
	return lines, texts
}

func TestReader(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 9<<10)
	endless := strings.Repeat("x", 200<<10)
	for name, c := range map[string]struct {
		text  string
		lines []int
		want  []string
	}{
		"nothing":                       {"", nil, nil},
		"only a mark":                   {"\ufeff", nil, nil},
		"plain":                         {"a,b\nc,d\n", []int{1, 2}, []string{"a|b", "c|d"}},
		"no newline at the end":         {"a,b\nc,d", []int{1, 2}, []string{"a|b", "c|d"}},
		"mark and CRLF":                 {"\ufeffa,b\r\nc,d\r\n", []int{1, 2}, []string{"a|b", "c|d"}},
		"empty fields":                  {",\n,,\n", []int{1, 2}, []string{"|", "||"}},
		"blank lines count":             {"a\n\n\r\nb\n", []int{1, 2, 3, 4}, []string{"a", "", "", "b"}},
		"quotes":                        {`"a,b","say ""hi""",""` + "\n", []int{1}, []string{`a,b|say "hi"|`}},
		"quotes and CRLF":               {"\"a\"\r\n\"b\"\r\n", []int{1, 2}, []string{"a", "b"}},
		"quotes at the end":             {`x,"a"`, []int{1}, []string{"x|a"}},
		"a quoted text of three lines":  {"\"a\nb\nc\",d\ne\n", []int{1, 4}, []string{"a\nb\nc|d", "e"}},
		"a carriage return in a text":   {"a\rb,c\n", []int{1}, []string{"a\rb|c"}},
		"a bare quote":                  {"a\"b,c\nd\n", []int{1, 2}, []string{"!quote_in_field", "d"}},
		"text after a quote":            {"\"a\"b,c\nd\n", []int{1, 2}, []string{"!text_after_quote", "d"}},
		"a return after a quote":        {"\"a\"\rb\nd\n", []int{1, 2}, []string{"!text_after_quote", "d"}},
		"a quote that never closes":     {"\"a,b\nc\nd\n", []int{1, 2, 3}, []string{"!quote_not_closed", "c", "d"}},
		"a quote that closes elsewhere": {"\"a,b\nc\n\"d\",e\n", []int{1, 2, 3}, []string{"!text_after_quote", "c", "d|e"}},
		"a fault after a text of lines": {"\"a\nb\",c\"d\ne\n", []int{1, 2, 3}, []string{"!quote_in_field", "!quote_in_field", "e"}},
		"a long row":                    {long + "\nb\n", []int{1, 2}, []string{"!row_too_long", "b"}},
		"a long row of several lines":   {"\"" + long + "\nz\"\nb\n", []int{1, 3}, []string{"!row_too_long", "b"}},
		"an endless row":                {endless + "\nb\n", []int{1, 2}, []string{"!row_too_long", "b"}},
		"an endless last row":           {"a\n" + endless, []int{1, 2}, []string{"a", "!row_too_long"}},
		"an endless quote":              {"\"" + endless + "\nb\n", []int{1, 2}, []string{"!quote_not_closed", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, texts := summary(read(t, c.text))
			if diff := cmp.Diff(c.lines, lines); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.want, texts); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// What a customer has put into a quoted text must never become a row.
func TestReaderTakesNoRowOutOfAText(t *testing.T) {
	t.Parallel()
	text := "a,b,c\n\"x\nevil.com,e,f\n\",too,many,fields\n"
	lines, _ := summary(read(t, text))
	if diff := cmp.Diff([]int{1, 2}, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestReaderPassesErrorsOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	r := importer.NewReader(io.MultiReader(strings.NewReader("a,b\nhalf"), iotest.ErrReader(broken)))
	if rec, err := r.Next(); err != nil || len(rec.Fields) != 2 {
		t.Fatalf("first row: %v, %v", rec, err)
	}
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("half a row is taken for a whole one: %v", err)
	}
}

func FuzzReader(f *testing.F) {
	for _, text := range []string{
		"a,b\r\nc,d\r\n", "\ufeff\"a\nb\",c\n", "\"a\nb\n", "a\"b\n\"c\"d\n\n\r\n", "\"\"\"\",\"\r\"\r\n", strings.Repeat("\"\n", 99), "\xff\xfe,\x00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		records := read(t, text)
		next := 1
		for _, rec := range records {
			if rec.Line != next || rec.Lines < 1 {
				t.Fatalf("line %d (%d lines) where line %d begins", rec.Line, rec.Lines, next)
			}
			if rec.Fault != nil && (rec.Fields != nil || rec.Fault.Code == "" || rec.Fault.Reason == "") {
				t.Fatalf("line %d: a fault with fields or without a reason: %+v", rec.Line, rec)
			}
			next += rec.Lines
		}
		if want := lineCount(strings.TrimPrefix(text, "\ufeff")); next-1 != want {
			t.Fatalf("%d of %d lines are accounted for", next-1, want)
		}
		sameAsStandard(t, text, records)
	})
}

func lineCount(text string) int {
	n := strings.Count(text, "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		n++
	}
	return n
}

// sameAsStandard compares what encoding/csv reads without complaint, which
// turns CRLF inside texts into LF and drops blank lines.
func sameAsStandard(t *testing.T, text string, records []importer.Record) {
	t.Helper()
	std := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	std.FieldsPerRecord = -1
	want, err := std.ReadAll()
	if err != nil || len(text) > 8<<10 {
		return
	}
	var got [][]string
	for _, rec := range records {
		if rec.Blank() {
			continue
		}
		if rec.Fault != nil {
			t.Fatalf("line %d is refused (%s) though it is good CSV", rec.Line, rec.Fault.Code)
		}
		fields := make([]string, len(rec.Fields))
		for i, field := range rec.Fields {
			fields[i] = strings.ReplaceAll(field, "\r\n", "\n")
		}
		got = append(got, fields)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-encoding/csv +ours):\n%s", diff)
	}
}
