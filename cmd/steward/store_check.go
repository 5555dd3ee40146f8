package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/internal/esnode"
)

// exitProblems is the exit code of a check that found something.
const exitProblems = 3

func newStoreCheckCommand() *cobra.Command {
	var backup, output string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Go through the whole event store, or a backup of it, and say what is wrong",
		Long: `Go through the whole embedded event store and say what is wrong with it: every
file is read and compared with its checksums, every event is decoded, positions
and revisions must have no gap, every index must lead to its events and to
nothing else, and the log must reach as far as was acknowledged. Nothing is
changed. Steward may run meanwhile; the check then sees the store as it stood at
one moment.

With --backup it goes through a backup instead: first each file is compared with
the backup's manifest, then the store in it is checked like any other.

Exit code: 0 when everything is whole, 3 when something is wrong, 1 when the
store could not be looked at.`,
		Example: `  steward store check
  steward store check --data /var/lib/steward
  steward store check --backup /backup/2026-11-22 --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("backup") {
				return checkBackup(cmd, backup, output)
			}
			c, err := storeConfig(cmd)
			if err != nil {
				return err
			}
			admin, err := openStoreAdmin(cmd.Context(), c, "an EventStoreDB compares its files with their checksums itself when it starts")
			if err != nil {
				return err
			}
			report, err := checkStore(cmd, output, admin.Check)
			if err := errors.Join(err, admin.Close()); err != nil {
				return err
			}
			return printChecked(cmd.OutOrStdout(), report, output)
		},
	}
	cmd.Flags().StringVar(&backup, "backup", "", "check the backup in this directory instead")
	addStoreFlag(cmd)
	addOutputFlag(cmd, &output)
	cmd.MarkFlagsMutuallyExclusive("backup", "data")
	return cmd
}

func checkStore(cmd *cobra.Command, output string, check func(context.Context, esnode.CheckOptions) (esnode.CheckReport, error)) (esnode.CheckReport, error) {
	m := newMeter(cmd.ErrOrStderr(), "checking", output)
	defer m.stop()
	return check(cmd.Context(), esnode.CheckOptions{Progress: m.set})
}

func checkBackup(cmd *cobra.Command, dir, output string) error {
	made, problems, err := verifyBackup(cmd, dir, output)
	if err != nil {
		return err
	}
	report := esnode.CheckReport{Problems: problems}
	if len(problems) == 0 {
		// Opening a store makes a lock, which has no place in a backup.
		lock := filepath.Join(esnode.BackupStore(dir), "LOCK")
		_, missing := os.Stat(lock)
		report, err = checkStore(cmd, output, func(ctx context.Context, options esnode.CheckOptions) (esnode.CheckReport, error) {
			return esnode.Check(ctx, esnode.BackupStore(dir), options)
		})
		if errors.Is(missing, fs.ErrNotExist) {
			err = errors.Join(err, removeIfThere(lock))
		}
		if err != nil {
			return err
		}
	}
	if len(report.Problems) == 0 && report.LastPosition != made.LastPosition {
		report.Problems = append(report.Problems, esnode.Problem{
			File: dir, Position: report.LastPosition, Remedy: "use another backup",
			Text: fmt.Sprintf("the log ends at position %d, and at %d according to the manifest", report.LastPosition, made.LastPosition),
		})
	}
	return printChecked(cmd.OutOrStdout(), report, output)
}

func verifyBackup(cmd *cobra.Command, dir, output string) (esnode.Backup, []esnode.Problem, error) {
	m := newMeter(cmd.ErrOrStderr(), "comparing files", output)
	defer m.stop()
	made, problems, err := esnode.VerifyBackup(cmd.Context(), dir, m.set)
	var damaged *esnode.Problem
	if errors.As(err, &damaged) {
		return made, []esnode.Problem{*damaged}, nil
	}
	return made, problems, err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func printChecked(w io.Writer, report esnode.CheckReport, output string) error {
	var failed error
	if found := uint64(len(report.Problems)) + report.Omitted; found > 0 {
		failed = exitError{exitProblems, fmt.Errorf("problems found: %d", found)}
	}
	if output == outputJSON {
		return errors.Join(json.NewEncoder(w).Encode(report), failed)
	}
	_, err := fmt.Fprintf(w, "%d events in %d streams, %s, up to position %d\n", report.Events, report.Streams, sizeText(report.Bytes), report.LastPosition)
	switch {
	case failed != nil || err != nil:
	case report.Acknowledged == 0 && report.Events > 0:
		_, err = fmt.Fprintf(w, "everything that is there is whole; whether the end of the log is missing cannot be told: there is no %s\n", esnode.AcknowledgedFile)
	default:
		_, err = fmt.Fprintln(w, "everything is whole")
	}
	for _, p := range report.Problems {
		err = errors.Join(err, printProblem(w, p))
	}
	if report.Omitted > 0 {
		_, more := fmt.Fprintf(w, "\nand %d more\n", report.Omitted)
		err = errors.Join(err, more)
	}
	return errors.Join(err, failed)
}

func printProblem(w io.Writer, p esnode.Problem) error {
	rows := [][]string{{"problem", p.Text}}
	if p.File != "" {
		rows = append(rows, []string{"  file", p.File})
	}
	if p.Position > 0 {
		rows = append(rows, []string{"  position", fmt.Sprint(p.Position)})
	}
	if p.Stream != "" {
		rows = append(rows, []string{"  stream", p.Stream})
	}
	if p.Remedy != "" {
		rows = append(rows, []string{"  what to do", p.Remedy})
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return table(w, rows...)
}
