package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/seal"
)

// dataset is the past of a made-up store: people, their domains, and what
// happened to them. The same seed leads to the same past, but for keys and nonces.
type dataset struct {
	ledger    *ledger
	random    *rand.Rand
	namer     *namer
	at        time.Time // of the next event
	customers []account
	domains   []holding
}

// account is a customer as of the last event.
type account struct {
	id, login uuid.UUID
	person    person
	status    events.CustomerStatus
	revision  eventstore.Revision
}

// holding is a domain as of the last event.
type holding struct {
	id       uuid.UUID
	name     string
	owner    uuid.UUID
	settings events.DomainSettings
	revision eventstore.Revision
}

// generate writes a past of that many customers, domains and events into the log.
// At least one event per customer and domain is written.
func (l *ledger) generate(ctx context.Context, p *progress, seed uint64, customers, domains, total int) (*dataset, error) {
	random := newRandom(seed)
	d := &dataset{ledger: l, random: random, namer: newNamer(random), at: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	d.people(customers)
	d.names(domains)
	subjects := make([]events.Subject, 0, 2*customers)
	for _, c := range d.customers {
		subjects = append(subjects,
			events.Subject{Kind: events.SubjectCustomer, ID: c.id}, events.Subject{Kind: events.SubjectLogin, ID: c.login})
	}
	keys := p.count("making keys", len(subjects))
	if err := l.keys.prepare(ctx, subjects, keys.add); err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	keys.finish()
	total = max(total, customers+domains)
	written := p.count("writing events", total)
	if err := l.write(ctx, d.past(total), written.add); err != nil {
		return nil, fmt.Errorf("write events: %w", err)
	}
	written.finish()
	return d, nil
}

// newRandom is a source that a seed determines.
func newRandom(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x5eed)) //nolint:gosec // made-up input, no secret
}

// randomID draws an id.
func randomID(random *rand.Rand) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], random.Uint64())
	binary.BigEndian.PutUint64(id[8:], random.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

func (d *dataset) people(n int) {
	d.customers = make([]account, n)
	for i := range d.customers {
		d.customers[i] = account{
			id: randomID(d.random), login: randomID(d.random), person: d.namer.person(),
			status: events.StatusActive, revision: eventstore.NoStream,
		}
	}
}

var suffixes = []string{".com", ".net", ".org", ".de", ".co.uk", ".fr", ".io", ".shop"}

// names gives domains to customers, unevenly: some hold hundreds.
func (d *dataset) names(n int) {
	owners := rand.NewZipf(d.random, 1.1, float64(len(d.customers))/4+1, uint64(len(d.customers)-1))
	d.domains = make([]holding, n)
	for i := range d.domains {
		name := fmt.Sprintf("%s%s-%d%s", d.namer.pick(syllables), d.namer.pick(surnameEndings), i, d.namer.pick(suffixes))
		d.domains[i] = holding{
			id: events.DomainID(d.ledger.storeID, name), name: name, owner: d.customers[owners.Uint64()].id,
			settings: events.DomainSettings{
				AutoRenew: d.random.IntN(3) > 0, Locked: d.random.IntN(2) > 0, Privacy: d.random.IntN(2) > 0,
				Nameservers: nameserverSets[d.random.IntN(len(nameserverSets))],
			},
			revision: eventstore.NoStream,
		}
	}
}

var nameserverSets = [][]string{
	{"ns1.storefront.example", "ns2.storefront.example"},
	{"ns1.elsewhere.example", "ns2.elsewhere.example", "ns3.elsewhere.example"},
	{"ada.ns.hosting.example", "ben.ns.hosting.example"},
}

// past yields all appends in order: first everybody comes, then things happen to
// customers and domains here and there, one to three at a time.
func (d *dataset) past(total int) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		for i := range d.customers {
			if !yield(d.create(&d.customers[i])) {
				return
			}
		}
		for i := range d.domains {
			if !yield(d.acquire(&d.domains[i])) {
				return
			}
		}
		for left := total - len(d.customers) - len(d.domains); left > 0; {
			n := min(left, 1+d.random.IntN(5))
			left -= n
			var e entry
			if d.random.IntN(100) < 15 {
				e = d.happen(&d.customers[d.random.IntN(len(d.customers))], n)
			} else {
				e = d.change(&d.domains[d.random.IntN(len(d.domains))], n)
			}
			if !yield(e) {
				return
			}
		}
	}
}

// entry makes an append of events by one request.
func (d *dataset) entry(stream string, at *eventstore.Revision, by events.Actor, happened ...events.Event) entry {
	d.at = d.at.Add(time.Duration(1+d.random.IntN(60)) * time.Second)
	md := events.Metadata{
		Schema: events.MetadataSchema, StoreID: d.ledger.storeID, Actor: by, Source: events.SourceAPI,
		CommandID: randomID(d.random), OccurredAt: d.at, RequestID: randomID(d.random).String(), Fingerprint: d.fingerprint(),
	}
	md.CorrelationID, md.CausationID = md.CommandID, md.CommandID
	if by.Kind != events.ActorSystem {
		ip := fmt.Sprintf("203.0.113.%d", d.random.IntN(256))
		md.Net, _ = events.Net{IP: ip, UserAgent: userAgents[d.random.IntN(len(userAgents))]}.Personal() // two texts always fit
	}
	e := entry{stream: stream, expected: *at}
	for i, event := range happened {
		e.drafts = append(e.drafts, seal.Draft{ID: events.NewID(md.CommandID, md.Fingerprint, stream, i), Event: event, Metadata: md})
	}
	*at += eventstore.Revision(len(happened))
	return e
}

var userAgents = []string{
	"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
	"storefront/2.4",
}

// fingerprint is as long as that of a request.
func (d *dataset) fingerprint() string {
	first, second := randomID(d.random), randomID(d.random)
	return hex.EncodeToString(append(first[:], second[:]...))
}

// actor is mostly staff, sometimes the customer, now and then the system.
func (d *dataset) actor(customer uuid.UUID) events.Actor {
	switch n := d.random.IntN(10); {
	case n < 7:
		return d.staff()
	case n < 9:
		return events.Actor{Kind: events.ActorCustomer, ID: customer.String()}
	default:
		return events.System("renewals")
	}
}

func (d *dataset) staff() events.Actor { return events.Reseller(d.ledger.staffID, d.ledger.apiKeyID) }
