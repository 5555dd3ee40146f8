// Command coverage prints which promises of the documents that Steward is made after
// have a passing test. It reads what go test -json prints, in the directory of the module.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/stewardhq/steward/internal/seeds"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	rows, err := seeds.Rows()
	if err != nil {
		return err
	}
	tests, err := seeds.Tests(".", "github.com/stewardhq/steward")
	if err != nil {
		return err
	}
	proof, err := seeds.Prove(in, tests)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	total, proven, broken := map[string]int{}, map[string]int{}, 0
	var order []string
	for _, r := range rows {
		if total[r.Seed()] == 0 {
			order = append(order, r.Seed())
			fmt.Fprintf(w, "\n%s\t\t\n", r.Seed())
		}
		total[r.Seed()]++
		passed, failed := proof.Passed[r.ID], proof.Failed[r.ID]
		switch {
		case len(failed) > 0:
			broken++
			fmt.Fprintf(w, "%s\tFAILED\t%s: %s\n", r.ID, r.Title, failed[0])
		case len(passed) > 0:
			proven[r.Seed()]++
			fmt.Fprintf(w, "%s\tproven\t%s: %s\n", r.ID, r.Title, passed[0])
		default:
			fmt.Fprintf(w, "%s\topen\t%s: %s\n", r.ID, r.Title, r.Open)
		}
	}
	fmt.Fprintln(w, "\t\t")
	for _, seed := range order {
		fmt.Fprintf(w, "%s\t%d of %d\trows have a passing test\n", seed, proven[seed], total[seed])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if broken > 0 {
		return errors.New("tests failed")
	}
	return nil
}
