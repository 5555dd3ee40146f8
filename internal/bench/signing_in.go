package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/stewardhq/steward/internal/passwords"
)

const (
	// signInGoal is how many sign-ins there may be for each bare hash, at least.
	signInGoal = 0.95
	// readTailGoal is how many milliseconds a read with a session may take, the
	// slowest in a hundred.
	readTailGoal = 15
	// readClients is how many read at once.
	readClients = 64
)

// signInClients is how many sign in at once: so many more than there are processors
// that none of them idles, and so few that no one is refused for the others.
func signInClients() int { return runtime.NumCPU() + 6 }

// measureSignIn has customers sign in, compared in turns with as many bare hashes as
// the processors make, and then read their accounts with the sessions they have.
func measureSignIn(ctx context.Context, b *bench) (_ result, err error) {
	l := &large{bench: b, dir: filepath.Join(b.dir, "sign-in")}
	defer func() { err = errors.Join(err, l.stop(), os.RemoveAll(l.dir)) }()
	if err := l.found(ctx); err != nil {
		return result{}, fmt.Errorf("make an installation: %w", err)
	}
	s, err := l.serve(ctx, "STEWARD_TRUSTED_PROXIES=127.0.0.0/8")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	m := &members{caller: newCaller(s.baseURL, "", readClients), storeID: l.storeID}
	defer m.close()
	if err := m.register(ctx, b, max(readClients, b.sizes.members*runtime.NumCPU()), signInClients()); err != nil {
		return result{}, err
	}
	signIns, hashes, err := m.compareSignIns(ctx, b, s)
	if err != nil {
		return result{}, err
	}
	b.progress.say("reading accounts")
	reads, err := m.read(ctx, b, s)
	if err != nil {
		return result{}, err
	}
	return signInResult(signIns, hashes, reads), errors.Join(signIns.complete(), hashes.complete(), reads.complete())
}

// timed is calls, and the processor time of the process that they were work for: of
// two things in turn on a busy machine, that is compared better than how many there
// were.
type timed struct {
	load

	cpu time.Duration
}

// add drives clients and adds what they did.
func (t *timed) add(ctx context.Context, clients int, limit time.Duration, cpu func() (time.Duration, error), fn call) error {
	before, err := cpu()
	if err != nil {
		return err
	}
	done, err := drive(ctx, clients, 1, limit, fn)
	if err != nil {
		return err
	}
	after, err := cpu()
	t.cpu += after - before
	t.merge(done)
	return err
}

// each is the processor time of one call, in milliseconds.
func (t timed) each() float64 { return milliseconds(t.cpu) / float64(t.calls()) }

// compareSignIns has everybody sign in again and again, and in between makes hashes
// in this process while the other has nothing to do.
func (m *members) compareSignIns(ctx context.Context, b *bench, s *served) (signIns, hashes timed, err error) {
	clients := signInClients()
	next := make([]int, clients)
	signIn := func(ctx context.Context, client int) (int, error) {
		at := (client + next[client]*clients) % (len(m.all) / clients * clients)
		next[client]++
		return 0, m.signIn(ctx, m.all[at])
	}
	for round := range b.sizes.signInRounds {
		b.progress.say("round %d of %d: sign-ins, then bare hashes", round+1, b.sizes.signInRounds)
		if err := s.awaitQuiet(ctx); err != nil {
			return signIns, hashes, err
		}
		if err := signIns.add(ctx, clients, b.sizes.signInTime, s.cpu, signIn); err != nil {
			return signIns, hashes, err
		}
		if err := s.awaitQuiet(ctx); err != nil {
			return signIns, hashes, err
		}
		if err := hashes.add(ctx, runtime.NumCPU(), b.sizes.hashTime, ownCPU, bareHash); err != nil {
			return signIns, hashes, err
		}
		b.progress.say("so far %.1f sign-ins/s, %.1f hashes/s", signIns.rate(), hashes.rate())
	}
	return signIns, hashes, nil
}

// bareHash makes a hash as the one that a new password gets unless configured
// otherwise.
func bareHash(context.Context, int) (int, error) {
	p := passwords.Default()
	argon2.IDKey([]byte(password), make([]byte, 16), p.Passes, p.MemoryKiB, p.Threads, 32)
	return 0, nil
}

// read has as many customers as there are clients read their own accounts.
func (m *members) read(ctx context.Context, b *bench, s *served) (load, error) {
	for _, one := range m.all[:readClients] {
		if one.session == "" {
			if err := m.signIn(ctx, one); err != nil {
				return load{}, err
			}
		}
	}
	if err := s.awaitQuiet(ctx); err != nil {
		return load{}, err
	}
	return drive(ctx, readClients, 1, b.sizes.readTime, func(ctx context.Context, client int) (int, error) {
		return 0, m.readSelf(ctx, m.all[client])
	})
}

func signInResult(signIns, hashes timed, reads load) result {
	ratio, tail := signIns.rate()/hashes.rate(), milliseconds(reads.quantile(0, 0.99))
	goal, met := atLeast(ratio, signInGoal)
	goalTail, metTail := atMost(tail, readTailGoal, "ms")
	return result{
		rows: []row{
			{
				"sign-ins with the default hash / bare argon2id hashes on the same processors",
				fmt.Sprintf("%.2f (%.1f/s against %.1f/s)", ratio, signIns.rate(), hashes.rate()), goal, met,
			},
			{fmt.Sprintf("- sign-ins, %d clients", signInClients()), signIns.latency(0), "", ""},
			{"- processor time of a bare hash / of serve for a sign-in", fmt.Sprintf("%.2f (%.1f ms; %.1f)", hashes.each()/signIns.each(), hashes.each(), signIns.each()), "", ""},
			{
				fmt.Sprintf("reads with a session (GET /v1/customers/me), %d clients, p99", readClients),
				fmt.Sprintf("%.1f ms (p50 %.1f, %s/s)", tail, milliseconds(reads.quantile(0, 0.5)), grouped(reads.rate())), goalTail, metTail,
			},
		},
		numbers: map[string]float64{
			"ratio": ratio, "sign_ins_per_second": signIns.rate(), "hashes_per_second": hashes.rate(),
			"sign_in_cpu_ms": signIns.each(), "hash_cpu_ms": hashes.each(),
			"sign_in_p50_ms": milliseconds(signIns.quantile(0, 0.5)), "sign_in_p99_ms": milliseconds(signIns.quantile(0, 0.99)),
			"reads_per_second": reads.rate(), "read_p50_ms": milliseconds(reads.quantile(0, 0.5)), "read_p99_ms": tail,
		},
	}
}
