package esnode_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/esnode"
)

// administer connects to the administration service of a node.
func administer(t *testing.T, socket string) *esnode.Admin {
	t.Helper()
	admin, err := esnode.Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	return admin
}

// logged is an event as it stands in the log.
type logged struct {
	Stream, Type   string
	Revision       uint64
	Position       uint64
	ID             uuid.UUID
	Data, Metadata string
}

func readLog(t *testing.T, client *esdb.Client) []logged {
	t.Helper()
	found, err := client.ReadAll(t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, ^uint64(0))
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var log []logged
	for {
		r, err := found.Recv()
		if errors.Is(err, io.EOF) {
			return log
		}
		if err != nil {
			t.Fatal(err)
		}
		e := r.Event
		log = append(log, logged{e.StreamID, e.EventType, e.EventNumber, e.Position.Commit, e.EventID, string(e.Data), string(e.UserMetadata)})
	}
}

// payload makes events of a size that fills tables soon and does not shrink.
func payload(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	return data
}

// A backup that is made while others append holds everything that was acknowledged before it began, and
// nothing but the beginning of the log.
func TestBackupWhileAppending(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	leftover := filepath.Join(store, "backup.unfinished") // of a process that was killed
	if err := os.Mkdir(leftover, 0o700); err != nil {
		t.Fatal(err)
	}
	r := start(t, store, esnode.Options{})
	client, admin := connect(t, r.socket), administer(t, r.socket)
	if _, err := os.Stat(leftover); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what an interrupted backup has left was not removed: %v", err)
	}
	large := payload(900 << 10)
	for n := range 20 { // more than one memtable holds, so there are tables
		mustAppend(t, client, "large-1", revisionBefore(n), esdb.EventData{EventID: uuid.New(), EventType: "test.happened", Data: large})
	}

	var (
		mu      sync.Mutex
		acked   = map[uuid.UUID]place{}
		writers sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	enough := make(chan struct{}, 1)
	for w := range 4 {
		writers.Go(func() {
			stream := fmt.Sprintf("s-%d", w)
			for n := 0; ctx.Err() == nil; n++ {
				id := uuid.New()
				result, err := client.AppendToStream(context.WithoutCancel(ctx), stream, esdb.AppendToStreamOptions{ExpectedRevision: revisionBefore(n)}, newEvent(id))
				if err != nil {
					t.Errorf("append while the backup is made: %v", err)
					return
				}
				mu.Lock()
				acked[id] = place{stream, result.NextExpectedVersion, result.CommitPosition}
				if len(acked)%50 == 0 {
					select {
					case enough <- struct{}{}:
					default:
					}
				}
				mu.Unlock()
			}
		})
	}
	parent := t.TempDir()
	rounds := 2
	if os.Getenv("STEWARD_TEST_LONG") != "" {
		rounds = 40
	}
	for round := range rounds {
		<-enough
		mu.Lock()
		before := make(map[uuid.UUID]place, len(acked))
		for id, at := range acked {
			before[id] = at
		}
		mu.Unlock()
		dir := filepath.Join(parent, fmt.Sprint("backup-", round))
		var reached, total uint64
		made, err := admin.Backup(t.Context(), dir, esnode.BackupOptions{Progress: func(d, of uint64) { reached, total = d, of }})
		if err != nil {
			t.Fatal(err)
		}
		if reached > total || total > made.Size() {
			t.Errorf("progress ended at %d of %d, and the backup has %d bytes", reached, total, made.Size())
		}
		verifyBackup(t, dir, made, before, client)
	}
	cancel()
	writers.Wait()
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != rounds {
		t.Errorf("%d entries instead of %d backups, %v", len(entries), rounds, err)
	}
	if _, err := os.Stat(leftover); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the store still holds the files of the backup: %v", err)
	}
}

