package importer

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// Report says what an import did, or in a dry run would do.
type Report struct {
	Accepted      int       `json:"accepted"`       // rows that were applied
	Unchanged     int       `json:"unchanged"`      // rows that the store held already
	Refused       int       `json:"refused"`        // rows that were not applied
	OwnersCreated int       `json:"owners_created"` // customers who were not there before
	DryRun        bool      `json:"dry_run"`
	Seconds       float64   `json:"seconds"`
	Interrupted   bool      `json:"interrupted,omitempty"` // the file was not worked through
	Rows          []Refusal `json:"rows"`                  // every refused row, in file order
}

func (r *Report) count(o Outcome) {
	switch {
	case o.Refused != nil:
		r.Refused++
	case o.Unchanged:
		r.Unchanged++
	default:
		r.Accepted++
	}
	if o.OwnerCreated {
		r.OwnersCreated++
	}
}

// Total is how many rows were worked through.
func (r Report) Total() int { return r.Accepted + r.Unchanged + r.Refused }

// WriteJSON prints the report as one JSON object.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// shown is how many refused rows a table shows.
const shown = 20

// WriteText prints the report as a table for people, with the first refused rows.
func (r Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	p := &printer{w: t}
	if r.DryRun {
		p.line("Dry run: nothing was changed. The import would give")
	}
	p.line("accepted\t%d", r.Accepted)
	p.line("unchanged\t%d", r.Unchanged)
	p.line("refused\t%d", r.Refused)
	p.line("owners created\t%d", r.OwnersCreated)
	p.line("seconds\t%.1f", r.Seconds)
	if r.Seconds > 0 {
		p.line("rows/s\t%.0f", float64(r.Total())/r.Seconds)
	}
	p.flush(t)
	if len(r.Rows) == 0 {
		return p.err
	}
	p.line("")
	p.line("LINE\tFIELD\tCODE\tREASON")
	for _, row := range r.Rows[:min(len(r.Rows), shown)] {
		field := row.Field
		if field == "" {
			field = "-"
		}
		p.line("%s\t%s\t%s\t%s", strconv.Itoa(row.Line), field, row.Code, row.Reason)
	}
	p.flush(t)
	if more := len(r.Rows) - shown; more > 0 {
		p.line("… and %d more: --rejects FILE.csv writes all of them, --output json prints them", more)
		p.flush(t)
	}
	return p.err
}

// printer keeps the first error of many writes.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) flush(t *tabwriter.Writer) {
	if err := t.Flush(); p.err == nil {
		p.err = err
	}
}

// Tally counts while an import goes on. Any goroutine may read it.
type Tally struct{ rows, refused, waiting atomic.Int64 }

func (t *Tally) count(o Outcome) {
	if o.Refused != nil {
		t.refused.Add(1)
	}
	t.rows.Add(1)
}

// texts keeps one copy of each text, since a million refused rows share few.
type texts map[string]string

func (t *texts) share(r Refusal) Refusal {
	if *t == nil {
		*t = make(texts)
	}
	for _, s := range []*string{&r.Field, &r.Code, &r.Reason} {
		if one, ok := (*t)[*s]; ok {
			*s = one
			continue
		}
		if len(*t) < 10_000 {
			(*t)[*s] = *s
		}
	}
	return r
}

func (r *Report) measure(d time.Duration) {
	r.Seconds = float64(d.Milliseconds()) / 1000
}
