package esnode

import (
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// readAll sends up to count events of the log as it stands when the read begins.
func (r *reader) readAll(source *streams.ReadReq_Options_AllOptions, count uint64, backwards bool) error {
	if backwards {
		return r.readAllBackwards(source, count)
	}
	var after uint64
	switch option := source.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		if err := checkPosition(option.Position); err != nil {
			return err
		}
		// Reads include the position they are given.
		after = max(option.Position.GetCommitPosition(), 1) - 1
	case *streams.ReadReq_Options_AllOptions_Start:
	case *streams.ReadReq_Options_AllOptions_End:
		return nil
	default:
		return errInvalid("'%T' is not a valid position option.", option)
	}

	upto := r.node.horizon.position()
	for count > 0 && after < upto {
		page, reached, _, err := r.pageAfter(after, upto, r.pageLimit(count))
		if err != nil {
			return err
		}
		for _, i := range page {
			if i.frame == nil {
				continue
			}
			if err := r.send(i.frame); err != nil {
				return err
			}
			if count--; count == 0 {
				return nil
			}
		}
		after = reached
	}
	return nil
}

func (r *reader) readAllBackwards(source *streams.ReadReq_Options_AllOptions, count uint64) error {
	last := r.node.horizon.position()
	switch option := source.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		if err := checkPosition(option.Position); err != nil {
			return err
		}
		// Backwards a read leaves out the position it is given.
		last = min(last, max(option.Position.GetCommitPosition(), 1)-1)
	case *streams.ReadReq_Options_AllOptions_Start:
		return nil
	case *streams.ReadReq_Options_AllOptions_End:
	default:
		return errInvalid("'%T' is not a valid position option.", option)
	}

	for count > 0 && last > 0 {
		page, reached, err := r.pageBefore(last, r.pageLimit(count))
		if err != nil {
			return err
		}
		for _, i := range page {
			if i.frame == nil {
				continue
			}
			if err := r.send(i.frame); err != nil {
				return err
			}
			if count--; count == 0 {
				return nil
			}
		}
		last = reached - 1
	}
	return nil
}

// pageAfter collects a page of the events with after < position <= upto. reached is the position up to which
// nothing is left, and recent tells that the page came from memory.
func (r *reader) pageAfter(after, upto uint64, limit uint64) (page []item, reached uint64, recent bool, err error) {
	r.items = r.items[:0]
	if events, ok := r.node.tail.after(nil, after, upto, int(limit)); ok {
		for _, e := range events {
			if _, err := r.collect(e, true); err != nil {
				return nil, 0, true, err
			}
		}
		return r.items, r.reachedOf(upto, limit), true, nil
	}
	size := 0
	err = r.node.scan(after+1, upto, false, func(e *event) (bool, error) {
		n, err := r.collect(e, false)
		size += n
		return size < pageBytes && uint64(len(r.items)) < limit, err
	})
	if size >= pageBytes {
		limit = uint64(len(r.items))
	}
	return r.items, r.reachedOf(upto, limit), false, err
}

// reachedOf tells how far a page goes: to its last event when it is full, else to the end.
func (r *reader) reachedOf(end, limit uint64) uint64 {
	if n := len(r.items); n > 0 && uint64(n) >= limit {
		return r.items[n-1].position
	}
	return end
}

// pageBefore collects a page of the events with position <= last, newest first; reached is the oldest
// position that it covers.
func (r *reader) pageBefore(last, limit uint64) (page []item, reached uint64, err error) {
	r.items = r.items[:0]
	size := 0
	err = r.node.scan(1, last, true, func(e *event) (bool, error) {
		n, err := r.collect(e, false)
		size += n
		return size < pageBytes && uint64(len(r.items)) < limit, err
	})
	if size >= pageBytes {
		limit = uint64(len(r.items))
	}
	return r.items, r.reachedOf(1, limit), err
}

// collect puts an event into the page and returns how much it weighs there.
func (r *reader) collect(e *event, fromTail bool) (int, error) {
	i := item{position: e.position}
	if r.filter.matches(e) {
		var err error
		if fromTail && !r.resolves(e) {
			i.frame = sharedFrame(e, r.form)
		} else if i.frame, err = r.encode(e); err != nil {
			return 0, err
		}
	}
	r.items = append(r.items, i)
	return len(i.frame), nil
}

// pageLimit is how many events to look at for the next page. A filter may drop any number of them, so with
// one the count says nothing about that.
func (r *reader) pageLimit(count uint64) uint64 {
	if r.filter != nil {
		return pageEvents
	}
	return min(count, pageEvents)
}
