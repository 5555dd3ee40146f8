package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// The values of --output.
const (
	outputText = "text"
	outputJSON = "json"
)

// addOutputFlag adds --output to cmd and refuses values that do not exist.
func addOutputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVar(output, "output", outputText, "how to print the result: text or json")
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if *output != outputText && *output != outputJSON {
			return fmt.Errorf("--output %q: use text or json", *output)
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

// table prints rows in aligned columns.
func table(w io.Writer, rows ...[]string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintln(t, strings.TrimRight(strings.Join(row, "\t"), "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}
