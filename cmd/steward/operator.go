package main

import (
	"context"
	"errors"
	"os/user"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/commands/platform"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
)

// withSystem opens the installation for an operator's command and closes it
// again.
func withSystem(cmd *cobra.Command, fn func(ctx context.Context, s *system, began events.PlatformInitialized) error) error {
	c, err := operatorConfig(cmd)
	if err != nil {
		return err
	}
	s, err := openSystem(cmd.Context(), c, c.logger(), borrow)
	if err != nil {
		return err
	}
	began, err := s.boot(cmd.Context())
	if err == nil {
		err = fn(cmd.Context(), s, began)
	}
	return errors.Join(err, s.Close())
}

// operatorActor is who an operator's command is recorded as.
var operatorActor = events.System("operator")

// operatorReason is why, and by whom: the reason is sealed like all personal
// text, so it may name the account on the machine.
func operatorReason(reason string) string {
	if who, err := user.Current(); err == nil {
		return reason + " (" + who.Username + ")"
	}
	return reason
}

// tell handles a command about the platform.
func (s *system) tell(ctx context.Context, began events.PlatformInitialized, command platform.Command, reason string) error {
	engine, err := s.engine(began.IdentityScope, nil)
	if err != nil {
		return err
	}
	_, err = platform.Decider.Handle(ctx, engine, events.PlatformStream, command, decider.Request{
		Actor: operatorActor, Source: events.SourceCLI, CommandID: uuid.New(),
		Reason: operatorReason(reason), At: time.Now(),
	})
	return err
}

func addReasonFlag(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVar(reason, "reason", "", "why; it is recorded (required)")
	_ = cmd.MarkFlagRequired("reason")
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(*reason) == "" {
			return errors.New("--reason: say why, in a few words")
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}