// dir is where the node keeps its store, by its own account.
func (r *running) dir(t *testing.T) string {
	t.Helper()
	stats, err := r.node.Stats(t.Context(), esnode.StatsOptions{Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	return stats.Directory
}

func revisionBefore(n int) esdb.ExpectedRevision {
	if n == 0 {
		return esdb.NoStream{}
	}
	return esdb.Revision(uint64(n - 1))
}

// verifyBackup restores a backup and compares it with the log that goes on.
func verifyBackup(t *testing.T, dir string, made esnode.Backup, acked map[uuid.UUID]place, live *esdb.Client) {
	t.Helper()
	read, problems, err := esnode.VerifyBackup(t.Context(), dir, nil)
	if err != nil || len(problems) > 0 {
		t.Fatalf("verify: %v, %v", problems, err)
	}
	if diff := cmp.Diff(made, read); diff != "" {
		t.Errorf("manifest (-made +read):\n%s", diff)
	}
	to := filepath.Join(t.TempDir(), "events")
	report, err := esnode.Restore(t.Context(), dir, to, esnode.RestoreOptions{})
	if err != nil || len(report.Problems) > 0 {
		t.Fatalf("restore: %v, %v", report.Problems, err)
	}
	if report.LastPosition != made.LastPosition || report.Acknowledged != made.LastPosition {
		t.Errorf("the restored log ends at %d and is acknowledged up to %d, the backup at %d", report.LastPosition, report.Acknowledged, made.LastPosition)
	}
	restored := start(t, to, esnode.Options{})
	client := connect(t, restored.socket)
	log := readLog(t, client)
	if uint64(len(log)) != report.Events || log[len(log)-1].Position != made.LastPosition {
		t.Errorf("%d events up to %d, the report says %+v", len(log), log[len(log)-1].Position, report)
	}
	found := map[uuid.UUID]place{}
	for _, e := range log {
		found[e.ID] = place{e.Stream, e.Revision, e.Position}
	}
	for id, at := range acked {
		if found[id] != at {
			t.Errorf("an event was acknowledged before the backup at %+v and is at %+v in it", at, found[id])
		}
	}
	if whole := readLog(t, live); !slices.Equal(whole[:min(len(whole), len(log))], log) {
		t.Error("the backup is no beginning of the log")
	}
	mustAppend(t, client, "s-0", esdb.StreamExists{}, newEvent(uuid.New()))
	restored.stop(t)
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), esnode.Options{})
	client, admin := connect(t, r.socket), administer(t, r.socket)
	mustAppend(t, client, "s-1", esdb.NoStream{}, newEvent(uuid.New()))
	parent := t.TempDir()
	full, taken := filepath.Join(parent, "full"), filepath.Join(parent, "taken")
	for _, dir := range []string{filepath.Join(full, "something"), taken + ".partial"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for dir, says := range map[string]string{
		full:                                "not empty",
		taken:                               taken + ".partial exists",
		r.dir(t):                            "the event store itself",
		filepath.Join(r.dir(t), "b"):        "the event store itself",
		filepath.Join(parent, "none", "b"):  "does not exist",
		filepath.Join(os.DevNull, "backup"): os.DevNull,
	} {
		if _, err := admin.Backup(t.Context(), dir, esnode.BackupOptions{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.node.Backup(ctx, filepath.Join(parent, "cancelled"), esnode.BackupOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if found, err := filepath.Glob(filepath.Join(parent, "cancelled*")); err != nil || len(found) > 0 {
		t.Errorf("%v is left, %v", found, err)
	}
	empty := filepath.Join(parent, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Backup(t.Context(), empty, esnode.BackupOptions{}); err != nil {
		t.Errorf("into an empty directory: %v", err)
	}
	r.stop(t)
	if _, err := r.node.Backup(t.Context(), filepath.Join(parent, "late"), esnode.BackupOptions{}); err == nil {
		t.Error("a closed store was backed up")
	}
}

// madeBackup makes a backup of a small store.
func madeBackup(t *testing.T) string {
	t.Helper()
	r := start(t, t.TempDir(), esnode.Options{})
	client := connect(t, r.socket)
	for n := range 50 {
		mustAppend(t, client, "s-1", revisionBefore(n), newEvent(uuid.New()))
	}
	dir := filepath.Join(t.TempDir(), "backup")
	if _, err := r.node.Backup(t.Context(), dir, esnode.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	return dir
}

// Whatever was changed in a backup is found, and nothing of it is restored.
func TestDamagedBackupIsRefused(t *testing.T) {
	t.Parallel()
	intact := madeBackup(t)
	made, err := esnode.ReadBackup(intact)
	if err != nil {
		t.Fatal(err)
	}
	type damage struct{ file, what string }
	var all []damage
	for _, f := range made.Files {
		path := filepath.Join("events", f.Name)
		all = append(all, damage{path, "removed"}, damage{path, "longer"})
		if f.Size > 0 {
			all = append(all, damage{path, "flipped"}, damage{path, "shorter"})
		}
	}
	all = append(all, damage{esnode.BackupManifest, "removed"}, damage{esnode.BackupManifest, "flipped"}, damage{esnode.BackupManifest, "shorter"}, damage{"events/000999.log", "added"})
	for _, d := range all {
		t.Run(d.file+" "+d.what, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "backup")
			if err := os.CopyFS(dir, os.DirFS(intact)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, d.file)
			content, err := os.ReadFile(path)
			if err != nil && d.what != "added" {
				t.Fatal(err)
			}
			switch d.what {
			case "removed":
				err = os.Remove(path)
			case "flipped":
				content[rand.IntN(len(content)-1)] ^= 0x04
				err = os.WriteFile(path, content, 0o600)
			case "shorter":
				err = os.WriteFile(path, content[:rand.IntN(len(content)-1)], 0o600)
			case "longer":
				err = os.WriteFile(path, append(bytes.Clone(content), 0), 0o600)
			case "added":
				err = os.WriteFile(path, []byte("x"), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, problems, err := esnode.VerifyBackup(t.Context(), dir, nil)
			if err == nil && (len(problems) != 1 || problems[0].File != path || problems[0].Remedy == "") {
				t.Errorf("verified: %v", problems)
			}
			if err != nil && !strings.Contains(err.Error(), esnode.BackupManifest) {
				t.Errorf("verify: %v", err)
			}
			parent := t.TempDir()
			_, err = esnode.Restore(t.Context(), dir, filepath.Join(parent, "events"), esnode.RestoreOptions{})
			if d.what == "added" {
				// It is not copied, so it does no harm.
				if err != nil {
					t.Errorf("restore: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), filepath.Base(d.file)) {
				t.Errorf("restore: %v", err)
			}
			if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

// No single bit of a manifest can change unseen, not even in a name of a field or in the space between them.
func TestEveryFlippedBitOfTheManifestIsFound(t *testing.T) {
	t.Parallel()
	dir := madeBackup(t)
	path := filepath.Join(dir, esnode.BackupManifest)
	intact, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range intact {
		for bit := range 8 {
			damaged := bytes.Clone(intact)
			damaged[at] ^= 1 << bit
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := esnode.ReadBackup(dir); err == nil || !strings.Contains(err.Error(), path) {
				t.Fatalf("bit %d of byte %d, in %q: %v", bit, at, damaged[max(0, at-20):min(len(damaged), at+20)], err)
			}
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	backup := madeBackup(t)
	dir := filepath.Join(t.TempDir(), "events")
	restore := func(says ...string) {
		t.Helper()
		_, err := esnode.Restore(t.Context(), backup, dir, esnode.RestoreOptions{})
		for _, want := range append(says, dir) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %q", err, want)
			}
		}
	}
	// What a restore leaves behind that was killed is no store.
	if err := os.Mkdir(dir+".restoring", 0o700); err != nil {
		t.Fatal(err)
	}
	restore(".restoring exists", "remove it")
	if err := os.Remove(dir + ".restoring"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := esnode.Restore(ctx, backup, dir, esnode.RestoreOptions{Copying: func(uint64, uint64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if _, err := esnode.Restore(t.Context(), backup, dir, esnode.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	restore("holds an event store already", "mv ")
	r := start(t, dir, esnode.Options{})
	restore("in use by another process")
	r.stop(t)
	if _, err := esnode.Restore(t.Context(), t.TempDir(), dir+"2", esnode.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "no complete backup") {
		t.Errorf("restored nothing: %v", err)
	}
}
