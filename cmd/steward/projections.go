package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/commands/platform"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/projector"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

func newProjectionsCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "projections",
		Short: "Show how far the read models are, and how they are",
		Long: `Show how far each group of read models has followed the log, and whether
anything holds it up. How a running process sees it, with the event that stalls
a group, is at its /readyz?verbose.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSystem(cmd, func(ctx context.Context, s *system, _ events.PlatformInitialized) error {
				status, err := projector.ReadStatus(ctx, s.pool, s.store, projections.Core(seal.New(s.vault)))
				if err != nil {
					return err
				}
				return printStatus(cmd.OutOrStdout(), status, output)
			})
		},
	}
	addOutputFlag(cmd, &output)
	addDataFlag(cmd)
	cmd.AddCommand(newParkCommand())
	return cmd
}

func printStatus(w io.Writer, s projector.Status, output string) error {
	health := "current"
	switch {
	case s.Health.Reason != "":
		health = s.Health.Reason
	case s.LagEvents > 0:
		health = "behind"
	}
	if output == outputJSON {
		return json.NewEncoder(w).Encode(map[string]any{
			"group": s.Group, "version": s.Version, "position": s.Position.Commit, "head": s.Head.Commit,
			"lag_events": s.LagEvents, "lag_seconds": s.Lag.Seconds(), "health": health, "updated_at": s.UpdatedAt,
		})
	}
	return table(w,
		[]string{"GROUP", "VERSION", "POSITION", "HEAD", "LAG", "HEALTH"},
		[]string{
			s.Group, strconv.Itoa(s.Version), strconv.FormatUint(s.Position.Commit, 10), strconv.FormatUint(s.Head.Commit, 10),
			fmt.Sprintf("%d events, %s", s.LagEvents, s.Lag.Round(time.Millisecond)), health,
		})
}

// parkReach is how far after its checkpoint a stalled group may stand before
// the event that stalls it: one batch of a rebuild and more.
const parkReach = 10_000

func newParkCommand() *cobra.Command {
	var group, reason string
	cmd := &cobra.Command{
		Use:   "park EVENT --reason TEXT",
		Short: "Tell a stalled group to pass over the event that it cannot apply",
		Long: `Tell a stalled group to pass over the event that it cannot apply. The rows that
the event would have changed stay as they are, for ever and in every rebuild, so
this is for an event that no version of the code can make sense of. It is
recorded as an event itself.`,
		Example: `  steward projections park evt_01k9x4t6m1c8d0e5f7g9h2j4k6 --reason "written by a broken build, see HD-12"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseEventID(args[0])
			if err != nil {
				return err
			}
			return withSystem(cmd, func(ctx context.Context, s *system, began events.PlatformInitialized) error {
				core := projections.Core(seal.New(s.vault))
				if group != core.Name {
					return fmt.Errorf("--group: there is no group %q: the only one is %q", group, core.Name)
				}
				record, found, err := projector.Find(ctx, s.pool, s.store, core, id, parkReach)
				if err != nil {
					return err
				}
				if !found {
					return fmt.Errorf("%s is not among the events that %s has yet to apply", args[0], group)
				}
				if err := s.tell(ctx, began, platform.Park{EventID: id, Group: group}, reason); err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s passes over %s, %s of %s\n", group, record.Type, args[0], record.Stream)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&group, "group", "core", "the group that is stalled")
	addReasonFlag(cmd, &reason)
	addDataFlag(cmd)
	return cmd
}

// parseEventID reads an event's id as the API or as a log shows it.
func parseEventID(text string) (uuid.UUID, error) {
	if id, err := wireid.Parse(wireid.Event, text); err == nil {
		return id, nil
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, errors.New("the event: want its id, evt_… or a UUID")
	}
	return id, nil
}
