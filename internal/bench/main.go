// Command bench measures Steward as its users meet it: the built program, over
// HTTP, with a real PostgreSQL and its event store on disk. It starts everything
// itself, makes up its input from a seed, and prints one table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if role := os.Getenv(roleVariable); role != "" {
		err = playRole(ctx, role)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// figure is something to measure.
type figure struct {
	name    string
	about   string
	measure func(context.Context, *bench) (result, error)
}

// figures are all that are measured, in this order: the last three share one
// large installation.
var figures = []figure{
	{"store", "the embedded event store by itself", measureStore},
	{"commands", "commands over HTTP against raw appends", measureCommands},
	{"sign-in", "customers who sign in, and reads with their sessions", measureSignIn},
	{"import", "steward import", measureImport},
	{"search", "list and search of customers", measureSearch},
	{"rebuild", "steward rebuild against COPY", measureRebuild},
	{"ready", "time from start to ready", measureReady},
	{"memory", "resident memory of serve", measureMemory},
}

// options are the flags.
type options struct {
	steward string
	only    string
	json    string
	dir     string
	seed    uint64
	quick   bool
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.steward, "steward", "./bin/steward", "the program to measure")
	flags.BoolVar(&o.quick, "quick", false, "small sizes: shows that everything works, says nothing about the goals")
	flags.StringVar(&o.only, "only", "", "measure only these, separated by commas: "+strings.Join(names(), ", "))
	flags.StringVar(&o.json, "json", "", "also write the raw numbers into this file")
	flags.StringVar(&o.dir, "dir", "", "make the scratch directory in this one, which the database's user must be able to pass (default: /var/tmp)")
	flags.Uint64Var(&o.seed, "seed", 1, "the generated input follows from this number")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: see -help", flags.Arg(0))
	}
	return o, nil
}

func names() []string {
	all := make([]string, len(figures))
	for i, f := range figures {
		all[i] = f.name
	}
	return all
}

// selected returns the figures that only names, all of them when it is empty.
func selected(only string) ([]figure, error) {
	if only == "" {
		return figures, nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("-only: there is no figure %q: the figures are %s", name, strings.Join(names(), ", "))
		}
	}
	var chosen []figure
	for _, f := range figures {
		if slices.Contains(wanted, f.name) {
			chosen = append(chosen, f)
		}
	}
	return chosen, nil
}

// run measures and prints. A figure that fails is reported and does not keep the
// others from being measured.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	chosen, err := selected(o.only)
	if err != nil {
		return err
	}
	b, err := newBench(o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	outcome := newReport(o)
	var failures []error
	for _, f := range chosen {
		b.progress.heading(f.name + ": " + f.about)
		measured, err := f.measure(ctx, b)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", f.name, err))
			measured = result{rows: []row{{figure: f.about, measured: "failed, see below"}}}
			b.progress.say("failed: %v", err)
		}
		outcome.add(f.name, measured)
	}
	if o.json != "" {
		if err := outcome.writeJSON(o.json); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(outcome.print(stdout), errors.Join(failures...))
}
