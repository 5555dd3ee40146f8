package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/internal/importer"
)

// Exit codes of import, besides 0 and the 1 of any failure.
const exitRefused = 3

const importHelp = `Bring domains and their owners into a store from a CSV file.

The first line of the file names its columns, in any order:

  domain          required   example.com, in any spelling
  owner_email     required   finds the owner, or makes one
  owner_username             of an owner who is made, who needs one
  owner_name                 of an owner who is made
  registered_at   required   2021-06-05, or with a time: 2021-06-05T12:00:00Z
  expires_at      required   2027-12-31
  auto_renew, locked, privacy
                             true or false; empty is false
  nameservers                ns1.example.net;ns2.example.net, none or 2 to 13

The file is UTF-8; texts with commas or quotes stand in quotes (RFC 4180).

An owner whose email the store knows gets the domain; otherwise the row makes
the owner. A domain that its owner holds already is left as it is and counts as
unchanged. A row that cannot be applied is refused and reported with its line,
its column and the reason; it never stops the rest of the file. So an import
that was interrupted is simply run again, and one with refused rows can be put
right and run again, as can the file that --rejects writes.

Steward must be running: import speaks to it over HTTP with an API key. Without
--url it looks for the Steward that "steward dev" runs on this machine.

Exit code: 0 when every row was applied or there already, 3 when the file was
worked through and rows were refused, 1 when it could not be worked through.`

const importExample = `  A first try with one domain, at first without changing anything:

    echo 'domain,owner_email,owner_username,registered_at,expires_at' >  domains.csv
    echo 'example.com,ada@example.org,ada,2021-06-05,2027-12-31'      >> domains.csv
    steward import domains.csv --dry-run
    steward import domains.csv

  Into a Steward elsewhere, keeping refused rows in a file of their own:

    steward import domains.csv --url https://steward.example.com --key-file key.txt --rejects refused.csv

  Between two other programs:

    export-domains | STEWARD_API_KEY=… steward import - --url https://steward.example.com --output json`

// importFlags are the flags of import.
type importFlags struct {
	data, url, keyFile string
	dryRun             bool
	inFlight           int
	retryFor           time.Duration
	output, rejects    string
}

func newImportCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:     "import FILE.csv",
		Short:   "Bring domains and their owners in from a CSV file",
		Long:    importHelp,
		Example: importExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runImport(cmd, f, args[0])
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "change nothing: say what the import would do")
	flags.StringVar(&f.data, "data", "", "directory of the installation that steward dev runs (default "+defaultData()+")")
	flags.StringVar(&f.url, "url", "", "base URL of a Steward elsewhere, such as https://steward.example.com")
	flags.StringVar(&f.keyFile, "key-file", "", "file that holds the API key for --url (or set STEWARD_API_KEY: other users of the machine see arguments)")
	flags.IntVar(&f.inFlight, "in-flight", importer.DefaultInFlight, "how many rows are on their way at once")
	flags.DurationVar(&f.retryFor, "retry-for", 2*time.Minute, "how long to keep trying while the server is unavailable")
	flags.StringVar(&f.rejects, "rejects", "", "write refused rows into this CSV file, to put right and import again")
	addOutputFlag(cmd, &f.output)
	cmd.MarkFlagsMutuallyExclusive("data", "url")
	cmd.MarkFlagsMutuallyExclusive("data", "key-file")
	return cmd
}

