package trial_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBinary builds the suite as it is handed to others and runs it where there is nothing else.
func TestBinary(t *testing.T) {
	t.Parallel()
	if os.Getenv("STEWARD_TEST_LONG") != "1" {
		t.Skip("builds the suite without the race detector, which takes long the first time; set STEWARD_TEST_LONG=1")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "eventstore-contract")
	build := exec.CommandContext(t.Context(), "make", "-C", "../../../..", "contract-suite", "CONTRACT="+binary)
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	run := func(url string) (string, error) {
		t.Helper()
		command := exec.CommandContext(t.Context(), binary, "-test.v")
		command.Dir = dir
		command.Env = []string{"STEWARD_TEST_EVENTSTORE_URL=" + url}
		output, err := command.CombinedOutput()
		return string(output), err
	}
	output, err := run("esdb://" + onLoopback(t, nil) + "?tls=false")
	if err != nil {
		t.Fatalf("against a server on TCP: %v\n%s", err, output)
	}
	for _, section := range []string{"2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "2.9", "2.10"} {
		if !strings.Contains(output, "--- PASS: TestContract/"+section+"/") {
			t.Errorf("no case of section %s is named:\n%s", section, output)
		}
	}
	if output, err := run(""); err != nil || !strings.Contains(output, "testing an embedded node") {
		t.Errorf("without a server: %v\n%s", err, output)
	}
	gone := free(t)
	if output, err := run("esdb://" + gone + "?tls=false"); err == nil || !strings.Contains(output, "no event store answers on "+gone) {
		t.Errorf("with nobody there: %v\n%s", err, output)
	}
}
