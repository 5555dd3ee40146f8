package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// rebuildGoal is the share of the rate of COPY that a rebuild should reach.
const rebuildGoal = 0.5

// rebuilding is what a rebuild took.
type rebuilding struct {
	events  float64
	seconds float64 // of the whole process, from its start to its end
	peak    float64 // MiB that the process had resident at most
}

func (r rebuilding) rate() float64 { return r.events / r.seconds }

// measureRebuild compares a rebuild of everything, its indexes, statistics and
// the swap included, with COPY of the rows of its largest table.
func measureRebuild(ctx context.Context, b *bench) (result, error) {
	l, err := b.openLarge(ctx)
	if err != nil {
		return result{}, err
	}
	first, err := l.rebuild(ctx)
	if err != nil {
		return result{}, err
	}
	again, err := l.runRebuild(ctx)
	if err != nil {
		return result{}, err
	}
	rows, copied, err := l.copyLog(ctx)
	if err != nil {
		return result{}, err
	}
	ratio, compared := first.rate()/copied, again.rate()/copied
	goal, met := atLeast(ratio, rebuildGoal)
	_, metCompared := atLeast(compared, rebuildGoal)
	return result{
		rows: []row{
			{
				fmt.Sprintf("rebuild of %s events / COPY into the event log with its indexes", grouped(first.events)),
				fmt.Sprintf("%.2f", ratio), goal, met,
			},
			{"- the same beside tables in use, all rows compared", fmt.Sprintf("%.2f", compared), goal, metCompared},
			{"- rebuild, all of core", fmt.Sprintf("%s events/s (%.1f s)", grouped(first.rate()), first.seconds), "", ""},
			{"- rebuild, with the comparison", fmt.Sprintf("%s events/s (%.1f s)", grouped(again.rate()), again.seconds), "", ""},
			{"- COPY, 1,000 rows a commit", grouped(copied) + " rows/s", "", ""},
		},
		numbers: map[string]float64{
			"ratio": ratio, "ratio_compared": compared, "events": first.events, "copied_rows": rows,
			"events_per_second": first.rate(), "events_per_second_compared": again.rate(), "copied_rows_per_second": copied,
			"seconds": first.seconds, "seconds_compared": again.seconds, "process_peak_mib": first.peak,
		},
	}, nil
}

// rebuild makes the read models for the first time; later calls return what that
// took.
func (l *large) rebuild(ctx context.Context) (rebuilding, error) {
	if l.rebuilt != nil {
		return *l.rebuilt, nil
	}
	done, err := l.runRebuild(ctx)
	if err != nil {
		return rebuilding{}, err
	}
	l.rebuilt = &done
	return done, nil
}

// runRebuild runs steward rebuild.
func (l *large) runRebuild(ctx context.Context) (rebuilding, error) {
	l.bench.progress.say("running steward rebuild")
	var out bytes.Buffer
	p, err := l.bench.start(ctx, l.environment(), &out, "rebuild", "--output", "json")
	if err != nil {
		return rebuilding{}, err
	}
	peak := watchMemory(p)
	err = p.wait()
	seconds := time.Since(p.began).Seconds()
	if err != nil {
		return rebuilding{}, errors.Join(err, peak.err())
	}
	var done struct {
		Events  float64 `json:"events"`
		Swapped bool    `json:"swapped"`
	}
	if err := json.Unmarshal(out.Bytes(), &done); err != nil {
		return rebuilding{}, fmt.Errorf("read what steward rebuild printed: %w", err)
	}
	if !done.Swapped {
		return rebuilding{}, errors.New("steward rebuild did not put the new read models in place")
	}
	r := rebuilding{events: done.Events, seconds: seconds, peak: peak.highest()}
	l.bench.progress.say("rebuilt from %s events in %.1f s, %s/s", grouped(r.events), r.seconds, grouped(r.rate()))
	return r, nil
}
