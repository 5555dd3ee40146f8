package importer

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Whatever comes back in whatever order: rows that share a key are sent in file
// order, never side by side in two batches, every row is sent once, and rows are
// reported in file order.
func TestScheduleKeepsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newSchedule(rapid.IntRange(1, 8).Draw(t, "rows of a batch"), rapid.IntRange(1, 50).Draw(t, "bytes of a batch"))
		limit := rapid.IntRange(1, 30).Draw(t, "in flight")
		total := rapid.IntRange(0, 80).Draw(t, "rows")
		var (
			flying   []*batch
			inFlight int
			added    int
			sent     []*row
			last     = make(map[string]int)
			reported int
		)
		for reported < total {
			switch choice := rapid.IntRange(0, 2).Draw(t, "what"); {
			case choice == 0 && added < total:
				added++
				s.add(drawRow(t, added))
			case choice == 1 && len(flying) > 0:
				i := rapid.IntRange(0, len(flying)-1).Draw(t, "which")
				b := flying[i]
				flying = append(flying[:i], flying[i+1:]...)
				inFlight -= len(b.rows)
				for _, r := range b.rows {
					r.settle(Outcome{})
				}
				s.finish(b)
			default:
				b := s.take(limit - inFlight)
				if b == nil {
					if len(flying) == 0 && added == total && len(s.order) > 0 && !s.order[0].done {
						t.Fatal("nothing is under way and nothing may be sent")
					}
					break
				}
				if inFlight += len(b.rows); inFlight > limit {
					t.Fatalf("%d rows in flight", inFlight)
				}
				for _, r := range b.rows {
					for _, key := range r.keys {
						if last[key] > r.rec.Line {
							t.Fatalf("line %d overtakes line %d", last[key], r.rec.Line)
						}
						last[key] = r.rec.Line
						besides(t, flying, key)
					}
				}
				sent = append(sent, b.rows...)
				flying = append(flying, b)
			}
			for _, r := range s.reported() {
				if reported++; r.rec.Line != reported {
					t.Fatalf("line %d is reported as number %d", r.rec.Line, reported)
				}
			}
		}
		if len(s.last) > 0 || len(s.order) > 0 || len(s.ready) > 0 {
			t.Fatal("the schedule remembers rows that are done")
		}
		seen := make(map[*row]bool)
		for _, r := range sent {
			if seen[r] {
				t.Fatalf("line %d is sent twice", r.rec.Line)
			}
			seen[r] = true
		}
	})
}

func drawRow(t *rapid.T, line int) *row {
	r := &row{rec: Record{Line: line}, wire: make([]byte, rapid.IntRange(1, 20).Draw(t, "bytes"))}
	if rapid.IntRange(0, 9).Draw(t, "corrupt") == 0 {
		r.settle(Outcome{Refused: refusal("", "corrupt", "is corrupt")})
		return r
	}
	for _, kind := range []string{"name", "email", "username"} {
		r.keys = append(r.keys, fmt.Sprint(kind, rapid.IntRange(0, 6).Draw(t, kind)))
	}
	return r
}

// besides fails when a batch under way holds a key.
func besides(t *rapid.T, flying []*batch, key string) {
	for _, b := range flying {
		for _, r := range b.rows {
			for _, other := range r.keys {
				if other == key {
					t.Fatalf("%s is in two batches at once", key)
				}
			}
		}
	}
}
