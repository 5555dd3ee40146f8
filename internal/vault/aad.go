package vault

import (
	"encoding/binary"
	"strconv"

	"github.com/google/uuid"
)

// additional is what a wrapping is bound to: every part with its length before
// it, so that no two lists of parts give the same bytes.
func additional(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

func keyAAD(id uuid.UUID, subject, purpose string, version int) []byte {
	return additional("steward-key/1", id.String(), subject, purpose, strconv.Itoa(version))
}

func secretAAD(logID uuid.UUID, name SecretName, version int) []byte {
	return additional("steward-secret/1", logID.String(), string(name), strconv.Itoa(version))
}
