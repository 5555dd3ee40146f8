package esnode

import (
	"encoding/binary"
	"strconv"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that everything but frames goes through
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of the messages that are written by hand here: event_store.client.streams.ReadResp and what
// it holds. Building the generated structs for every event of a read costs more than reading it.
const (
	respEvent = 1

	readEventEvent      = 1
	readEventLink       = 2
	readEventCommit     = 3
	readEventNoPosition = 4

	recordedID       = 1
	recordedStream   = 2
	recordedRevision = 3
	recordedPrepare  = 4
	recordedCommit   = 5
	recordedMetadata = 6
	recordedCustom   = 7
	recordedData     = 8

	uuidStructured = 1
	uuidString     = 2
	streamName     = 3
)

// frame is a ReadResp in its wire form.
type frame []byte

// codec sends frames as they are and leaves every other message to the ordinary protobuf codec.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(frame); ok {
		return mem.BufferSlice{mem.SliceBuffer(f)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// uuidForm is how the client asked for event ids.
type uuidForm bool

const (
	structuredUUID uuidForm = false
	stringUUID     uuidForm = true
)

// eventFrame encodes an event as a read or a subscription sends it. Either of the two may be nil: target
// without link is a plain event, both are a resolved link, and a link alone is one whose target is gone.
func eventFrame(target, link *event, form uuidForm) frame {
	placed := link
	if placed == nil {
		placed = target
	}
	var targetSize, linkSize int
	body := protowire.SizeTag(readEventCommit) + protowire.SizeVarint(placed.position)
	if target != nil {
		targetSize = recordedSize(target, form)
		body += protowire.SizeTag(readEventEvent) + protowire.SizeBytes(targetSize)
	}
	if link != nil {
		linkSize = recordedSize(link, form)
		body += protowire.SizeTag(readEventLink) + protowire.SizeBytes(linkSize)
	}

	b := make([]byte, 0, protowire.SizeTag(respEvent)+protowire.SizeBytes(body))
	b = appendLength(b, respEvent, body)
	if target != nil {
		b = appendLength(b, readEventEvent, targetSize)
		b = appendRecorded(b, target, form)
	}
	if link != nil {
		b = appendLength(b, readEventLink, linkSize)
		b = appendRecorded(b, link, form)
	}
	b = protowire.AppendTag(b, readEventCommit, protowire.VarintType)
	return protowire.AppendVarint(b, placed.position)
}

// sharedFrame is eventFrame for an event of the tail, encoded once for all who want it.
func sharedFrame(e *event, form uuidForm) frame {
	if form != structuredUUID {
		return eventFrame(e, nil, form)
	}
	if known := e.frame.Load(); known != nil {
		return *known
	}
	f := []byte(eventFrame(e, nil, form))
	e.frame.Store(&f)
	return f
}

const (
	jsonContent   = "application/json"
	binaryContent = "application/octet-stream"
)

func contentType(e *event) string {
	if e.json {
		return jsonContent
	}
	return binaryContent
}

// ticksSize is the room that a time needs as text; ticks have 17 digits from 1973 to 2286.
const ticksSize = 20

func recordedSize(e *event, form uuidForm) int {
	var digits [ticksSize]byte
	created := strconv.AppendInt(digits[:0], e.created, 10)
	return protowire.SizeTag(recordedID) + protowire.SizeBytes(uuidSize(e, form)) +
		protowire.SizeTag(recordedStream) + protowire.SizeBytes(bytesFieldSize(len(e.stream))) +
		protowire.SizeTag(recordedRevision) + protowire.SizeVarint(uint64(e.revision)) +
		protowire.SizeTag(recordedPrepare) + protowire.SizeVarint(e.position) +
		protowire.SizeTag(recordedCommit) + protowire.SizeVarint(e.position) +
		entrySize("type", len(e.kind)) +
		entrySize("created", len(created)) +
		entrySize("content-type", len(contentType(e))) +
		bytesFieldSize(len(e.metadata)) +
		bytesFieldSize(len(e.data))
}

func appendRecorded(b []byte, e *event, form uuidForm) []byte {
	b = appendLength(b, recordedID, uuidSize(e, form))
	if form == stringUUID {
		b = protowire.AppendTag(b, uuidString, protowire.BytesType)
		b = protowire.AppendString(b, e.id.String())
	} else {
		b = appendLength(b, uuidStructured, structuredSize(e))
		b = protowire.AppendTag(b, 1, protowire.VarintType)
		b = protowire.AppendVarint(b, binary.BigEndian.Uint64(e.id[:8]))
		b = protowire.AppendTag(b, 2, protowire.VarintType)
		b = protowire.AppendVarint(b, binary.BigEndian.Uint64(e.id[8:]))
	}
	b = appendLength(b, recordedStream, bytesFieldSize(len(e.stream)))
	b = protowire.AppendTag(b, streamName, protowire.BytesType)
	b = protowire.AppendBytes(b, e.stream)
	b = protowire.AppendTag(b, recordedRevision, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(e.revision))
	b = protowire.AppendTag(b, recordedPrepare, protowire.VarintType)
	b = protowire.AppendVarint(b, e.position)
	b = protowire.AppendTag(b, recordedCommit, protowire.VarintType)
	b = protowire.AppendVarint(b, e.position)

	var digits [ticksSize]byte
	b = appendEntry(b, "type", e.kind)
	b = appendEntry(b, "created", strconv.AppendInt(digits[:0], e.created, 10))
	b = appendEntry(b, "content-type", []byte(contentType(e)))

	b = protowire.AppendTag(b, recordedCustom, protowire.BytesType)
	b = protowire.AppendBytes(b, e.metadata)
	b = protowire.AppendTag(b, recordedData, protowire.BytesType)
	return protowire.AppendBytes(b, e.data)
}

func uuidSize(e *event, form uuidForm) int {
	if form == stringUUID {
		return bytesFieldSize(36)
	}
	return bytesFieldSize(structuredSize(e))
}

func structuredSize(e *event) int {
	return 2 + protowire.SizeVarint(binary.BigEndian.Uint64(e.id[:8])) + protowire.SizeVarint(binary.BigEndian.Uint64(e.id[8:]))
}

// bytesFieldSize is the size of a field of n bytes whose number is below 16, tag and length included.
func bytesFieldSize(n int) int { return 1 + protowire.SizeBytes(n) }

// entrySize is the size of one entry of the metadata map, tag and length included.
func entrySize(key string, value int) int {
	return bytesFieldSize(bytesFieldSize(len(key)) + bytesFieldSize(value))
}

func appendEntry(b []byte, key string, value []byte) []byte {
	b = appendLength(b, recordedMetadata, bytesFieldSize(len(key))+bytesFieldSize(len(value)))
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendString(b, key)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	return protowire.AppendBytes(b, value)
}

func appendLength(b []byte, field protowire.Number, size int) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendVarint(b, uint64(size))
}
