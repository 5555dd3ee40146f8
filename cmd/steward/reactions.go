package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/seal"
)

func newReactionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reactions",
		Short: "Look after what follows from events: reservations, later mails and webhooks",
	}
	cmd.AddCommand(newReactionsResetCommand())
	return cmd
}

func newReactionsResetCommand() *cobra.Command {
	var to, reason string
	cmd := &cobra.Command{
		Use:   "reset REACTION --to now|POSITION --reason TEXT",
		Short: "Tell a reaction from where in the log to go on",
		Long: `Tell a reaction from where in the log to go on. A reaction that has lost its
place, because the database was restored or replaced, does not start by itself:
it might repeat, or leave out, what it does.

With --to now it leaves out all that happened so far; with a position it goes on
after that one, 0 being the beginning. The reservations reaction does no harm
when it repeats: --to 0 is right for it.`,
		Example: `  steward reactions reset reservations --to 0 --reason "restored the database"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != reactions.Reservations(nil).Name {
				return fmt.Errorf("there is no reaction %q: the only one is %q", args[0], reactions.Reservations(nil).Name)
			}
			return withSystem(cmd, func(ctx context.Context, s *system, began events.PlatformInitialized) error {
				resetter := reactions.Resetter{
					Log: s.store, Sealer: seal.New(s.vault), Checkpoints: reactions.NewCheckpoints(s.pool, began.LogID),
				}
				position, err := parsePosition(ctx, resetter, to)
				if err != nil {
					return err
				}
				command := uuid.New()
				err = resetter.Reset(ctx, args[0], position, events.Metadata{
					Schema: events.MetadataSchema, Actor: operatorActor, Source: events.SourceCLI,
					CommandID: command, CorrelationID: command, CausationID: command,
					OccurredAt: time.Now().UTC(), Reason: events.Clear(operatorReason(reason)),
				})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s goes on after position %d\n", args[0], position.Commit)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "now, or a position in the log (required)")
	_ = cmd.MarkFlagRequired("to")
	addReasonFlag(cmd, &reason)
	addDataFlag(cmd)
	return cmd
}

func parsePosition(ctx context.Context, resetter reactions.Resetter, text string) (events.Position, error) {
	if text == "now" {
		return resetter.Now(ctx)
	}
	commit, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return events.Position{}, errors.New("--to: want now, or a position such as 4711")
	}
	return events.Position{Commit: commit, Prepare: commit}, nil
}
