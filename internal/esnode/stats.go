package esnode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// StatsOptions are the settings of [Node.Stats].
type StatsOptions struct {
	// Quick leaves out what only going through all events can tell.
	Quick bool `json:"quick"`
	// Progress is called now and then with the position that was reached and the last one.
	Progress func(done, total uint64) `json:"-"`
}

// Stats is what a store holds and what it takes.
type Stats struct {
	Directory string `json:"directory"`
	// FirstPosition and LastPosition are those of the oldest and the newest event, with their times. An empty
	// store has none.
	FirstPosition uint64    `json:"first_position"`
	LastPosition  uint64    `json:"last_position"`
	FirstTime     time.Time `json:"first_time,omitzero"`
	LastTime      time.Time `json:"last_time,omitzero"`
	// Bytes is the size of the records of all events: names, ids, metadata and data, not packed.
	Bytes uint64  `json:"bytes"`
	Disk  DiskUse `json:"disk"`

	// Counted tells that the events were counted; what follows is empty otherwise.
	Counted bool   `json:"counted"`
	Events  uint64 `json:"events"`
	// Streams is how many streams have events. The metadata of a stream is a stream of its own here.
	Streams uint64 `json:"streams"`
	// Categories are the parts of the streams' names before the first dash, and Types the types of the
	// events; each with the most frequent first, and those of the server itself, which begin with a dollar
	// sign, last.
	Categories []Count `json:"categories"`
	Types      []Count `json:"types"`
}

// Count says how much there is of something.
type Count struct {
	Name    string `json:"name"`
	Streams uint64 `json:"streams"`
	Events  uint64 `json:"events"`
	Bytes   uint64 `json:"bytes"`
}

// DiskUse is what the store takes on disk, in bytes.
type DiskUse struct {
	// Tables hold the events and their indexes, packed and sorted.
	Tables uint64 `json:"tables"`
	// WriteAheadLog holds what was written last. Its files are made in advance and used again.
	WriteAheadLog uint64 `json:"write_ahead_log"`
	Other         uint64 `json:"other"`
	// Free is what the file system has left, 0 if it does not tell.
	Free uint64 `json:"free"`
	// Levels are those of the tables that hold any, newest events first. A table moves down as more come.
	Levels []Level `json:"levels"`
	// Unsorted is how many bytes of tables have yet to be merged into lower levels. It shrinks by itself; if
	// it grows for hours, the disk is too slow for what is written.
	Unsorted uint64 `json:"unsorted"`
}

// Total is all that the store takes.
func (d DiskUse) Total() uint64 { return d.Tables + d.WriteAheadLog + d.Other }

// Level is one level of tables.
type Level struct {
	Level int    `json:"level"`
	Files uint64 `json:"files"`
	Bytes uint64 `json:"bytes"`
}

// Stats says what the store holds. It goes through all events, unless it is told to be quick.
func (n *Node) Stats(ctx context.Context, options StatsOptions) (Stats, error) {
	n.closing.RLock()
	defer n.closing.RUnlock()
	if n.isStopped() {
		return Stats{}, errStopping()
	}
	s := Stats{Directory: n.dir, LastPosition: n.horizon.position()}
	var err error
	if s.Disk, err = n.diskUse(); err != nil {
		return s, err
	}
	if s.LastPosition == 0 {
		s.Counted = !options.Quick
		return s, nil
	}
	err = n.scan(1, everything, false, func(e *event) (bool, error) {
		s.FirstPosition, s.FirstTime = e.position, timeOf(e)
		return false, nil
	})
	if err != nil {
		return s, err
	}
	err = n.scan(s.LastPosition, s.LastPosition, false, func(e *event) (bool, error) {
		s.LastTime = timeOf(e)
		s.Bytes = e.position + uint64(e.recordSize()) - s.FirstPosition
		return false, nil
	})
	if err != nil || options.Quick {
		return s, err
	}
	return s, n.countEvents(ctx, &s, options.Progress)
}

func timeOf(e *event) time.Time {
	return time.Unix(e.created/10_000_000, e.created%10_000_000*100).UTC()
}

// countedAtOnce is how many events are looked at before the store gets a chance to go on with its work.
const countedAtOnce = 10_000

// countEvents goes through all events up to the last position.
func (n *Node) countEvents(ctx context.Context, s *Stats, progress func(done, total uint64)) error {
	categories, types := counter{}, counter{}
	for from := s.FirstPosition; from <= s.LastPosition; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if n.isStopped() {
			return errStopping()
		}
		seen := 0
		err := n.scan(from, s.LastPosition, false, func(e *event) (bool, error) {
			size := uint64(e.recordSize())
			from = e.position + size
			var streams uint64
			if e.revision == 0 {
				streams = 1
			}
			s.Events++
			s.Streams += streams
			category, _, _ := strings.Cut(string(e.stream), "-")
			categories.add(category, streams, size)
			types.add(string(e.kind), 0, size)
			seen++
			return seen < countedAtOnce, nil
		})
		if err != nil {
			return err
		}
		if seen == 0 {
			return fmt.Errorf("the event at position %d cannot be found; run: steward store check", from)
		}
		if progress != nil {
			progress(min(from, s.LastPosition), s.LastPosition)
		}
	}
	s.Counted, s.Categories, s.Types = true, categories.sorted(), types.sorted()
	return nil
}

// counter counts by name. Names beyond a limit are counted together, so that a foreign log in which every
// stream is its own category takes no more memory than another.
type counter map[string]*Count

const (
	maxCounts   = 10_000
	otherCounts = "(others)"
)

func (c counter) add(name string, streams, size uint64) {
	known, ok := c[name]
	if !ok {
		if len(c) >= maxCounts {
			name = otherCounts
		}
		if known, ok = c[name]; !ok {
			known = &Count{Name: strings.Clone(name)}
			c[known.Name] = known
		}
	}
	known.Streams += streams
	known.Events++
	known.Bytes += size
}

func (c counter) sorted() []Count {
	all := make([]Count, 0, len(c))
	for _, count := range c {
		all = append(all, *count)
	}
	slices.SortFunc(all, func(a, b Count) int {
		if system := strings.HasPrefix(a.Name, "$"); system != strings.HasPrefix(b.Name, "$") {
			if system {
				return 1
			}
			return -1
		}
		return cmp.Or(-cmp.Compare(a.Events, b.Events), strings.Compare(a.Name, b.Name))
	})
	return all
}

func (n *Node) diskUse() (DiskUse, error) {
	names, err := n.files.List(n.dir)
	if err != nil {
		return DiskUse{}, fmt.Errorf("list the event store in %s: %w", n.dir, err)
	}
	var d DiskUse
	for _, name := range names {
		info, err := n.files.Stat(n.files.PathJoin(n.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // files come and go
		}
		if err != nil {
			return d, fmt.Errorf("look at the files of the event store: %w", err)
		}
		if info.IsDir() {
			continue
		}
		size := uint64(max(info.Size(), 0))
		switch {
		case strings.HasSuffix(name, ".sst"):
			d.Tables += size
		case strings.HasSuffix(name, ".log"):
			d.WriteAheadLog += size
		default:
			d.Other += size
		}
	}
	if usage, err := n.files.GetDiskUsage(n.dir); err == nil {
		d.Free = usage.AvailBytes
	}
	metrics := n.db.Metrics()
	d.Unsorted = metrics.Compact.EstimatedDebt
	for i, level := range metrics.Levels {
		if level.TablesCount > 0 {
			d.Levels = append(d.Levels, Level{Level: i, Files: uint64(level.TablesCount), Bytes: uint64(max(level.TablesSize, 0))})
		}
	}
	return d, nil
}
