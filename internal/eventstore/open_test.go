package eventstore_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config eventstore.Config
		want   string
	}{
		"nothing":               {eventstore.Config{}, "neither a URL nor a socket"},
		"both":                  {eventstore.Config{URL: "esdb://h", Socket: "/s"}, "both a URL and a socket"},
		"plain text":            {eventstore.Config{URL: "esdb://db.example:2113?tls=false"}, "db.example:2113"},
		"plain credentials":     {eventstore.Config{URL: "esdb://ops:s3cret@db.example?tls=false", Insecure: true}, "only over TLS"},
		"no connection string":  {eventstore.Config{URL: "postgres://ops:s3cret@db.example"}, "not a connection string"},
		"unescaped credentials": {eventstore.Config{URL: "esdb://ops:s3cret/x@db.example"}, "not a connection string"},
		"unknown setting":       {eventstore.Config{URL: "esdb://ops:s3cret@h?tsl=false"}, `"tsl"`},
		"bad deadline":          {eventstore.Config{URL: "esdb://ops:s3cret@h?defaultDeadline=soon"}, "defaultDeadline"},
		"bad timeout":           {eventstore.Config{URL: "esdb://ops:s3cret@h?gossipTimeout=0"}, "gossipTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := eventstore.Open(t.Context(), c.config)
			if err == nil {
				_ = s.Close()
				t.Fatal("opened")
			}
			text := err.Error()
			if !strings.Contains(text, c.want) || strings.Contains(text, "s3cret") || strings.Contains(text, "\n") {
				t.Errorf("got %q, want it to name %q", text, c.want)
			}
		})
	}
}

func TestOpenNamesWhatIsAway(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none")
	for name, c := range map[string]struct {
		config eventstore.Config
		want   string
	}{
		"socket": {eventstore.Config{Socket: missing}, missing},
		"host":   {eventstore.Config{URL: "esdb://127.0.0.1:1?tls=false", Insecure: true}, "127.0.0.1:1"},
		"IPv6":   {eventstore.Config{URL: "esdb://ops:s3cret@[::1]:1"}, "[::1]:1"},
		"seeds":  {eventstore.Config{URL: "esdb://ops:s3cret@127.0.0.1:1,127.0.0.1:2"}, "127.0.0.1:1,127.0.0.1:2"},
		"TLS":    {eventstore.Config{URL: "esdb://ops:s3cret@127.0.0.1:1"}, "127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := eventstore.Open(ctx, c.config)
			if !errors.Is(err, eventstore.ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			text := err.Error()
			if !strings.Contains(text, c.want) || strings.Contains(text, "s3cret") || strings.Contains(text, "\n") {
				t.Errorf("got %q", text)
			}
		})
	}
}

func TestOpenWaitsForTheNode(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	p := n.proxy()
	p.Refuse()
	opened := make(chan error, 1)
	go func() {
		s, err := eventstore.Open(t.Context(), eventstore.Config{Socket: p.Path()})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	s := open(t, startNode(t).socket)
	subscribed := make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		subscribed <- s.Subscribe(t.Context(), events.Position{}, eventstore.Handler{
			CaughtUp: func(context.Context) error { close(ready); return nil },
		})
	}()
	<-ready
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := <-subscribed; !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("the subscription returned %v", err)
	}
	if _, err := s.Head(t.Context()); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("a read returned %v", err)
	}
	if _, err := s.Append(t.Context(), stream(), eventstore.NoStream, proposed(1)); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("an append returned %v", err)
	}
	if err := s.Subscribe(t.Context(), events.Position{}, eventstore.Handler{}); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("a subscription returned %v", err)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	s := open(t, startNode(t).socket, func(c *eventstore.Config) { c.Registerer = registry })
	name := stream()
	mustAppend(t, s, name, eventstore.NoStream, proposed(1))
	mustRead(t, s, name)
	if _, err := s.Append(t.Context(), name, 5, proposed(1)); err == nil {
		t.Fatal("appended")
	}
	all, err := s.ReadAll(t.Context(), events.Position{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	handling, handled, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		done <- s.Subscribe(eventstore.WithSubscriber(ctx, "sample"), events.Position{}, eventstore.Handler{
			Deliver: func(context.Context, events.Record) error {
				close(handling)
				<-handled
				return nil
			},
		})
	}()
	<-handling
	if lag := gather(t, registry)["subscription_lag_seconds sample"]; lag <= 0 {
		t.Errorf("a subscription that is busy lags %v s", lag)
	}
	close(handled)
	for gather(t, registry)["subscription_lag_seconds sample"] != 0 {
		<-time.After(time.Millisecond)
	}
	want := map[string]float64{
		"appends_total committed": 1, "appends_total rejected": 1, "append_resends_total": 0, "append_seconds": 2,
		"reads_total stream": 1, "reads_total all": 1, "reconnects_total": 0,
		"subscriptions sample": 1, "subscription_lag_seconds sample": 0, "subscription_position sample": float64(all[0].Position.Commit),
	}
	if diff := cmp.Diff(want, gather(t, registry)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	cancel()
	<-done
	if n := gather(t, registry)["subscriptions sample"]; n != 0 {
		t.Errorf("%v subscriptions after the end", n)
	}
	if _, err := eventstore.Open(t.Context(), eventstore.Config{Socket: "/s", Registerer: registry}); err == nil {
		t.Error("two stores in one registry")
	}
}

// gather returns the metrics by name and label.
func gather(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "steward_eventstore_")
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return got
}
