package vault

import (
	"errors"
	"fmt"

	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/postgres"
)

// The faults of the vault.
var (
	// ErrSubjectErased means that the subject's key has been destroyed.
	ErrSubjectErased = fault.New(fault.Conflict, "subject_erased",
		"The personal data behind this has been erased for good.")
	// ErrKeyUnavailable means that a key is needed which the vault does not
	// have. It is never made anew.
	ErrKeyUnavailable = fault.New(fault.Unavailable, "key_unavailable",
		"A key that protects this data is missing. The operator has to restore it.")
	// ErrDatabaseUnavailable means that the vault's database is away.
	ErrDatabaseUnavailable = fault.New(fault.Unavailable, "database_unavailable",
		"The database is not reachable at the moment.")
)

// databaseError wraps err with what was being done, as [ErrDatabaseUnavailable]
// when the database is away.
func databaseError(doing string, err error) error {
	if postgres.Unavailable(err) {
		return fmt.Errorf("vault: %s: %w: %w", doing, ErrDatabaseUnavailable, err)
	}
	return fmt.Errorf("vault: %s: %w", doing, err)
}

// Errors of keys and bindings that do not fit. They are for the operator.
var (
	// ErrWrongKEK means that the master key does not open what it was given.
	ErrWrongKEK = errors.New("the master key does not fit")
	// ErrWrongKey means that a data key is not the one that its commitment names.
	ErrWrongKey = errors.New("a data key does not match its commitment")
	// ErrAltered means that the bytes of a wrapped key were changed, or moved to
	// another row.
	ErrAltered = errors.New("the stored bytes of a key were altered or moved")
	// ErrWrongVault means that vault and log do not belong together.
	ErrWrongVault = errors.New("the vault does not belong to this log")
	// ErrNotBound means that the vault belongs to no log yet.
	ErrNotBound = errors.New("the vault belongs to no log yet")
)
