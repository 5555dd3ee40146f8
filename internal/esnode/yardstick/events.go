package yardstick

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"

	"github.com/google/uuid"
)

// Event is an event to append, in JSON.
type Event struct {
	ID             uuid.UUID
	Type           string
	Data, Metadata []byte
}

// Size is how many bytes of the event its author wrote: data, metadata and type.
func (e Event) Size() int { return len(e.Type) + len(e.Data) + len(e.Metadata) }

// Source makes up events and names of streams. They follow from its seed. It is for one goroutine at a time.
type Source struct{ random *rand.ChaCha8 }

// NewSource returns a source of what follows from seed.
func NewSource(seed uint64) *Source {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return &Source{random: rand.NewChaCha8(key)}
}

// sealedBytes is how much of an event is sealed. Sealed text is random, so it hardly compresses: no more than
// its alphabet of 64 letters allows.
const sealedBytes = 210

// Next returns another event of the usual size, about 600 bytes, half of them sealed as personal data is.
func (s *Source) Next() Event {
	var sealed [sealedBytes]byte
	s.fill(sealed[:])
	data := make([]byte, 0, 400)
	data = append(data, `{"customer_id":"`...)
	data = s.appendID(data)
	data = append(data, `","email":"`...)
	data = base64.StdEncoding.AppendEncode(data, sealed[:])
	data = append(data, `","reason":"asked for it"}`...)

	metadata := make([]byte, 0, 300)
	metadata = append(metadata, `{"schema":1,"store_id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","actor":{"kind":"customer","id":"`...)
	metadata = s.appendID(metadata)
	metadata = append(metadata, `"},"source":"api","command_id":"`...)
	metadata = s.appendID(metadata)
	metadata = append(metadata, `","$correlationId":"`...)
	metadata = s.appendID(metadata)
	metadata = append(metadata, `"}`...)
	return Event{ID: s.id(), Type: "customer.registered", Data: data, Metadata: metadata}
}

// Stream returns the name of another stream.
func (s *Source) Stream() string { return "customer-" + s.id().String() }

func (s *Source) id() uuid.UUID {
	var id uuid.UUID
	s.fill(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4, as ids that are drawn have
	return id
}

func (s *Source) appendID(b []byte) []byte {
	text, _ := s.id().MarshalText() // it cannot fail
	return append(b, text...)
}

func (s *Source) fill(b []byte) {
	_, _ = s.random.Read(b) // it cannot fail
}
