package importer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/internal/importer"
)

func mustRun(t *testing.T, o importer.Options) importer.Report {
	t.Helper()
	report, err := importer.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func sample(t *testing.T) *os.File {
	t.Helper()
	file, err := os.Open("testdata/registrar.csv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// counts are the numbers of a report: accepted, unchanged, refused, owners.
func counts(r importer.Report) [4]int {
	return [4]int{r.Accepted, r.Unchanged, r.Refused, r.OwnersCreated}
}

func places(r importer.Report) []string {
	var list []string
	for _, row := range r.Rows {
		list = append(list, fmt.Sprintf("%d %s %s", row.Line, row.Field, row.Code))
	}
	return list
}

var sampleRefused = []string{
	"7 domain invalid",
	"8 domain invalid",
	"9 domain invalid",
	"10 domain invalid",
	"11 domain invalid",
	"12 owner_email invalid",
	"13 owner_email invalid",
	"14 registered_at invalid_date",
	"15 expires_at invalid",
	"16 auto_renew invalid_boolean",
	"17 nameservers invalid",
	"18 owner_username wrong_number_of_fields",
	"20 domain domain_held_by_other",
	"21 owner_name invalid",
	"23  quote_in_field",
	"24 owner_name invalid_utf8",
}

// A registrar's export with every kind of bad row, over a real connection:
// imported, imported again, and tried out before.
func TestImport(t *testing.T) {
	t.Parallel()
	store := newServer(t)
	web := httptest.NewServer(store)
	t.Cleanup(web.Close)
	client, err := importer.NewClient(web.URL+"/", testKey, 8, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name   string
		dryRun bool
		want   [4]int
	}{
		{"a dry run says what would happen", true, [4]int{6, 1, 16, 4}},
		{"the import does it", false, [4]int{6, 1, 16, 4}},
		{"a second import changes nothing", false, [4]int{0, 7, 16, 0}},
		{"nor does a dry run find anything to do", true, [4]int{0, 7, 16, 0}},
	} {
		report := mustRun(t, importer.Options{Source: sample(t), Client: client, DryRun: step.dryRun})
		if got := counts(report); got != step.want {
			t.Errorf("%s: accepted, unchanged, refused, owners = %v, want %v", step.name, got, step.want)
		}
		if diff := cmp.Diff(sampleRefused, places(report)); diff != "" {
			t.Errorf("%s: refused (-want +got):\n%s", step.name, diff)
		}
		if report.DryRun != step.dryRun || report.Interrupted {
			t.Errorf("%s: the report says dry_run=%t, interrupted=%t", step.name, report.DryRun, report.Interrupted)
		}
	}
	owners := map[string]string{
		"ada@example.org":     "ada|Ada King|Lovelace",
		"plus+01@example.com": "plus01|Some|One",
		"grace@example.org":   `grace|Hopper, "Amazing"|Grace`,
		"eve@example.org":     "eve|=cmd|' /C|calc'!A0",
	}
	if diff := cmp.Diff(owners, store.owners); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

// The rows of many owners and names, shuffled, contended, with failures of every
// kind: the outcome is that of one row after the other.
func TestImportIsLikeOneRowAfterTheOther(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test wants the same numbers each time
	var rows []string
	for range 3000 {
		owner := fmt.Sprintf("owner%d", random.IntN(40)*random.IntN(40))
		text := row(fmt.Sprintf("name%d.com", random.IntN(1500)), owner)
		if random.IntN(10) == 0 { // another owner who wants the same username
			text = strings.Replace(text, owner+"@", "other"+owner+"@", 1)
		}
		rows = append(rows, text)
	}
	text := lines(rows...)
	inTurn := newServer(t)
	want := mustRun(t, importer.Options{Source: strings.NewReader(text), Client: inTurn.client(), InFlight: 1})

	for _, dryRun := range []bool{true, false} {
		store := newServer(t)
		got := mustRun(t, importer.Options{Source: strings.NewReader(text), Client: store.client(), InFlight: 64, DryRun: dryRun})
		if counts(got) != counts(want) {
			t.Errorf("dry run %t: accepted, unchanged, refused, owners = %v, want %v", dryRun, counts(got), counts(want))
		}
		if diff := cmp.Diff(places(want), places(got)); diff != "" {
			t.Errorf("dry run %t: refused (-want +got):\n%s", dryRun, diff)
		}
		if !dryRun {
			if diff := cmp.Diff(inTurn.holders, store.holders); diff != "" {
				t.Errorf("holders (-want +got):\n%s", diff)
			}
		}
	}
}

func TestImportSendsBatches(t *testing.T) {
	t.Parallel()
	var rows []string
	for i := range 800 {
		rows = append(rows, row(fmt.Sprintf("name%d.com", i), fmt.Sprintf("owner%d", i%200)))
	}
	store := newServer(t)
	mustRun(t, importer.Options{Source: strings.NewReader(lines(rows...)), Client: store.client(), InFlight: 64})
	if store.requests > 200 {
		t.Errorf("%d requests for 800 rows", store.requests)
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":     {"", "empty"},
		"blank":     {"\n\n", "empty"},
		"utf-16":    {"\xff\xfed\x00o\x00", "UTF-16"},
		"missing":   {"domain,owner_email\n", "missing registered_at, expires_at"},
		"unknown":   {"domain,owner_email,owner_username,registered_at,expires_at,tel\n", `unknown "tel"`},
		"twice":     {"domain,domain,owner_email,owner_username,registered_at,expires_at\n", "twice domain"},
		"separator": {"domain;owner_email;owner_username\n", "separated by commas"},
		"corrupt":   {"domain,\"owner_email\n", "a quote is opened"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newServer(t)
			_, err := importer.Run(t.Context(), importer.Options{Source: strings.NewReader(c.text), Client: store.client()})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %s", err, c.want)
			}
			if store.requests > 0 {
				t.Error("a request was sent")
			}
		})
	}
}

func TestColumnsMayStandInAnyOrder(t *testing.T) {
	t.Parallel()
	store := newServer(t)
	report := mustRun(t, importer.Options{
		Source: strings.NewReader(" Expires_At ,DOMAIN,owner_username,registered_at,owner_email\n2027-01-01T10:00:00+02:00, a.com ,ada,2020-01-01,ada@example.org\n"),
		Client: store.client(),
	})
	if report.Accepted != 1 || store.holders["a.com"] != "ada@example.org" {
		t.Errorf("%+v, %v", report, store.holders)
	}
}

// An interrupted import reports what it did; the same import again does the rest.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	var rows []string
	for i := range 500 {
		rows = append(rows, row(fmt.Sprintf("name%d.com", i), fmt.Sprintf("owner%d", i)))
	}
	store := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	store.after = func(_ http.ResponseWriter, number int) bool {
		if number == 5 {
			cancel()
		}
		return false
	}
	report, err := importer.Run(ctx, importer.Options{Source: strings.NewReader(lines(rows...)), Client: store.client(), InFlight: 16})
	if !errors.Is(err, importer.ErrInterrupted) || !report.Interrupted {
		t.Fatalf("error %v, interrupted %t", err, report.Interrupted)
	}
	if report.Accepted != len(store.holders) || report.Accepted == 0 || report.Accepted == 500 {
		t.Errorf("%d rows are reported and %d were applied", report.Accepted, len(store.holders))
	}
	again := mustRun(t, importer.Options{Source: strings.NewReader(lines(rows...)), Client: store.client()})
	if again.Unchanged != report.Accepted || again.Accepted != 500-report.Accepted {
		t.Errorf("the second run: %v after %d", counts(again), report.Accepted)
	}
}

// endless is a file of which only what was read exists.
type endless struct{ row atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	n := e.row.Add(1)
	if n == 1 {
		return copy(p, lines()), nil
	}
	return copy(p, row(fmt.Sprintf("name%d.com", n), "ada")+"\n"), nil
}

// A file may be larger than memory: rows are read no further ahead than a window.
func TestWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, hold := newServer(t), make(chan struct{})
		store.before = func(http.ResponseWriter, int) bool {
			<-hold
			return false
		}
		source := &endless{}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := importer.Run(ctx, importer.Options{Source: source, Client: store.client(), InFlight: 8})
			ended <- err
		}()
		synctest.Wait()
		if n := source.row.Load(); n > 500 {
			t.Errorf("%d rows were read while none came back", n)
		}
		cancel()
		close(hold)
		if err := <-ended; !errors.Is(err, importer.ErrInterrupted) {
			t.Error(err)
		}
	})
}

