package projector

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/stewardhq/steward/events"
)

// Event is one event as a read model sees it.
type Event struct {
	// Envelope is the decoded event, its personal values opened by the group.
	events.Envelope
	// Stored is the same event in the bytes of the log.
	Stored events.Record
}

// Group is a set of read models that share a checkpoint. What it says of the
// tables is the whole of their definition: no migration makes them.
type Group struct {
	// Name identifies the group for ever. Its schema is read_<name>.
	Name string
	// Version changes whenever a table or the meaning of a column does. A
	// projector refuses tables of another version.
	Version int
	// Extensions of PostgreSQL that the tables need. They must be trusted ones,
	// so that the owner of the database may create them.
	Extensions []string
	Models     []Model
	// Lookups are the exceptions to what is otherwise so for every table with a
	// column store_id: readers see the rows of one store.
	Lookups []Lookup
	// Open returns envelopes whose personal values are clear or erased, as far as
	// the read models show them. Nil opens nothing. It fails with a fault of kind
	// Unavailable when the keys are out of reach.
	Open func(ctx context.Context, envelopes []events.Envelope) ([]events.Envelope, error)
}

// Schema is where the tables of the group are.
func (g Group) Schema() string { return "read_" + g.Name }

func (g Group) next() string { return g.Schema() + "_next" }

func (g Group) old() string { return g.Schema() + "_old" }

// Model is a read model: a [State] or a [Journal].
type Model interface {
	// Table is the name of the table, without a schema.
	Table() string
	create() []string  // statements that make the table
	indexes() []string // statements that make its secondary indexes
	begin() fold
}

// fold is the part of one model in one batch.
type fold interface {
	// load asks for the rows that the batch touches.
	load(b *pgx.Batch, batch []Event)
	// apply folds one event. It is pure.
	apply(e Event) error
	// save writes what has changed: at once, or by asking for it in b.
	save(ctx context.Context, tx pgx.Tx, b *pgx.Batch) error
}

// State is a read model with a row per thing, which events change. Its SQL uses
// bare table names: the search path is the schema of the group.
type State[K comparable, R any] struct {
	Name string
	// Create makes the table, which must have a primary key; Indexes makes the
	// rest of its indexes.
	Create  string
	Indexes []string
	// Key returns the key of the row that an event changes, and false for an event
	// that the model does not care about.
	Key func(Event) (K, bool)
	// Evolve returns the row as it is after the event; row is the zero R when there
	// is none yet. It returns false to leave things as they are. It must be pure.
	Evolve func(row R, e Event) (R, bool)
	// ID returns the key of a row.
	ID func(R) K
	// Load selects rows whose keys are in $1, an array. Its columns go into the
	// fields of R by name.
	Load string
	// Save inserts or updates the rows in $1, a JSON array of R.
	Save string
}

// Table returns the name of the table.
func (s State[K, R]) Table() string { return s.Name }

func (s State[K, R]) create() []string { return []string{s.Create} }

func (s State[K, R]) indexes() []string { return s.Indexes }

func (s State[K, R]) begin() fold { return &stateFold[K, R]{model: s} }

// Journal is a read model with one row per event, never changed again.
type Journal struct {
	Name    string
	Create  string
	Indexes []string
	Columns []string
	// Row returns the values of the columns, and false for an event that gets no
	// row. It must be pure.
	Row func(Event) ([]any, bool)
}

// Table returns the name of the table.
func (j Journal) Table() string { return j.Name }

func (j Journal) create() []string { return []string{j.Create} }

func (j Journal) indexes() []string { return j.Indexes }

func (j Journal) begin() fold { return &journalFold{model: j} }

// check reports what is wrong with the definition of a group.
func (g Group) check() error {
	if g.Name == "" || g.Version < 1 || len(g.Models) == 0 {
		return fmt.Errorf("group %q: it needs a name, a version from 1 and a read model", g.Name)
	}
	return nil
}
