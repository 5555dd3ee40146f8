package esnode

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// walk is one check under way. It reads the log and every index in order and remembers nothing of what it
// passes but sums: one over the entries that the events demand, and one over those that an index holds. The
// sums are over random hashes of 64 bits, so entries that differ have the same sum about once in 2^64 checks.
// Thus a log of any length is checked in little memory and without looking anything up. Only when two sums differ
// are the entries compared one by one.
type walk struct {
	ctx      context.Context
	stopped  <-chan struct{} // closed when the node stops; nil when no node is running
	files    vfs.FS
	dir      string
	db       pebble.Reader
	tables   *pebble.DB
	options  *pebble.Options
	progress func(done, total uint64)
	report   *CheckReport

	acknowledged uint64
	last         uint64 // the position of the newest event
	done         uint64 // positions covered by the passes that are over
	seed         maphash.Seed
	buffer       []byte
	broken       bool // something could not be read, so sums say nothing

	wanted, found map[byte]*tally // by key family
}

// tally sums up entries of an index in any order.
type tally struct{ sum, count uint64 }

// The passes of a check, each of which goes through the log once: tables, events, stream indexes, id indexes.
const passes = 4

// errInterrupted ends a check whose node stops.
var errInterrupted = errors.New("the check was interrupted because the event store is closing")

func (w *walk) run() error {
	w.seed = maphash.MakeSeed()
	w.wanted, w.found = make(map[byte]*tally), make(map[byte]*tally)
	for _, family := range []byte{familyStream, familyMetastream, familyID, familyMetaID, familyName, familyMetaName} {
		w.wanted[family], w.found[family] = &tally{}, &tally{}
	}
	if w.report.Problems == nil {
		w.report.Problems = []Problem{}
	}
	w.report.Acknowledged = w.acknowledged
	w.findEnd()
	if err := w.walkTables(); err != nil || w.broken {
		// What a damaged table held would be missing everywhere.
		return err
	}
	for _, pass := range []func() error{w.walkEvents, w.walkStreams, w.walkIDs, w.walkNames, w.compare} {
		if err := pass(); err != nil {
			return err
		}
	}
	w.advance(passes*w.last, 0)
	return nil
}

// familyMetaName stands for the flag of a name that has a metastream, which is checked like an index.
const familyMetaName = 0xff

// familyOf picks the key family for a stream or for a metastream.
func familyOf(metastream bool, ofStream, ofMetastream byte) byte {
	if metastream {
		return ofMetastream
	}
	return ofStream
}

// findEnd finds the newest event and holds it against what was acknowledged.
func (w *walk) findEnd() {
	end, err := lastEvent(w.db, false)
	if err != nil {
		w.damaged(err, Problem{Text: "the end of the log cannot be read"})
		return
	}
	w.last, w.report.LastPosition = end.last, end.last
	if w.last < w.acknowledged {
		w.add(*lostEnd(w.files, w.dir, end, w.acknowledged))
	}
}

// walkTables reads every block of every table, those too that no look-up would touch.
func (w *walk) walkTables() error {
	levels, err := w.tables.SSTables()
	if err != nil {
		w.damaged(err, Problem{File: w.dir, Text: "the tables of the store cannot be listed"})
		return nil
	}
	var size, total uint64
	for _, level := range levels {
		for _, table := range level {
			total += table.Size
		}
	}
	for _, level := range levels {
		for _, table := range level {
			if err := w.interrupted(); err != nil {
				return err
			}
			path := w.files.PathJoin(w.dir, table.FileNum.String()+".sst")
			// A table that is gone was compacted into others meanwhile.
			if err := verifyTable(w.ctx, w.files, path, w.options); err != nil && (!errors.Is(err, fs.ErrNotExist) || w.stopped == nil) {
				w.damaged(err, Problem{File: path, Text: "the table is damaged, and nothing else was checked therefore"})
			}
			size += table.Size
			w.advance(uint64(float64(w.last)*float64(size)/float64(total)), 0)
		}
	}
	w.advance(0, w.last)
	return nil
}

