package esnode

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// CheckOptions are the settings of a check. The zero value checks in silence.
type CheckOptions struct {
	// Progress is called now and then with how much of the work is done. Both numbers are in positions of
	// the log, counted once for every time that the check goes through it.
	Progress func(done, total uint64)
}

// CheckReport says what a check has seen. A store without problems is whole: every event can be read, no
// position and no revision is missing, and every index leads to its events and to nothing else.
type CheckReport struct {
	// Events is how many events the log holds, metadata and tombstones included.
	Events uint64 `json:"events"`
	// Streams is how many streams have events; a stream counts once together with its metastream.
	Streams uint64 `json:"streams"`
	// Bytes is the size of the records of all events.
	Bytes uint64 `json:"bytes"`
	// LastPosition is the position of the newest event, 0 in an empty store.
	LastPosition uint64 `json:"last_position"`
	// Acknowledged is the position up to which the store promised that events are on disk.
	Acknowledged uint64 `json:"acknowledged"`
	// Problems is what is wrong, in the order in which it was found, and at most a hundred of it.
	Problems []Problem `json:"problems"`
	// Omitted is how many problems more there are.
	Omitted uint64 `json:"omitted"`
}

// Problem is something wrong with a store, said so that an operator knows what to do. It names files,
// positions and streams, never what an event contains.
type Problem struct {
	// File is the file or directory that is damaged, when that is known.
	File string `json:"file,omitempty"`
	// Position is where in the log it is, 0 when it is nowhere in particular.
	Position uint64 `json:"position,omitempty"`
	// Stream is the stream that it concerns, if it is one.
	Stream string `json:"stream,omitempty"`
	// Text says what is wrong, in a sentence.
	Text string `json:"text"`
	// Remedy says what to do about it.
	Remedy string `json:"remedy"`
}

// Error makes a problem an error, for the calls that it makes fail.
func (p *Problem) Error() string {
	text := p.Text
	if p.File != "" {
		text = p.File + ": " + text
	}
	if p.Remedy != "" {
		text += "; " + p.Remedy
	}
	return text
}

// remedyRestore is what operators are told to do about damage.
const remedyRestore = "keep a copy of the directory as it is, then restore the newest backup with: steward store restore"

// maxProblems is how many problems a report names. One damaged file can make thousands.
const maxProblems = 100

// Check goes through the whole store in dir, which no process may have open, and changes nothing in it. It
// fails when the store cannot be looked at; what is wrong with the store itself stands in the report.
func Check(ctx context.Context, dir string, options CheckOptions) (CheckReport, error) {
	return checkOn(ctx, vfs.Default, dir, options)
}

// checkOn is Check on a file system of the caller's choice.
func checkOn(ctx context.Context, files vfs.FS, dir string, options CheckOptions) (report CheckReport, err error) {
	if _, err := files.Stat(dir); err != nil {
		return report, fmt.Errorf("check the event store in %s: %w", dir, err)
	}
	lock, err := lockStore(files, dir)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	report.Problems = []Problem{}
	err = look(files, dir, lock, func(s *inspected) error {
		if s == nil {
			return fmt.Errorf("check the event store in %s: there is no event store; name the directory that holds its files", dir)
		}
		w := &walk{
			ctx: ctx, files: files, dir: dir, db: s.db, tables: s.db, options: s.options, progress: options.Progress, report: &report,
			acknowledged: s.acknowledged,
		}
		if s.mark != nil {
			w.add(*s.mark)
		}
		return w.run()
	})
	var problem *Problem
	if errors.As(err, &problem) {
		report.Problems = append(report.Problems, *problem)
		err = nil
	}
	return report, err
}

// Check goes through the whole store as it stands, while the node serves.
func (n *Node) Check(ctx context.Context, options CheckOptions) (report CheckReport, err error) {
	defer n.condition.rescue(&err)
	n.closing.RLock()
	defer n.closing.RUnlock()
	if n.isStopped() {
		return report, errStopping()
	}
	// The position comes first, so the snapshot reaches at least as far.
	acknowledged := n.horizon.position()
	snapshot := n.db.NewSnapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	settings, release := storeOptions(n.files, storeLog{log: n.log}, func(string, error) {})
	defer release()
	settings.EnsureDefaults()
	w := &walk{
		ctx: ctx, files: n.files, dir: n.dir, db: snapshot, tables: n.db, options: settings, progress: options.Progress, report: &report,
		acknowledged: acknowledged, stopped: n.stopped,
	}
	return report, w.run()
}

