// Command steward is the system of record for the customers of a reseller's
// storefront and the domains they own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/internal/fault"
)

// version is set when the binary is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run is main without the process: it returns the exit code. A second signal
// while the first is being obeyed kills the process, as users expect.
func run(ctx context.Context, args []string) int {
	root := newRootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var exit exitError
	if errors.As(err, &exit) {
		if exit.err != nil {
			fmt.Fprintln(os.Stderr, "steward:", exit.err)
		}
		return exit.code
	}
	fmt.Fprintln(os.Stderr, "steward:", explain(err))
	return 1
}

// explain is err with the inputs that a fault in it names.
func explain(err error) string {
	text := err.Error()
	if f, ok := fault.As(err); ok {
		for _, field := range f.Fields {
			text += "; " + field.Name + " " + field.Message
		}
	}
	return text
}

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "steward",
		Short: "The system of record for a reseller's customers and their domains",
		Long: `Steward keeps the customers of a reseller's storefront and the domains they own.
Every change is an event that says who did it: the customer, the reseller, the
reseller acting as the customer, or the system.

To try it, with nothing to install but PostgreSQL's programs:

  steward dev                 start everything here, with demo data
  steward import domains.csv  bring existing domains in
  steward replay customer-…   read what happened to one customer

To run it for real, see "steward serve --help".`,
		Version:           version,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetVersionTemplate("steward {{.Version}}\n")
	root.AddCommand(
		newDevCommand(),
		newServeCommand(),
		newInitCommand(),
		newImportCommand(),
		newReplayCommand(),
		newProjectionsCommand(),
		newRebuildCommand(),
		newReactionsCommand(),
		newStoreCommand(),
		newHealthcheckCommand(),
		newVersionCommand(),
	)
	return root
}

// showHelp is what a command does that merely holds others. With this and
// [cobra.NoArgs] a name that does not exist is an error; without, cobra prints
// the help and exits with 0, and a misspelled backup passes for one.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }
