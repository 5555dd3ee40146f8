package api_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCustomer_S0_01_OnlyTheOwnStore(t *testing.T) {
	t.Parallel()
	a, b := newHarness(t), newHarness(t)
	a.customer("ada")
	mine, last := b.customer("ada") // the same name in another store is free
	if got := b.read("/v1/customers", last).column("id"); len(got) != 1 || got[0] != mine {
		t.Errorf("store b lists %v", got)
	}
	own := b.owner("GET", "/v1/stores", nil).want(200)
	if got := own.column("id"); len(got) != 1 || got[0] != b.storeID() {
		t.Errorf("stores %v", got)
	}
}

func TestCustomer_PagesAndCursors(t *testing.T) {
	t.Parallel()
	h, other := newHarness(t), newHarness(t)
	var last *reply
	for _, name := range []string{"anna", "berta", "carla", "dora", "emma"} {
		_, last = h.customer(name)
	}
	seen := []any{}
	path := "/v1/customers?order=username&limit=2"
	for pages := 0; path != ""; pages++ {
		page := h.read(path, last)
		seen = append(seen, page.column("username")...)
		path = ""
		if link := page.header.Get("Link"); link != "" {
			path = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		} else if page.at("has_more") != false || pages != 2 {
			t.Errorf("page %d ends with %v", pages, page.at("has_more"))
		}
	}
	if diff := cmp.Diff([]any{"anna", "berta", "carla", "dora", "emma"}, seen); diff != "" {
		t.Error(diff)
	}
	for _, order := range []string{"last_sign_in", "created"} {
		first := h.read("/v1/customers?limit=3&order="+order, last)
		rest := h.read("/v1/customers?limit=3&order="+order+"&cursor="+first.str("next_cursor"), last)
		if len(first.column("id")) != 3 || len(rest.column("id")) != 2 {
			t.Errorf("%s: %d and %d", order, len(first.column("id")), len(rest.column("id")))
		}
	}
	cursor := h.read("/v1/customers?order=username&limit=2", last).str("next_cursor")
	for name, bad := range map[string]*reply{
		"edited":        h.owner("GET", "/v1/customers?order=username&cursor=A"+cursor[1:], nil),
		"cut":           h.owner("GET", "/v1/customers?order=username&cursor="+cursor[:20], nil),
		"longer":        h.owner("GET", "/v1/customers?order=username&cursor="+cursor+"A", nil),
		"of an order":   h.owner("GET", "/v1/customers?order=created&cursor="+cursor, nil),
		"of a filter":   h.owner("GET", "/v1/customers?order=username&q=ann&cursor="+cursor, nil),
		"of a list":     h.owner("GET", "/v1/domains?cursor="+cursor, nil),
		"of a store":    other.owner("GET", "/v1/customers?order=username&cursor="+cursor, nil),
		"not a cursor":  h.owner("GET", "/v1/customers?cursor=x", nil),
		"a position":    h.owner("GET", "/v1/customers?cursor="+last.str("position"), nil),
		"a log's place": h.owner("GET", "/v1/log?cursor="+cursor, nil),
	} {
		if bad.status != 400 || bad.str("code") != "bad_cursor" {
			t.Errorf("%s: %d %s", name, bad.status, bad.raw)
		}
	}
	for _, limit := range []string{"0", "201", "-1", "x"} {
		h.owner("GET", "/v1/customers?limit="+limit, nil).refused(422, "invalid", "limit")
	}
}
