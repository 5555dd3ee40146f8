package esnode

import "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

// subscribeAll serves a subscription to the log.
func (r *reader) subscribeAll(source *streams.ReadReq_Options_AllOptions) error {
	var cursor uint64 // everything up to here is not wanted any more
	switch option := source.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		if err := checkPosition(option.Position); err != nil {
			return err
		}
		// Subscriptions leave out the position they are given. Positions compare as pairs, so an event
		// still follows the pair that has its commit position and a lower prepare position.
		cursor = option.Position.GetCommitPosition()
		if option.Position.GetPreparePosition() < cursor {
			cursor--
		}
	case *streams.ReadReq_Options_AllOptions_Start:
	case *streams.ReadReq_Options_AllOptions_End:
		cursor = r.node.horizon.position()
	default:
		return errInvalid("'%T' is not a valid position option.", option)
	}
	progress, end := r.node.metrics.subscriptions.begin(ofAll)
	defer end()
	progress.at.Store(cursor)
	if err := r.confirm(); err != nil {
		return err
	}

	marks := checkpoints{reader: r}
	live := false
	for {
		if err := r.running(); err != nil {
			return err
		}
		upto := r.node.horizon.position()
		if cursor >= upto {
			if !live {
				live = true
				// A position beyond the end is no event's, so it is no checkpoint either.
				if cursor == upto {
					if err := marks.send(cursor); err != nil {
						return err
					}
				}
				if err := r.caughtUp(); err != nil {
					return err
				}
			}
			if err := r.wait(r.node.horizon.past(cursor)); err != nil {
				return err
			}
			continue
		}
		page, reached, recent, err := r.pageAfter(cursor, upto, pageEvents)
		if err != nil {
			return err
		}
		// Whoever has to go back to the log has fallen behind, and is told when that is over.
		live = live && recent
		for _, i := range page {
			if i.frame != nil {
				if err := r.send(i.frame); err != nil {
					return err
				}
			}
			if err := marks.considered(i.position); err != nil {
				return err
			}
		}
		cursor = reached
		progress.at.Store(cursor)
	}
}

// checkpoints tells the client of a filtered subscription how far the filter has come, so that it need not
// look at the same events again.
type checkpoints struct {
	reader *reader
	count  uint64 // events looked at since the last checkpoint
	last   uint64
}

func (c *checkpoints) considered(position uint64) error {
	if c.reader.filter == nil {
		return nil
	}
	if c.count++; c.count < c.reader.filter.interval {
		return nil
	}
	return c.send(position)
}

// send writes a checkpoint unless it was written before. It must be the position of an event.
func (c *checkpoints) send(position uint64) error {
	if c.reader.filter == nil || position <= c.last {
		return nil
	}
	c.count, c.last = 0, position
	return c.reader.call.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: position, PreparePosition: position},
	}})
}
