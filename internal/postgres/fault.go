package postgres

import (
	"fmt"
	"time"

	"github.com/stewardhq/steward/internal/fault"
)

// ErrUnavailable is what a caller sees when the database is away.
var ErrUnavailable = fault.New(fault.Unavailable, "database_unavailable", "The database cannot be reached; try again in a moment.").After(time.Second)

// Failed wraps err with what was being done, and as [ErrUnavailable] when the
// database is away.
func Failed(doing string, err error) error {
	if Unavailable(err) {
		return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
