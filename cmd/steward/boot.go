package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/platform"
	"github.com/stewardhq/steward/events"
)

// errEmptyLog means that the installation has not begun.
var errEmptyLog = errors.New("the event store is empty: run steward init first")

// boot compares the log with the vault and returns how the log began. It
// refuses a vault that does not fit, and a log that was lost.
func (s *system) boot(ctx context.Context) (events.PlatformInitialized, error) {
	records, err := s.store.ReadStream(ctx, events.PlatformStream, 0)
	if err != nil {
		return events.PlatformInitialized{}, fmt.Errorf("event store: %w", err)
	}
	if len(records) == 0 {
		if s.vault.LogID() == uuid.Nil {
			return events.PlatformInitialized{}, errEmptyLog
		}
		return events.PlatformInitialized{}, cmp.Or(s.vault.VerifyEmpty(ctx), errEmptyLog)
	}
	env, err := events.Decode(records[0])
	if err != nil {
		return events.PlatformInitialized{}, err
	}
	began, ok := env.Event.(events.PlatformInitialized)
	if !ok {
		return events.PlatformInitialized{}, fmt.Errorf("event store: %s does not begin with %s: it is not Steward's", events.PlatformStream, events.TypePlatformInitialized)
	}
	if began.Format > platform.Format {
		return began, fmt.Errorf("event store: the log has format %d and this program knows formats up to %d: run a newer version", began.Format, platform.Format)
	}
	return began, s.vault.Verify(began)
}