func runImport(cmd *cobra.Command, f importFlags, path string) (err error) {
	if f.inFlight < 1 || f.inFlight > 1000 {
		return errors.New("--in-flight: give a number from 1 to 1000")
	}
	stderr := cmd.ErrOrStderr()
	base, key, err := f.access()
	if err != nil {
		return err
	}
	client, err := importer.NewClient(base, key, f.inFlight, nil)
	if err != nil {
		return fmt.Errorf("cannot reach Steward: %w", err)
	}
	source, err := openSource(cmd.InOrStdin(), path)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // it was only read
	var rejects io.WriteCloser
	if f.rejects != "" {
		if rejects, err = createRejects(f.rejects, source); err != nil {
			return err
		}
		defer func() {
			if closed := rejects.Close(); err == nil && closed != nil {
				err = fmt.Errorf("--rejects: %w", closed)
			}
		}()
	}
	// A second signal, while requests under way are being finished, kills.
	defer context.AfterFunc(cmd.Context(), func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })()

	tally := &importer.Tally{}
	stop := importer.Watch(stderr, isTerminal(stderr), importer.CountRows(source), tally)
	options := importer.Options{
		Source: source, Client: client, InFlight: f.inFlight, DryRun: f.dryRun, Patience: f.retryFor, Tally: tally,
	}
	if rejects != nil {
		options.Rejects = rejects
	}
	report, err := importer.Run(cmd.Context(), options)
	stop()
	if err != nil && report.Total() == 0 {
		return fmt.Errorf("import %s: %w", path, err)
	}
	write := report.WriteText
	if f.output == outputJSON {
		write = report.WriteJSON
	}
	if printed := write(cmd.OutOrStdout()); printed != nil {
		return fmt.Errorf("print the report: %w", printed)
	}
	switch {
	case err != nil:
		return fmt.Errorf("import %s: %w", path, err)
	case report.Refused > 0:
		return exitError{exitRefused, fmt.Errorf("%d of %d rows were refused", report.Refused, report.Total())}
	}
	return nil
}

// access finds the server and the key for it.
func (f importFlags) access() (base, key string, err error) {
	if f.url == "" {
		if f.keyFile != "" {
			return "", "", errors.New("--key-file belongs to a server: give its --url too")
		}
		return localAccess(f.data)
	}
	if u, err := url.Parse(f.url); err == nil && u.User != nil {
		return "", "", errors.New("--url: leave the user out, and give the API key with --key-file or STEWARD_API_KEY")
	}
	if f.keyFile != "" {
		text, err := os.ReadFile(f.keyFile)
		if err != nil {
			return "", "", fmt.Errorf("--key-file: %w", err)
		}
		return f.url, strings.TrimSpace(string(text)), nil
	}
	if key := os.Getenv("STEWARD_API_KEY"); key != "" {
		return f.url, key, nil
	}
	return "", "", errors.New("--url needs an API key: give --key-file FILE or set STEWARD_API_KEY")
}

// localAccess reads what dev leaves in its data directory.
func localAccess(data string) (base, key string, err error) {
	if data == "" {
		data = defaultData()
	}
	var left struct {
		BaseURL string `json:"base_url"`
		APIKey  string `json:"api_key"`
	}
	path := dataDir(data).access()
	found, err := readSecret(path, &left)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("read the API key of this machine's Steward: %w", err)
	case !found:
		return "", "", fmt.Errorf("%s does not exist: start Steward with \"steward dev\", or say where it runs with --data DIR or with --url URL and --key-file FILE", path)
	}
	return left.BaseURL, left.APIKey, nil
}

// openSource opens the file, or standard input for a dash.
func openSource(stdin io.Reader, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(stdin), nil
	}
	file, err := os.Open(path) //nolint:gosec // the file that the user names
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		_ = file.Close()
		return nil, fmt.Errorf("%s is a directory: give a CSV file", path)
	}
	return file, nil
}

// createRejects creates the file of refused rows, readable for its owner only,
// since the rows name people.
func createRejects(path string, source io.Reader) (io.WriteCloser, error) {
	if in, ok := source.(*os.File); ok {
		before, err := in.Stat()
		if now, statErr := os.Stat(path); err == nil && statErr == nil && os.SameFile(before, now) {
			return nil, fmt.Errorf("--rejects %s is the file to be imported: give another name", path)
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the file that the user names
	if err != nil {
		return nil, fmt.Errorf("--rejects: %w", err)
	}
	return file, nil
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
