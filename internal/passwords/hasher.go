package passwords

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/stewardhq/steward/internal/fault"
)

// The longest password, after normalisation.
const (
	MaxCharacters = 128 // code points
	MaxBytes      = 1024
)

// Faults of a Hasher.
var (
	// ErrBusy says that too many passwords are being hashed already.
	ErrBusy = fault.New(fault.Unavailable, "busy_hashing", "Too many passwords are being checked at the moment. Try again.").After(2 * time.Second)
	// ErrTooLong says that a password exceeds [MaxCharacters] or [MaxBytes].
	ErrTooLong = fault.New(fault.Invalid, "password_too_long", fmt.Sprintf("A password may have at most %d characters and %d bytes.", MaxCharacters, MaxBytes))
)

// Config is what a Hasher is made from.
type Config struct {
	// Params are the costs of new hashes. Hashes with others are still
	// verified, and then need a new one.
	Params Params
	// Pace is the least time from when a verification may begin to its answer;
	// zero for none. While hashes of another system are stored, some
	// verifications are slower than others, and the time would tell an unknown
	// user from one whose hash is old. A pace above the slowest hides that and
	// costs no work: 150 ms is enough for bcrypt of cost 10.
	Pace time.Duration
	// Registerer gets the metrics; nil for none.
	Registerer prometheus.Registerer
}

// Hasher hashes and verifies passwords, few at a time. It is safe for
// concurrent use.
type Hasher struct {
	params  Params
	pace    time.Duration
	nobody  stored
	gate    *gate
	metrics *metrics
	calls   atomic.Uint64
}

// New makes a Hasher. It refuses parameters below the floor, naming the
// setting.
func New(c Config) (*Hasher, error) {
	if err := c.Params.check(); err != nil {
		return nil, fmt.Errorf("passwords: %w", err)
	}
	if c.Pace < 0 || c.Pace > 2*time.Second {
		return nil, fmt.Errorf("passwords: the pace %v must be from 0 to 2 s", c.Pace)
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, err
	}
	return &Hasher{
		params:  c.Params,
		pace:    c.Pace,
		nobody:  stored{scheme: Argon2id, params: c.Params, salt: random(saltSize), tag: random(tagSize)},
		gate:    newGate(c.Params.slots(), m),
		metrics: m,
	}, nil
}

// Outcome is what a verification found.
type Outcome int

// The outcomes.
const (
	NotMatched Outcome = iota // another password
	Matched                   // the password
	Unreadable                // the stored text is no hash that can be verified; only a new password helps
)

// Match is the result of a verification.
type Match struct {
	Outcome Outcome
	// NeedsRehash says that the password matched a hash that is not of the
	// current scheme and parameters, and should be hashed again.
	NeedsRehash bool
}

// Verify compares a password with a stored hash. It fails with [ErrTooLong]
// before any work, with [ErrBusy], and when ctx ends first. A stored text that
// is unknown, malformed or too costly costs as much as [Hasher.VerifyNobody]
// and is no error.
func (h *Hasher) Verify(ctx context.Context, text, password string) (Match, error) {
	hash, err := parse(text)
	if err != nil {
		if err := h.VerifyNobody(ctx, password); err != nil {
			return Match{}, err
		}
		return Match{Outcome: Unreadable}, nil
	}
	if hash.scheme == Generated { // it takes no time, which would tell that nobody has chosen a password yet
		err := h.VerifyNobody(ctx, password)
		if err != nil || !hash.matches(password) {
			return Match{}, err
		}
		return Match{Outcome: Matched, NeedsRehash: true}, nil
	}
	matched, err := h.verify(ctx, hash, password)
	if err != nil || !matched {
		return Match{}, err
	}
	return Match{Outcome: Matched, NeedsRehash: hash.needsRehash(h.params)}, nil
}

// VerifyNobody does the work of a verification against the current parameters
// and matches nothing. Sign-in calls it where there is no hash to compare with,
// so that the time does not tell whether a user exists. It fails as Verify does.
func (h *Hasher) VerifyNobody(ctx context.Context, password string) error {
	_, err := h.verify(ctx, h.nobody, password)
	return err
}

func (h *Hasher) verify(ctx context.Context, hash stored, password string) (bool, error) {
	if len(password) > MaxBytes {
		return false, ErrTooLong
	}
	var started time.Time
	var matched bool
	err := h.derive(ctx, hash.scheme, func() {
		started = time.Now()
		matched = hash.matches(password)
	})
	if err != nil {
		return false, err
	}
	// The slot is free again: keeping the pace is no work.
	return matched, wait(ctx, h.pace-time.Since(started))
}

// derive calls f, which calls a key derivation function once, when a slot is
// free.
func (h *Hasher) derive(ctx context.Context, scheme Scheme, f func()) error {
	if err := h.gate.enter(ctx); err != nil {
		return err
	}
	defer h.gate.leave()
	defer h.metrics.observe(scheme, time.Now())
	h.calls.Add(1)
	f()
	return nil
}

// Hash returns a new hash of a password in the PHC string format, which is to
// be sealed before it is stored. It fails with [ErrTooLong], with [ErrBusy], and
// when ctx ends first. It does not judge the password: see [Policy.Check].
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if len(password) > MaxBytes {
		return "", ErrTooLong
	}
	password = normal(password)
	if len(password) > MaxBytes || utf8.RuneCountInString(password) > MaxCharacters {
		return "", ErrTooLong
	}
	hash := stored{scheme: Argon2id, params: h.params, salt: random(saltSize)}
	err := h.derive(ctx, Argon2id, func() {
		hash.tag = argon2.IDKey([]byte(password), hash.salt, h.params.Passes, h.params.MemoryKiB, h.params.Threads, tagSize)
	})
	if err != nil {
		return "", err
	}
	return hash.encode(), nil
}

// Calls returns how many times a key derivation function was called: exactly
// once by every Hash, Verify and VerifyNobody that was neither refused nor given
// up while it waited.
func (h *Hasher) Calls() uint64 { return h.calls.Load() }

func (h stored) needsRehash(current Params) bool {
	p := h.params
	return h.scheme != Argon2id || p.MemoryKiB != current.MemoryKiB || p.Passes != current.Passes || p.Threads != current.Threads ||
		len(h.salt) != saltSize || len(h.tag) != tagSize
}

// normal is the form in which passwords are hashed. NIST SP 800-63B-4 section
// 3.1.1.2 wants one of NFKC and NFKD, so that one password typed on two machines
// is one password.
func normal(password string) string { return norm.NFKC.String(password) }

// wait returns after d, or earlier with the cause when ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("verify a password: %w", ctx.Err())
	}
}

// random returns n random bytes; crypto/rand.Read never fails since Go 1.24.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
