package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// The kinds of term that people search for, and how the numbers call them.
var (
	termKinds = []string{"whole username", "6 letters inside a surname", "first 4 letters of a surname", "first name", "mail domain"}
	termKeys  = []string{"username", "surname_part", "surname_start", "first_name", "mail_domain"}
)

// searchTerms are terms of each kind.
type searchTerms [5][]string

// termsOfKind is how many terms of a kind there are at most, so that no plan or
// page is right because the same term came just before.
const termsOfKind = 500

// partTerms is how many of them there are of the kind that is found by counting.
const partTerms = 200

// termCollector watches the crowd come and picks what will be searched for.
type termCollector struct {
	random    *rand.Rand
	people    int
	usernames []string
	seen      int
	surnames  map[string]int
	starts    map[string]int
	firsts    map[string]int
	mails     map[string]int
	order     []string // surnames as they first came
}

func newTermCollector(random *rand.Rand, people int) *termCollector {
	return &termCollector{
		random: random, people: people,
		surnames: make(map[string]int), starts: make(map[string]int), firsts: make(map[string]int), mails: make(map[string]int),
	}
}

func (t *termCollector) see(p person) {
	if t.seen++; t.seen%max(1, t.people/termsOfKind) == 0 {
		t.usernames = append(t.usernames, p.username)
	}
	last := strings.ToLower(p.last)
	if t.surnames[last] == 0 {
		t.order = append(t.order, last)
	}
	t.surnames[last]++
	if len(last) >= 4 {
		t.starts[last[:4]]++
	}
	t.firsts[strings.ToLower(p.first)]++
	_, host, _ := strings.Cut(p.email, "@")
	t.mails[host]++
}

// choose picks the terms. Where a kind is about how many rows match, that is a
// share of the crowd: thousands, tens of thousands and hundreds of thousands of a
// million.
func (t *termCollector) choose() (searchTerms, error) {
	terms := searchTerms{0: t.usernames}
	taken := make(map[string]bool)
	for _, last := range t.order {
		if len(terms[1]) < partTerms {
			if part, ok := t.partOf(last); ok {
				terms[1] = append(terms[1], part)
			}
		}
		if len(last) < 4 {
			continue
		}
		start := last[:4]
		if n := t.starts[start]; !taken[start] && n >= t.people/1000 && n <= t.people/50 && len(terms[2]) < termsOfKind {
			taken[start] = true
			terms[2] = append(terms[2], start)
		}
	}
	for _, first := range firstNames {
		if first = strings.ToLower(first); t.firsts[first] >= t.people/100 {
			terms[3] = append(terms[3], first)
		}
	}
	for _, host := range mailHosts {
		if t.mails[host] >= t.people/20 {
			terms[4] = append(terms[4], host)
		}
	}
	for kind, of := range terms {
		if len(of) == 0 {
			return terms, fmt.Errorf("among %d people there is no %s to search for", t.people, termKinds[kind])
		}
	}
	return terms, nil
}

// partOf returns 6 letters from inside a surname that tens of people bear, be it
// as a part of other surnames.
func (t *termCollector) partOf(last string) (string, bool) {
	most := max(100, t.people/10_000)
	if n := t.surnames[last]; len(last) < 9 || n < 2 || n > most {
		return "", false
	}
	at := 1 + t.random.IntN(len(last)-7)
	part, bearers := last[at:at+6], 0
	for other, n := range t.surnames {
		if strings.Contains(other, part) {
			if bearers += n; bearers > most {
				return "", false
			}
		}
	}
	return part, bearers >= 10
}
