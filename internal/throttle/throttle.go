package throttle

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/postgres"
)

// ErrTooMany refuses an attempt. It says when the next one is possible; if it says
// nothing, no time makes it so, only a success, [Throttle.Clear] or another bucket.
var ErrTooMany = fault.New(fault.TooMany, "too_many_attempts", "There were too many attempts. Wait before the next one.")

// errStopped is [ErrTooMany] for those whom waiting does not help.
var errStopped = fault.New(fault.TooMany, ErrTooMany.Code, "There were too many attempts, and waiting does not help.")

// Throttle hands out slots. It is safe for concurrent use, and a
// [prometheus.Collector] of what became of attempts.
type Throttle struct {
	pool     *pgxpool.Pool
	key      []byte
	attempts *prometheus.CounterVec
}

// New makes a throttle whose buckets are kept in the database of pool, under names
// that are keyed with key, of at least 32 bytes. Another key finds all buckets empty.
func New(pool *pgxpool.Pool, key []byte) *Throttle {
	return &Throttle{pool: pool, key: slices.Clone(key), attempts: newAttempts()}
}

// Slot is an attempt that may go on. It is not safe for concurrent use.
type Slot struct {
	throttle *Throttle
	rules    string
	taken    []given
}

// asked is a bucket as the database's functions read it.
type asked struct {
	Bucket string  `json:"bucket"`
	Rule   sqlRule `json:"rule"`
}

// given is a slot that goes back.
type given struct {
	Bucket string  `json:"bucket"`
	Taken  any     `json:"taken"` // a time, or forever
	All    bool    `json:"all"`   // also those taken before
	Keep   float64 `json:"keep"`
	streak bool
}

// forever is PostgreSQL's word for the time after all others.
const forever = "infinity"

// Take takes a slot of every bucket at once, or of none. It fails with [ErrTooMany]
// if one of them refuses, and with [postgres.ErrUnavailable]. When it fails with
// anything else, such as the end of ctx, the slots may be taken or not; the attempt
// must not go on. They are taken for good when it returns.
func (t *Throttle) Take(ctx context.Context, now time.Time, buckets ...Bucket) (*Slot, error) {
	if len(buckets) == 0 {
		return nil, errors.New("take a slot: name at least one bucket")
	}
	now = now.Truncate(time.Microsecond) // all that the database keeps
	wanted := make([]asked, 0, len(buckets))
	rules := make(map[string]Rule, len(buckets))
	for _, b := range buckets {
		name := t.name(b)
		if _, twice := rules[name]; !twice {
			rules[name] = b.Rule
			wanted = append(wanted, asked{name, b.Rule.sql()})
		}
	}
	rows, err := t.pool.Query(ctx, `SELECT slot_bucket, slot_taken, refused_until FROM ops.take_slots($1, $2)`, wanted, now)
	if err != nil {
		return nil, postgres.Failed("take a slot", err)
	}
	slot := &Slot{throttle: t, rules: ruleNames(buckets)}
	var until pgtype.Timestamptz
	var bucket []byte
	var taken *time.Time
	_, err = pgx.ForEachRow(rows, []any{&bucket, &taken, &until}, func() error {
		if !until.Valid {
			rule := rules[bytea(bucket)]
			slot.taken = append(slot.taken, given{bytea(bucket), *taken, false, rule.Keep.Seconds(), rule.streak()})
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, postgres.Failed("take a slot", err)
	case until.InfinityModifier == pgtype.Infinity:
		t.count(slot.rules, outcomeStopped)
		return nil, errStopped
	case until.Valid:
		t.count(slot.rules, outcomeRefused)
		return nil, ErrTooMany.After(until.Time.Sub(now))
	case len(slot.taken) != len(wanted):
		return nil, fmt.Errorf("take a slot: the database took %d of %d", len(slot.taken), len(wanted))
	}
	t.count(slot.rules, outcomeTaken)
	return slot, nil
}

// GiveBack gives the slot back after a success, once. Of a bucket whose rule limits a
// streak the slots that were taken before it go back too: the streak is over. It
// fails with [postgres.ErrUnavailable]; the slot then stays taken.
func (s *Slot) GiveBack(ctx context.Context) error {
	back := slices.Clone(s.taken)
	for i := range back {
		back[i].All = back[i].streak
	}
	return s.giveBack(ctx, back)
}

// Unused gives the slot back, and no other, of an attempt that ended before anything
// secret was looked at. It fails like GiveBack.
func (s *Slot) Unused(ctx context.Context) error { return s.giveBack(ctx, s.taken) }

func (s *Slot) giveBack(ctx context.Context, back []given) error {
	if len(back) == 0 {
		return nil
	}
	if err := s.throttle.giveBack(ctx, back); err != nil {
		return postgres.Failed("give a slot back", err)
	}
	s.throttle.count(s.rules, outcomeGivenBack)
	s.taken = nil
	return nil
}

// Clear empties a bucket, as staff do for somebody who is locked out, and whoever
// proved in another way who they are. It fails with [postgres.ErrUnavailable].
func (t *Throttle) Clear(ctx context.Context, b Bucket) error {
	if err := t.giveBack(ctx, []given{{Bucket: t.name(b), Taken: forever, All: true}}); err != nil {
		return postgres.Failed("clear a throttle", err)
	}
	return nil
}

func (t *Throttle) giveBack(ctx context.Context, back []given) error {
	_, err := t.pool.Exec(ctx, `SELECT ops.give_back_slots($1)`, back)
	return err
}

// State is what a bucket holds.
type State struct {
	Attempts int       // slots that were taken and not given back, as far as they can matter
	Until    time.Time // no slot can be taken before; zero when one can be, or none ever
	Stopped  bool      // no slot can be taken however long one waits
}

// Locked says what a bucket holds, without taking a slot of it. It fails with
// [postgres.ErrUnavailable].
func (t *Throttle) Locked(ctx context.Context, now time.Time, b Bucket) (State, error) {
	hash := b.hash(t.key)
	var s State
	var until pgtype.Timestamptz
	err := t.pool.QueryRow(ctx, `
		SELECT cardinality(taken), ops.throttled_until(taken, $2)
		FROM ops.throttles
		WHERE bucket = $1`, hash[:], b.Rule.sql()).Scan(&s.Attempts, &until)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		return State{}, postgres.Failed("look at a throttle", err)
	case until.InfinityModifier == pgtype.Infinity:
		s.Stopped = true
	case until.Valid && until.Time.After(now):
		s.Until = until.Time
	}
	return s, nil
}

// Sweep removes the buckets that need not be remembered and returns how many they
// were. It goes by the earlier of now and the database's own clock, because what is
// gone cannot refuse anybody. It fails with [postgres.ErrUnavailable].
func (t *Throttle) Sweep(ctx context.Context, now time.Time) (int64, error) {
	tag, err := t.pool.Exec(ctx, `
		DELETE FROM ops.throttles
		WHERE bucket = ANY (ARRAY(
			SELECT bucket
			FROM ops.throttles
			WHERE forget_at < least($1, now())
			FOR UPDATE SKIP LOCKED))`, now)
	if err != nil {
		return 0, postgres.Failed("sweep throttles", err)
	}
	return tag.RowsAffected(), nil
}

// name is what a bucket is called in the database, in the form of its functions.
func (t *Throttle) name(b Bucket) string {
	hash := b.hash(t.key)
	return bytea(hash[:])
}

func bytea(b []byte) string { return `\x` + hex.EncodeToString(b) }
