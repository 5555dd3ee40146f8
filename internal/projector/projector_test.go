package projector_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

func sortStrings(all []string) { slices.Sort(all) }

func TestProjectsWhatThereIsAndWhatComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(30, 3)
	p := w.project()
	w.await(p)
	w.fill(10, 2)
	w.await(p)
	id, stream := shop()
	w.append(stream, events.StoreCreated{StoreID: id, Name: "first", Hosts: []string{}})
	w.append(stream, events.StoreRenamed{StoreID: id, Before: "first", After: "second"})
	w.await(p)
	var row shopRow
	err := w.pool.QueryRow(t.Context(), `SELECT shop_id, name, events, revision, position FROM read_test.shops WHERE shop_id = $1`, id).
		Scan(&row.ShopID, &row.Name, &row.Events, &row.Revision, &row.Position)
	if err != nil {
		t.Fatal(err)
	}
	if want := (shopRow{id, "second", 2, 1, w.last.Commit}); row != want {
		t.Fatalf("row %+v, want %+v", row, want)
	}
	p.stop()
	w.exact()
}

func TestTwoProjectorsApplyEveryEventOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(50, 4)
	one, two := w.project(), w.project()
	for range 60 {
		w.fill(1, 3)
	}
	w.await(one)
	w.await(two)
	one.stop()
	w.fill(5, 5)
	w.await(two)
	two.stop()
	w.exact()
}

func TestSystemRecordsOnlyMoveTheCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(1, 0)
	// A stream of the event store's own, as it writes them for itself.
	done, err := w.store.Append(t.Context(), "$things-1", eventstore.NoStream, []events.Proposed{
		{ID: uuid.New(), Type: "$thing", Data: []byte(`{}`), Metadata: []byte(`{}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.last = done.Position
	p := w.project()
	w.await(p)
	if rows := w.dump("read_test"); len(rows["visits"]) != 1 || len(rows["stream_head"]) != 1 {
		t.Fatalf("rows %v", rows)
	}
}
