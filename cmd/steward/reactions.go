package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/api"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/erasure"
	"github.com/stewardhq/steward/internal/onetime"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/seal"
)

func newReactionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reactions",
		Short: "Look after what follows from events: reservations, mails",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(newReactionsResetCommand())
	return cmd
}

func newReactionsResetCommand() *cobra.Command {
	var to, reason string
	cmd := &cobra.Command{
		Use:   "reset REACTION|all --to now|POSITION --reason TEXT",
		Short: "Tell a reaction, or all, from where in the log to go on",
		Long: `Tell a reaction from where in the log to go on. A reaction that has lost its
place, because the database was restored or replaced, does not start by itself:
it might repeat, or leave out, what it does.

With --to now it leaves out all that happened so far; with a position it goes on
after that one, 0 being the beginning. None does harm when it repeats: a name
is settled, a key destroyed, an erasure due, a link issued and a mail created
once, and a mail
that was to be sent more than a day ago is not sent any more. So --to 0 is right
for all of them.`,
		Example: `  steward reactions reset all --to 0 --reason "restored the database"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			names := reactionNames()
			if args[0] != "all" {
				if !slices.Contains(names, args[0]) {
					return fmt.Errorf("there is no reaction %q: there are %s", args[0], strings.Join(names, " and "))
				}
				names = args
			}
			return withSystem(cmd, func(ctx context.Context, s *system, began events.PlatformInitialized) error {
				resetter := reactions.Resetter{
					Log: s.store, Sealer: seal.New(s.vault), Checkpoints: reactions.NewCheckpoints(s.pool, began.LogID),
				}
				position, err := parsePosition(ctx, resetter, to)
				if err != nil {
					return err
				}
				for _, name := range names {
					command := uuid.New()
					err = resetter.Reset(ctx, name, position, events.Metadata{
						Schema: events.MetadataSchema, Actor: operatorActor, Source: events.SourceCLI,
						CommandID: command, CorrelationID: command, CausationID: command,
						OccurredAt: time.Now().UTC(), Reason: events.Clear(operatorReason(reason)),
					})
					if err != nil {
						return err
					}
					if _, err = fmt.Fprintf(cmd.OutOrStdout(), "%s goes on after position %d\n", name, position.Commit); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "now, or a position in the log (required)")
	_ = cmd.MarkFlagRequired("to")
	addReasonFlag(cmd, &reason)
	addDataFlag(cmd)
	return cmd
}

// reactionsOf lists what follows from events.
func reactionsOf(engine *decider.Engine, keys reactions.Keys, links *onetime.Deriver, queue api.MailQueue) []reactions.Reaction {
	return []reactions.Reaction{
		reactions.Reservations(engine.Names), reactions.Credentials(keys), erasure.Reaction(),
		api.Logins(engine, links, time.Now), api.Mails(engine, queue, time.Now),
	}
}

func reactionNames() []string {
	var names []string
	for _, reaction := range reactionsOf(&decider.Engine{}, nil, nil, nil) {
		names = append(names, reaction.Name)
	}
	return names
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
