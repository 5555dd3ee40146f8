package esnode

import (
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// The node shares its machine with the application, so it is content with little memory: recent events
	// are in the tail and old ones are read in order, which needs no large cache. Pebble takes the memtables
	// out of the cache, and what two of them leave must hold the filters and indexes that every first append
	// to a stream asks.
	blockCacheBytes = 40 << 20
	memTableBytes   = 8 << 20

	dataBlockBytes = 32 << 10
)

// storeOptions are Pebble's settings. The second result gives back what they hold once Pebble is open.
func storeOptions(files vfs.FS, log storeLog, damaged func(file string, err error)) (*pebble.Options, func()) {
	cache := pebble.NewCache(blockCacheBytes)
	options := &pebble.Options{
		FS:                          files,
		Cache:                       cache,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               64 << 20,
		Logger:                      log,
		EventListener: &pebble.EventListener{
			// Without a listener Pebble ends the process.
			DataCorruption: func(info pebble.DataCorruptionInfo) { damaged(info.Path, info.Details) },
		},
	}
	for i := range options.Levels {
		options.Levels[i].BlockSize = dataBlockBytes
		// Names of streams that do not exist yet are looked up with every first append.
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	// What is flushed is soon rewritten: only the levels below, where events stay, are worth good compression.
	options.ApplyCompressionSettings(func() pebble.DBCompressionSettings {
		settings := pebble.UniformDBCompressionSettings(block.BalancedCompression)
		settings.Levels[0] = block.FastestCompression
		return settings
	})
	return options, cache.Unref
}

// storeLog passes on what Pebble has to say. Its notes about compactions and the like are for debugging.
type storeLog struct {
	log   *slog.Logger
	fatal func(message string) // what to do when Pebble cannot go on; it must not return
}

// Infof implements pebble.Logger.
func (l storeLog) Infof(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}

// Errorf implements pebble.Logger.
func (l storeLog) Errorf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger. Pebble calls it when it cannot go on, and relies on not coming back.
//
// A panic is for the goroutines of the node, which end their call with it; see rescue. In one of Pebble's own it
// would end the process, and the reads with it. There fatal decides.
func (l storeLog) Fatalf(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	l.log.Error("pebble: " + message)
	if l.fatal == nil || calledByNode() {
		panic(fatal{message})
	}
	l.fatal(message)
}

// calledByNode reports whether this goroutine came to Pebble from the node.
func calledByNode() bool {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, packagePath) {
			return true
		}
		if !more {
			return false
		}
	}
}

// packagePath is what the names of this package's functions begin with.
var packagePath = reflect.TypeFor[Node]().PkgPath() + "."
