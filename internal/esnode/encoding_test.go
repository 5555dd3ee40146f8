package esnode

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

func sampleEvents() []*event {
	return []*event{
		{position: 1, id: uuid.Max, stream: []byte("s"), kind: []byte("k")},
		{
			position: math.MaxUint64, revision: math.MaxInt64, created: 17_000_000_000_000_000, id: uuid.MustParse("00000000-0000-4000-8000-0000000000ff"),
			stream: []byte("customer-ünïcode"), kind: []byte("customer.registered"), json: true,
			metadata: bytes.Repeat([]byte("m"), 200), data: bytes.Repeat([]byte("d"), 3_000),
		},
	}
}

func TestFrame(t *testing.T) {
	t.Parallel()
	recorded := func(e *event, form uuidForm) *streams.ReadResp_ReadEvent_RecordedEvent {
		if e == nil {
			return nil
		}
		id := &shared.UUID{Value: &shared.UUID_String_{String_: e.id.String()}}
		if form == structuredUUID {
			high, low := int64(0), int64(0)
			for i := range 8 {
				high, low = high<<8|int64(e.id[i]), low<<8|int64(e.id[i+8])
			}
			id.Value = &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: high, LeastSignificantBits: low}}
		}
		created := "0"
		if e.created != 0 {
			created = "17000000000000000"
		}
		return &streams.ReadResp_ReadEvent_RecordedEvent{
			Id: id, StreamIdentifier: &shared.StreamIdentifier{StreamName: e.stream}, StreamRevision: uint64(e.revision),
			PreparePosition: e.position, CommitPosition: e.position, CustomMetadata: e.metadata, Data: e.data,
			Metadata: map[string]string{"type": string(e.kind), "created": created, "content-type": contentType(e)},
		}
	}
	samples := sampleEvents()
	for _, form := range []uuidForm{structuredUUID, stringUUID} {
		for _, pair := range [][2]*event{{samples[0], nil}, {samples[1], nil}, {samples[0], samples[1]}, {nil, samples[0]}} {
			position := pair[0]
			if pair[1] != nil {
				position = pair[1]
			}
			want := &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
				Event: recorded(pair[0], form), Link: recorded(pair[1], form),
				Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: position.position},
			}}}
			f := eventFrame(pair[0], pair[1], form)
			if len(f) != cap(f) {
				t.Errorf("the size was computed as %d and is %d", cap(f), len(f))
			}
			got := &streams.ReadResp{}
			if err := proto.Unmarshal(f, got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("frame (-want +got):\n%s", diff)
			}
		}
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	for _, want := range sampleEvents() {
		record := want.appendRecord(nil)
		if len(record) != want.recordSize() {
			t.Errorf("size %d, computed %d", len(record), want.recordSize())
		}
		var got event
		if err := got.decode(want.position, record); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.appendRecord(nil), record) || got.id != want.id || got.json != want.json || got.revision != want.revision {
			t.Errorf("got %+v", &got)
		}
		// A record that lost its end before the data begins is noticed, and none brings the node down.
		for size := range len(record) - len(want.data) {
			if err := new(event).decode(1, record[:size]); !errors.Is(err, errBrokenRecord) {
				t.Fatalf("%d of %d bytes: %v", size, len(record), err)
			}
		}
	}
}

func TestKeysSortLikeNumbers(t *testing.T) {
	t.Parallel()
	numbers := []uint64{0, 1, 2, 127, 128, 255, 256, 65_535, 65_536, 1 << 40, math.MaxInt64, math.MaxUint64}
	var keys [][]byte
	for _, number := range numbers {
		key := appendOrdered(nil, number)
		got, rest, err := readOrdered(append(key, 7))
		if err != nil || got != number || len(rest) != 1 {
			t.Errorf("%d came back as %d, %v, %v", number, got, rest, err)
		}
		keys = append(keys, key)
	}
	if !slices.IsSortedFunc(keys, bytes.Compare) {
		t.Errorf("keys are not in order: %x", keys)
	}
	for _, broken := range [][]byte{nil, {9}, {2, 1}} {
		if _, _, err := readOrdered(broken); err == nil {
			t.Errorf("%x was read", broken)
		}
	}
}

func TestParseMetadata(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]streamMetadata{
		`{"$maxCount":5,"x":1}`:                   {maxCount: 5},
		`{"$maxCount":0,"$tb":-1,"$maxAge":-3}`:   {},
		`{"$tb":9223372036854775807}`:             {truncateBefore: math.MaxInt64},
		`{"$tb":9223372036854775808}`:             {},
		`{"$maxCount":5,"$tmp":"no"}`:             {},
		`{"$maxCount":5,"$tmp":true}`:             {maxCount: 5},
		`{"$maxCount":5,"$acl":{"$r":"a"}}`:       {maxCount: 5},
		`{"$maxCount":5,"$acl":{"$w":["a","b"]}}`: {maxCount: 5},
		`{"$maxCount":5,"$acl":{"$w":[1]}}`:       {},
		`{"$maxCount":5,"$acl":null}`:             {},
		`{"$maxCount":null}`:                      {},
		`null`:                                    {},
		``:                                        {},
	} {
		got := parseMetadata(true, []byte(data))
		got.raw = nil
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(streamMetadata{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", data, diff)
		}
	}
}
