package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

// readyGoal is how many seconds a start may take.
const readyGoal = 3

// served is a running steward serve.
type served struct {
	*process

	baseURL string
	ready   time.Duration // from its start to the first /readyz that said so
}

// serve starts steward serve, with more settings, and waits until it is ready.
func (l *large) serve(ctx context.Context, settings ...string) (*served, error) {
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	p, err := l.bench.start(ctx, l.environment(append(settings, "STEWARD_ADDR="+addr)...), nil, "serve")
	if err != nil {
		return nil, err
	}
	s := &served{process: p, baseURL: "http://" + addr}
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// freeAddress is one on this machine that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

func (s *served) awaitReady(ctx context.Context) error {
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	last := errors.New("it was not asked")
	for time.Since(s.began) < readyPatience {
		select {
		case <-s.ended:
			return errors.Join(errors.New("steward serve ended before it was ready"), s.wait())
		default:
		}
		if last = probe(ctx, client, s.baseURL+"/readyz"); last == nil {
			s.ready = time.Since(s.began)
			return nil
		}
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("steward serve was not ready after %s: %w%s", readyPatience, last, s.log.because())
}

func probe(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

// measureReady starts serve again and again, and once after it was killed at work.
func measureReady(ctx context.Context, b *bench) (result, error) {
	l, err := b.openLarge(ctx)
	if err != nil {
		return result{}, err
	}
	if err := l.settle(ctx); err != nil {
		return result{}, err
	}
	b.progress.say("starting serve %d times", b.sizes.starts)
	var starts []time.Duration
	for range b.sizes.starts {
		s, err := l.serve(ctx)
		if err != nil {
			return result{}, err
		}
		starts = append(starts, s.ready)
		// Stopping in the midst of a start is another matter.
		if err := errors.Join(wait(ctx, time.Second), s.stop()); err != nil {
			return result{}, err
		}
	}
	crashed, err := l.restartAfterKill(ctx)
	if err != nil {
		return result{}, err
	}
	slices.Sort(starts)
	median, slowest := starts[len(starts)/2].Seconds(), starts[len(starts)-1].Seconds()
	goal, met := atMost(slowest, readyGoal, "s")
	_, metCrashed := atMost(crashed.Seconds(), readyGoal, "s")
	return result{
		rows: []row{
			{
				fmt.Sprintf("ready after start with %s events", grouped(l.rebuilt.events)),
				fmt.Sprintf("%.2f s (slowest of %d: %.2f s)", median, len(starts), slowest), goal, met,
			},
			{"- after kill -9 under commands", fmt.Sprintf("%.2f s", crashed.Seconds()), goal, metCrashed},
		},
		numbers: map[string]float64{"median_seconds": median, "slowest_seconds": slowest, "after_kill_seconds": crashed.Seconds()},
	}, nil
}

// restartAfterKill kills a serve in the midst of commands and times the next start.
func (l *large) restartAfterKill(ctx context.Context) (time.Duration, error) {
	l.bench.progress.say("killing serve at work, and starting it again")
	s, err := l.serve(ctx)
	if err != nil {
		return 0, err
	}
	c := newCaller(s.baseURL, l.apiKey, commandClients)
	defer c.close()
	working := newToggler(c, "lock", l.past.domains)
	ended := make(chan error, 1)
	go func() {
		_, err := drive(ctx, commandClients, 1, time.Hour, working.send)
		ended <- err
	}()
	select {
	case err = <-ended:
		return 0, errors.Join(fmt.Errorf("commands before the kill: %w", err), s.stop())
	case <-time.After(l.bench.sizes.workTime):
	}
	if err := s.kill(); err != nil {
		return 0, err
	}
	<-ended // with the failure of a command that got no answer
	if s, err = l.serve(ctx); err != nil {
		return 0, err
	}
	return s.ready, errors.Join(wait(ctx, time.Second), s.stop())
}

// work has clients send commands for a while and returns how many a second.
func (l *large) work(ctx context.Context, s *served) (float64, error) {
	c := newCaller(s.baseURL, l.apiKey, commandClients)
	defer c.close()
	if l.toggler == nil {
		l.toggler = newToggler(c, "auto-renew", l.past.domains)
	}
	l.toggler.caller = c
	done, err := drive(ctx, commandClients, 1, l.bench.sizes.workTime, l.toggler.send)
	if err != nil {
		return 0, err
	}
	return done.rate(), done.complete()
}