// verifyTable reads every block of a table and compares it with its checksum.
func verifyTable(ctx context.Context, files vfs.FS, path string, options *pebble.Options) (err error) {
	file, err := files.Open(path)
	if err != nil {
		return fmt.Errorf("open the table: %w", err)
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return errors.Join(fmt.Errorf("open the table: %w", err), file.Close())
	}
	reader, err := sstable.NewReader(ctx, readable, options.MakeReaderOptions())
	if err != nil {
		return errors.Join(fmt.Errorf("open the table: %w", err), readable.Close())
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	if err := reader.ValidateBlockChecksums(); err != nil {
		return fmt.Errorf("read the table: %w", err)
	}
	return nil
}

// walkEvents reads the log from its beginning and notes which entries the indexes must have.
func (w *walk) walkEvents() error {
	next := uint64(1)
	err := w.scan(familyEvent, func(key, value []byte) {
		position, ok := eventPosition(key)
		if !ok {
			w.add(Problem{Text: fmt.Sprintf("the log has an entry under the impossible key %x", key), Remedy: remedyRestore})
			return
		}
		if position != next {
			w.add(*hole(next, position))
		}
		next = position + uint64(len(value))
		w.report.Events++
		w.report.Bytes += uint64(len(value))
		w.advance(position, 0)

		var e event
		if err := e.decode(position, value); err != nil {
			w.broken = true
			w.add(Problem{Position: position, Text: "the event cannot be decoded", Remedy: remedyRestore})
			return
		}
		w.expect(&e)
	})
	w.advance(0, w.last)
	return err
}

// expect notes the entries that an event must have in the indexes.
func (w *walk) expect(e *event) {
	stream := parseName(e.stream)
	if !stream.valid() {
		w.add(Problem{Position: e.position, Stream: string(e.stream), Text: "the event has no valid stream name", Remedy: remedyRestore})
	}
	w.count(w.wanted[familyOf(stream.metastream, familyStream, familyMetastream)], stream.base, uint64(e.revision), e.position)
	w.count(w.wanted[familyOf(stream.metastream, familyID, familyMetaID)], stream.base, fingerprint(e.id), uint64(e.revision))
}

// count adds an entry to a tally.
func (w *walk) count(t *tally, base []byte, numbers ...uint64) {
	w.buffer = w.buffer[:0]
	for _, number := range numbers {
		w.buffer = binary.BigEndian.AppendUint64(w.buffer, number)
	}
	t.sum += maphash.Bytes(w.seed, append(w.buffer, base...))
	t.count++
}

// fingerprint is what the id index keeps of an id, as a number.
func fingerprint(id uuid.UUID) uint64 {
	var f uint64
	for i := range fingerprintSize {
		f = f<<8 | uint64(id[i]^id[i+8])
	}
	return f
}

// walkStreams reads the stream indexes: revisions without gaps, positions that rise with them.
func (w *walk) walkStreams() error {
	for _, family := range []byte{familyStream, familyMetastream} {
		if err := w.walkStreamIndex(family); err != nil {
			return err
		}
	}
	w.advance(0, w.last)
	return nil
}

func (w *walk) walkStreamIndex(family byte) error {
	names := w.namer()
	defer names.close()
	metastreams := w.iterator([]byte{familyMetastream}, []byte{familyMetastream + 1})
	defer w.closeIterator(metastreams)

	current, previous := uint64(0), placed{revision: noRevision}
	return w.scan(family, func(key, value []byte) {
		number, at, err := readIndexEntry(key, value)
		if err != nil {
			w.add(Problem{Text: fmt.Sprintf("the stream index is broken: %v", err), Remedy: remedyRestore})
			return
		}
		base := names.base(number)
		if number != current {
			current, previous = number, placed{revision: noRevision}
			prefix := indexPrefix(true, number)
			switch {
			case base == nil:
			case family == familyMetastream:
				w.count(w.wanted[familyMetaName], base, number)
			case metastreams == nil || !metastreams.SeekGE(prefix) || !bytes.HasPrefix(metastreams.Key(), prefix):
				w.count(w.wanted[familyName], base, number)
			}
			if family == familyStream {
				w.advance(number, 0)
			}
		}
		p := Problem{Position: at.position, Stream: string(base), Remedy: remedyRestore}
		tombstone := family == familyStream && at.revision == tombstoneRevision
		if at.revision != previous.revision+1 && !tombstone {
			p.Text = fmt.Sprintf("the stream goes on with revision %d where %d belongs", at.revision, previous.revision+1)
			w.add(p)
		}
		if at.position <= previous.position {
			p.Text = fmt.Sprintf("revision %d of the stream does not lie behind the one that it follows", at.revision)
			w.add(p)
		}
		previous = at
		if base != nil {
			w.count(w.found[family], base, uint64(at.revision), at.position)
		}
	})
}

// readIndexEntry takes an entry of a stream index apart.
func readIndexEntry(key, value []byte) (number uint64, at placed, err error) {
	number, rest, err := readOrdered(key[1:])
	if err != nil {
		return 0, at, err
	}
	revision, rest, err := readOrdered(rest)
	if err != nil {
		return 0, at, err
	}
	position, size := binary.Uvarint(value)
	if len(rest) > 0 || size != len(value) || position == 0 {
		return 0, at, fmt.Errorf("broken entry under the key %x", key)
	}
	return number, placed{int64(revision), position}, nil
}

// walkIDs reads the id indexes.
func (w *walk) walkIDs() error {
	for _, family := range []byte{familyID, familyMetaID} {
		if err := w.walkIDIndex(family); err != nil {
			return err
		}
	}
	w.advance(0, w.last)
	return nil
}

func (w *walk) walkIDIndex(family byte) error {
	names := w.namer()
	defer names.close()
	current := uint64(0)
	return w.scan(family, func(key, _ []byte) {
		number, print, revision, err := readIDEntry(key)
		if err != nil {
			w.add(Problem{Text: fmt.Sprintf("the id index is broken: %v", err), Remedy: remedyRestore})
			return
		}
		if number != current && family == familyID {
			current = number
			w.advance(number, 0)
		}
		if base := names.base(number); base != nil {
			w.count(w.found[family], base, print, uint64(revision))
		}
	})
}

// readIDEntry takes an entry of an id index apart.
func readIDEntry(key []byte) (number, print uint64, revision int64, err error) {
	number, rest, err := readOrdered(key[1:])
	if err != nil {
		return 0, 0, 0, err
	}
	if len(rest) < fingerprintSize {
		return 0, 0, 0, fmt.Errorf("broken entry under the key %x", key)
	}
	for _, b := range rest[:fingerprintSize] {
		print = print<<8 | uint64(b)
	}
	r, rest, err := readOrdered(rest[fingerprintSize:])
	if err != nil || len(rest) > 0 {
		return 0, 0, 0, fmt.Errorf("broken entry under the key %x", key)
	}
	return number, print, int64(r), nil
}

// walkNames reads the name index.
func (w *walk) walkNames() error {
	return w.scan(familyName, func(key, value []byte) {
		number, metastream, err := readNameEntry(value)
		if err != nil {
			w.add(Problem{Stream: string(key[1:]), Text: "the name index has a broken entry for the stream", Remedy: remedyRestore})
			return
		}
		w.report.Streams++
		w.count(w.found[familyOf(metastream, familyName, familyMetaName)], key[1:], number)
	})
}

// readNameEntry reads the value of an entry of the name index.
func readNameEntry(value []byte) (number uint64, metastream bool, err error) {
	number, size := binary.Uvarint(value)
	if size <= 0 || size+1 != len(value) || value[size] > 1 {
		return 0, false, fmt.Errorf("broken entry in the name index: %x", value)
	}
	return number, value[size] == 1, nil
}

// compare holds the sums against each other and, where they differ, looks for the entries that are to blame.
func (w *walk) compare() error {
	if w.broken {
		// What could not be read is missing from the sums; the reason is in the report already.
		return nil
	}
	differ := false
	for family, wanted := range w.wanted {
		differ = differ || *wanted != *w.found[family]
	}
	if !differ {
		return nil
	}
	before := uint64(len(w.report.Problems)) + w.report.Omitted
	if err := w.explain(); err != nil {
		return err
	}
	if before == uint64(len(w.report.Problems))+w.report.Omitted {
		w.add(Problem{Text: "the indexes and the log do not agree", Remedy: remedyRestore})
	}
	return nil
}

// scan visits the keys of a family in order. What cannot be read is a problem and ends the scan, not the
// check.
func (w *walk) scan(family byte, visit func(key, value []byte)) error {
	it := w.iterator([]byte{family}, []byte{family + 1})
	if it == nil {
		return nil
	}
	defer w.closeIterator(it)
	seen := 0
	for ok := it.First(); ok; ok = it.Next() {
		if seen++; seen%1024 == 0 {
			if err := w.interrupted(); err != nil {
				return err
			}
		}
		visit(it.Key(), it.Value())
	}
	return nil
}

// interrupted tells whether the check has to stop.
func (w *walk) interrupted() error {
	select {
	case <-w.stopped:
		return errInterrupted
	default:
		if err := w.ctx.Err(); err != nil {
			return fmt.Errorf("check the event store in %s: %w", w.dir, err)
		}
		return nil
	}
}

// advance reports how far the present pass is; with covered it ends the pass.
func (w *walk) advance(position, covered uint64) {
	w.done += covered
	if w.progress != nil {
		w.progress(min(w.done+position, passes*w.last), passes*w.last)
	}
}

// add puts a problem into the report.
func (w *walk) add(p Problem) {
	if len(w.report.Problems) >= maxProblems {
		w.report.Omitted++
		return
	}
	w.report.Problems = append(w.report.Problems, p)
}

// damaged reports that something cannot be read.
func (w *walk) damaged(err error, p Problem) {
	w.broken = true
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		p.File = info.Path
	}
	p.Text = fmt.Sprintf("%s: %s", p.Text, describe(err))
	p.Remedy = remedyRestore
	for _, known := range w.report.Problems {
		// The passes stumble over the same block again and again.
		if known.File != "" && known.File == p.File {
			return
		}
	}
	w.add(p)
}

