package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/projections"
)

func newRebuildCommand() *cobra.Command {
	var output string
	var force bool
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the read models anew from the first event, compare, and put them in place",
		Long: `Make the read models anew from the first event, beside the ones in use, compare
both at one position, and put the new ones in place. Nothing that reads them
fails meanwhile, and nothing is sent to anybody.

If they differ although both are of the same version, the ones in use are kept
and the first differences are shown: then either a row was altered by hand, or
the code that made it has changed without its version. --force replaces them all
the same.`,
		Example: `  steward rebuild
  steward rebuild --force --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSystem(cmd, func(ctx context.Context, s *system, _ events.PlatformInitialized) error {
				pool, err := postgres.Connect(ctx, s.databaseURL, postgres.Options{
					AppName: "steward-rebuild", Role: postgres.Owner, StatementTimeout: -1, IdleTransactionTimeout: -1,
				})
				if err != nil {
					return err
				}
				defer pool.Close()
				bar := newProgress(cmd.ErrOrStderr(), "rebuilding", output)
				done, err := projector.Rebuild(ctx, pool, s.store, projections.Core(seal.New(s.vault)), projector.RebuildOptions{
					Force: force, Progress: bar.set,
				})
				bar.finish()
				return errors.Join(err, printRebuilt(cmd.OutOrStdout(), done, output))
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace the read models in spite of differences")
	addOutputFlag(cmd, &output)
	addDataFlag(cmd)
	return cmd
}

func printRebuilt(w io.Writer, done projector.Rebuilt, output string) error {
	if output == outputJSON {
		return json.NewEncoder(w).Encode(map[string]any{
			"events": done.Events, "position": done.Position.Commit, "seconds": done.Took.Seconds(),
			"swapped": done.Swapped, "same": done.Report.Same(), "tables": tablesJSON(done.Report.Tables),
		})
	}
	rows := [][]string{{"TABLE", "IN USE", "REBUILT", ""}}
	for _, t := range done.Report.Tables {
		verdict := "identical"
		if !t.Same {
			verdict = "differs at " + strings.Join(t.Keys, ", ")
		}
		rows = append(rows, []string{t.Table, strconv.FormatInt(t.LiveRows, 10), strconv.FormatInt(t.NextRows, 10), verdict})
	}
	if done.Report.None != "" {
		rows = [][]string{{"nothing to compare with: " + done.Report.None}}
	}
	outcome := "kept the read models in use"
	if done.Swapped {
		outcome = "put the rebuilt read models in place"
	}
	rows = append(rows, []string{fmt.Sprintf("%s after %d events in %s", outcome, done.Events, done.Took.Round(time.Millisecond))})
	return table(w, rows...)
}

func tablesJSON(tables []projector.TableReport) []map[string]any {
	all := make([]map[string]any, len(tables))
	for i, t := range tables {
		all[i] = map[string]any{
			"table": t.Table, "rows_in_use": t.LiveRows, "rows_rebuilt": t.NextRows, "same": t.Same, "differing_keys": t.Keys,
		}
	}
	return all
}

// progress shows how far a long task is: a bar on a terminal, nothing where the
// output is for programs.
type progress struct{ bar *progressbar.ProgressBar }

func newProgress(w io.Writer, what, output string) *progress {
	if output == outputJSON {
		return &progress{}
	}
	return &progress{bar: progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"), progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionSetWidth(30),
	)}
}

func (p *progress) set(done, total uint64) {
	if p.bar == nil || total == 0 {
		return
	}
	p.bar.ChangeMax64(int64(max(total, done))) //nolint:gosec // counts of events fit
	_ = p.bar.Set64(int64(done))               //nolint:gosec // counts of events fit
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
		_ = p.bar.Clear()
	}
}
