package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What serve may have resident, in MiB.
const (
	idleGoal       = 200
	rebuildingGoal = 400
)

// measureMemory reads what serve has resident: at rest after it has worked, and
// while a rebuild, which is a process of its own, reads the whole log from it.
func measureMemory(ctx context.Context, b *bench) (_ result, err error) {
	l, err := b.openLarge(ctx)
	if err != nil {
		return result{}, err
	}
	if err := l.settle(ctx); err != nil {
		return result{}, err
	}
	s, err := l.serve(ctx)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	fresh, err := l.idleMemory(ctx, s)
	if err != nil {
		return result{}, err
	}
	b.progress.say("sending commands for %s, then waiting for rest", b.sizes.workTime)
	working := watchMemory(s.process)
	if _, err := l.work(ctx, s); err != nil {
		return result{}, err
	}
	if err := s.awaitQuiet(ctx); err != nil {
		return result{}, err
	}
	idle, err := l.idleMemory(ctx, s)
	if err != nil {
		return result{}, err
	}
	worked := working.highest()
	rebuilding := watchMemory(s.process)
	process, err := l.runRebuild(ctx)
	during := rebuilding.highest()
	if err := errors.Join(err, rebuilding.err()); err != nil {
		return result{}, err
	}
	goalIdle, metIdle := atMost(idle, idleGoal, "MiB")
	goalRebuilding, metRebuilding := atMost(during, rebuildingGoal, "MiB")
	mib := func(value float64) string { return fmt.Sprintf("%.0f MiB", value) }
	return result{
		rows: []row{
			{fmt.Sprintf("resident memory of serve with %s events, idle after commands", grouped(process.events)), mib(idle), goalIdle, metIdle},
			{"- during a rebuild, the peak of serve", mib(during), goalRebuilding, metRebuilding},
			{"- just started / peak under commands", mib(fresh) + " / " + mib(worked), "", ""},
			{"- peak of the rebuild, which is its own process", mib(process.peak), "", ""},
		},
		numbers: map[string]float64{
			"idle_mib": idle, "rebuilding_mib": during, "fresh_mib": fresh, "commands_peak_mib": worked,
			"rebuild_process_peak_mib": process.peak, "rebuild_seconds": process.seconds,
		},
	}, nil
}

// idleMemory reads the memory of a process that has nothing to do for a while.
func (l *large) idleMemory(ctx context.Context, s *served) (float64, error) {
	if err := wait(ctx, l.bench.sizes.idleTime); err != nil {
		return 0, err
	}
	m, err := s.memory()
	return m.now, err
}

// memoryWatch follows how much a process has resident.
type memoryWatch struct {
	process *process
	stop    chan struct{}
	ended   chan struct{}
	once    sync.Once
	peak    float64
	failure error
}

// watchMemory looks at a process many times a second until the result is asked
// for or the process ends.
func watchMemory(p *process) *memoryWatch {
	w := &memoryWatch{process: p, stop: make(chan struct{}), ended: make(chan struct{})}
	go w.watch()
	return w
}

func (w *memoryWatch) watch() {
	defer close(w.ended)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		m, err := w.process.memory()
		if err != nil {
			select {
			case <-w.process.ended: // which its memory may tell a little earlier
			case <-time.After(time.Second):
				w.failure = err
			}
			return
		}
		w.peak = max(w.peak, m.now)
		select {
		case <-w.stop:
			return
		case <-tick.C:
		}
	}
}

// highest ends the watch and returns the most that was resident.
func (w *memoryWatch) highest() float64 {
	w.once.Do(func() { close(w.stop) })
	<-w.ended
	return w.peak
}

// err ends the watch and returns why it could not go on.
func (w *memoryWatch) err() error {
	w.highest()
	return w.failure
}
