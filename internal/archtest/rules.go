// Package archtest holds the rules about who may import whom, as a test without an external tool.
//
// Imports go one way: facts at the bottom, pure rules above them, sockets at the edge.
//
//	events, internal/fault  <-  internal/*  <-  commands/*, projections  <-  api  <-  cmd
package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// Module is the path that all packages of this repository begin with.
const Module = "github.com/stewardhq/steward"

// may lists which parts of this module each part may import, besides itself. A part that is not listed must not
// exist; "cmd" may import everything.
var may = map[string][]string{
	"events":         {},
	"internal/fault": {},
	"internal":       {"events", "internal/fault", "internal"},
	"commands":       {"events", "internal/fault", "internal"},
	"projections":    {"events", "internal/fault", "internal"},
	"api":            {"events", "internal/fault", "internal", "commands", "projections"},
	"cmd":            {"events", "internal/fault", "internal", "commands", "projections", "api"},
}

// owners lists the libraries that few packages may use, so that each has one place that knows its traps.
var owners = []struct {
	library string
	in      []string
}{
	{"github.com/EventStore/EventStore-Client-Go", []string{"internal/eventstore", "internal/esnode"}},
	{"github.com/cockroachdb/pebble", []string{"internal/esnode"}},
	{"github.com/ThreeDotsLabs/watermill", []string{"internal/reactions"}},
	{"github.com/pressly/goose", []string{"internal/postgres"}},
}

// barred lists the libraries that a part must do without.
var barred = map[string][]string{
	"events":   {"github.com/jackc/pgx", "database/sql", "net/http", "log", "log/slog"},
	"commands": {"github.com/jackc/pgx", "database/sql", "net/http", "log", "log/slog"},
}

// Package is what the rules look at, as the go command lists it.
type Package struct {
	ImportPath   string
	Doc          string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// Violations names every broken rule, one sentence each, sorted.
func Violations(packages []Package) []string {
	var found []string
	for _, p := range packages {
		from, ours := local(p.ImportPath)
		if !ours {
			continue
		}
		if p.Doc == "" {
			found = append(found, fmt.Sprintf("%s has no package sentence: begin one of its files with // Package or // Command", from))
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if broken := judge(from, imported); broken != "" {
				found = append(found, broken)
			}
		}
		if part, _ := divide(from); may[part] == nil {
			found = append(found, fmt.Sprintf("%s is in no part of the layout: it belongs below one of the directories of the package map", from))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// judge says what is wrong with from importing a package, or "".
func judge(from, imported string) string {
	if to, ours := local(imported); ours {
		return judgeOurs(from, to)
	}
	for _, o := range owners {
		if within(imported, o.library) && !slices.ContainsFunc(o.in, func(p string) bool { return within(from, p) }) {
			return fmt.Sprintf("%s imports %s, which only %s may", from, imported, strings.Join(o.in, " and "))
		}
	}
	part, _ := divide(from)
	for _, library := range barred[part] {
		if within(imported, library) && (imported == library || strings.Contains(library, ".")) {
			return fmt.Sprintf("%s imports %s, which %s must do without", from, imported, part)
		}
	}
	return ""
}

func judgeOurs(from, to string) string {
	fromPart, fromUnit := divide(from)
	toPart, toUnit := divide(to)
	switch {
	case fromUnit == toUnit:
		return "" // a package and those below it
	case fromPart == toPart && fromPart != "internal":
		return fmt.Sprintf("%s imports its sibling %s", from, to)
	case !slices.Contains(may[fromPart], toPart):
		return fmt.Sprintf("%s imports %s, but %s may import %s", from, to, fromPart, allowed(fromPart))
	}
	return ""
}

func allowed(part string) string {
	if len(may[part]) == 0 {
		return "nothing of ours"
	}
	return "only " + strings.Join(may[part], ", ")
}

// divide returns the part that a package belongs to and the unit within it, whose packages may import each other:
// a directory below commands, cmd or internal, else the part itself.
func divide(path string) (part, unit string) {
	first, rest, _ := strings.Cut(path, "/")
	second, _, _ := strings.Cut(rest, "/")
	switch {
	case within(path, "internal/fault"):
		return "internal/fault", "internal/fault"
	case first == "commands" || first == "cmd" || first == "internal":
		return first, first + "/" + second
	}
	return first, first
}

// local strips the module from an import path.
func local(importPath string) (path string, ours bool) {
	if importPath == Module {
		return ".", true
	}
	return strings.CutPrefix(importPath, Module+"/")
}

// within reports whether path is root or below it.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}
