package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/storecopy"
)

func newStoreExportCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "export FILE|-",
		Short: "Write the whole log into a file, from any event store",
		Long: `Write the whole log, as it stands now, into a file: one event in a line of JSON,
in order, with everything that is needed to write the same log elsewhere. The
file is packed if its name ends in .gz; - stands for standard output. Steward
may run meanwhile; what is appended after the export began is not in it.

What belongs to the event store itself (streams such as $stats and $users) is
left out and counted. The personal data in the events is as well sealed in the
file as it is in the log; the file is readable for its owner only.

An export to a file that was interrupted is simply run again: it goes on where
it ended, to the same file that it would have become at once.`,
		Example: `  steward store export log.ndjson.gz
  steward store export - | STEWARD_EVENTSTORE_URL=esdb://… steward store import -`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := storeConfig(cmd)
			if err != nil {
				return err
			}
			return withStore(cmd, c, func(ctx context.Context, store *eventstore.Store) error {
				options := storecopy.ExportOptions{From: c.name()}
				if args[0] == "-" {
					done, err := storecopy.Export(ctx, store, cmd.OutOrStdout(), options)
					if err != nil {
						return fmt.Errorf("export: %w", err)
					}
					return printExported(cmd.ErrOrStderr(), done, c.name(), output)
				}
				m := newMeter(cmd.ErrOrStderr(), "exporting", output)
				defer m.stop()
				options.Progress = m.copied
				done, err := storecopy.ExportFile(ctx, store, args[0], options)
				m.stop()
				switch {
				case errors.Is(err, context.Canceled):
					return fmt.Errorf("interrupted; the same command goes on where this one ended: %w", err)
				case err != nil:
					return fmt.Errorf("export: %w", err)
				}
				return printExported(cmd.OutOrStdout(), done, c.name(), output)
			})
		},
	}
	addStoreFlag(cmd)
	addOutputFlag(cmd, &output)
	return cmd
}

func printExported(w io.Writer, done storecopy.Summary, from, output string) error {
	if output == outputJSON {
		return json.NewEncoder(w).Encode(done)
	}
	resumed := ""
	if done.Resumed > 0 {
		resumed = fmt.Sprintf(" (%d of them by the run before)", done.Resumed)
	}
	_, err := fmt.Fprintf(w, "exported %d events from %s%s; left out %d of the event store's own\nSHA-256 %s\n", done.Events, from, resumed, done.LeftOut, done.SHA256)
	return err
}

func newStoreImportCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Write an exported log into an empty event store, and compare both",
		Long: `Write a log that "steward store export" has written into an event store that
holds no events of its own yet: the embedded one of a data directory, which is
made if there is none, or an EventStoreDB. Events keep their ids, revisions and
order, byte for byte; positions and the times of writing are the new store's
(when something happened stands in the event). Afterwards everything is read
back, and both sides must agree in number and SHA-256.

An import that was interrupted is simply run again: it compares what is there
and goes on behind it. Events are written one after the other, because their
order is part of what is copied. A file is read and verified as a whole before
the first event is written; - stands for standard input, which cannot be.

Stop Steward before the export and start it on the new store after the import.
Read models and reactions still know positions of the old log, so make the ones
anew and put the others back first:

  steward rebuild
  steward reactions reset all --to 0 --reason "moved to another event store"`,
		Example: `  STEWARD_EVENTSTORE_URL=esdb://user:password@host:2113?tls=true steward store import log.ndjson.gz
  steward store import log.ndjson.gz --data /srv/steward
  steward store export - | STEWARD_EVENTSTORE_URL=esdb://… steward store import -`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := storeConfig(cmd)
			if err != nil {
				return err
			}
			c.begin = true
			source, err := openExport(cmd, args[0], output)
			if err != nil {
				return err
			}
			defer source.Close() //nolint:errcheck // it was only read
			return withStore(cmd, c, func(ctx context.Context, store *eventstore.Store) error {
				began := time.Now()
				done, err := importLog(ctx, cmd.ErrOrStderr(), store, source, output)
				switch {
				case errors.Is(err, context.Canceled):
					return fmt.Errorf("interrupted; the same command goes on where this one ended: %w", err)
				case err != nil:
					return fmt.Errorf("import into %s: %w", c.name(), err)
				}
				return printImported(cmd.OutOrStdout(), c, done, time.Since(began), output)
			})
		},
	}
	addStoreFlag(cmd)
	addOutputFlag(cmd, &output)
	return cmd
}

// openExport opens the file, or standard input for a dash, and verifies it if
// it can be read twice.
func openExport(cmd *cobra.Command, path, output string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	file, err := os.Open(path) //nolint:gosec // the file that the user names
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return file, nil
	}
	m := newMeter(cmd.ErrOrStderr(), "verifying "+path, output)
	defer m.stop()
	if err == nil {
		_, err = storecopy.Verify(cmd.Context(), file, m.copied)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return file, nil
}

// importLog imports and shows both halves of the work.
func importLog(ctx context.Context, stderr io.Writer, store *eventstore.Store, source io.Reader, output string) (storecopy.Imported, error) {
	writing := newMeter(stderr, "importing", output)
	defer writing.stop()
	var verifying *meter
	defer func() {
		if verifying != nil {
			verifying.stop()
		}
	}()
	return storecopy.Import(ctx, store, source, storecopy.ImportOptions{
		Progress: writing.copied,
		Verifying: func(p storecopy.Progress) {
			if verifying == nil {
				writing.stop()
				verifying = newMeter(stderr, "reading back", output)
			}
			verifying.copied(p)
		},
	})
}

func printImported(w io.Writer, c config, done storecopy.Imported, took time.Duration, output string) error {
	if output == outputJSON {
		return json.NewEncoder(w).Encode(struct {
			storecopy.Imported
			Seconds float64 `json:"seconds"`
		}{done, took.Seconds()})
	}
	there := ""
	if done.Resumed > 0 {
		there = fmt.Sprintf("; %d were there already", done.Resumed)
	}
	_, err := fmt.Fprintf(w, `imported %d events into %s in %s%s
read back and compared: %d events, SHA-256 %s

Before Steward starts on this event store, run there:
  steward rebuild
  steward reactions reset all --to 0 --reason "moved to another event store"
`, done.Written, c.name(), took.Round(time.Millisecond), there, done.Events, done.SHA256)
	return err
}

// withStore opens the event store alone: neither the database nor the keys.
func withStore(cmd *cobra.Command, c config, fn func(ctx context.Context, store *eventstore.Store) error) error {
	s := &system{config: c, log: c.logger(), registry: newRegistry()}
	if err := s.openEvents(cmd.Context(), borrow); err != nil {
		return errors.Join(err, s.Close())
	}
	return errors.Join(fn(cmd.Context(), s.store), s.Close())
}
