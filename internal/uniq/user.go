package uniq

import (
	"context"
	"slices"

	"github.com/stewardhq/steward/events"
)

// user is a stream that may use names, folded to its end.
type user struct {
	stream string
	tail   int64 // revision of the last event, -1 without any
	names  []Name
	ever   []Name // all that it has used, as far as their keys are there
	// keeps says that whoever is in the stream was erased and keeps the names. Once
	// nobody can read them any more, a confirmed reservation tells by itself.
	keeps  bool
	hidden bool // some names cannot be read any more
}

// uses reports whether the stream uses the name now. at is what the name's own
// stream says.
func (u user) uses(n Name, at reservation) bool {
	return slices.ContainsFunc(u.names, n.same) || u.keeps && u.hidden && at.status == confirmed && at.owned(u.stream)
}

// past reports whether the stream has moved past a claim, so that the append
// that it stood for was made or never will be.
func (u user) past(c events.Claim) bool { return u.tail > c.ExpectedRevision }

// readUser folds the stream that a reservation names. Under a confirmation it
// must reach past the claim, or it fails with [ErrBehind].
func (r *Registry) readUser(ctx context.Context, res reservation) (user, error) {
	u, err := r.readStream(ctx, res.claim.Stream)
	if err == nil && res.status == confirmed && !u.past(res.claim) {
		return u, ErrBehind
	}
	return u, err
}

func (r *Registry) readStream(ctx context.Context, stream string) (user, error) {
	u := user{stream: stream, tail: -1}
	records, err := r.log.ReadStream(ctx, stream, 0)
	if err != nil {
		return u, err
	}
	var bearing []events.Envelope
	for _, record := range records {
		env, err := events.Decode(record)
		if err != nil {
			return u, err
		}
		if u.tail = int64(env.Revision); BearsNames(env.Event) {
			bearing = append(bearing, env)
		}
	}
	if bearing, err = r.open(ctx, bearing); err != nil {
		return u, err
	}
	for _, env := range bearing {
		if e, erased := env.Event.(events.CustomerErased); erased {
			if u.keeps = !e.ReleaseNames; !u.keeps {
				u.names = nil
			}
			continue
		}
		for _, f := range events.PersonalFields(env.Event) {
			u.hidden = u.hidden || f.Value.IsErased()
		}
		taken, given := Names(env.Event)
		u.ever = append(u.ever, taken...)
		u.names = append(without(u.names, given), taken...)
	}
	return u, nil
}

// open opens what the names of events are in. Who wrote them and why does not
// matter here and stays sealed.
func (r *Registry) open(ctx context.Context, envs []events.Envelope) ([]events.Envelope, error) {
	sealed := false
	for i := range envs {
		envs[i].Metadata.Net, envs[i].Metadata.Reason = events.Personal{}, events.Personal{}
		for _, f := range events.PersonalFields(envs[i].Event) {
			_, _, is := f.Value.Ciphertext()
			sealed = sealed || is
		}
	}
	if !sealed {
		return envs, nil
	}
	return r.sealer.Open(ctx, envs)
}
