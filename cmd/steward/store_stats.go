package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/internal/esnode"
)

func newStoreStatsCommand() *cobra.Command {
	var quick bool
	var top int
	var output string
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Say what the event store holds, and what it takes on disk",
		Long: `Say what the embedded event store holds and what it takes on disk. The events
are counted by category, which is the part of a stream's name before the first
dash, and by type; streams of the event store itself, whose names begin with a
dollar sign, come last. Counting goes through the whole log; --quick leaves it
out.`,
		Example: `  steward store stats
  steward store stats --quick
  steward store stats --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if top < 1 {
				return errors.New("--top: give a number from 1 on")
			}
			c, err := storeConfig(cmd)
			if err != nil {
				return err
			}
			admin, err := openStoreAdmin(cmd.Context(), c, "an EventStoreDB shows its own on its web page and at /stats")
			if err != nil {
				return err
			}
			m := newMeter(cmd.ErrOrStderr(), "counting", output)
			stats, err := admin.Stats(cmd.Context(), esnode.StatsOptions{Quick: quick, Progress: m.set})
			m.stop()
			if err := errors.Join(err, admin.Close()); err != nil {
				return err
			}
			if output == outputJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(stats)
			}
			return printStats(cmd.OutOrStdout(), stats, top)
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "leave out what only going through all events can tell")
	cmd.Flags().IntVar(&top, "top", 20, "how many categories and types to print (json prints all)")
	addStoreFlag(cmd)
	addOutputFlag(cmd, &output)
	return cmd
}

func printStats(w io.Writer, s esnode.Stats, top int) error {
	rows := [][]string{{"directory", s.Directory}}
	if s.Counted {
		rows = append(rows, []string{"events", fmt.Sprintf("%d in %d streams", s.Events, s.Streams)})
	}
	if s.LastPosition > 0 {
		rows = append(rows,
			[]string{"positions", fmt.Sprintf("%d to %d", s.FirstPosition, s.LastPosition)},
			[]string{"written", fmt.Sprintf("%s to %s", s.FirstTime.Format(time.RFC3339), s.LastTime.Format(time.RFC3339))},
			[]string{"size of the events", sizeText(s.Bytes)})
	}
	d := s.Disk
	rows = append(rows,
		[]string{"on disk", sizeText(d.Total())},
		[]string{"  write-ahead log", sizeText(d.WriteAheadLog)},
		[]string{"  other", sizeText(d.Other)},
		[]string{"  tables", sizeText(d.Tables)})
	for _, l := range d.Levels {
		rows = append(rows, []string{fmt.Sprintf("    on level %d", l.Level), fmt.Sprintf("%s, files: %d", sizeText(l.Bytes), l.Files)})
	}
	if d.Unsorted > 0 {
		rows = append(rows, []string{"  yet to be merged", sizeText(d.Unsorted)})
	}
	if d.Free > 0 {
		rows = append(rows, []string{"left on the disk", sizeText(d.Free)})
	}
	if err := table(w, rows...); err != nil {
		return err
	}
	return errors.Join(printCounts(w, "CATEGORY", s.Categories, top, true), printCounts(w, "TYPE", s.Types, top, false))
}

func printCounts(w io.Writer, title string, counts []esnode.Count, top int, streams bool) error {
	if len(counts) == 0 {
		return nil
	}
	row := func(name, inStreams, events, bytes string) []string {
		if streams {
			return []string{name, inStreams, events, bytes}
		}
		return []string{name, events, bytes}
	}
	rows := [][]string{{}, row(title, "STREAMS", "EVENTS", "SIZE")}
	for _, c := range counts[:min(top, len(counts))] {
		rows = append(rows, row(c.Name, strconv.FormatUint(c.Streams, 10), strconv.FormatUint(c.Events, 10), sizeText(c.Bytes)))
	}
	if more := len(counts) - top; more > 0 {
		rows = append(rows, []string{fmt.Sprintf("… and %d more", more)})
	}
	return table(w, rows...)
}
