// Package seeds lists what the documents that Steward is made after promise, row by
// row, and finds out which tests prove which row. A test proves a row by naming it:
// TestLock_S0_06 or a subtest "S0-06 ...".
package seeds

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:embed rows.tsv
var rows string

//go:embed open.tsv
var open string

// Row is a promise.
type Row struct {
	ID    string // S0-06: the sixth of the first document
	Title string
	// Open says why nothing proves it yet; empty otherwise.
	Open string
}

// Seed is the document that the row is of.
func (r Row) Seed() string { return r.ID[:2] }

// Rows lists every promise, in the order of the documents.
func Rows() ([]Row, error) {
	reasons := make(map[string]string)
	for line := range strings.Lines(open) {
		id, reason, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || reason == "" || reasons[id] != "" {
			return nil, fmt.Errorf("open.tsv: %q is not an id and a reason, or is there twice", id)
		}
		reasons[id] = reason
	}
	var all []Row
	for line := range strings.Lines(rows) {
		id, title, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			return nil, fmt.Errorf("rows.tsv: %q has no title", id)
		}
		all = append(all, Row{ID: id, Title: title, Open: reasons[id]})
		delete(reasons, id)
	}
	for id := range reasons {
		return nil, fmt.Errorf("open.tsv: there is no row %s", id)
	}
	return all, nil
}

var named = regexp.MustCompile(`S[0-4][-_][0-9]{2,3}`)

// Named lists the rows that a test's name, or a text with such names, names.
func Named(text string) []string {
	var ids []string
	for _, id := range named.FindAllString(text, -1) {
		id = strings.Replace(id, "_", "-", 1)
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Tests maps every test function below a directory, as package path and name with a
// dot between, to the rows that it names: in its own name, or in a text in its body,
// which is the name of a subtest or what it says when it fails.
func Tests(root, module string) (map[string][]string, error) {
	tests := make(map[string][]string)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declared := range file.Decls {
			f, ok := declared.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			texts := f.Name.Name
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
					texts += " " + text.Value
				}
				return true
			})
			if ids := Named(texts); len(ids) > 0 {
				tests[module+"/"+filepath.ToSlash(dir)+"."+f.Name.Name] = ids
			}
		}
		return nil
	})
	return tests, err
}

// Proof is what a run of the tests shows.
type Proof struct {
	Passed map[string][]string // names of tests by row
	Failed map[string][]string
}

// Prove reads what go test -json prints. A row is proven by a test that names it and
// passed; one that any such test failed is not.
func Prove(run io.Reader, tests map[string][]string) (Proof, error) {
	p := Proof{Passed: make(map[string][]string), Failed: make(map[string][]string)}
	lines := bufio.NewScanner(run)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e struct{ Action, Package, Test string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // what the compiler prints
		}
		into := map[string]map[string][]string{"pass": p.Passed, "fail": p.Failed}[e.Action]
		if into == nil {
			continue
		}
		for _, id := range tests[e.Package+"."+e.Test] {
			into[id] = append(into[id], e.Test)
		}
	}
	return p, lines.Err()
}
