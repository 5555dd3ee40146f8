package api

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// confirmation is what a confirm token says: the version of the domain that was
// looked at, and until when.
type confirmation struct {
	revision uint64
	expires  time.Time
}

// bound is what a confirmation holds for: this caller, this domain, this input.
func (in PushInput) bound(who *caller, id uuid.UUID) ([]byte, error) {
	text, err := json.Marshal(in.fields())
	if err != nil {
		return nil, fmt.Errorf("bind a confirmation: %w", err)
	}
	sum := sha256.Sum256(text)
	return append(append(storeAndMore(who.storeID, who.principal()), id[:]...), sum[:]...), nil
}

// fields lists what was said, texts instead of personal values.
func (in PushInput) fields() []any {
	all := []any{in.ReasonCode, in.To}
	if n := in.NewCustomer; n != nil {
		all = append(all, n.Email, n.Username, n.ExternalID, n.Provisional, publicData(events.CustomerProfileEdited{After: n.Profile.profile()}))
	}
	return all
}

func (s *Server) confirmToken(c confirmation, bound []byte) string {
	content := binary.BigEndian.AppendUint64(nil, c.revision)
	return s.tokens.seal("push", bound, binary.BigEndian.AppendUint64(content, uint64(c.expires.Unix())))
}

func (s *Server) parseConfirmToken(token string, bound []byte) (confirmation, error) {
	if token == "" {
		return confirmation{}, errConfirm
	}
	content, ok := s.tokens.open("push", bound, token)
	if !ok || len(content) != 16 {
		return confirmation{}, errConfirmUnknown
	}
	return confirmation{binary.BigEndian.Uint64(content), time.Unix(int64(binary.BigEndian.Uint64(content[8:])), 0)}, nil
}
