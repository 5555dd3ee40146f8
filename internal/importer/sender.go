package importer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Pauses between tries, and how often an internal error of the server's is
// tried again before it counts as the row's.
const (
	firstPause    = 200 * time.Millisecond
	longestPause  = 10 * time.Second
	internalTries = 3
)

// ErrUnavailable says that the server stayed away for longer than an import
// waits.
var ErrUnavailable = errors.New("the server is not available; run the same import again later: it completes what is missing")

// sender delivers batches, trying again for as long as that makes sense.
type sender struct {
	client   *Client
	dryRun   bool
	patience time.Duration // how long to try without any row coming through
	reached  atomic.Bool   // the server has answered before
	waiting  *atomic.Int64 // batches that are between two tries
}

// deliver sends rows until the outcome of each is known. It sends nothing more
// when soft ends; a request under way is cut only by hard. An error means that
// the import cannot go on; rows whose outcome is unknown stay unsettled.
//
// A row that is sent again has the same idempotency key, by which the server
// knows whether it has applied it before.
func (s *sender) deliver(soft, hard context.Context, rows []*row) error {
	since := time.Now()
	for try := 0; ; try++ {
		after, why := s.once(soft, hard, rows, try)
		left := unsettled(rows)
		if len(left) == 0 {
			return nil
		}
		var stop *stopError
		if errors.As(why, &stop) {
			return stop.err
		}
		if errors.Is(why, errTogether) {
			return s.apart(soft, hard, left)
		}
		if len(left) < len(rows) {
			rows, since = left, time.Now()
		}
		pause := max(after, backoff(try))
		if time.Since(since)+pause > s.patience {
			return fmt.Errorf("%w (tried for %s, last: %w)", ErrUnavailable, time.Since(since).Round(time.Second), why)
		}
		if !s.pause(soft, pause) {
			return soft.Err()
		}
	}
}

// errTogether says that the server refuses the rows as one request.
var errTogether = errors.New("the server refuses the rows together")

// apart sends rows one by one.
func (s *sender) apart(soft, hard context.Context, rows []*row) error {
	for _, r := range rows {
		if err := s.deliver(soft, hard, []*row{r}); err != nil {
			return err
		}
	}
	return nil
}

// stopError is a failure that no further try can cure.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }

func stopf(format string, args ...any) error { return &stopError{fmt.Errorf(format, args...)} }

// once sends rows once and settles the rows whose outcome is known. For the others
// it returns how long the server asks to wait, and why they are not settled.
func (s *sender) once(soft, hard context.Context, rows []*row, try int) (time.Duration, error) {
	if soft.Err() != nil {
		return 0, &stopError{soft.Err()}
	}
	a, err := s.client.send(hard, rows, s.dryRun)
	if err != nil {
		switch {
		case soft.Err() != nil:
			return 0, &stopError{soft.Err()}
		case !s.reached.Load() && unreachable(err):
			return 0, stopf("no answer from the server: is it running, and is its address right? %w", err)
		case errors.Is(err, errVersion):
			return 0, &stopError{err}
		}
		return 0, err
	}
	s.reached.Store(true)
	switch status := a.status; {
	case a.results != nil:
		return a.after, s.settle(rows, a, try)
	case temporary(status), status == http.StatusInternalServerError && try+1 < internalTries:
		return a.after, fmt.Errorf("it answered %s", statusText(status))
	case status == http.StatusUnauthorized:
		return 0, stopf("the server does not accept the API key (401): give the key of a staff member of the store")
	case status == http.StatusForbidden:
		return 0, stopf("the API key may not import domains (403): give a key with the role support, admin or owner")
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status >= 300 && status <= 399:
		return 0, stopf("no import at this address (%s): give the base URL of a Steward of this version or newer", statusText(status))
	case a.problem.Code == "unknown_field":
		return 0, &stopError{errVersion}
	case len(rows) > 1:
		return 0, errTogether
	}
	rows[0].settle(a.single().outcome())
	return 0, nil
}

// unreachable reports whether there is no such server: a wrong address shows at
// once, while a server that was there before may be starting again.
func unreachable(err error) bool {
	var (
		dial *net.OpError
		cert *tls.CertificateVerificationError
	)
	return errors.As(err, &dial) && dial.Op == "dial" || errors.As(err, &cert) || errors.Is(err, http.ErrSchemeMismatch)
}

// settle gives every row its result, but for those that must be sent again, and
// returns why.
func (s *sender) settle(rows []*row, a answer, try int) (why error) {
	for i, r := range rows {
		res := a.results[i]
		if res.temporary() || res.Status == http.StatusInternalServerError && try+1 < internalTries {
			why = fmt.Errorf("it answered %s for a row (%s)", statusText(res.Status), res.Code)
			continue
		}
		r.settle(res.outcome())
	}
	return why
}

func unsettled(rows []*row) []*row {
	var left []*row
	for _, r := range rows {
		if !r.settled {
			left = append(left, r)
		}
	}
	return left
}

// pause waits, and reports false when ctx ended first.
func (s *sender) pause(ctx context.Context, d time.Duration) bool {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff doubles from try to try, less a random part so that batches do not
// come back together.
func backoff(try int) time.Duration {
	pause := min(longestPause, firstPause<<min(try, 10))
	return pause - rand.N(pause/2)
}

func statusText(status int) string {
	return fmt.Sprintf("%d %s", status, http.StatusText(status))
}
