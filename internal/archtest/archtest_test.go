package archtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stewardhq/steward/internal/archtest"
)

const root = "../.."

func TestImportsGoOneWay(t *testing.T) {
	t.Parallel()
	watch(t)
	packages := list(t, root)
	if len(packages) < 2 {
		t.Fatalf("the go command lists %d packages", len(packages))
	}
	for _, broken := range archtest.Violations(packages) {
		t.Error(broken)
	}
}

// A module that breaks every rule once shows that the rules have teeth.
func TestViolationsAreCaught(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const m = archtest.Module
	write(t, dir, "go.mod", "module "+m+"\n\ngo 1.26.0\n")
	for _, p := range []struct {
		path    string
		imports []string
	}{
		{"events", []string{m + "/internal/fault", "log/slog"}},
		{"internal/fault", []string{m + "/internal/mail"}},
		{"internal/mail", []string{m + "/events", m + "/commands/order", "github.com/ThreeDotsLabs/watermill/message"}},
		{"internal/mail/inner", []string{m + "/internal/mail", m + "/internal/fault"}},
		{"commands/order", []string{m + "/events", m + "/internal/mail"}},
		{"commands/order/inner", []string{m + "/commands/order"}},
		{"commands/customer", []string{m + "/commands/order", "github.com/jackc/pgx/v5"}},
		{"projections", []string{m + "/commands/order", m + "/api", "github.com/jackc/pgx/v5"}},
		{"api", []string{m + "/commands/order", m + "/projections", m + "/events", "github.com/EventStore/EventStore-Client-Go/v4/esdb"}},
		{"cmd/steward", []string{m + "/api", m + "/commands/customer", m + "/internal/mail"}},
		{"cmd/other", []string{m + "/cmd/steward"}},
		{"utils", nil},
	} {
		source := "// Package p is here to break a rule.\npackage p\n"
		for _, path := range p.imports {
			source += "import _ \"" + path + "\"\n"
		}
		write(t, dir, filepath.Join(p.path, "p.go"), source)
	}
	write(t, dir, "internal/silent/p.go", "package p\n")
	write(t, dir, "internal/tested/p.go", "// Package p has a test that goes too far.\npackage p\n")
	write(t, dir, "internal/tested/p_test.go", "package p\nimport _ \""+m+"/api\"\n")

	want := []string{
		"api imports github.com/EventStore/EventStore-Client-Go/v4/esdb, which only internal/eventstore and internal/esnode may",
		"cmd/other imports its sibling cmd/steward",
		"commands/customer imports github.com/jackc/pgx/v5, which commands must do without",
		"commands/customer imports its sibling commands/order",
		"events imports internal/fault, but events may import nothing of ours",
		"events imports log/slog, which events must do without",
		"internal/fault imports internal/mail, but internal/fault may import nothing of ours",
		"internal/mail imports commands/order, but internal may import only events, internal/fault, internal",
		"internal/mail imports github.com/ThreeDotsLabs/watermill/message, which only internal/reactions may",
		"internal/silent has no package sentence: begin one of its files with // Package or // Command",
		"internal/tested imports api, but internal may import only events, internal/fault, internal",
		"projections imports api, but projections may import only events, internal/fault, internal",
		"projections imports commands/order, but projections may import only events, internal/fault, internal",
		"utils is in no part of the layout: it belongs below one of the directories of the package map",
	}
	if diff := cmp.Diff(want, archtest.Violations(list(t, dir))); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}

func write(t *testing.T, dir, path, text string) {
	t.Helper()
	file := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// watch looks at every source file, so that the go command, which caches results of tests, knows that this one
// depends on them. What another process reads it does not see.
func watch(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) == ".go" {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a file may go while we look
		t.Fatal(err)
	}
}

// list asks the go command for all packages below dir. It bears with packages that do not compile: other tests
// tell about those.
func list(t *testing.T, dir string) []archtest.Package {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Doc,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = dir
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, complaints.String())
	}
	var packages []archtest.Package
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p archtest.Package
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
