package seeds_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/internal/seeds"
)

func TestRows(t *testing.T) {
	t.Parallel()
	rows, err := seeds.Rows()
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, r := range rows {
		count[r.Seed()]++
	}
	if diff := cmp.Diff(map[string]int{"S0": 100, "S1": 49, "S2": 17, "S3": 63, "S4": 40}, count); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// Every row is named by a test or has a reason why it is open, and none has both: what
// is claimed to be open is.
func TestEveryRowIsProvenOrOpen(t *testing.T) {
	t.Parallel()
	rows, err := seeds.Rows()
	if err != nil {
		t.Fatal(err)
	}
	tests, err := seeds.Tests("../..", "m")
	if err != nil {
		t.Fatal(err)
	}
	delete(tests, "m/internal/seeds.TestProve")
	sources := slices.Concat(slices.Collect(maps.Values(tests))...)
	for _, r := range rows {
		tested := slices.Contains(sources, r.ID)
		switch {
		case tested && r.Open != "":
			t.Errorf("%s has a test and stands in open.tsv", r.ID)
		case !tested && r.Open == "":
			t.Errorf("%s %q: no test names it, and open.tsv does not say why", r.ID, r.Title)
		}
	}
	for _, id := range sources {
		if !slices.ContainsFunc(rows, func(r seeds.Row) bool { return r.ID == id }) {
			t.Errorf("a test names %s, which is no row", id)
		}
	}
}

func TestProve(t *testing.T) {
	t.Parallel()
	run := `# a line of the compiler
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"q","Test":"TestC"}
{"Action":"skip","Package":"p","Test":"TestD"}
{"Action":"pass","Package":"p"}
`
	got, err := seeds.Prove(strings.NewReader(run), map[string][]string{
		"p.TestA": {"S0-06", "S1-02"}, "p.TestB": {"S0-06"}, "p.TestC": {"S4-02"}, "p.TestD": {"S4-01"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := seeds.Proof{
		Passed: map[string][]string{"S0-06": {"TestA"}, "S1-02": {"TestA"}},
		Failed: map[string][]string{"S0-06": {"TestB"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
