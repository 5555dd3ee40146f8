package seal

import (
	"fmt"

	"github.com/stewardhq/steward/events"
)

// Paths of the personal values in metadata.
const (
	pathReason = "metadata.reason"
	pathNet    = "metadata.net"
)

// mapPersonal returns copies of an event of stream and its metadata in which
// every present personal value is what fn makes of it.
func mapPersonal(stream string, e events.Event, md events.Metadata, fn func(events.Field) (events.Personal, error)) (events.Event, events.Metadata, error) {
	e, err := events.MapPersonal(e, fn)
	if err != nil {
		return nil, md, err
	}
	if !md.Reason.IsZero() {
		subject, ok := events.About(stream, e)
		if !ok {
			return nil, md, fmt.Errorf("%s in %s: %s: nobody is known whom it is about", e.EventType(), events.Category(stream), pathReason)
		}
		if md.Reason, err = fn(events.Field{Path: pathReason, Subject: subject, Value: md.Reason}); err != nil {
			return nil, md, fmt.Errorf("%s %s: %w", e.EventType(), pathReason, err)
		}
	}
	if !md.Net.IsZero() {
		subject, ok := events.NetSubject(md)
		if !ok {
			return nil, md, fmt.Errorf("%s: %s: the actor %q has no key to seal it with", e.EventType(), pathNet, md.Actor.Kind)
		}
		if md.Net, err = fn(events.Field{Path: pathNet, Subject: subject, Value: md.Net}); err != nil {
			return nil, md, fmt.Errorf("%s %s: %w", e.EventType(), pathNet, err)
		}
	}
	return e, md, nil
}
