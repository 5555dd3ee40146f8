package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stewardhq/steward/internal/postgres"
)

// temporary as the directory of an owner means a temporary cluster.
const temporary = "temporary"

// ownTemporary starts a temporary cluster, says where, and waits to be killed.
func ownTemporary() {
	server, err := postgres.StartTemporary(context.Background())
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println(server.URL("postgres"))
	time.Sleep(time.Hour) // until somebody kills it; an empty select would be reported as a deadlock
}

func TestTemporaryStopsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	server, err := postgres.StartTemporary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := socketDir(t, server.URL("postgres"))
	exec1(t, server.URL("postgres"), `CREATE TABLE here ()`)
	for range 2 {
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", dir, err)
	}
}

func TestTemporaryEndsWithAKilledProcess(t *testing.T) {
	t.Parallel()
	said, kill := runElsewhere(t, temporary)
	dir := socketDir(t, said)
	exec1(t, said, `SELECT 1`)
	kill()
	await(t, "the directory of a killed process to go", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, fs.ErrNotExist)
	})
}

func socketDir(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Query().Get("host") == "" {
		t.Fatalf("%q is no address: %v", address, err)
	}
	return u.Query().Get("host")
}

// await polls for what another process does, which sends no signal.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}
