package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/identity"
)

// PageInput is what every list accepts.
type PageInput struct {
	ReadInput
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many items a page has at most."`
	Cursor string `query:"cursor" doc:"The next_cursor of the page before, with the same filters and order."`
}

// Page is one page of a list.
type Page[T any] struct {
	Items      []T      `json:"items"`
	HasMore    bool     `json:"has_more" doc:"Whether there is a further page."`
	NextCursor string   `json:"next_cursor,omitempty" doc:"Where the next page begins. It means nothing to anybody else."`
	Notices    []Notice `json:"notices,omitempty" doc:"What a storefront should tell the customer here."`
}

// Notice is something that a storefront should tell a customer.
type Notice struct {
	Code string `json:"code" example:"reset_2fa"`
	Link string `json:"link" doc:"Where to do something about it."`
}

// PageOutput is the answer with one page.
type PageOutput[T any] struct {
	Link string `header:"Link" doc:"The next page, as rel=\"next\"."`
	Body Page[T]
}

var errBadCursor = fault.New(fault.Malformed, "bad_cursor", "this cursor is not of this list: take next_cursor of the page before, and keep filters and order").On("cursor", "is not of this list")

// list is what a cursor is bound to: the list and how it is filtered and ordered.
type list struct {
	name   string
	filter any
}

func (l list) bound() ([]byte, error) {
	text, err := json.Marshal(l.filter)
	if err != nil {
		return nil, fmt.Errorf("filter of %s: %w", l.name, err)
	}
	return append([]byte(l.name+"\x00"), text...), nil
}

// resume reads the place at which a page begins into into, and reports whether
// there is one.
func (s *Server) resume(ctx context.Context, l list, cursor string, into any) (bool, error) {
	if cursor == "" {
		return false, nil
	}
	bound, err := l.bound()
	if err != nil {
		return false, err
	}
	content, ok := s.tokens.open("cursor", storeAndMore(callerOf(ctx).storeID, string(bound)), cursor)
	if !ok || json.Unmarshal(content, into) != nil {
		return false, errBadCursor
	}
	return true, nil
}

// cursor is the token of the place at which the next page begins.
func (s *Server) cursor(ctx context.Context, l list, place any) (string, error) {
	bound, err := l.bound()
	if err != nil {
		return "", err
	}
	content, err := json.Marshal(place)
	if err != nil {
		return "", fmt.Errorf("cursor of %s: %w", l.name, err)
	}
	return s.tokens.seal("cursor", storeAndMore(callerOf(ctx).storeID, string(bound)), content), nil
}

// page is the answer with these items. next is where the next page begins; nil
// after the last.
func page[T any](ctx context.Context, s *Server, l list, items []T, next any) (*PageOutput[T], error) {
	if items == nil {
		items = []T{}
	}
	out := &PageOutput[T]{Body: Page[T]{Items: items}}
	if next == nil {
		return out, nil
	}
	cursor, err := s.cursor(ctx, l, next)
	if err != nil {
		return nil, err
	}
	out.Body.HasMore, out.Body.NextCursor = true, cursor
	out.Link = nextLink(callOf(ctx), cursor)
	return out, nil
}

func nextLink(c *call, cursor string) string {
	query, err := url.ParseQuery(c.query)
	if err != nil {
		query = url.Values{}
	}
	query.Set("cursor", cursor)
	return "<" + c.path + "?" + query.Encode() + `>; rel="next"`
}

// searchTerm checks what a list is searched for.
func searchTerm(q string) (string, error) {
	clean, err := identity.Line(q, 100)
	if err != nil {
		return "", errValidation.On("q", err.Error())
	}
	return strings.TrimSpace(clean), nil
}
