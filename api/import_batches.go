package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
)

// batchParallel is how many rows of a batch are under way at once.
const batchParallel = 16

// BatchRow is a row of a batch.
type BatchRow struct {
	IdempotencyKey string `json:"idempotency_key,omitempty" doc:"As the header of an import by itself. Without it the row goes by the header of the batch."`
	ImportRow
}

var errBadRowKey = fault.New(fault.Invalid, "bad_idempotency_key", "an idempotency_key has 1 to 255 printable ASCII characters").On("idempotency_key", "is not 1 to 255 printable ASCII characters")

// ImportDomainsInput imports up to a hundred domains.
type ImportDomainsInput struct {
	CommandInput
	Body struct {
		Rows []BatchRow `json:"rows" minItems:"1" maxItems:"100" doc:"Each for itself: a row that is refused does not stop the others. Rows of one domain or one owner are taken in the order given."`
	}
}

// ImportedRow is what became of a row.
type ImportedRow struct {
	Status       int            `json:"status" doc:"As the HTTP status of an import by itself." example:"200"`
	Outcome      ImportOutcome  `json:"outcome,omitempty" enum:"accepted,unchanged"`
	DomainID     string         `json:"domain_id,omitempty"`
	CustomerID   string         `json:"customer_id,omitempty"`
	OwnerCreated bool           `json:"owner_created"`
	Code         string         `json:"code,omitempty" doc:"Why it was refused, for programs."`
	Field        string         `json:"field,omitempty" doc:"The first input at fault." example:"owner.email"`
	Message      string         `json:"message,omitempty" doc:"What is wrong with it, or with the row."`
	Errors       []ProblemField `json:"errors,omitempty" doc:"All inputs at fault."`
}

// ImportDomainsOutput is the answer to a batch.
type ImportDomainsOutput struct {
	Position string `header:"Steward-Position"`
	Body     struct {
		Rows     []ImportedRow `json:"rows" doc:"One for each row, in order."`
		Position string        `json:"position,omitempty" doc:"Of the last event of all rows."`
	}
}

// importDomains handles POST /v1/domains/import-batch.
func (s *Server) importDomains(ctx context.Context, in *ImportDomainsInput) (*ImportDomainsOutput, error) {
	r, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	r.IfMatch = nil
	rows := in.Body.Rows
	results, positions := make([]ImportedRow, len(rows)), make([]events.Position, len(rows))
	var running errgroup.Group
	running.SetLimit(batchParallel)
	for _, chain := range chains(rows) {
		running.Go(func() error {
			for _, i := range chain {
				results[i], positions[i] = s.importOneOf(ctx, rows[i], i, r)
			}
			return nil
		})
	}
	_ = running.Wait() // every failure is a result
	last := events.Position{}
	for _, p := range positions {
		if last.Before(p) {
			last = p
		}
	}
	out := &ImportDomainsOutput{Position: s.position(last)}
	out.Body.Rows, out.Body.Position = results, out.Position
	return out, nil
}

func (s *Server) importOneOf(ctx context.Context, row BatchRow, i int, r decider.Request) (ImportedRow, events.Position) {
	r, err := s.rowRequest(ctx, row, i, r)
	var done Imported
	var out decider.Outcome
	if err == nil {
		done, out, err = s.importOnce(ctx, row.IdempotencyKey != "", row.ImportRow, r)
	}
	if err != nil {
		p := s.refuse(ctx, err)
		refused := ImportedRow{Status: p.Status, Code: p.Code, Message: p.Detail, Errors: p.Errors}
		if len(p.Errors) > 0 {
			refused.Field, refused.Message = p.Errors[0].Field, p.Errors[0].Message
		}
		return refused, events.Position{}
	}
	return ImportedRow{
		Status: http.StatusOK, Outcome: done.Outcome, DomainID: done.DomainID, CustomerID: done.CustomerID, OwnerCreated: done.OwnerCreated,
	}, out.Position
}

// rowRequest is the request of a row. One with a key of its own is a command of
// its own, in whatever batch it comes again.
func (s *Server) rowRequest(ctx context.Context, row BatchRow, i int, r decider.Request) (decider.Request, error) {
	switch key := row.IdempotencyKey; {
	case key == "" || r.DryRun:
		return r.Step("row " + strconv.Itoa(i)), nil
	case !keyPattern.MatchString(key):
		return r, errBadRowKey
	default:
		c := *callOf(ctx)
		body, err := json.Marshal(row.ImportRow)
		if err != nil {
			return r, fmt.Errorf("fingerprint of a row: %w", err)
		}
		c.body = body
		r.CommandID, r.Fingerprint = commandID(callerOf(ctx), c.method, c.path, key), s.fingerprint(&c)
		return r, nil
	}
}

// chains divides rows so that those of one domain or one owner are in one chain,
// in their order. Chains have nothing to do with each other.
func chains(rows []BatchRow) [][]int {
	parent := make([]int, len(rows))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			i = parent[i]
		}
		return i
	}
	first := make(map[string]int)
	for i, row := range rows {
		for _, key := range []string{"domain " + spelling(row.Name), "owner " + identity.EmailKey(row.Owner.Email), "owner's username " + identity.UsernameKey(row.Owner.Username)} {
			if earlier, ok := first[key]; ok {
				a, b := root(earlier), root(i)
				parent[max(a, b)] = min(a, b)
			} else {
				first[key] = i
			}
		}
	}
	var all [][]int
	place := make(map[int]int)
	for i := range rows {
		r := root(i)
		at, ok := place[r]
		if !ok {
			at = len(all)
			place[r] = at
			all = append(all, nil)
		}
		all[at] = append(all[at], i)
	}
	return all
}
