// Package faultproxy stands between a client and a Unix socket and breaks the
// link in the ways links break: delay, reset, lost replies, half-open, refused.
package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
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
	delay    time.Duration
	frozen   bool // nothing passes
	muted    bool // no reply passes
	accepted int
}

// Listen starts a proxy at path for the server at target.
func Listen(path, target string) (*Proxy, error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{path: path, target: target, ctx: ctx, cancel: cancel, links: map[*link]struct{}{}}
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
	p.frozen = true
}

// Mute lets requests pass and swallows replies, until [Proxy.Heal]. A
// connection that lost a reply never gets another.
func (p *Proxy) Mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = true
}

// Delay holds every piece of data back for d, in both directions.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Heal ends all faults. Connections that lost data stay silent.
func (p *Proxy) Heal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen, p.muted, p.delay = false, false, 0
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
	pipes.Go(func() { p.pipe(l, server, client, false) })
	pipes.Go(func() { p.pipe(l, client, server, true) })
	pipes.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// errLost marks data that was swallowed.
var errLost = errors.New("lost")

// pipe copies one direction.
func (p *Proxy) pipe(l *link, to, from net.Conn, replies bool) {
	defer l.cut()
	buffer := make([]byte, 32<<10)
	lost := false
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if lost = lost || errors.Is(p.pass(l, replies), errLost); lost {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// pass applies the fault of the moment to a piece of data.
func (p *Proxy) pass(l *link, reply bool) error {
	p.mu.Lock()
	delay, frozen, muted := p.delay, p.frozen, p.muted
	p.mu.Unlock()
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-l.ended:
		}
	}
	if frozen || muted && reply {
		return errLost
	}
	return nil
}

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	once           sync.Once
	ended          chan struct{}
}

func (l *link) cut() {
	l.once.Do(func() {
		close(l.ended)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}
