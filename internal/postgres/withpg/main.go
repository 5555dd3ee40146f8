// Command withpg runs a command with a private PostgreSQL server, whose URL it finds in the variable
// STEWARD_TEST_POSTGRES_URL. It installs the server programs where it may.
//
//	go run ./internal/postgres/withpg go test ./...
//	go run ./internal/postgres/withpg -install
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/stewardhq/steward/internal/postgres"
	"github.com/stewardhq/steward/internal/postgres/pgtest"
)

func main() {
	install := flag.Bool("install", false, "only install the server programs if they are missing")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: withpg COMMAND [ARGUMENT...]   run it with a private PostgreSQL server\n"+
			"       withpg -install                install the server programs if they are missing")
	}
	flag.Parse()
	if !*install && flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpg:", err)
	}
	os.Exit(code)
}

// run returns the exit code of the command.
func run(ctx context.Context, command []string) (int, error) {
	if os.Getenv(pgtest.URLEnv) != "" && len(command) > 0 {
		fmt.Fprintln(os.Stderr, "==> testing on the server that "+pgtest.URLEnv+" names")
		return execute(ctx, command)
	}
	bin, err := provide(ctx)
	if err != nil {
		return 1, err
	}
	fmt.Fprintf(os.Stderr, "==> PostgreSQL %d in %s\n", bin.Major, bin.Dir)
	if len(command) == 0 {
		return 0, nil
	}
	server, err := postgres.StartTemporary(ctx)
	if err != nil {
		return 1, err
	}
	if err := os.Setenv(pgtest.URLEnv, server.URL("postgres")); err != nil {
		return 1, errors.Join(err, server.Stop())
	}
	code, err := execute(ctx, command)
	return code, errors.Join(err, server.Stop())
}

// provide finds the server programs, installing them first where that is possible.
func provide(ctx context.Context) (postgres.Binaries, error) {
	bin, err := postgres.FindBinaries(ctx)
	if !errors.Is(err, postgres.ErrNoBinaries) {
		return bin, err
	}
	if err := postgres.Install(ctx, os.Stderr); err != nil {
		return postgres.Binaries{}, err
	}
	return postgres.FindBinaries(ctx)
}

func execute(ctx context.Context, command []string) (int, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil // it has said itself what is wrong
	}
	if err != nil {
		return 1, fmt.Errorf("run %s: %w", command[0], err)
	}
	return 0, nil
}