// namer tells the names of streams by their numbers. A stream's number is the position of the event that
// first named it, and the numbers come in ascending order, so it goes through the log once.
type namer struct {
	w      *walk
	it     *pebble.Iterator // nil when the log cannot be read
	number uint64
	known  []byte
}

func (w *walk) namer() *namer {
	return &namer{w: w, it: w.iterator([]byte{familyEvent}, []byte{familyEvent + 1})}
}

// base returns the name of the stream with a number, or nil when the log does not have it.
func (n *namer) base(number uint64) []byte {
	if number == n.number || n.it == nil {
		return n.known
	}
	n.number, n.known = number, nil
	if !n.it.SeekGE(eventKey(number)) && n.it.Error() != nil {
		// Trying again would take as long as this and yield no more.
		n.close()
		n.it = nil
		return nil
	}
	position := uint64(0)
	if n.it.Valid() {
		position, _ = eventPosition(n.it.Key())
	}
	if position != number {
		n.w.add(Problem{
			Position: number, Remedy: remedyRestore,
			Text: "an index has entries of the stream that began here, where the log has no event",
		})
		return nil
	}
	var e event
	if e.decode(position, n.it.Value()) == nil {
		n.known = append([]byte{}, parseName(e.stream).base...)
	}
	return n.known
}

func (n *namer) close() { n.w.closeIterator(n.it) }

// iterator opens an iterator; nil when that fails, which it reports.
func (w *walk) iterator(lower, upper []byte) *pebble.Iterator {
	it, err := w.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		w.damaged(err, Problem{Text: "the store cannot be read"})
		return nil
	}
	return it
}

// closeIterator closes an iterator and reports what it could not read.
func (w *walk) closeIterator(it *pebble.Iterator) {
	if it == nil {
		return
	}
	if err := it.Close(); err != nil {
		w.damaged(err, Problem{Text: "the store cannot be read to its end"})
	}
}
