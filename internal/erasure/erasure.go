// Package erasure carries out the erasure of customers that was asked for, when it
// is due:
//
//	the account     customer.erased: nothing more can happen to it
//	the login       login.erased: no secret, session or link of it is good again
//	the names       free for others, or kept, as was decided with the request
//	the keys        of the customer, the login and every secret, destroyed
//	the last word   customer.erasure_completed with the commitments of those keys,
//	                when no process can hold one any more
//
// The log is all that it goes by. The reaction keeps a list of who waits, so that
// nobody has to look through the log for what is due; every step asks the log first
// and is harmless to repeat, so a process that dies is taken over from by the next
// look at the list, here or elsewhere.
package erasure

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/reactions"
	"github.com/stewardhq/steward/internal/vault"
)

// Accounts writes what happens to customers and logins. Every method changes
// nothing when that has happened already.
type Accounts interface {
	// Erase ends an account whose erasure is due, and returns its login. It reports
	// false when none is due: it was cancelled, say.
	Erase(ctx context.Context, store, customer uuid.UUID) (login uuid.UUID, due bool, err error)
	// EraseLogin ends the login and returns the credentials that it had.
	EraseLogin(ctx context.Context, store, customer, login uuid.UUID) ([]events.Subject, error)
	// SettleNames releases the names of an account that has ended, or keeps them.
	SettleNames(ctx context.Context, customer uuid.UUID) error
	// Complete notes which keys were destroyed.
	Complete(ctx context.Context, store, customer uuid.UUID, destroyed []events.KeyCommitment) error
}

// Sessions forgets when sessions were used; [sessions.Sessions] does.
type Sessions interface {
	Forget(ctx context.Context, store, customer uuid.UUID) error
}

// Keys destroys keys; [vault.Vault] does.
type Keys interface {
	Erase(ctx context.Context, subject events.Subject) ([]events.KeyCommitment, error)
}

// Config says what erasures work with. All but Logger and Now is required.
type Config struct {
	Pool     *pgxpool.Pool
	Accounts Accounts
	Sessions Sessions
	Keys     Keys
	Logger   *slog.Logger     // nil discards
	Now      func() time.Time // [time.Now] if nil
}

// Erasures carries out what is due.
type Erasures struct{ Config }

// New makes erasures.
func New(c Config) *Erasures {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Erasures{c}
}

// Reaction keeps the list of who waits to be erased.
func Reaction() reactions.Reaction {
	return reactions.Reaction{
		Name: "erasures", FromStart: true,
		Wants: func(e events.Event) bool {
			switch e.(type) {
			case events.CustomerErasureRequested, events.CustomerErasureCancelled, events.CustomerErasureCompleted:
				return true
			}
			return false
		},
		Handle: func(ctx context.Context, tx pgx.Tx, env events.Envelope) (err error) {
			switch e := env.Event.(type) {
			case events.CustomerErasureRequested:
				_, err = tx.Exec(ctx, `
					INSERT INTO ops.erasures (customer_id, store_id, due_at) VALUES ($1, $2, $3)
					ON CONFLICT (customer_id) DO UPDATE SET due_at = EXCLUDED.due_at`, e.CustomerID, env.Metadata.StoreID, e.DueAt)
			case events.CustomerErasureCancelled:
				err = forget(ctx, tx, e.CustomerID)
			case events.CustomerErasureCompleted:
				err = forget(ctx, tx, e.CustomerID)
			}
			return err
		},
	}
}

func forget(ctx context.Context, tx pgx.Tx, customer uuid.UUID) error {
	_, err := tx.Exec(ctx, `DELETE FROM ops.erasures WHERE customer_id = $1`, customer)
	return err
}

// every is how often the list is looked at.
const every = time.Second

// Run carries out what is due until ctx ends. What fails is logged and tried again.
func (e *Erasures) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := e.Sweep(ctx); err != nil && ctx.Err() == nil {
			e.Logger.WarnContext(ctx, "cannot look for erasures that are due", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// waiting is a row of the list.
type waiting struct {
	Customer  uuid.UUID
	Store     uuid.UUID
	Destroyed *time.Time
}

// Sweep carries out once what is due now. It fails when the list cannot be read.
func (e *Erasures) Sweep(ctx context.Context) error {
	now := e.Now()
	rows, err := e.Pool.Query(ctx, `
		SELECT customer_id, store_id, destroyed_at
		FROM ops.erasures
		WHERE due_at <= $1 AND (destroyed_at IS NULL OR destroyed_at <= $2)
		ORDER BY due_at, customer_id`, now, now.Add(-vault.CacheLifetime))
	if err != nil {
		return fmt.Errorf("read the list of erasures: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[waiting])
	if err != nil {
		return fmt.Errorf("read the list of erasures: %w", err)
	}
	for _, w := range all {
		if err := e.carryOut(ctx, w, now); err != nil && ctx.Err() == nil {
			e.Logger.WarnContext(ctx, "an erasure was cut short and will go on", "customer_id", w.Customer, "err", err)
		}
	}
	return nil
}

// carryOut does all that can be done now. The names go before the keys, without
// which nobody knows them.
func (e *Erasures) carryOut(ctx context.Context, w waiting, now time.Time) error {
	login, due, err := e.Accounts.Erase(ctx, w.Store, w.Customer)
	if err != nil || !due {
		return err
	}
	credentials, err := e.Accounts.EraseLogin(ctx, w.Store, w.Customer, login)
	if err != nil {
		return err
	}
	if err := e.Sessions.Forget(ctx, w.Store, w.Customer); err != nil {
		return err
	}
	if err := e.Accounts.SettleNames(ctx, w.Customer); err != nil {
		return err
	}
	var destroyed []events.KeyCommitment
	for _, subject := range append([]events.Subject{
		{Kind: events.SubjectCustomer, ID: w.Customer},
		{Kind: events.SubjectLogin, ID: login},
	}, credentials...) {
		keys, err := e.Keys.Erase(ctx, subject)
		if err != nil {
			return err
		}
		destroyed = append(destroyed, keys...)
	}
	if w.Destroyed == nil {
		_, err := e.Pool.Exec(ctx, `UPDATE ops.erasures SET destroyed_at = $2 WHERE customer_id = $1`, w.Customer, now)
		return err
	}
	return e.Accounts.Complete(ctx, w.Store, w.Customer, destroyed)
}
