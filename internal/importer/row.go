package importer

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stewardhq/steward/internal/dnsname"
	"github.com/stewardhq/steward/internal/identity"
)

// row is a row of the file on its way: as it was read, as it is sent, what it
// waits for, and what became of it.
type row struct {
	rec  Record
	wire []byte   // as it is sent
	keys []string // what it shares with rows that must not overtake it: name, email, username

	blockers []*row // earlier rows that hold one of its keys
	next     []*row // later rows that wait for it
	released bool   // it was made ready to be sent
	batch    *batch // the request it is in, once it is in one
	done     bool   // its outcome is known to the schedule
	settled  bool   // its outcome is known to whoever sends it
	outcome  Outcome
}

// Outcome is what became of a row.
type Outcome struct {
	Unchanged    bool // the store held it already
	OwnerCreated bool
	Refused      *Refusal
}

// newRow takes a record apart. What cannot be sent comes back settled. The
// idempotency key derives from the run, so that a row that is sent twice is
// applied once.
func newRow(c Columns, rec Record, run string) (*row, error) {
	r := &row{rec: rec}
	b, refused := Body{}, rec.Fault
	if refused == nil {
		b, refused = body(c, rec.Fields)
	}
	if refused != nil {
		r.settle(Outcome{Refused: refused})
		return r, nil
	}
	b.Key = "import-" + run + "-" + strconv.Itoa(rec.Line)
	wire, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode line %d: %w", rec.Line, err)
	}
	r.wire, r.keys = wire, keys(b)
	return r, nil
}

func (r *row) settle(o Outcome) {
	if o.Refused != nil {
		why := o.Refused.at(r.rec.Line)
		o.Refused = &why
	}
	r.outcome, r.settled = o, true
}

// body builds what is sent, or says why that cannot be done.
func body(c Columns, fields []string) (Body, *Refusal) {
	if len(fields) != c.all {
		return Body{}, refusal(c.firstMissing(fields), "wrong_number_of_fields",
			fmt.Sprintf("the row has %d fields where the header has %d", len(fields), c.all))
	}
	for _, name := range c.Names {
		if !utf8.ValidString(c.raw(fields, name)) {
			return Body{}, refusal(name, "invalid_utf8", "is not valid UTF-8")
		}
	}
	var p parser
	b := Body{
		Name:         c.cell(fields, colDomain),
		RegisteredAt: p.date(colRegistered, c.cell(fields, colRegistered)),
		ExpiresAt:    p.date(colExpires, c.cell(fields, colExpires)),
		AutoRenew:    p.boolean(colAutoRenew, c.cell(fields, colAutoRenew)),
		Locked:       p.boolean(colLocked, c.cell(fields, colLocked)),
		Privacy:      p.boolean(colPrivacy, c.cell(fields, colPrivacy)),
		Nameservers:  nameservers(c.cell(fields, colNameservers)),
		Owner:        owner(c, fields),
	}
	return b, p.refused
}

// parser reads values and keeps the first refusal.
type parser struct{ refused *Refusal }

func (p *parser) refuse(r *Refusal) {
	if p.refused == nil {
		p.refused = r
	}
}

// date checks what is then sent as it is.
func (p *parser) date(column, text string) string {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if _, err := time.Parse(layout, text); err == nil {
			return text
		}
	}
	p.refuse(refusal(column, "invalid_date", "is not a date such as 2027-12-31"))
	return ""
}

func (p *parser) boolean(column, text string) bool {
	switch strings.ToLower(text) {
	case "true", "yes", "1":
		return true
	case "false", "no", "0", "":
		return false
	}
	p.refuse(refusal(column, "invalid_boolean", "is neither true nor false"))
	return false
}

func nameservers(text string) []string {
	var hosts []string
	for host := range strings.SplitSeq(text, ";") {
		if host = strings.TrimSpace(host); host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// owner splits the name before its last word. What the words mean is for people
// to correct: names have no grammar.
func owner(c Columns, fields []string) Owner {
	o := Owner{Email: c.cell(fields, colEmail), Username: c.cell(fields, colUsername)}
	o.FirstName = c.cell(fields, colName)
	if i := strings.LastIndexByte(o.FirstName, ' '); i >= 0 {
		o.FirstName, o.LastName = strings.TrimSpace(o.FirstName[:i]), o.FirstName[i+1:]
	}
	return o
}

// keys are what the server would find two rows to share: the domain, the owner,
// and the username, which the first row takes.
func keys(b Body) []string {
	name, err := dnsname.Registrable(b.Name)
	if err != nil {
		name = strings.ToLower(strings.TrimSuffix(b.Name, "."))
	}
	return []string{"d" + name, "e" + identity.EmailKey(b.Owner.Email), "u" + identity.UsernameKey(b.Owner.Username)}
}
