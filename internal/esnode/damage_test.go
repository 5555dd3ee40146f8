package esnode_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stewardhq/steward/internal/esnode"
)

// TestDamage damages copies of the directory of a killed node, one at a time: files are cut off, bits flip,
// sectors are zeroed, files vanish or go back to what they were. Whatever happens, either the node refuses to
// open and says what to do, or reading fails with a status and a check says why, or every event is still there.
func TestDamage(t *testing.T) {
	t.Parallel()
	cases := 300
	if os.Getenv("STEWARD_TEST_LONG") == "1" {
		cases = 20_000
	}
	d := newDamaged(t)
	var next atomic.Int64
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for seed := next.Add(1); seed <= int64(cases) && !t.Failed(); seed = next.Add(1) {
				d.run(t, uint64(seed))
			}
		})
	}
	group.Wait()
	t.Logf("of %d damaged stores %d were refused, %d were opened and found damaged, %d had lost nothing",
		cases, d.refused.Load(), d.found.Load(), d.whole.Load())
	if d.refused.Load() == 0 || d.found.Load() == 0 || d.whole.Load() == 0 {
		t.Error("the damage does not reach everything")
	}
}

// damaged is a store and what is in it.
type damaged struct {
	files   map[string][]byte // after the kill
	older   map[string][]byte // as they were at some time before
	events  []string
	streams map[string][]string

	refused, found, whole atomic.Int64
}

