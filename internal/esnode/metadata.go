package esnode

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
)

const (
	kindMetadata = "$metadata"
	kindDeleted  = "$streamDeleted"
	kindLink     = "$>"
)

// softDeleted is the $tb that means: this stream is deleted until somebody appends to it.
const softDeleted = math.MaxInt64

// streamMetadata is what a stream's latest metadata event says, as far as the node acts on it. The zero value is
// a stream without metadata.
type streamMetadata struct {
	maxCount       int64
	maxAge         time.Duration
	truncateBefore int64
	raw            []byte // the JSON object as it was written; nil when it was not a valid one
}

// implicitMetadata is the metadata of every metastream; it cannot be changed.
var implicitMetadata = streamMetadata{maxCount: 1}

func (m streamMetadata) softDeleted() bool { return m.truncateBefore == softDeleted }

// parseMetadata reads a metadata event. One property of the wrong type makes the whole of it empty: half of
// somebody's intentions is worse than none.
func parseMetadata(isJSON bool, data []byte) streamMetadata {
	var properties map[string]json.RawMessage
	if !isJSON || json.Unmarshal(data, &properties) != nil || properties == nil {
		return streamMetadata{}
	}
	m := streamMetadata{raw: data}
	for key, value := range properties {
		ok := true
		switch key {
		case "$maxCount":
			m.maxCount, ok = positive(value)
		case "$maxAge":
			var seconds int64
			seconds, ok = positive(value)
			m.maxAge = time.Duration(min(seconds, math.MaxInt64/int64(time.Second))) * time.Second
		case "$tb":
			m.truncateBefore, ok = positive(value)
		case "$cacheControl":
			_, ok = positive(value)
		case "$tmp":
			ok = isBool(value)
		case "$acl":
			ok = isACL(value)
		}
		if !ok {
			return streamMetadata{}
		}
	}
	return m
}

// positive reads an integer; one that is not above zero counts as absent. It reports false for anything
// that is no integer.
func positive(value json.RawMessage) (int64, bool) {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	return max(n, 0), err == nil
}

func isBool(value json.RawMessage) bool {
	var b *bool
	return json.Unmarshal(value, &b) == nil && b != nil
}

func isACL(value json.RawMessage) bool {
	var rights map[string]json.RawMessage
	if json.Unmarshal(value, &rights) != nil || rights == nil {
		return false
	}
	for key, roles := range rights {
		switch key {
		case "$r", "$w", "$d", "$mr", "$mw":
			var one *string
			var many []string
			if (json.Unmarshal(roles, &one) != nil || one == nil) && (json.Unmarshal(roles, &many) != nil || many == nil) {
				return false
			}
		}
	}
	return true
}

// truncatedAt returns the metadata with another $tb and every other property as it was.
func (m streamMetadata) truncatedAt(revision int64) streamMetadata {
	properties := make(map[string]json.RawMessage)
	if m.raw != nil {
		// It was parsed once already; a failure would leave the properties empty, which is what no
		// metadata means.
		_ = json.Unmarshal(m.raw, &properties)
	}
	properties["$tb"] = strconv.AppendInt(nil, revision, 10)
	raw, err := json.Marshal(properties)
	if err != nil {
		raw = append(strconv.AppendInt([]byte(`{"$tb":`), revision, 10), '}')
	}
	return parseMetadata(true, raw)
}

// firstVisible returns the lowest revision that a reader may see of a stream whose last one is given.
func (m streamMetadata) firstVisible(last int64) int64 {
	first := m.truncateBefore
	if m.maxCount > 0 {
		first = max(first, last-m.maxCount+1)
	}
	return first
}

// expired reports whether the event is older than $maxAge allows.
func (m streamMetadata) expired(e *event, now time.Time) bool {
	return m.maxAge > 0 && e.created < ticks(now.Add(-m.maxAge))
}

// ticks counts a time in the unit of the protocol: 100 nanoseconds since the Unix epoch.
func ticks(t time.Time) int64 { return t.Unix()*10_000_000 + int64(t.Nanosecond())/100 }
