package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/wireid"
)

// commandClients is how many clients send commands, and how many writers append.
const commandClients = 64

// measureCommands compares commands over HTTP with what the same node takes of
// events of the same size, in turns, each when the other's work is done. Both
// clients are in this process; the node, the API and the projector in another.
func measureCommands(ctx context.Context, b *bench) (_ result, err error) {
	d, err := b.startDev(ctx, "commands")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	l, err := openLedger(ctx, d.EventStore, d.PostgresURL, d.masterKey())
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	past, err := l.generate(ctx, b.progress, b.seed, b.sizes.commandCustomers, b.sizes.commandDomains, 0)
	if err != nil {
		return result{}, err
	}
	toggler := newToggler(d.caller(commandClients), "auto-renew", past.domains)
	defer toggler.caller.close()
	var appends, commands load
	for round := range b.sizes.rounds {
		b.progress.say("round %d of %d: commands, then appends", round+1, b.sizes.rounds)
		if err := d.rest(ctx, l); err != nil {
			return result{}, err
		}
		sent, err := drive(ctx, commandClients, 1, b.sizes.commandTime, toggler.send)
		if err != nil {
			return result{}, err
		}
		if err := d.rest(ctx, l); err != nil {
			return result{}, err
		}
		raw, err := newAppender(ctx, l, past.domains)
		if err != nil {
			return result{}, err
		}
		appended, err := drive(ctx, commandClients, 1, b.sizes.appendTime, raw.append)
		if err != nil {
			return result{}, err
		}
		commands.merge(sent)
		appends.merge(appended)
		b.progress.say("%s commands/s, %s appends/s", grouped(sent.rate()), grouped(appended.rate()))
	}
	return commandResult(commands, appends), errors.Join(commands.complete(), appends.complete())
}

const (
	// commandGoal is how many commands there may be for each raw append, at least.
	commandGoal = 0.45
	// commandTailGoal is how many times as long as a raw append a command may take,
	// of each the slowest in a hundred.
	commandTailGoal = 3
)

func commandResult(commands, appends load) result {
	ratio := commands.rate() / appends.rate()
	tail := float64(commands.quantile(0, 0.99)) / float64(appends.quantile(0, 0.99))
	goal, met := atLeast(ratio, commandGoal)
	goalTail, metTail := atMost(tail, commandTailGoal, "")
	return result{
		rows: []row{
			{"HTTP commands / raw appends to the same node, 64 clients each", fmt.Sprintf("%.2f", ratio), goal, met},
			{"p99 of those commands / p99 of the raw appends", fmt.Sprintf("%.2f", tail), goalTail, metTail},
			{"- HTTP commands (set-auto-renew)", fmt.Sprintf("%s/s, %s", grouped(commands.rate()), commands.latency(0)), "", ""},
			{"- raw appends of one event", fmt.Sprintf("%s/s, %s", grouped(appends.rate()), appends.latency(0)), "", ""},
		},
		numbers: map[string]float64{
			"ratio": ratio, "p99_ratio": tail,
			"commands_per_second": commands.rate(), "appends_per_second": appends.rate(),
			"command_p50_ms": milliseconds(commands.quantile(0, 0.5)), "command_p99_ms": milliseconds(commands.quantile(0, 0.99)),
			"append_p50_ms": milliseconds(appends.quantile(0, 0.5)), "append_p99_ms": milliseconds(appends.quantile(0, 0.99)),
		},
	}
}

// rest waits until everything in the log is projected and nothing is left to do.
func (d *dev) rest(ctx context.Context, l *ledger) error {
	head, err := l.store.Head(ctx)
	if err != nil {
		return err
	}
	return d.settle(ctx, head)
}

// toggler sets auto-renew or the lock of domain after domain, each time to the
// other value, so that every command writes an event. Each client has domains of
// its own.
type toggler struct {
	caller *caller
	paths  []string
	on     []bool
	next   [commandClients]int
}

func newToggler(c *caller, setting string, domains []holding) *toggler {
	t := &toggler{caller: c}
	for _, h := range domains {
		on := h.settings.AutoRenew
		if setting == "lock" {
			on = h.settings.Locked
		}
		t.paths = append(t.paths, "/v1/domains/"+wireid.Format(wireid.Domain, h.id)+"/set-"+setting)
		t.on = append(t.on, on)
	}
	for client := range t.next {
		t.next[client] = client
	}
	return t
}

var (
	bodyOn  = []byte(`{"value":true}`)
	bodyOff = []byte(`{"value":false}`)
)

// send sends the next command of a client.
func (t *toggler) send(ctx context.Context, client int) (int, error) {
	at := t.next[client]
	if t.next[client] += commandClients; t.next[client] >= len(t.paths) {
		t.next[client] = client
	}
	t.on[at] = !t.on[at]
	body := bodyOff
	if t.on[at] {
		body = bodyOn
	}
	answer, err := t.caller.post(ctx, t.paths[at], body)
	if err == nil && !bytes.Contains(answer, []byte(`"`+string(wireid.Event)+`_`)) {
		err = fmt.Errorf("POST %s wrote no event", t.paths[at])
	}
	return 0, err
}

// appendedType is the type of the appended events, as long as the one that they
// are copies of. Steward passes over types with this first letter.
const appendedType = "$bench.raw_append_only"

// appender appends copies of an event that a command wrote, one at a time, each
// at the exact end of its stream, to as many streams as there are domains.
type appender struct {
	store    *eventstore.Store
	proposed events.Proposed
	streams  []string
	ends     []eventstore.Revision
	next     [commandClients]int
}

// newAppender takes the newest event of the first domain for a pattern.
func newAppender(ctx context.Context, l *ledger, domains []holding) (*appender, error) {
	newest, err := l.store.ReadStreamBackwards(ctx, events.DomainStream(domains[0].id), 1)
	if err != nil {
		return nil, err
	}
	if len(newest) == 0 || newest[0].Type != events.TypeDomainAutoRenewSet {
		return nil, errors.New("the first domain was sent no command")
	}
	a := &appender{
		store:    l.store,
		proposed: events.Proposed{Type: appendedType, Data: newest[0].Data, Metadata: newest[0].Metadata},
	}
	for range domains {
		a.streams = append(a.streams, "bench-"+uuid.NewString())
		a.ends = append(a.ends, eventstore.NoStream)
	}
	for client := range a.next {
		a.next[client] = client
	}
	return a, nil
}

// append appends the next event of a writer.
func (a *appender) append(ctx context.Context, client int) (int, error) {
	at := a.next[client]
	if a.next[client] += commandClients; a.next[client] >= len(a.streams) {
		a.next[client] = client
	}
	event := a.proposed
	event.ID = uuid.New()
	done, err := a.store.Append(ctx, a.streams[at], a.ends[at], []events.Proposed{event})
	a.ends[at] = done.Revision
	return 0, err
}