// newDamaged makes a store with tables, with a write-ahead log that a killed process left behind, and with
// everything in it that a store can hold.
func newDamaged(t *testing.T) *damaged {
	t.Helper()
	dir := t.TempDir()
	d := &damaged{streams: map[string][]string{}}
	for round := range 3 {
		r := start(t, dir, esnode.SmallBlocks())
		d.fill(t, connect(t, r.socket), round, 60)
		if err := r.node.Flush(); err != nil {
			t.Fatal(err)
		}
		r.stop(t)
	}
	d.older = readFiles(t, dir)
	c := startChild(t, roleSmallBlocks, dir)
	d.fill(t, c.connect(), 3, 40)
	c.kill()
	d.files = readFiles(t, dir)

	n, err := esnode.OpenOn(loadFiles(t, d.files), "store", esnode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d.events, err = n.Dump(); err != nil {
		t.Fatal(err)
	}
	for _, e := range d.events {
		stream := streamOf(e)
		d.streams[stream] = append(d.streams[stream], e)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name, content := range d.files {
		names = append(names, fmt.Sprintf("%s %d", name, len(content)))
	}
	slices.Sort(names)
	t.Logf("%d events in %d streams, in the files %s", len(d.events), len(d.streams), strings.Join(names, ", "))
	return d
}

// streamOf takes the name of the stream out of a dumped event.
func streamOf(dump string) string {
	_, rest, _ := strings.Cut(dump, " ")
	stream, _, _ := strings.Cut(rest, "@")
	return stream
}

func (d *damaged) fill(t *testing.T, client *esdb.Client, round, streams int) {
	t.Helper()
	for i := range streams {
		stream := fmt.Sprintf("s-%d-%d", round, i)
		var batch []esdb.EventData
		for range 8 {
			data, metadata := make([]byte, 60+rand.IntN(300)), make([]byte, rand.IntN(40))
			for i := range data {
				data[i] = byte(rand.Uint32())
			}
			batch = append(batch, esdb.EventData{
				EventID: uuid.New(), EventType: "test.happened", ContentType: esdb.ContentTypeBinary, Data: data, Metadata: metadata,
			})
		}
		mustAppend(t, client, stream, esdb.NoStream{}, batch...)
		mustAppend(t, client, stream, esdb.Revision(7), newEvent(uuid.New()))
		switch i % 6 {
		case 1:
			var m esdb.StreamMetadata
			m.SetMaxCount(2)
			if _, err := client.SetStreamMetadata(t.Context(), stream, esdb.AppendToStreamOptions{}, m); err != nil {
				t.Fatal(err)
			}
		case 2:
			if _, err := client.DeleteStream(t.Context(), stream, esdb.DeleteStreamOptions{}); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, client, stream, esdb.NoStream{}, newEvent(uuid.New()))
		case 3:
			if _, err := client.TombstoneStream(t.Context(), stream, esdb.TombstoneStreamOptions{}); err != nil {
				t.Fatal(err)
			}
		case 4:
			link := esdb.EventData{EventID: uuid.New(), EventType: "$>", ContentType: esdb.ContentTypeBinary, Data: []byte("0@" + stream)}
			mustAppend(t, client, "links", esdb.Any{}, link)
		}
	}
}

// run damages one copy and looks what becomes of it.
func (d *damaged) run(t *testing.T, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	files := maps.Clone(d.files)
	what := fmt.Sprintf("seed %d: %s", seed, d.damage(random, files))
	memory := loadFiles(t, files)

	n, err := esnode.OpenOn(memory, "store", esnode.Options{})
	if err != nil {
		d.refused.Add(1)
		var problem *esnode.Problem
		if !errors.As(err, &problem) || !strings.Contains(problem.File, "store") || problem.Remedy == "" {
			t.Errorf("%s: refused without a remedy: %v", what, err)
		}
		if after := unloadFiles(t, memory); !maps.EqualFunc(after, files, bytes.Equal) {
			t.Errorf("%s: refusing to open changed the directory", what)
		}
		report, err := esnode.CheckOn(t.Context(), memory, "store", esnode.CheckOptions{})
		if err != nil || len(report.Problems) == 0 {
			t.Errorf("%s: a check of what cannot be opened says %+v, %v", what, report, err)
		}
		return
	}
	harmed := d.read(t, what, n, random)
	report, err := n.Check(t.Context(), esnode.CheckOptions{})
	if err != nil {
		t.Errorf("%s: check: %v", what, err)
	}
	if harmed && len(report.Problems) == 0 {
		t.Errorf("%s: reading fails and a check finds nothing", what)
	}
	for _, p := range report.Problems {
		if p.Remedy == "" || p.Text == "" {
			t.Errorf("%s: no remedy: %+v", what, p)
		}
	}
	if err := n.Close(); err != nil && !harmed && len(report.Problems) == 0 {
		t.Errorf("%s: close: %v", what, err)
	}
	if harmed || len(report.Problems) > 0 {
		d.found.Add(1)
	} else {
		d.whole.Add(1)
	}
}

// read reads the log and some streams, and insists that nothing is wrong with what it gets to see. It reports
// whether reading failed somewhere.
func (d *damaged) read(t *testing.T, what string, n *esnode.Node, random *rand.Rand) (harmed bool) {
	t.Helper()
	compare := func(got []string, err error, want []string) {
		t.Helper()
		switch {
		case err != nil && status.Code(err) != codes.DataLoss:
			t.Errorf("%s: reading fails with %v", what, err)
		case err != nil:
			harmed = true
			if strings.Contains(err.Error(), "/") {
				t.Errorf("%s: clients are told of files: %v", what, err)
			}
			if len(got) > len(want) {
				t.Errorf("%s: too many events", what)
				return
			}
			want = want[:len(got)]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d of %d events, without an error, or others than there were", what, len(got), len(want))
		}
	}
	got, err := n.Dump()
	compare(got, err, d.events)
	streams := slices.Sorted(maps.Keys(d.streams))
	for range 12 {
		stream := streams[random.IntN(len(streams))]
		got, err := n.DumpStream(stream)
		compare(got, err, d.streams[stream])
	}
	return harmed
}

// damage does something to one of the files and says what.
func (d *damaged) damage(random *rand.Rand, files map[string][]byte) string {
	names := slices.Sorted(maps.Keys(files))
	// Empty files, the markers, carry what they say in their names.
	full := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return len(files[name]) == 0 })
	name := full[random.IntN(len(full))]
	if random.IntN(2) == 0 {
		// Half of the time the large files are hit more often, as by chance on a disk.
		size := 0
		for _, n := range full {
			size += len(files[n])
		}
		at := random.IntN(size)
		for _, name = range full {
			if at -= len(files[name]); at < 0 {
				break
			}
		}
	}
	content := files[name]
	switch random.IntN(6) {
	case 0:
		size := random.IntN(len(content))
		files[name] = content[:size]
		return fmt.Sprintf("%s cut off at %d of %d", name, size, len(content))
	case 1, 2:
		flipped := bytes.Clone(content)
		at := random.IntN(len(content))
		flipped[at] ^= 1 << random.IntN(8)
		files[name] = flipped
		return fmt.Sprintf("a bit of %s flipped in byte %d of %d", name, at, len(content))
	case 3:
		zeroed := bytes.Clone(content)
		at := random.IntN(len(content)) &^ 511
		clear(zeroed[at:min(at+512, len(zeroed))])
		files[name] = zeroed
		return fmt.Sprintf("a sector of %s zeroed at %d of %d", name, at, len(content))
	case 4:
		name = names[random.IntN(len(names))]
		delete(files, name)
		return name + " deleted"
	default:
		other := full[random.IntN(len(full))]
		if older, ok := d.older[name]; ok && random.IntN(2) == 0 {
			files[name] = older
			return name + " as it was before"
		}
		files[name] = files[other]
		return name + " replaced by " + other
	}
}

func readFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, entry := range entries {
		if files[entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// loadFiles puts a directory into memory, where it costs little to try things.
func loadFiles(t *testing.T, files map[string][]byte) vfs.FS {
	t.Helper()
	memory := vfs.NewMem()
	if err := memory.MkdirAll("store", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		file, err := memory.Create("store/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		// Writing may change what it is given.
		_, err = file.Write(bytes.Clone(content))
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return memory
}

func unloadFiles(t *testing.T, memory vfs.FS) map[string][]byte {
	t.Helper()
	names, err := memory.List("store")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		file, err := memory.Open("store/" + name)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		files[name] = content
	}
	return files
}
