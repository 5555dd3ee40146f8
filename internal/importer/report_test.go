package importer_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/internal/importer"
)

func someReport(refused int) importer.Report {
	r := importer.Report{Accepted: 7, Unchanged: 2, Refused: refused, OwnersCreated: 3, Seconds: 2.5, Rows: []importer.Refusal{}}
	for i := range refused {
		r.Rows = append(r.Rows, importer.Refusal{Line: i + 2, Field: "owner_email", Code: "invalid", Reason: "is empty"})
	}
	return r
}

func TestReportJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := someReport(1).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got any
	d := json.NewDecoder(&out)
	if err := d.Decode(&got); err != nil || d.More() {
		t.Fatalf("not one object: %v", err)
	}
	want := map[string]any{
		"accepted": 7.0, "unchanged": 2.0, "refused": 1.0, "owners_created": 3.0, "dry_run": false, "seconds": 2.5,
		"rows": []any{map[string]any{"line": 2.0, "field": "owner_email", "code": "invalid", "reason": "is empty"}},
	}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReportText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		report      importer.Report
		has, hasNot []string
	}{
		"nothing refused": {someReport(0), []string{"accepted        7", "owners created  3", "rows/s          4"}, []string{"LINE", "Dry run"}},
		"a few":           {someReport(2), []string{"LINE", "3     owner_email  invalid  is empty"}, []string{"more"}},
		"many":            {someReport(25), []string{"and 5 more", "--rejects"}, []string{"\n22 "}},
		"dry run":         {importer.Report{DryRun: true}, []string{"Dry run: nothing was changed"}, []string{"rows/s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := c.report.WriteText(&out); err != nil {
				t.Fatal(err)
			}
			for _, text := range c.has {
				if !strings.Contains(out.String(), text) {
					t.Errorf("%q is missing from\n%s", text, out.String())
				}
			}
			for _, text := range c.hasNot {
				if strings.Contains(out.String(), text) {
					t.Errorf("%q is in\n%s", text, out.String())
				}
			}
		})
	}
}
