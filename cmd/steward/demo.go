package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// demo fills a new store through the API, as its staff would. The same seed
// leads to the same people, domains and changes.
type demo struct {
	base   string
	key    string
	random *rand.Rand
	log    io.Writer
}

// demoPeople are the customers of the demo store. Their addresses are on
// domains reserved for examples (RFC 2606).
var demoPeople = []string{
	"Ada Lovelace", "Grace Hopper", "Alan Turing", "Katherine Johnson", "Edsger Dijkstra", "Barbara Liskov",
	"Donald Knuth", "Frances Allen", "Tony Hoare", "Radia Perlman", "Niklaus Wirth", "Hedy Lamarr",
	"Leslie Lamport", "Margaret Hamilton", "Dennis Ritchie", "Jean Bartik", "Ken Thompson", "Joan Clarke",
	"Claude Shannon", "Mary Jackson", "John Backus", "Adele Goldberg", "Jim Gray", "Karen Jones",
}

type demoCustomer struct{ id, username, email string }

func (d *demo) run(ctx context.Context) error {
	customers := make([]demoCustomer, 0, len(demoPeople))
	for _, name := range demoPeople {
		c, err := d.customer(ctx, name)
		if err != nil {
			return err
		}
		customers = append(customers, c)
	}
	d.say("customers", len(customers))
	var domains []string
	for _, c := range customers {
		for n := range 1 + d.random.IntN(4) {
			id, err := d.domain(ctx, c, n)
			if err != nil {
				return err
			}
			domains = append(domains, id)
		}
	}
	d.say("domains", len(domains))
	return d.changes(ctx, customers, domains)
}

func (d *demo) customer(ctx context.Context, name string) (demoCustomer, error) {
	first, last, _ := strings.Cut(name, " ")
	c := demoCustomer{username: strings.ToLower(first + "." + last), email: strings.ToLower(first+"@"+last) + ".example.com"}
	var created struct {
		ID string `json:"id"`
	}
	err := d.post(ctx, "/v1/customers", map[string]any{
		"email": c.email, "username": c.username,
		"profile": map[string]string{"first_name": first, "last_name": last, "country": d.pick("DE", "GB", "US", "NL", "FR")},
	}, &created)
	c.id = created.ID
	return c, err
}

func (d *demo) domain(ctx context.Context, c demoCustomer, n int) (string, error) {
	begin := time.Date(2014+d.random.IntN(11), time.Month(1+d.random.IntN(12)), 1+d.random.IntN(28), 0, 0, 0, 0, time.UTC)
	name := strings.ReplaceAll(c.username, ".", "-") + []string{"", "-shop", "-blog", "-lab"}[n] + d.pick(".com", ".net", ".org", ".de", ".co.uk")
	var created struct {
		DomainID string `json:"domain_id"`
	}
	err := d.post(ctx, "/v1/domains/import", map[string]any{
		"name": name, "registered_at": begin.Format(time.DateOnly), "expires_at": time.Now().AddDate(0, 1+d.random.IntN(30), 0).Format(time.DateOnly),
		"auto_renew": d.random.IntN(3) > 0, "locked": d.random.IntN(2) > 0, "privacy": d.random.IntN(2) > 0,
		"nameservers": []string{"ns1.storefront.example", "ns2.storefront.example"},
		"owner":       map[string]string{"email": c.email, "username": c.username},
	}, &created)
	return created.DomainID, err
}

// changes makes a history worth reading.
func (d *demo) changes(ctx context.Context, customers []demoCustomer, domains []string) error {
	type change struct {
		path string
		body map[string]any
	}
	var all []change
	for range 2 * len(domains) {
		id := domains[d.random.IntN(len(domains))]
		setting := d.pick("auto-renew", "lock", "privacy")
		all = append(all, change{"/v1/domains/" + id + "/set-" + setting, map[string]any{"value": d.random.IntN(2) == 0}})
	}
	all = append(all,
		change{"/v1/domains/" + domains[0] + "/set-nameservers", map[string]any{"nameservers": []string{"ns1.elsewhere.example", "ns2.elsewhere.example"}}},
		change{"/v1/customers/" + customers[2].id + "/suspend", map[string]any{"reason_code": "fraud", "reason": "A card was reported stolen.", "hold_services": true}},
		change{"/v1/customers/" + customers[5].id + "/suspend", map[string]any{"reason_code": "customer_request", "reason": "On a long journey."}},
		change{"/v1/customers/" + customers[5].id + "/reactivate", map[string]any{"release_services": true}},
		change{"/v1/customers/" + customers[11].id + "/ban", map[string]any{"reason_code": "terms_violation", "reason": "Sent spam from three domains."}},
		change{"/v1/customers/" + customers[7].id + "/change-email", map[string]any{"email": "frances@new-address.example.com"}},
		change{"/v1/customers/" + customers[20].id + "/delete", map[string]any{"force": true}},
	)
	for _, c := range all {
		if err := d.post(ctx, c.path, c.body, nil); err != nil {
			return err
		}
	}
	d.say("changes", len(all))
	return d.push(ctx, domains[1], customers[9].id)
}

// push moves a domain the way staff do: preview, then confirm.
func (d *demo) push(ctx context.Context, domain, to string) error {
	body := map[string]any{"to": map[string]string{"customer_id": to}, "reason_code": "sale"}
	var preview struct {
		ConfirmToken string `json:"confirm_token"`
	}
	if err := d.post(ctx, "/v1/domains/"+domain+"/push-preview", body, &preview); err != nil {
		return err
	}
	body["confirm_token"] = preview.ConfirmToken
	return d.post(ctx, "/v1/domains/"+domain+"/push", body, nil)
}

func (d *demo) post(ctx context.Context, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+d.key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("demo data: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= http.StatusMultipleChoices {
		var problem struct {
			Code string `json:"code"`
		}
		_ = json.NewDecoder(response.Body).Decode(&problem)
		return fmt.Errorf("demo data: POST %s: %s %s", path, response.Status, problem.Code)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

func (d *demo) pick(of ...string) string { return of[d.random.IntN(len(of))] }

func (d *demo) say(what string, n int) { _, _ = fmt.Fprintf(d.log, "  %d %s\n", n, what) }
