// Package contract holds the promises of an EventStoreDB server that Steward relies on, as tests. They need
// nothing but a server to talk to, so the embedded node and a real server take the same ones. A case is
// named after the section of the contract it belongs to and, where the contract numbers its cases, after
// that number.
//
// Cases use streams of their own. They assume nothing about what else the database holds or who else writes
// to it meanwhile, and they read $all only from where it was when they began, so the size of the log does not
// matter. Where servers may answer in several ways a case takes exactly those. On a server with access control
// the user in the connection string must be an administrator: the cases read $all and write metadata.
//
// Two numbered cases need the server to be restarted, which nobody can do over a connection: 16 and 17 of
// section 2.1 are in TestRestart of package esnode.
package contract

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"
)

// patience bounds every call of a case. It is generous: a case that needs it has failed anyway.
const patience = time.Minute

// testCase is one promise.
type testCase struct {
	section string
	name    string
	run     func(t *testing.T, s *server)
}

// Run checks every promise against the target, each in a subtest of its own and on connections of its own: a
// server admits only so many calls on one.
func Run(t *testing.T, target Target) {
	t.Helper()
	found, err := target.find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var cases []testCase
	for _, group := range [][]testCase{
		transportCases(), statusCases(), concurrencyCases(), appendCases(), ruleCases(), resultCases(), limitCases(), wireCases(),
		deleteCases(), tombstoneCases(), streamReadCases(), allReadCases(), metadataCases(), ageCases(), filterCases(), windowCases(),
		streamSubscriptionCases(), allSubscriptionCases(), linkCases(),
	} {
		cases = append(cases, group...)
	}
	var sections []string
	grouped := make(map[string][]testCase)
	for _, c := range cases {
		if len(target.Sections) > 0 && !slices.Contains(target.Sections, c.section) {
			continue
		}
		if grouped[c.section] == nil {
			sections = append(sections, c.section)
		}
		grouped[c.section] = append(grouped[c.section], c)
	}
	for _, section := range sections {
		t.Run(section, func(t *testing.T) {
			t.Parallel()
			for _, c := range grouped[section] {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, found.connect(t))
				})
			}
		})
	}
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// needsLong skips a case that takes long, unless long forms are asked for.
func needsLong(t *testing.T) {
	t.Helper()
	if os.Getenv("STEWARD_TEST_LONG") != "1" {
		t.Skip("takes most of a minute; set STEWARD_TEST_LONG=1")
	}
}

// until asks again and again, until the answer is yes.
func until(ctx context.Context, t *testing.T, what string, ask func() bool) {
	t.Helper()
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for !ask() {
		select {
		case <-pace.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
