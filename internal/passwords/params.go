package passwords

import (
	"fmt"
	"runtime"
)

// Params are the costs of Argon2id (RFC 9106 section 3.1).
type Params struct {
	MemoryKiB uint32 // m
	Passes    uint32 // t
	Threads   uint8  // p; a hash keeps that many cores busy

	weak bool // lifts the floor, see [Weak]
}

// Default returns m=46 MiB, t=1, p=1, the first of OWASP's equivalent settings:
// one hash keeps one core busy for some 40 ms. The choice for larger machines
// is m=65536, t=3, p=4, the second recommendation of RFC 9106.
func Default() Params { return Params{MemoryKiB: 47104, Passes: 1, Threads: 1} }

// ParseParams reads parameters as an operator writes them, m=65536,t=3,p=4: m in KiB.
// It refuses what is below the floor of [New] or beyond what a hash may cost.
func ParseParams(text string) (Params, error) {
	p, ok := parseParams(text)
	if !ok {
		return Params{}, fmt.Errorf("%q is not of the form m=47104,t=1,p=1", text)
	}
	return p, p.check()
}

// Weak returns parameters that cost next to nothing and are below the floor of
// [New]. Only tests may call it, those of other packages included: no
// configuration can express it, and a test of this package finds every other
// caller.
func Weak() Params { return Params{MemoryKiB: 64, Passes: 1, Threads: 1, weak: true} }

// floor lists the settings that OWASP's Password Storage Cheat Sheet holds for
// equally strong. Parameters have to reach one of them in memory and passes.
var floor = []Params{
	{MemoryKiB: 47104, Passes: 1},
	{MemoryKiB: 19456, Passes: 2},
	{MemoryKiB: 12288, Passes: 3},
	{MemoryKiB: 9216, Passes: 4},
	{MemoryKiB: 7168, Passes: 5},
}

// The most that a hash may cost, stored ones included: whoever can import a
// hash chooses its parameters, and they must not exhaust memory or time.
const (
	maxMemoryKiB  = 256 << 10
	maxPasses     = 64
	maxThreads    = 16
	maxWorkKiB    = 1 << 20 // memory times passes: about a second of one core
	maxBcryptCost = 14      // about a second of one core
)

// check says what is wrong with parameters for new hashes.
func (p Params) check() error {
	if err := p.bounded(); err != nil || p.weak {
		return err
	}
	for _, f := range floor {
		if p.MemoryKiB >= f.MemoryKiB && p.Passes >= f.Passes {
			return nil
		}
	}
	return fmt.Errorf("the Argon2id setting m=%d KiB, t=%d is too weak: take at least m=47104 t=1, m=19456 t=2, m=12288 t=3, m=9216 t=4 or m=7168 t=5",
		p.MemoryKiB, p.Passes)
}

// bounded says which parameter no hash may have.
func (p Params) bounded() error {
	switch {
	case p.Threads < 1 || p.Threads > maxThreads:
		return fmt.Errorf("the Argon2id setting p=%d must be 1 to %d", p.Threads, maxThreads)
	case p.Passes < 1 || p.Passes > maxPasses:
		return fmt.Errorf("the Argon2id setting t=%d must be 1 to %d", p.Passes, maxPasses)
	case p.MemoryKiB < 8*uint32(p.Threads) || p.MemoryKiB > maxMemoryKiB:
		return fmt.Errorf("the Argon2id setting m=%d KiB must be %d to %d", p.MemoryKiB, 8*uint32(p.Threads), maxMemoryKiB)
	case uint64(p.MemoryKiB)*uint64(p.Passes) > maxWorkKiB:
		return fmt.Errorf("the Argon2id settings m=%d KiB and t=%d are too much together: m times t may be %d", p.MemoryKiB, p.Passes, maxWorkKiB)
	}
	return nil
}

// slots is how many hashes may be made at a time without more threads than cores.
func (p Params) slots() int { return max(1, runtime.GOMAXPROCS(0)/int(p.Threads)) }