func TestRejectsCanBeImportedAgain(t *testing.T) {
	t.Parallel()
	store := newServer(t)
	var rejects bytes.Buffer
	mustRun(t, importer.Options{Source: sample(t), Client: store.client(), Rejects: &rejects})
	for _, wrong := range []string{"x1@example.com", "formula.com"} {
		if strings.Contains(rejects.String(), wrong) != (wrong == "x1@example.com") {
			t.Errorf("%s: among the rejects %t", wrong, wrong != "x1@example.com")
		}
	}
	text := rejects.String()
	if !strings.Contains(text, "'-leading.com") {
		t.Error("a cell that a spreadsheet would run was left as it was")
	}
	again := mustRun(t, importer.Options{Source: strings.NewReader(text), Client: store.client()})
	if got := counts(again); got != [4]int{0, 0, 16, 0} {
		t.Errorf("as they are: %v", got)
	}
	fixed := strings.NewReplacer("'-leading.com", "leading.com", "maybe", "no", "not-an-email", "x7@example.com").Replace(text)
	again = mustRun(t, importer.Options{Source: strings.NewReader(fixed), Client: store.client()})
	if got := counts(again); got != [4]int{3, 0, 13, 3} {
		t.Errorf("put right: %v, %v", got, places(again))
	}
}
