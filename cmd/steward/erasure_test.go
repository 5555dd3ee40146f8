package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// S4-36: whoever asked to be erased is erased and their names are free, although the
// process is killed again and again while that is under way.
func TestKilledErasuresGoOn_S4_36(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	p := i.start(t)
	var shop struct {
		ID string `json:"id"`
	}
	must(t, p.call(t.Context(), http.MethodGet, "/v1/store", nil, &shop))
	var answer struct {
		ID string `json:"id"`
	}
	must(t, p.call(t.Context(), http.MethodPost, "/v1/stores/"+shop.ID+"/set-policies", map[string]any{"preset": "pantry"}, &answer))
	account := func(n int) map[string]any {
		return map[string]any{"email": fmt.Sprintf("user%d@example.com", n), "username": fmt.Sprintf("user%d", n)}
	}
	const people = 8
	ids := make([]string, people)
	for n := range people {
		must(t, p.call(t.Context(), http.MethodPost, "/v1/customers", account(n), &answer))
		ids[n] = answer.ID
		must(t, p.call(t.Context(), http.MethodPost, "/v1/customers/"+answer.ID+"/delete", nil, &answer))
		p.kill(t)
		p = i.start(t)
	}
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for n := range people {
		for { // a poll of another process, which sends no signal
			err := p.call(deadline, http.MethodPost, "/v1/customers", account(n), &answer)
			if err == nil {
				break
			}
			if !errors.Is(err, errRefused) {
				t.Fatalf("%v\n%s", err, p.log())
			}
			time.Sleep(20 * time.Millisecond)
		}
		if slices.Contains(ids, answer.ID) {
			t.Errorf("user%d is the same customer", n)
		}
	}
	for _, id := range ids {
		var detail struct {
			Name   string
			Status struct{ Value string }
		}
		must(t, p.call(t.Context(), http.MethodGet, "/v1/customers/"+id, nil, &detail))
		if detail.Status.Value != "erased" || detail.Name != "[erased]" {
			t.Errorf("%s is %+v", id, detail)
		}
	}
	p.stop(t)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
