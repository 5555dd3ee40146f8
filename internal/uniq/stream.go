package uniq

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// stream names the reservation stream of a name: uniq_<kind>-<32 hex digits>.
// The digits are 128 bits of HMAC-SHA256 over kind, scope and key, each with
// its length in front, so that no two combinations run together.
func (r *Registry) stream(store uuid.UUID, n Name) string {
	mac := hmac.New(sha256.New, r.key)
	for _, part := range []string{string(n.Kind), r.scopeOf(store, n.Kind), n.Key} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return events.CategoryReservationPrefix + string(n.Kind) + "-" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// scopeOf bounds the uniqueness of a kind of name: a store, or everything.
func (r *Registry) scopeOf(store uuid.UUID, kind events.NameKind) string {
	switch kind {
	case events.NameHost:
		return string(events.ScopePlatform)
	case events.NameEmail, events.NameUsername:
		if r.scope == events.ScopePlatform {
			return string(events.ScopePlatform)
		}
	}
	return store.String()
}
