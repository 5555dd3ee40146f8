// Package faultproxy stands between a client and a Unix socket and breaks the
// link in the ways links break: delay, little bandwidth, reset at any byte,
// refused, half-open, and replies lost after the server has answered.
package faultproxy

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// Proxy forwards connections from one Unix socket to another. Its methods may
// be called at any time.
type Proxy struct {
	path   string
	target string

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	links    map[*link]struct{}
	faults   faults
	healed   chan struct{} // closed at the next Heal
	accepted int
	observe  func(Request)
}

// faults are what is wrong with the links at the moment.
type faults struct {
	delay  time.Duration
	rate   int  // bytes a second in each direction; 0 is no limit
	frozen bool // nothing passes
	muted  bool // no reply passes
	cuts   [2]*int
	lose   *loss
}

// Direction is one of the two ways through a link.
type Direction int

// The two directions.
const (
	Requests Direction = iota // from the client to the server
	Replies                   // from the server to the client
)

// Ending is what becomes of a connection that lost a reply.
type Ending int

// The two endings: the peer hears that the connection is gone, or never hears
// anything again.
const (
	Reset Ending = iota
	Silence
)

// Listen starts a proxy at path for the server at target.
func Listen(path, target string) (*Proxy, error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{path: path, target: target, ctx: ctx, cancel: cancel, links: map[*link]struct{}{}, healed: make(chan struct{})}
	if err := p.listen(); err != nil {
		cancel()
		return nil, err
	}
	return p, nil
}

// Path is where clients connect.
func (p *Proxy) Path() string { return p.path }

// Accepted is how many connections clients have made so far.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Open is how many connections there are.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Observe has fn told of every request that reaches the proxy in full. fn is
// called by several goroutines at once and has to be set before clients connect.
func (p *Proxy) Observe(fn func(Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observe = fn
}

// Reset cuts every connection. New ones are accepted.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reset()
}

func (p *Proxy) reset() {
	for l := range p.links {
		l.cut()
	}
}

// Abandon makes every connection half-open for ever: it stays, and nothing
// passes any more in either direction, as when the peer has lost its power. New
// connections work.
func (p *Proxy) Abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.silence(Requests, Replies)
	}
}

// CutAfter cuts the connection that carries the n-th byte from now on in a
// direction, right after that byte.
func (p *Proxy) CutAfter(n int, d Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.cuts[d] = &n
}

// LoseReply withholds the reply to the next request that calls the method, which
// is a path like /package.Service/Method. The request passes and the server
// answers; no frame of the answer reaches the client, and the connection ends as
// told. The channel is closed once that has happened.
func (p *Proxy) LoseReply(method string, e Ending) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.lose = &loss{method: method, ending: e, done: make(chan struct{})}
	return p.faults.lose.done
}

// Refuse cuts every connection and accepts none, until [Proxy.Heal].
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse()
	p.reset()
}

func (p *Proxy) refuse() {
	if p.listener != nil {
		_ = p.listener.Close() // also removes the socket
		p.listener = nil
	}
}

// Freeze keeps connections open, accepts new ones, and lets nothing pass in
// either direction. What was swallowed is gone: a connection that lost bytes
// stays silent after [Proxy.Heal], as one whose peer has vanished.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.frozen = true
}

// Mute lets requests pass and swallows replies, until [Proxy.Heal]. A
// connection that lost a reply never gets another.
func (p *Proxy) Mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.muted = true
}

// Delay holds every piece of data back for d, in both directions.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.delay = d
}

// Throttle limits every connection to so many bytes a second in each direction.
func (p *Proxy) Throttle(bytesPerSecond int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.rate = bytesPerSecond
}

// Heal ends all faults, and what is held back goes on at once. Connections that
// lost data stay silent.
func (p *Proxy) Heal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = faults{}
	close(p.healed)
	p.healed = make(chan struct{})
	return p.listenLocked()
}

// Close cuts everything and returns when nothing is left running.
func (p *Proxy) Close() error {
	p.cancel()
	p.Refuse()
	p.running.Wait()
	return nil
}

func (p *Proxy) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listenLocked()
}

func (p *Proxy) listenLocked() error {
	if p.listener != nil || p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	listener, err := (&net.ListenConfig{}).Listen(p.ctx, "unix", p.path)
	if err != nil {
		return fmt.Errorf("fault proxy: %w", err)
	}
	p.listener = listener
	p.running.Go(func() { p.accept(listener) })
	return nil
}

