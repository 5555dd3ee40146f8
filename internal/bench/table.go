package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// row is a line of the table.
type row struct {
	figure, measured, goal, met string
}

// result is what measuring a figure gave: lines for people, numbers for programs.
type result struct {
	rows    []row
	numbers map[string]float64
}

// report collects results.
type report struct {
	quick   bool
	seed    uint64
	began   time.Time
	rows    []row
	numbers map[string]float64
}

func newReport(o options) *report {
	return &report{quick: o.quick, seed: o.seed, began: time.Now(), numbers: make(map[string]float64)}
}

func (r *report) add(name string, measured result) {
	r.rows = append(r.rows, measured.rows...)
	for key, value := range measured.numbers {
		r.numbers[name+"."+key] = value
	}
}

// print writes the table.
func (r *report) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.TabIndent)
	line := func(cells ...string) { _, _ = fmt.Fprintln(table, "| "+strings.Join(cells, "\t| ")+"\t|") }
	line("figure", "measured", "goal", "met")
	line("---", "---", "---", "---")
	for _, row := range r.rows {
		line(row.figure, row.measured, row.goal, row.met)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	if r.quick {
		_, err := fmt.Fprintln(w, "\nThis was -quick: the sizes are too small for these numbers to mean anything.")
		return err
	}
	return nil
}

// writeJSON writes the numbers. Those of a ratio come from one run.
func (r *report) writeJSON(path string) error {
	numbers := maps.Clone(r.numbers)
	text, err := json.MarshalIndent(map[string]any{
		"quick": r.quick, "seed": r.seed, "began_at": r.began.UTC(), "seconds": time.Since(r.began).Seconds(),
		"go": runtime.Version(), "cpus": runtime.NumCPU(), "numbers": numbers,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("-json: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil { //nolint:gosec // for others to read
		return fmt.Errorf("-json: %w", err)
	}
	return nil
}

// atMost makes the last two cells of a figure that should be small. A ratio has no
// unit.
func atMost(value, goal float64, unit string) (text, met string) {
	return strings.TrimSpace(fmt.Sprintf("at most %g %s", goal, unit)), yes(value <= goal)
}

// atLeast makes the last two cells of a ratio that should be large.
func atLeast(value, goal float64) (text, met string) {
	return fmt.Sprintf("at least %g", goal), yes(value >= goal)
}

func yes(met bool) string {
	if met {
		return "yes"
	}
	return "no"
}

// grouped writes a whole number with commas.
func grouped(value float64) string {
	digits := fmt.Sprintf("%.0f", value)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// milliseconds of a duration.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
