package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/internal/esnode"
)

// filesInstead is what operators of an EventStoreDB do about backups.
const filesInstead = "back up the files of an EventStoreDB as its documentation says, or copy the log with steward store export and import"

func newStoreBackupCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the event store, as it stands now, into a new directory",
		Long: `Copy the embedded event store, as it stands now, into a new directory, while
Steward runs or not. Everything that was acknowledged before the command began
is in the backup. A manifest in it holds the SHA-256 of each file.

DIR must not exist yet, or be empty. Until the backup is complete it is called
DIR.partial; an interrupted one can be removed. While Steward runs, its process
writes the backup, as the user that it runs as.

The log is backed up first and the keys after it: keys are stored before the
events that need them, so a later backup of the keys opens an earlier one of the
log, and not the other way round.`,
		Example: `  steward store backup /backup/$(date +%F)
  steward store check --backup /backup/2026-11-22`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := storeConfig(cmd)
			if err != nil {
				return err
			}
			// The process that writes it may be in another directory.
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			admin, err := openStoreAdmin(cmd.Context(), c, filesInstead)
			if err != nil {
				return err
			}
			m := newMeter(cmd.ErrOrStderr(), "backing up", output)
			made, err := admin.Backup(cmd.Context(), dir, esnode.BackupOptions{Progress: m.set})
			m.stop()
			if err := errors.Join(err, admin.Close()); err != nil {
				return err
			}
			return printBackup(cmd.OutOrStdout(), dir, made, output)
		},
	}
	addStoreFlag(cmd)
	addOutputFlag(cmd, &output)
	return cmd
}

func printBackup(w io.Writer, dir string, made esnode.Backup, output string) error {
	if output == outputJSON {
		return json.NewEncoder(w).Encode(map[string]any{
			"directory": dir, "made_at": made.MadeAt, "last_position": made.LastPosition, "files": len(made.Files), "bytes": made.Size(),
		})
	}
	_, err := fmt.Fprintf(w, `backed up the log up to position %d into %s: %d files, %s

Next, in this order:
  1. the keys: the database of STEWARD_VAULT_URL, or schema vault of STEWARD_POSTGRES_URL,
     and not into the same place as the master key
  2. schema ops of STEWARD_POSTGRES_URL; the read models need no backup
  3. copy all of it to another machine; there, steward store check --backup DIR verifies the log
`, made.LastPosition, dir, len(made.Files), sizeText(made.Size()))
	return err
}

func newStoreRestoreCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "restore BACKUP",
		Short: "Make the event store anew from a backup",
		Long: `Make the embedded event store anew from a directory that "steward store backup"
has made. Steward must not run. Each file is compared with the backup's manifest
while it is copied, and then the whole copy is checked, before it is put in
place; an interrupted restore leaves nothing that opens as an event store. A
store that is there already is never touched: move it away first.

The keys are restored from a backup that was made after that of the log. If the
database with the read models is newer than the log, Steward says at its start
what to run.`,
		Example: `  steward store restore /backup/2026-11-22
  steward store restore /backup/2026-11-22 --data /srv/steward`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := storeConfig(cmd)
			if err != nil {
				return err
			}
			data, err := c.embedded(filesInstead)
			if err != nil {
				return err
			}
			socket, err := data.served(cmd.Context())
			if err != nil {
				return err
			}
			if socket != "" {
				return fmt.Errorf("the event store in %s is in use by a running Steward: stop it first", data)
			}
			// Nothing is made for a backup that is none.
			if _, err := esnode.ReadBackup(args[0]); err != nil {
				return err
			}
			if err := data.create(); err != nil {
				return err
			}
			copying := newMeter(cmd.ErrOrStderr(), "restoring", output)
			defer copying.stop()
			var checking *meter
			report, err := esnode.Restore(cmd.Context(), args[0], data.events(), esnode.RestoreOptions{
				Copying: copying.set,
				Checking: func(done, total uint64) {
					if checking == nil {
						copying.stop()
						checking = newMeter(cmd.ErrOrStderr(), "checking", output)
					}
					checking.set(done, total)
				},
			})
			copying.stop()
			if checking != nil {
				checking.stop()
			}
			if err != nil {
				return err
			}
			return printRestored(cmd.OutOrStdout(), data, report, output)
		},
	}
	addStoreFlag(cmd)
	addOutputFlag(cmd, &output)
	return cmd
}

func printRestored(w io.Writer, data dataDir, report esnode.CheckReport, output string) error {
	if len(report.Problems) > 0 {
		_ = printChecked(w, report, output) // its verdict is the same, in other words
		return exitError{exitProblems, fmt.Errorf("the backup has problems, so nothing was restored: %d", uint64(len(report.Problems))+report.Omitted)}
	}
	if output == outputJSON {
		return json.NewEncoder(w).Encode(map[string]any{
			"directory": data.events(), "events": report.Events, "streams": report.Streams, "last_position": report.LastPosition,
		})
	}
	_, err := fmt.Fprintf(w, `restored %d events up to position %d into %s, and checked them

Next:
  1. restore the keys, from a backup that was made after that of the log
  2. steward rebuild, unless the database was restored from the same time
  3. steward reactions reset all --to 0 --reason "restored a backup"
`, report.Events, report.LastPosition, data.events())
	return err
}