func (p *Proxy) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(conn) })
	}
}

// serve forwards one connection until either side ends or it is cut.
func (p *Proxy) serve(client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(p.ctx, "unix", p.target)
	if err != nil {
		_ = client.Close() // the target refuses, and so does the proxy
		return
	}
	l := &link{client: client, server: server, ended: make(chan struct{})}
	p.mu.Lock()
	p.links[l] = struct{}{}
	p.accepted++
	if p.ctx.Err() != nil || p.listener == nil {
		l.cut()
	}
	p.mu.Unlock()

	var pipes sync.WaitGroup
	pipes.Go(func() {
		defer l.cut()
		calls := newCalls(func(r Request) { p.requested(l, r) })
		p.pipe(l, server, client, Requests, calls.read)
	})
	pipes.Go(func() {
		defer l.cut()
		var replies frames
		p.pipe(l, client, server, Replies, func(data []byte) int { return p.replied(l, &replies, data) })
	})
	pipes.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// pipe copies one direction. What look makes of the data is how much of it may
// pass; the rest is lost, and with it all that follows.
func (p *Proxy) pipe(l *link, to, from net.Conn, d Direction, look func([]byte) int) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.pass(l, d, n)
		if l.silent(d) {
			continue
		}
		data := buffer[:look(buffer[:n])]
		allowed, cut := p.spend(d, len(data))
		if _, err := to.Write(data[:allowed]); err != nil || cut {
			return
		}
	}
}

// pass applies the fault of the moment to so many bytes. A link whose bytes are
// lost says no more: nothing acknowledges what its peers send.
func (p *Proxy) pass(l *link, d Direction, n int) {
	p.mu.Lock()
	f, healed := p.faults, p.healed
	p.mu.Unlock()
	delay := f.delay
	if f.rate > 0 {
		delay += time.Duration(n) * time.Second / time.Duration(f.rate)
	}
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-healed:
		case <-l.ended:
		}
	}
	if f.frozen {
		l.silence(Requests, Replies)
	}
	if f.muted && d == Replies {
		l.silence(Replies)
	}
}

// spend counts bytes that pass and says how many still may before the cut.
func (p *Proxy) spend(d Direction, n int) (allowed int, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.faults.cuts[d]
	if left == nil {
		return n, false
	}
	if n < *left {
		*left -= n
		return n, false
	}
	p.faults.cuts[d] = nil
	return *left, true
}

// loss is a reply that is to be withheld.
type loss struct {
	method string
	ending Ending
	done   chan struct{}
}

// requested notes a request that came through in full.
func (p *Proxy) requested(l *link, r Request) {
	p.mu.Lock()
	observe := p.observe
	if w := p.faults.lose; w != nil && w.method == r.Method {
		p.faults.lose = nil
		l.withhold(w, r.stream)
	}
	p.mu.Unlock()
	if observe != nil {
		observe(r)
	}
}

// replied looks for the reply that is to be withheld and returns how much may
// pass before it.
func (p *Proxy) replied(l *link, replies *frames, data []byte) int {
	passes := len(data)
	replies.read(data, func(f frame, at int) bool {
		if f.kind != http2.FrameHeaders { // what comes before is about flow control
			return true
		}
		w := l.withheld(f.stream)
		if w == nil {
			return true
		}
		passes = max(at, 0)
		if w.ending == Silence {
			l.silence(Requests, Replies)
		} else {
			l.cut()
		}
		close(w.done)
		return false
	})
	return passes
}

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	once           sync.Once
	ended          chan struct{}

	mu     sync.Mutex
	lost   [2]bool // nothing passes any more, by direction
	loss   *loss
	stream uint32 // whose reply is to be withheld
}

func (l *link) cut() {
	l.once.Do(func() {
		close(l.ended)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}

func (l *link) silence(directions ...Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range directions {
		l.lost[d] = true
	}
}

func (l *link) silent(d Direction) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost[d]
}

func (l *link) withhold(w *loss, stream uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loss, l.stream = w, stream
}

// withheld returns what a frame of a stream is withheld for, if it is, once.
func (l *link) withheld(stream uint32) *loss {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loss == nil || stream != l.stream {
		return nil
	}
	w := l.loss
	l.loss = nil
	return w
}
