package reactions

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// Keys of a message's metadata. Its UUID is the event's id, its payload the
// stored data; personal values in both stay sealed.
const (
	KeyType       = "type"
	KeyStream     = "stream"
	KeyRevision   = "revision"
	KeyCommit     = "commit"
	KeyPrepare    = "prepare"
	KeyRecordedAt = "recorded_at"
	KeyMetadata   = "metadata" // the stored metadata
)

func metadataOf(r events.Record) message.Metadata {
	return message.Metadata{
		KeyType:       r.Type,
		KeyStream:     r.Stream,
		KeyRevision:   strconv.FormatUint(r.Revision, 10),
		KeyCommit:     strconv.FormatUint(r.Position.Commit, 10),
		KeyPrepare:    strconv.FormatUint(r.Position.Prepare, 10),
		KeyRecordedAt: r.RecordedAt.Format(time.RFC3339Nano),
		KeyMetadata:   string(r.Metadata),
	}
}

// RecordOf is the record that a message of a [Subscriber] was made of. It fails
// on one whose metadata are not those of this package.
func RecordOf(msg *message.Message) (events.Record, error) {
	r := events.Record{
		Type: msg.Metadata.Get(KeyType), Stream: msg.Metadata.Get(KeyStream),
		Data: msg.Payload, Metadata: []byte(msg.Metadata.Get(KeyMetadata)),
	}
	var err error
	if r.ID, err = uuid.Parse(msg.UUID); err != nil {
		return r, fmt.Errorf("message id: %w", err)
	}
	for key, to := range map[string]*uint64{KeyRevision: &r.Revision, KeyCommit: &r.Position.Commit, KeyPrepare: &r.Position.Prepare} {
		if *to, err = strconv.ParseUint(msg.Metadata.Get(key), 10, 64); err != nil {
			return r, fmt.Errorf("message %s, %s: %w", r.ID, key, err)
		}
	}
	if r.RecordedAt, err = time.Parse(time.RFC3339Nano, msg.Metadata.Get(KeyRecordedAt)); err != nil {
		return r, fmt.Errorf("message %s, %s: %w", r.ID, KeyRecordedAt, err)
	}
	return r, nil
}
