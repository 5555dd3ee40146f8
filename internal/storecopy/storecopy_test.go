package storecopy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/esnode"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/storecopy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newStore serves an empty node and opens it with the wrapper.
func newStore(t *testing.T) *eventstore.Store {
	t.Helper()
	dir, err := os.MkdirTemp("", "sc")
	if err != nil {
		t.Fatal(err)
	}
	node, err := esnode.Open(filepath.Join(dir, "events"), esnode.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	listener, err := esnode.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- node.ServeListener(context.Background(), listener) }()
	store, err := eventstore.Open(t.Context(), eventstore.Config{Socket: socket})
	t.Cleanup(func() {
		if store != nil {
			_ = store.Close()
		}
		if err := errors.Join(node.Close(), <-served, os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func mustAppend(t *testing.T, s *eventstore.Store, stream string, expected eventstore.Revision, batch ...events.Proposed) eventstore.Revision {
	t.Helper()
	done, err := s.Append(t.Context(), stream, expected, batch)
	if err != nil {
		t.Fatal(err)
	}
	return done.Revision
}

func event(data string) events.Proposed {
	return events.Proposed{ID: uuid.New(), Type: "thing.happened", Data: []byte(data), Metadata: []byte(`{"schema":1}`)}
}

func metadata(data string) events.Proposed {
	return events.Proposed{ID: uuid.New(), Type: "$metadata", Data: []byte(data)}
}

// odd is what is easily changed on the way through a file of JSON.
var odd = []string{
	``, ` `, `{}`, `{"a":1}`, ` {"a":1}`, "{\"a\":1}\n", "{\n\"a\":1}", `{"a": 1.50, "a":2}`, `{"<":"&\u2028"}`, `[1e400]`, `"dGV4dA=="`, `null`, `7`, `{`, `{},"x":{}`,
	"{\"a\":\"\xff\"}", "\x00\x01", `{"html":"<b>é</b>"}`, strings.Repeat("[", 5000) + strings.Repeat("]", 5000), strings.Repeat(`{"a":`, 9000) + `1` + strings.Repeat("}", 9000),
}

// fill writes a log with everything that a copy must carry.
func fill(t *testing.T, s *eventstore.Store) {
	t.Helper()
	mustAppend(t, s, "$settings", eventstore.NoStream, event(`{"of":"the server"}`))
	for n, data := range odd {
		e, stream := event(data), fmt.Sprintf("odd-%d", n)
		e.Metadata = []byte(odd[len(odd)-1-n])
		e.Binary = n%2 == 1
		mustAppend(t, s, stream, eventstore.NoStream, e)
	}
	mustAppend(t, s, "näme \"quoted\" \\ \n", eventstore.NoStream, event(`{}`))
	mustAppend(t, s, "broken-\xff", eventstore.NoStream, event(`{}`))
	mustAppend(t, s, "$stats-1", eventstore.NoStream, event(`{}`), event(`{}`))

	at := eventstore.NoStream
	for range 7 { // small and large batches, in turns with another stream
		batch := make([]events.Proposed, 1+rand.IntN(40))
		for i := range batch {
			batch[i] = event(fmt.Sprintf(`{"n":%d}`, i))
		}
		at = mustAppend(t, s, "many-1", at, batch...)
		mustAppend(t, s, "few-"+uuid.NewString(), eventstore.NoStream, event(`{}`))
	}
	large := func() events.Proposed { return event(`{"a":"` + strings.Repeat("x", 600<<10) + `"}`) }
	mustAppend(t, s, "large-1", mustAppend(t, s, "large-1", eventstore.NoStream, large()), large())

	mustAppend(t, s, "kept-1", eventstore.NoStream, event(`{}`), event(`{}`))
	mustAppend(t, s, "$$kept-1", eventstore.NoStream, metadata(`{"$maxAge":100000000,"own":{"b":1,"a":2}}`))
	// Deleted, and back again: with the second append the store itself writes metadata.
	mustAppend(t, s, "back-1", eventstore.NoStream, event(`{}`), event(`{}`))
	mustAppend(t, s, "$$back-1", eventstore.NoStream, metadata(`{"$tb":9223372036854775807}`))
	mustAppend(t, s, "back-1", 1, event(`{}`), event(`{}`))
	mustAppend(t, s, "back-1", 3, event(`{}`))
	// Deleted, and back by new metadata.
	mustAppend(t, s, "meta-1", eventstore.NoStream, event(`{}`))
	mustAppend(t, s, "$$meta-1", eventstore.NoStream, metadata(`{"$tb":9223372036854775807}`))
	mustAppend(t, s, "$$meta-1", 0, metadata(`{"own":1}`))
	mustAppend(t, s, "meta-1", 0, event(`{}`))
	// Deleted and still so.
	mustAppend(t, s, "gone-1", eventstore.NoStream, event(`{}`))
	mustAppend(t, s, "$$gone-1", eventstore.NoStream, metadata(`{"$tb":9223372036854775807}`))
	// Deleted for ever.
	for _, n := range []eventstore.Revision{eventstore.NoStream, 0, 3} {
		stream := fmt.Sprintf("ended-%d", n)
		for r := eventstore.NoStream; r < n; r++ {
			mustAppend(t, s, stream, r, event(`{}`))
		}
		if err := s.Tombstone(t.Context(), stream, n); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, s, "last-1", eventstore.NoStream, event(`{}`))
	mustAppend(t, s, "$stats-1", 1, event(`{}`))
}

func export(t *testing.T, s storecopy.Source) ([]byte, storecopy.Summary) {
	t.Helper()
	var out bytes.Buffer
	done, err := storecopy.Export(t.Context(), s, &out, storecopy.ExportOptions{From: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), done
}

// stored is an event without what a copy may change.
type stored struct {
	Stream, Type   string
	Revision       uint64
	ID             uuid.UUID
	Data, Metadata string
	Binary         bool
}

func all(t *testing.T, s storecopy.Source) []stored {
	t.Helper()
	records, err := s.ReadAll(t.Context(), events.Position{}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var found []stored
	for _, r := range records {
		if events.IsSystem(strings.TrimPrefix(r.Stream, "$$")) {
			continue
		}
		if events.IsSystem(r.Type) { // which the server may have made by itself
			r.ID = uuid.Nil
		}
		found = append(found, stored{r.Stream, r.Type, r.Revision, r.ID, string(r.Data), string(r.Metadata), r.Binary})
	}
	return found
}

func TestCopy(t *testing.T) {
	t.Parallel()
	from, to := newStore(t), newStore(t)
	fill(t, from)
	text, exported := export(t, from)
	if exported.LeftOut != 4 || exported.Events == 0 {
		t.Errorf("exported %+v", exported)
	}
	if verified, err := storecopy.Verify(t.Context(), bytes.NewReader(text), nil); err != nil || verified != exported {
		t.Errorf("verified %+v, %v; exported %+v", verified, err, exported)
	}
	mustAppend(t, to, "$settings", eventstore.NoStream, event(`{"of":"another server"}`), event(`{}`))
	imported, err := storecopy.Import(t.Context(), to, bytes.NewReader(text), storecopy.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if imported.Summary != exported || imported.Written == 0 {
		t.Errorf("imported %+v, exported %+v", imported, exported)
	}
	if diff := cmp.Diff(all(t, from), all(t, to)); diff != "" {
		t.Errorf("the copy differs (-original +copy):\n%s", diff)
	}
	if _, again := export(t, to); again.SHA256 != exported.SHA256 || again.Events != exported.Events {
		t.Errorf("the export of the copy is %+v, that of the original %+v", again, exported)
	}
	// Once more changes nothing.
	repeated, err := storecopy.Import(t.Context(), to, bytes.NewReader(text), storecopy.ImportOptions{})
	if err != nil || repeated.Written != 0 || repeated.Events != exported.Events || repeated.Resumed != exported.Events {
		t.Errorf("repeated: %+v, %v", repeated, err)
	}
}

// A log that goes on while it is exported is exported as it was at the beginning.
func TestExportEndsWhereTheLogEnded(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	fill(t, s)
	growing := &source{Source: s, read: func() { mustAppend(t, s, "new-"+uuid.NewString(), eventstore.NoStream, event(`{}`)) }}
	_, before := export(t, s)
	if _, during := export(t, growing); during.SHA256 != before.SHA256 {
		t.Errorf("exported %+v, then %+v", before, during)
	}
}

// source calls read before each page, and fails if that makes it.
type source struct {
	storecopy.Source
	read func()
	fail func() error
}

func (s *source) ReadAll(ctx context.Context, after events.Position, limit int) ([]events.Record, error) {
	if s.read != nil {
		s.read()
	}
	if s.fail != nil {
		if err := s.fail(); err != nil {
			return nil, err
		}
	}
	return s.Source.ReadAll(ctx, after, limit)
}

// However an export was cut short, it goes on to the same file.
func TestExportResumes(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	fill(t, s)
	noise := make([]byte, 250<<10)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for n := range 6 { // several members of a packed file
		mustAppend(t, s, "noise-"+uuid.NewString(), eventstore.NoStream, events.Proposed{ID: uuid.New(), Type: "noise.made", Data: noise[n:], Binary: true})
	}
	cuts := 4
	if os.Getenv("STEWARD_TEST_LONG") != "" {
		cuts = 200
	}
	for _, name := range []string{"log.ndjson", "log.ndjson.gz"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			whole, err := storecopy.ExportFile(t.Context(), s, path, storecopy.ExportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := storecopy.ExportFile(t.Context(), s, path, storecopy.ExportOptions{}); err == nil || !strings.Contains(err.Error(), "complete") {
				t.Errorf("exported into a complete file: %v", err)
			}
			header := headerSize(t, text)
			mustAppend(t, s, "later-"+uuid.NewString(), eventstore.NoStream, event(`{}`))
			resumed := 0
			for range cuts {
				cut := header + rand.IntN(len(text)-header)
				if err := os.WriteFile(path, text[:cut], 0o600); err != nil {
					t.Fatal(err)
				}
				done, err := storecopy.ExportFile(t.Context(), s, path, storecopy.ExportOptions{})
				if err != nil {
					t.Fatalf("cut at %d of %d: %v", cut, len(text), err)
				}
				if done.Resumed > 0 {
					resumed++
				}
				if done.Resumed = 0; done != whole {
					t.Errorf("cut at %d: %+v instead of %+v", cut, done, whole)
				}
				got, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasSuffix(name, ".gz") {
					if !bytes.Equal(got, text) {
						t.Errorf("cut at %d: the file is another one", cut)
					}
				} else if verified, err := storecopy.Verify(t.Context(), bytes.NewReader(got), nil); err != nil || verified != whole {
					t.Errorf("cut at %d: %+v, %v", cut, verified, err)
				}
			}
			if resumed == 0 {
				t.Error("no export went on where it was cut")
			}
		})
	}
}

// headerSize is where an export may be cut at the earliest.
func headerSize(t *testing.T, text []byte) int {
	t.Helper()
	if text[0] == '{' {
		return bytes.IndexByte(text, '\n') + 1
	}
	// The header is a member of its own: the next one begins with the same bytes.
	second := bytes.Index(text[1:], text[:4])
	if second < 0 {
		t.Fatal("the packed file has one member")
	}
	return second + 1
}

func TestExportRefuses(t *testing.T) {
	t.Parallel()
	s, other := newStore(t), newStore(t)
	for _, log := range []*eventstore.Store{s, other} {
		mustAppend(t, log, "thing-1", eventstore.NoStream, event(`{}`), event(`{}`))
	}
	text, _ := export(t, other)
	begun := text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1]
	future := bytes.Replace(begun, []byte(`"steward_log":1`), []byte(`"steward_log":2`), 1)
	damaged := bytes.Replace(begun, []byte(`"revision":0`), []byte(`"revision":x`), 1)
	for name, c := range map[string]struct{ text, says string }{
		"another log":  {string(begun), "another log"},
		"another file": {"one\ntwo\n", "not what steward store export writes"},
		"half a line":  {"one", "not what steward store export writes"},
		"the future":   {string(future), "format 2"},
		"damage":       {string(damaged), "line 2"},
	} {
		path := filepath.Join(t.TempDir(), "log.ndjson")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := storecopy.ExportFile(t.Context(), s, path, storecopy.ExportOptions{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != c.text {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}

// target fails an append now and then, before or after it was written.
type target struct {
	*eventstore.Store
	fail func() (before, after error)
}

func (d *target) Append(ctx context.Context, stream string, expected eventstore.Revision, batch []events.Proposed) (eventstore.Appended, error) {
	before, after := d.fail()
	if before != nil {
		return eventstore.Appended{}, before
	}
	done, err := d.Store.Append(ctx, stream, expected, batch)
	return done, errors.Join(err, after)
}

func (d *target) Tombstone(ctx context.Context, stream string, expected eventstore.Revision) error {
	before, after := d.fail()
	if before != nil {
		return before
	}
	return errors.Join(d.Store.Tombstone(ctx, stream, expected), after)
}

// An import that breaks off again and again comes to its end, and every answer that is lost on the way is
// made up for.
func TestImportResumes(t *testing.T) {
	t.Parallel()
	from, to := newStore(t), newStore(t)
	fill(t, from)
	text, exported := export(t, from)
	broken := errors.New("broken off")
	for round := 0; ; round++ {
		if round > 200 {
			t.Fatal("the import gets nowhere")
		}
		left := 1 + rand.IntN(12)
		d := &target{Store: to, fail: func() (before, after error) {
			if left--; left < 0 {
				return broken, nil
			}
			switch rand.IntN(8) {
			case 0:
				return eventstore.ErrUnavailable, nil
			case 1:
				return nil, eventstore.ErrOutcomeUnknown
			case 2:
				if left == 0 {
					return nil, broken
				}
			}
			return nil, nil
		}}
		imported, err := storecopy.Import(t.Context(), d, bytes.NewReader(text), storecopy.ImportOptions{})
		if err == nil {
			if imported.Events != exported.Events || imported.SHA256 != exported.SHA256 || round == 0 || imported.Resumed == 0 {
				t.Errorf("imported %+v in round %d, exported %+v", imported, round, exported)
			}
			break
		}
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(all(t, from), all(t, to)); diff != "" {
		t.Errorf("the copy differs (-original +copy):\n%s", diff)
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	from := newStore(t)
	mustAppend(t, from, "thing-1", eventstore.NoStream, event(`{}`), event(`{}`))
	mustAppend(t, from, "thing-2", eventstore.NoStream, event(`{}`))
	text, _ := export(t, from)
	flipped := bytes.Replace(text, []byte(`"schema":1`), []byte(`"schema":2`), 1)
	later := bytes.Replace(text, []byte(`"stream":"thing-2","revision":0`), []byte(`"stream":"thing-2","revision":5`), 1)

	t.Run("a log that is another", func(t *testing.T) {
		t.Parallel()
		to := newStore(t)
		mustAppend(t, to, "other-1", eventstore.NoStream, event(`{}`))
		refused(t, to, text, "not empty", "other-1", "thing-1")
	})
	t.Run("a log that went on", func(t *testing.T) {
		t.Parallel()
		to := newStore(t)
		if _, err := storecopy.Import(t.Context(), to, bytes.NewReader(text), storecopy.ImportOptions{}); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, to, "thing-2", 0, event(`{}`))
		refused(t, to, text, "in use already", "revision 1 of thing-2")
	})
	t.Run("a file without its end", func(t *testing.T) {
		t.Parallel()
		for _, cut := range []int{len(text) - 1, len(text) - 40, bytes.LastIndexByte(text[:len(text)-1], '\n') + 1} {
			refused(t, newStore(t), text[:cut], "interrupted before its end")
		}
	})
	t.Run("a damaged file", func(t *testing.T) {
		t.Parallel()
		if _, err := storecopy.Verify(t.Context(), bytes.NewReader(flipped), nil); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("verified: %v", err)
		}
		refused(t, newStore(t), flipped, "damaged")
		refused(t, newStore(t), append(bytes.Clone(text), text...), "after the end")
		refused(t, newStore(t), []byte("hello\n"), "line 1", "not what steward store export writes")
	})
	t.Run("a stream without its beginning", func(t *testing.T) {
		t.Parallel()
		refused(t, newStore(t), later, "thing-2 from revision 5 on")
	})
	t.Run("a stream that somebody writes to", func(t *testing.T) {
		t.Parallel()
		to := newStore(t)
		var once bool
		d := &target{Store: to, fail: func() (error, error) {
			if !once {
				once = true
				mustAppend(t, to, "thing-1", eventstore.NoStream, event(`{}`))
			}
			return nil, nil
		}}
		_, err := storecopy.Import(t.Context(), d, bytes.NewReader(text), storecopy.ImportOptions{})
		if err == nil || !strings.Contains(err.Error(), "thing-1 ends with revision 0") {
			t.Errorf("got %v", err)
		}
	})
}

// What is read back at the end is all that the target holds: an import beside another writer fails.
func TestImportReadsBack(t *testing.T) {
	t.Parallel()
	from, to := newStore(t), newStore(t)
	fill(t, from)
	text, _ := export(t, from)
	once := false
	d := &target{Store: to, fail: func() (before, after error) {
		if !once {
			once = true
			mustAppend(t, to, "stranger-1", eventstore.NoStream, event(`{}`))
		}
		return nil, nil
	}}
	refused(t, d, text, "the target differs from the export")
}

func refused(t *testing.T, to storecopy.Target, text []byte, says ...string) {
	t.Helper()
	_, err := storecopy.Import(t.Context(), to, bytes.NewReader(text), storecopy.ImportOptions{})
	if err == nil {
		t.Errorf("imported what should say %q", says)
		return
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

// A cancelled copy ends, and leaves nothing running.
func TestCancelled(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	fill(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	canceling := &source{Source: s, read: cancel}
	if _, err := storecopy.Export(ctx, canceling, io.Discard, storecopy.ExportOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("exported: %v", err)
	}
	text, _ := export(t, s)
	if _, err := storecopy.Import(ctx, newStore(t), bytes.NewReader(text), storecopy.ImportOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("imported: %v", err)
	}
}
