package passwords_test

import (
	"strconv"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/stewardhq/steward/internal/passwords"
)

// What a Hasher adds to the bare function: parsing, admission, normalisation
// and metrics.
func BenchmarkBare(b *testing.B) {
	p, salt := passwords.Default(), make([]byte, 16)
	b.ReportAllocs()
	for b.Loop() {
		argon2.IDKey([]byte("correct horse battery"), salt, p.Passes, p.MemoryKiB, p.Threads, 32)
	}
}

func BenchmarkVerify(b *testing.B) {
	h := newHasher(b, passwords.Default())
	hash, err := h.Hash(b.Context(), "correct horse battery")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got, err := h.Verify(b.Context(), hash, "correct horse battery"); err != nil || got.Outcome != passwords.Matched {
			b.Fatal(got, err)
		}
	}
}

// As many at a time as a Hasher lets in and queues.
func BenchmarkVerifyParallel(b *testing.B) {
	for _, callers := range []int{1, 8} {
		b.Run(strconv.Itoa(callers)+" per core", func(b *testing.B) {
			h := newHasher(b, passwords.Default())
			hash, err := h.Hash(b.Context(), "correct horse battery")
			if err != nil {
				b.Fatal(err)
			}
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := h.Verify(b.Context(), hash, "correct horse battery"); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// What a verification costs besides the key derivation function.
func BenchmarkOverhead(b *testing.B) {
	h := newHasher(b, passwords.Weak())
	hash, err := h.Hash(b.Context(), "correct horse battery")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bare", func(b *testing.B) {
		p, salt := passwords.Weak(), make([]byte, 16)
		for b.Loop() {
			argon2.IDKey([]byte("correct horse battery"), salt, p.Passes, p.MemoryKiB, p.Threads, 32)
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.Verify(b.Context(), hash, "correct horse battery"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
