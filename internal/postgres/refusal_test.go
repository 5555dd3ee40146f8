package postgres_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stewardhq/steward/internal/postgres"
)

// wantError fails unless err is target, if any, and says all the words.
func wantError(t *testing.T, err, target error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if target != nil && !errors.Is(err, target) {
		t.Errorf("%v is not %v", err, target)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func TestStartClusterRefusesADirectoryThatItsUserCannotPass(t *testing.T) {
	t.Parallel()
	private := filepath.Join(postgres.ServerDir(t), "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	err := postgres.Reach(filepath.Join(private, "a", "b"))
	if !postgres.Foreign() {
		if err != nil {
			t.Fatalf("a user reaches its own directories: %v", err)
		}
		return
	}
	wantError(t, err, nil, private+" on the way", "chmod o+x "+private, "user ")
	_, err = postgres.StartCluster(t.Context(), options(filepath.Join(private, "a", "b")))
	wantError(t, err, nil, private+" on the way", "chmod o+x "+private)
}

func TestStartClusterRefusesForeignFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(postgres.ServerDir(t), "data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := postgres.StartCluster(t.Context(), options(dir))
	wantError(t, err, nil, dir+" holds files but no PostgreSQL cluster")
	if _, err := os.Stat(filepath.Join(dir, "thesis.txt")); err != nil {
		t.Fatal(err)
	}
}

func TestStartClusterNamesTheVersionThatTheDataNeeds(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(postgres.ServerDir(t), "data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte("9999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := postgres.StartCluster(t.Context(), options(dir))
	wantError(t, err, postgres.ErrNoBinaries, "postgresql-9999")
}

func TestStartClusterQuotesTheServersComplaint(t *testing.T) {
	t.Parallel()
	o := options(filepath.Join(postgres.ServerDir(t), "data"))
	o.Settings = map[string]string{"work_mem": "plenty"}
	_, err := postgres.StartCluster(t.Context(), o)
	wantError(t, err, nil, "work_mem", "plenty", o.Dir)
	// The failure left nothing that would stop the next attempt.
	start(t, options(o.Dir))
}

func TestFindBinariesRequiresProgramsThatRun(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"initdb", "postgres"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(postgres.BinEnv, dir)
	_, err := postgres.FindBinaries(t.Context())
	wantError(t, err, nil, postgres.BinEnv+"="+dir, "initdb does not run there")

	// The same wrappers along PATH are passed over.
	t.Setenv(postgres.BinEnv, "")
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	bin, err := postgres.FindBinaries(t.Context())
	if err != nil || bin.Dir == dir {
		t.Fatalf("%+v, %v", bin, err)
	}
}

func TestSocketPathIsBounded(t *testing.T) {
	t.Parallel()
	if err := postgres.CheckSocketPath("/tmp/" + strings.Repeat("x", 80)); err != nil {
		t.Fatal(err)
	}
	wantError(t, postgres.CheckSocketPath("/tmp/"+strings.Repeat("x", 90)), nil, "choose a shorter directory")
	wantError(t, postgres.CheckSocketPath("/tmp/a,b"), nil, "comma")
}

func TestComplaint(t *testing.T) {
	t.Parallel()
	for log, want := range map[string]string{
		"":                                     "",
		"only this\n":                          ": only this",
		"LOG: a\nFATAL:  no room\nLOG: gone\n": ": no room",
	} {
		if got := postgres.Complaint(log); got != want {
			t.Errorf("%q: %q, not %q", log, got, want)
		}
	}
}

func TestInstallNamesTheCommand(t *testing.T) {
	t.Parallel()
	found := func(string) (string, error) { return "/usr/bin/apt-get", nil }
	fail := func(context.Context, ...string) error { return errors.New("exit status 100") }
	err := postgres.InstallWith(t.Context(), false, t.TempDir(), found, fail)
	wantError(t, err, postgres.ErrCannotInstall, "sudo apt-get install -y postgresql")
	err = postgres.InstallWith(t.Context(), true, t.TempDir(), func(string) (string, error) { return "", os.ErrNotExist }, fail)
	wantError(t, err, postgres.ErrCannotInstall, "package manager", postgres.BinEnv)
	err = postgres.InstallWith(t.Context(), true, t.TempDir(), found, fail)
	wantError(t, err, postgres.ErrCannotInstall, "apt-get", "exit status 100")
}

func TestInstallForbidsThePackagesOwnClusterMeanwhile(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "postgresql-common", "createcluster.d")
	var ran []string
	err := postgres.InstallWith(t.Context(), true, dir, func(string) (string, error) { return "apt-get", nil },
		func(_ context.Context, command ...string) error {
			text, err := os.ReadFile(filepath.Join(dir, "steward.conf"))
			if err != nil || string(text) != "create_main_cluster = false\n" {
				t.Errorf("%v: %q, %v", command, text, err)
			}
			ran = append(ran, command[2])
			return nil
		})
	if err != nil || strings.Join(ran, " ") != "update install" {
		t.Fatalf("ran %q, %v", ran, err)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) != 0 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
}
