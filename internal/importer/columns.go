package importer

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The columns of an import file.
const (
	colDomain      = "domain"
	colEmail       = "owner_email"
	colUsername    = "owner_username"
	colName        = "owner_name"
	colRegistered  = "registered_at"
	colExpires     = "expires_at"
	colAutoRenew   = "auto_renew"
	colLocked      = "locked"
	colPrivacy     = "privacy"
	colNameservers = "nameservers"
)

var (
	required = []string{colDomain, colEmail, colRegistered, colExpires}
	optional = []string{colUsername, colName, colAutoRenew, colLocked, colPrivacy, colNameservers}
	// verdict are the columns that a file of refused rows has besides: such a file can be imported again once it is
	// put right.
	verdict = []string{"line", "field", "code", "reason", "original"}
)

// Columns says which column of a file holds what.
type Columns struct {
	Names []string       // as in the file, without the columns of a verdict
	at    map[string]int // column name to place in a row
	all   int            // fields that a row must have
	// rejects: the file was written by an earlier import, with cells that a spreadsheet would run made harmless
	rejects bool
}

// ReadColumns reads the header, which every file begins with.
func ReadColumns(r *Reader) (Columns, error) {
	rec, err := r.Next()
	for err == nil && rec.Blank() {
		rec, err = r.Next()
	}
	switch {
	case errors.Is(err, io.EOF):
		return Columns{}, fmt.Errorf("it is empty: its first line must name the columns %s", strings.Join(required, ", "))
	case err != nil:
		return Columns{}, err
	case strings.HasPrefix(rec.Raw, "\xff\xfe"), strings.HasPrefix(rec.Raw, "\xfe\xff"):
		return Columns{}, errors.New("it is UTF-16: save it as CSV UTF-8")
	case rec.Fault != nil:
		return Columns{}, fmt.Errorf("line %d, which must name the columns: %s", rec.Line, rec.Fault.Reason)
	}
	return columns(rec.Fields)
}

func columns(header []string) (Columns, error) {
	c := Columns{at: make(map[string]int), all: len(header)}
	var unknown, twice, missing []string
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, seen := c.at[name]; seen {
			twice = append(twice, name)
		}
		c.at[name] = i
		switch {
		case slices.Contains(verdict, name):
			c.rejects = true
		case slices.Contains(required, name), slices.Contains(optional, name):
			c.Names = append(c.Names, name)
		default:
			unknown = append(unknown, fmt.Sprintf("%.40q", name))
		}
	}
	for _, name := range required {
		if _, ok := c.at[name]; !ok {
			missing = append(missing, name)
		}
	}
	var wrong []string
	if len(missing) > 0 {
		wrong = append(wrong, "missing "+strings.Join(missing, ", "))
	}
	if len(unknown) > 0 {
		wrong = append(wrong, "unknown "+strings.Join(unknown[:min(len(unknown), 10)], ", "))
	}
	if len(twice) > 0 {
		wrong = append(wrong, "twice "+strings.Join(twice[:min(len(twice), 10)], ", "))
	}
	if len(wrong) == 0 {
		return c, nil
	}
	hint := ""
	if len(header) == 1 && strings.ContainsAny(header[0], ";\t") {
		hint = "; the columns must be separated by commas"
	}
	return Columns{}, fmt.Errorf("its columns do not fit: %s%s (required: %s; optional: %s)",
		strings.Join(wrong, "; "), hint, strings.Join(required, ", "), strings.Join(optional, ", "))
}

// raw returns the text of a column as the file has it, or nothing when the file
// has no such column.
func (c Columns) raw(fields []string, name string) string {
	i, ok := c.at[name]
	switch {
	case !ok:
		return ""
	case c.rejects:
		return runnable(fields[i])
	}
	return fields[i]
}

// cell returns the text of a column without surrounding spaces.
func (c Columns) cell(fields []string, name string) string {
	return strings.TrimSpace(c.raw(fields, name))
}

// firstMissing names the column at which a short row ends.
func (c Columns) firstMissing(fields []string) string {
	for _, name := range c.Names {
		if c.at[name] == len(fields) {
			return name
		}
	}
	return ""
}
