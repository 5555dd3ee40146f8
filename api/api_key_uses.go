package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/apikey"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
)

// keyUses are the API keys that were used on a day of which the log does not say so
// yet. Requests only note it here; [Server.NoteUses] writes it down.
type keyUses struct {
	mu    sync.Mutex
	noted map[uuid.UUID]keyUse
}

type keyUse struct {
	store uuid.UUID
	at    time.Time
}

func (u *keyUses) note(key decider.Loaded[apikey.State], at time.Time) {
	if key.State.UsedOn >= apikey.Day(at) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.noted == nil {
		u.noted = make(map[uuid.UUID]keyUse)
	}
	u.noted[key.State.ID] = keyUse{key.StoreID, at}
}

func (u *keyUses) take() map[uuid.UUID]keyUse {
	u.mu.Lock()
	defer u.mu.Unlock()
	noted := u.noted
	u.noted = nil
	return noted
}

// NoteUses writes down which API keys were used today, once for each key and day.
// What could not be written is lost until the key is used again.
func (s *Server) NoteUses(ctx context.Context) error {
	ctx = decider.Arrive(ctx)
	var errs []error
	for id, use := range s.uses.take() {
		day := apikey.Day(use.at)
		command := uuid.NewSHA1(id, []byte("used\x00"+day))
		_, err := apikey.Decider.Handle(ctx, s.engine, events.APIKeyStream(id), apikey.Use{Day: day}, decider.Request{
			StoreID: use.store, Actor: events.System("api_keys"), Source: events.SourceAPI,
			CommandID: command, Fingerprint: command.String(), At: use.at,
		})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// usesInterval is how often the uses of API keys are written down.
const usesInterval = time.Minute

// Housekeep does what no request shall wait for, until ctx ends.
func (s *Server) Housekeep(ctx context.Context) {
	tick := time.NewTicker(usesInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), strongReadTimeout)
			defer cancel()
			s.tryNoteUses(last)
			return
		case <-tick.C:
			s.tryNoteUses(ctx)
		}
	}
}

func (s *Server) tryNoteUses(ctx context.Context) {
	if err := s.NoteUses(ctx); err != nil {
		s.log.WarnContext(ctx, "the use of API keys was not noted", "err", err)
	}
}