// inspected is a store that is open for reading only.
type inspected struct {
	db           *pebble.DB
	options      *pebble.Options
	acknowledged uint64
	mark         *Problem // what is wrong with the mark, if something is
}

// look opens a store without changing it and shows it to view: nil when there is none. It fails with a *Problem
// when the store is damaged so much that nothing of it can be read.
func look(files vfs.FS, dir string, lock *pebble.Lock, view func(*inspected) error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case fatal:
			err = &Problem{File: dir, Text: "the event store cannot be read: " + r.message, Remedy: remedyRestore}
		default:
			panic(r)
		}
	}()
	s := &inspected{}
	s.acknowledged, _, err = readMark(files, dir)
	if err != nil && !errors.As(err, &s.mark) {
		return err
	}
	settings, release := storeOptions(files, storeLog{log: slog.New(slog.DiscardHandler)}, func(string, error) {})
	defer release()
	settings.ReadOnly, settings.Lock = true, lock
	settings.EnsureDefaults()
	s.options = settings
	s.db, err = pebble.Open(dir, settings)
	if errors.Is(err, pebble.ErrDBDoesNotExist) {
		if err := nothingLeft(files, dir, s.acknowledged); err != nil {
			return err
		}
		return view(nil)
	}
	if err != nil {
		return openProblem(dir, err)
	}
	return errors.Join(view(s), s.db.Close())
}

// nothingLeft tells a store that was never written to from one that has lost what leads to its files.
func nothingLeft(files vfs.FS, dir string, acknowledged uint64) error {
	names, err := files.List(dir)
	if err != nil {
		return fmt.Errorf("list the event store in %s: %w", dir, err)
	}
	if acknowledged > 0 || slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, ".sst") }) {
		return &Problem{File: dir, Text: "the directory held an event store, and the file that leads to its contents (marker.manifest.*) is missing", Remedy: remedyRestore}
	}
	return nil
}

// ErrInUse is in the error of whoever wants a store that somebody else has open.
var ErrInUse = errors.New("in use by another process")

// lockStore makes sure that nobody else has the store open. When somebody has, the error is an [ErrInUse].
func lockStore(files vfs.FS, dir string) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, files)
	var refused *fs.PathError
	switch {
	case errors.As(err, &refused):
		// There is not even a file to lock, so nobody is in the way.
		return nil, fmt.Errorf("lock the event store in %s: %w", dir, err)
	case err != nil:
		return nil, fmt.Errorf("the event store in %s is %w; stop that one, or give this one a directory of its own: %w", dir, ErrInUse, err)
	}
	return lock, nil
}

// openProblem tells damage from what the machine refuses: only the first is the store's own problem.
func openProblem(dir string, err error) error {
	var refused syscall.Errno
	if errors.Is(err, fs.ErrPermission) || errors.As(err, &refused) && refused != syscall.ENOENT && refused != syscall.EIO {
		return fmt.Errorf("open the event store in %s: %w", dir, err)
	}
	return &Problem{File: dir, Text: fmt.Sprintf("the event store cannot be opened: %s", describe(err)), Remedy: remedyRestore}
}

// isDamage reports whether an error says that what is stored is not what was written.
func isDamage(err error) bool {
	return errors.Is(err, errBrokenRecord) || errors.Is(err, errBrokenIndex) || pebble.IsCorruptionError(err)
}

// describe is the text of an error, without the line that Pebble hangs on for programs.
func describe(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n<corruption detail carrier>")
	return text
}

// unreadable makes a problem of what could not be read because it is damaged.
func unreadable(dir string, err error) error {
	var problem *Problem
	if errors.As(err, &problem) || !isDamage(err) {
		return err
	}
	file := dir
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		file = info.Path
	}
	return &Problem{File: file, Text: fmt.Sprintf("what is needed to begin cannot be read: %v", describe(err)), Remedy: remedyRestore}
}
