package projector

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/stewardhq/steward/events"
)

// Types of records that the event store itself writes.
const (
	typeMetadata      = "$metadata"
	typeStreamDeleted = "$streamDeleted"
)

// trimming returns what a record of the event store does to a stream of ours
// that must never lose an event: "$tb", "$maxAge", "$maxCount" or "deleted".
func trimming(r events.Record) string {
	if events.IsSystem(trimmedStream(r)) {
		return ""
	}
	if r.Type == typeStreamDeleted {
		return "deleted"
	}
	if r.Type != typeMetadata {
		return ""
	}
	var settings map[string]json.RawMessage
	if json.Unmarshal(r.Data, &settings) != nil {
		return ""
	}
	var found []string
	for _, name := range []string{"$tb", "$maxAge", "$maxCount"} {
		if value, ok := settings[name]; ok && string(value) != "null" {
			found = append(found, name)
		}
	}
	return strings.Join(slices.Compact(found), " ")
}

// trimmedStream is the stream that a record of the event store is about.
func trimmedStream(r events.Record) string { return strings.TrimPrefix(r.Stream, "$$") }

const (
	raiseTrimAlarm = `
		INSERT INTO trim_alarm (stream, setting, commit)
		VALUES ($1, $2, $3)
		ON CONFLICT (stream) DO UPDATE SET setting = EXCLUDED.setting, commit = EXCLUDED.commit`
	clearTrimAlarm = `DELETE FROM trim_alarm WHERE stream = $1 AND setting <> 'deleted'`
)
