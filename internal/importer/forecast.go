package importer

import "hash/maphash"

// forecast makes a dry run say what the real one would: the server judges each
// row against the store as it is, the forecast adds what earlier rows of the
// same file would have changed. It keeps 16 bytes for each name and each owner.
type forecast struct {
	seed      maphash.Seed
	holders   map[uint64]uint64 // name to owner
	usernames map[uint64]uint64 // username to owner, of owners that the file creates
	owners    map[uint64]bool   // that the file creates
}

func newForecast() *forecast {
	return &forecast{
		seed: maphash.MakeSeed(), holders: make(map[uint64]uint64),
		usernames: make(map[uint64]uint64), owners: make(map[uint64]bool),
	}
}

// Refusals that only an earlier row of the same file can cause.
var (
	errHeldByOther   = refusal(colDomain, "domain_held_by_other", "an earlier row gives it to another owner")
	errUsernameTaken = refusal(colUsername, "name_taken", "an earlier row gives it to another owner")
)

// revise returns the outcome of r as it would be after the rows before it.
func (f *forecast) revise(r *row) Outcome {
	o := r.outcome
	if o.Refused != nil {
		return o
	}
	name, owner, username := f.hash(r.keys[0]), f.hash(r.keys[1]), f.hash(r.keys[2])
	holder, held := f.holders[name]
	taker, taken := f.usernames[username]
	switch {
	case held && holder == owner:
		return Outcome{Unchanged: true}
	case held:
		return refuseRow(r, errHeldByOther)
	case f.owners[owner]:
		o.OwnerCreated = false
	case o.OwnerCreated && taken && taker != owner:
		return refuseRow(r, errUsernameTaken)
	case o.OwnerCreated:
		f.owners[owner], f.usernames[username] = true, owner
	}
	f.holders[name] = owner
	return o
}

func (f *forecast) hash(key string) uint64 { return maphash.String(f.seed, key) }

func refuseRow(r *row, why *Refusal) Outcome {
	at := why.at(r.rec.Line)
	return Outcome{Refused: &at}
}
