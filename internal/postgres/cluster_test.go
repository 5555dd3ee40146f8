package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/stewardhq/steward/internal/postgres"
)

// ownerEnv makes this test binary own a cluster in the directory it names until it is killed.
const ownerEnv = "STEWARD_TEST_CLUSTER_OWNER"

func TestMain(m *testing.M) {
	switch dir := os.Getenv(ownerEnv); dir {
	case "":
	case temporary:
		ownTemporary()
	default:
		own(dir)
	}
	goleak.VerifyTestMain(m)
}

// own starts a cluster, says so, and waits for the end.
func own(dir string) {
	c, err := postgres.StartCluster(context.Background(), options(dir))
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println("ready")
	<-c.Done()
	os.Exit(1)
}

func options(dir string) postgres.ClusterOptions {
	return postgres.ClusterOptions{
		Dir: dir, RunDir: dir + ".run", NoSync: true,
		Settings: map[string]string{"max_connections": "20", "shared_buffers": "16MB"},
	}
}

func start(t *testing.T, o postgres.ClusterOptions) *postgres.Cluster {
	t.Helper()
	c, err := postgres.StartCluster(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestClusterKeepsItsDataAcrossRestarts(t *testing.T) {
	t.Parallel()
	o := options(filepath.Join(postgres.ServerDir(t), "made", "on", "demand"))
	c := start(t, o)
	if err := postgres.CreateDatabase(t.Context(), c.URL("postgres"), "my db"); err != nil {
		t.Fatal(err)
	}
	if err := postgres.CreateDatabase(t.Context(), c.URL("postgres"), "my db"); err != nil {
		t.Fatalf("creating what is there: %v", err)
	}
	exec1(t, c.URL("my db"), `CREATE TABLE kept ()`)
	for range 2 { // the second time does nothing
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	<-c.Done()
	exec1(t, start(t, o).URL("my db"), `SELECT FROM kept`)
}

func TestClusterIsChecksummedUTF8AndPrivate(t *testing.T) {
	t.Parallel()
	o := options(filepath.Join(postgres.ServerDir(t), "data"))
	c := start(t, o)
	conn, err := pgx.Connect(t.Context(), c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for name, want := range map[string]string{
		"data_checksums": "on", "server_encoding": "UTF8", "lc_collate": "C", "listen_addresses": "",
		"TimeZone": "UTC", "max_connections": "20",
	} {
		var got string
		if err := conn.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, not %q (%v)", name, got, want, err)
		}
	}
	info, err := os.Stat(o.RunDir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("socket directory: %v, %v", info.Mode(), err)
	}
}

func TestClusterURLSuitsPsql(t *testing.T) {
	t.Parallel()
	c := start(t, options(filepath.Join(postgres.ServerDir(t), "data")))
	bin, err := postgres.FindBinaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	psql := filepath.Join(bin.Dir, "psql")
	if _, err := os.Stat(psql); err != nil {
		t.Fatalf("the client that belongs to the server is missing: %v", err)
	}
	out, err := exec.CommandContext(t.Context(), psql, "-XAtc", "SELECT 42", c.URL("postgres")).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "42" {
		t.Fatalf("%s, %v", out, err)
	}
}

func TestClusterHasOneOwner(t *testing.T) {
	t.Parallel()
	o := options(filepath.Join(postgres.ServerDir(t), "data"))
	start(t, o)
	_, err := postgres.StartCluster(t.Context(), o)
	if !errors.Is(err, postgres.ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Fatalf("a second owner: %v", err)
	}
}

func TestClusterEndsWithItsOwnerAndStartsAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(postgres.ServerDir(t), "data")
	for range 3 {
		kill := ownElsewhere(t, dir)
		postmaster := postmasterPID(t, dir)
		kill()
		// The lock is free, the server perhaps not gone: starting must cope with that.
		c := start(t, options(dir))
		if postmasterPID(t, dir) == postmaster {
			t.Fatal("the server of the killed process still runs")
		}
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClusterRecoversFromTheServersOwnDeath(t *testing.T) {
	t.Parallel()
	o := options(filepath.Join(postgres.ServerDir(t), "data"))
	c := start(t, o)
	if err := syscall.Kill(postmasterPID(t, o.Dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec1(t, start(t, o).URL("postgres"), `SELECT 1`)
}

func TestClusterStartsDespiteAPIDThatNowBelongsToAnother(t *testing.T) {
	t.Parallel()
	o := options(filepath.Join(postgres.ServerDir(t), "data"))
	c := start(t, o)
	text, err := os.ReadFile(filepath.Join(o.Dir, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	file := filepath.Join(o.Dir, "postmaster.pid")
	if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	exec1(t, start(t, o).URL("postgres"), `SELECT 1`)
}

// ownElsewhere starts a process that owns a cluster and returns how to kill it.
func ownElsewhere(t *testing.T, dir string) (kill func()) {
	t.Helper()
	said, kill := runElsewhere(t, dir)
	if said != "ready" {
		t.Fatalf("the other owner says %q", said)
	}
	return kill
}

// runElsewhere starts this test binary as an owner and returns the first line that it says and how to kill it.
func runElsewhere(t *testing.T, dir string) (said string, kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), ownerEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the other owner says nothing: %v", err)
	}
	return strings.TrimSpace(line), kill
}

func postmasterPID(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
