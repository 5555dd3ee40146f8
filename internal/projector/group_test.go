package projector_test

import (
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/projector"
)

// shopRow is the state of the test group.
type shopRow struct {
	ShopID   uuid.UUID `json:"shop_id" db:"shop_id"`
	Name     string    `json:"name" db:"name"`
	Events   int       `json:"events" db:"events"`
	Revision uint64    `json:"revision" db:"revision"`
	Position uint64    `json:"position" db:"position"`
}

// poison is a text that a table of the test group refuses.
const poison = "poison"

// testGroup counts events per store and lists them all.
func testGroup() projector.Group {
	return projector.Group{
		Name:    "test",
		Version: 1,
		Models: []projector.Model{
			projector.State[uuid.UUID, shopRow]{
				Name: "shops",
				Create: `CREATE TABLE shops (
					shop_id uuid PRIMARY KEY, name text NOT NULL, events integer NOT NULL,
					revision bigint NOT NULL, position bigint NOT NULL)`,
				Indexes: []string{`CREATE INDEX shops_name ON shops (name)`},
				Key: func(e projector.Event) (uuid.UUID, bool) {
					if events.Category(e.Stream) != events.CategoryStore {
						return uuid.Nil, false
					}
					id, err := events.StreamID(e.Stream)
					return id, err == nil
				},
				Evolve: func(row shopRow, e projector.Event) (shopRow, bool) {
					switch event := e.Event.(type) {
					case events.StoreCreated:
						row.ShopID, row.Name = event.StoreID, event.Name
					case events.StoreRenamed:
						row.Name = event.After
					}
					row.Events++
					row.Revision, row.Position = e.Revision, e.Position.Commit
					return row, row.ShopID != uuid.Nil
				},
				ID:   func(r shopRow) uuid.UUID { return r.ShopID },
				Load: `SELECT shop_id, name, events, revision, position FROM shops WHERE shop_id = ANY($1)`,
				Save: `
					INSERT INTO shops SELECT * FROM json_populate_recordset(NULL::shops, $1)
					ON CONFLICT (shop_id) DO UPDATE SET
						name = EXCLUDED.name, events = EXCLUDED.events, revision = EXCLUDED.revision, position = EXCLUDED.position`,
			},
			projector.Journal{
				Name:    "visits",
				Create:  `CREATE TABLE visits (position bigint PRIMARY KEY, event_id uuid NOT NULL, type text NOT NULL, data json NOT NULL CHECK (data::text NOT LIKE '%poison%'))`,
				Indexes: []string{`CREATE INDEX visits_type ON visits (type, position)`},
				Columns: []string{"position", "event_id", "type", "data"},
				Row: func(e projector.Event) ([]any, bool) {
					return []any{e.Position.Commit, e.ID, e.Stored.Type, e.Stored.Data}, true
				},
			},
		},
	}
}
