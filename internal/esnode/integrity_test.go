package esnode

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// fillStore writes streams with metadata, links, deletions of both kinds and repeated ids, and returns the
// number of events that the log has then.
func fillStore(t *testing.T, n *Node, streams int) int {
	t.Helper()
	commit := func(w write) {
		t.Helper()
		if result, err := n.commit(t.Context(), w); err != nil || result.outcome != accepted {
			t.Fatalf("write to %s: %+v, %v", w.stream.full, result, err)
		}
	}
	metadata := func(stream string, expected int64, data string) {
		w := appendTo("$$"+stream, expected, uuid.New())
		w.events[0].kind, w.events[0].json, w.events[0].data = []byte(kindMetadata), true, []byte(data)
		commit(w)
	}
	for i := range streams {
		stream := fmt.Sprintf("s-%d", i)
		id := uuid.New()
		commit(appendTo(stream, expectNoStream, id, uuid.New(), uuid.New()))
		commit(appendTo(stream, 2, id))
		switch i % 5 {
		case 1:
			metadata(stream, expectNoStream, `{"$maxCount":2}`)
			metadata(stream, 0, `{"$maxAge":100}`)
		case 2:
			commit(write{stream: parseName([]byte(stream)), operation: softDelete, expected: 3})
			commit(appendTo(stream, expectNoStream, uuid.New()))
		case 3:
			commit(write{stream: parseName([]byte(stream)), operation: tombstone, expected: 3})
		case 4:
			w := appendTo("links", expectAny, uuid.New())
			w.events[0].kind, w.events[0].data = []byte(kindLink), fmt.Appendf(nil, "0@%s", stream)
			commit(w)
		}
	}
	metadata("$$s-0", expectNoStream, `{"$maxCount":7}`)
	metadata("nobody", expectNoStream, `{"$maxCount":7}`)
	commit(write{stream: parseName([]byte("never")), operation: tombstone, expected: expectAny})
	return len(seen(t, n))
}

func TestCheckOfAWholeStore(t *testing.T) {
	t.Parallel()
	files := vfs.NewMem()
	n, err := openOn(files, "store", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := n.Check(t.Context(), CheckOptions{}); err != nil || len(report.Problems) > 0 {
		t.Errorf("an empty store: %+v, %v", report, err)
	}
	want := CheckReport{Events: uint64(fillStore(t, n, 100)), Streams: 104}
	inside, err := n.Check(t.Context(), CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want.Bytes, want.LastPosition, want.Acknowledged = n.next-1, n.last, n.last
	if _, err := checkOn(t.Context(), files, "store", CheckOptions{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("checking an open store: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	var done, total uint64
	outside, err := checkOn(t.Context(), files, "store", CheckOptions{Progress: func(d, of uint64) {
		if d < done || d > of {
			t.Errorf("progress went from %d to %d of %d", done, d, of)
		}
		done, total = d, of
	}})
	if err != nil {
		t.Fatal(err)
	}
	if done != total || total == 0 {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	for _, report := range []CheckReport{inside, outside} {
		if len(report.Problems) > 0 {
			t.Errorf("problems: %+v", report.Problems)
		}
		report.Problems = nil
		if fmt.Sprint(report) != fmt.Sprint(want) {
			t.Errorf("got %+v, want %+v", report, want)
		}
	}
}

// TestCheckFindsWhatIsWrong changes one key of a whole store at a time.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(b *pebble.Batch, h head, e *event) error
		want   string
	}{
		"an event is gone": {
			func(b *pebble.Batch, _ head, e *event) error { return b.Delete(eventKey(e.position), nil) }, "events are missing",
		},
		"an event was changed": {
			func(b *pebble.Batch, _ head, e *event) error {
				changed := e.clone()
				changed.id = uuid.New()
				return b.Set(eventKey(e.position), changed.appendRecord(nil), nil)
			}, "missing in the id index",
		},
		"an event cannot be read": {
			func(b *pebble.Batch, _ head, e *event) error {
				return b.Set(eventKey(e.position), make([]byte, e.recordSize()), nil)
			}, "cannot be decoded",
		},
		"an entry of the stream index is gone": {
			func(b *pebble.Batch, h head, e *event) error {
				return b.Delete(indexKey(false, h.number, e.revision), nil)
			},
			"goes on with revision 2 where 1 belongs",
		},
		"the last entry of the stream index is gone": {
			func(b *pebble.Batch, h head, _ *event) error { return b.Delete(indexKey(false, h.number, h.last), nil) },
			"missing in the stream index",
		},
		"an entry of the stream index leads elsewhere": {
			func(b *pebble.Batch, h head, e *event) error {
				return b.Set(indexKey(false, h.number, h.last), binary.AppendUvarint(nil, h.lastPosition+1), nil)
			}, "that the log does not have",
		},
		"the stream index has too much": {
			func(b *pebble.Batch, h head, e *event) error {
				return b.Set(indexKey(false, h.number, h.last+1), binary.AppendUvarint(nil, h.lastPosition+1), nil)
			}, "that the log does not have",
		},
		"an entry of the id index is gone": {
			func(b *pebble.Batch, h head, e *event) error {
				return b.Delete(idKey(false, h.number, e.id, e.revision), nil)
			},
			"missing in the id index",
		},
		"the id index has too much": {
			func(b *pebble.Batch, h head, e *event) error {
				return b.Set(idKey(false, h.number, uuid.New(), e.revision), nil, nil)
			},
			"the id index has an entry",
		},
		"a name is gone": {
			func(b *pebble.Batch, _ head, e *event) error { return b.Delete(nameKey(e.stream), nil) }, "missing in the name index",
		},
		"a name leads elsewhere": {
			func(b *pebble.Batch, h head, e *event) error {
				return b.Set(nameKey(e.stream), nameValue(head{number: 1}), nil)
			},
			"leads to an event that is not the stream's",
		},
		"a name forgets its metastream": {
			func(b *pebble.Batch, h head, e *event) error {
				return b.Set(nameKey(e.stream), nameValue(head{number: h.number}), nil)
			},
			"wrong about whether the stream has metadata",
		},
		"a name too many": {
			func(b *pebble.Batch, h head, e *event) error {
				return b.Set(nameKey([]byte("ghost")), nameValue(h), nil)
			},
			"leads to an event that is not the stream's",
		},
		"a broken name": {
			func(b *pebble.Batch, h head, e *event) error { return b.Set(nameKey(e.stream), []byte{1}, nil) }, "broken entry",
		},
		"a broken key": {
			func(b *pebble.Batch, h head, e *event) error { return b.Set([]byte{familyID, 9}, nil, nil) }, "the id index is broken",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := openForTest(t, vfs.NewMem())
			fillStore(t, n, 20)
			h, err := n.loadHead([]byte("s-6"), everything)
			if err != nil {
				t.Fatal(err)
			}
			position, err := n.positionOf(parseName([]byte("s-6")), h, 1)
			if err != nil {
				t.Fatal(err)
			}
			e, err := n.eventAt(position)
			if err != nil {
				t.Fatal(err)
			}
			b := n.db.NewBatch()
			if err := test.change(b, h, e); err != nil {
				t.Fatal(err)
			}
			if err := b.Commit(pebble.Sync); err != nil {
				t.Fatal(err)
			}
			report, err := n.Check(t.Context(), CheckOptions{})
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, p := range report.Problems {
				found = found || strings.Contains(p.Text, test.want)
				if p.Remedy == "" {
					t.Errorf("no remedy: %+v", p)
				}
			}
			if !found {
				t.Errorf("want %q, got %+v", test.want, report.Problems)
			}
		})
	}
}
