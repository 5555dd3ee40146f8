package api

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/fault"
)

// Faults of what callers say they have seen.
var (
	errBadPosition = fault.New(fault.Malformed, "bad_position", "this is not a position of this log").On("Steward-Min-Position", "is not a position of this log")
	errBadIfMatch  = fault.New(fault.Malformed, "bad_if_match", `If-Match wants one ETag as it was given, such as "r12"`).On("If-Match", "is not an ETag of this API")
	errIfMatch     = fault.New(fault.Precondition, "if_match_required", "say which version you change: send the ETag of your last read as If-Match").On("If-Match", "is required")
)

// position is the token of a place in the log. It is bound to the log, so that
// the token of another one is refused instead of misunderstood.
func (s *Server) position(p events.Position) string {
	if p == (events.Position{}) {
		return ""
	}
	content := binary.BigEndian.AppendUint64(nil, p.Commit)
	return s.tokens.seal("position", s.logID[:], binary.BigEndian.AppendUint64(content, p.Prepare))
}

func (s *Server) parsePosition(token string) (events.Position, error) {
	content, ok := s.tokens.open("position", s.logID[:], token)
	if !ok || len(content) != 16 {
		return events.Position{}, errBadPosition
	}
	return events.Position{
		Commit: binary.BigEndian.Uint64(content), Prepare: binary.BigEndian.Uint64(content[8:]),
	}, nil
}

// etag writes a revision as the version of what its stream tells.
func etag(revision eventstore.Revision) string {
	if revision < 0 {
		return ""
	}
	return `"r` + strconv.FormatInt(int64(revision), 10) + `"`
}

// parseIfMatch reads an ETag. A list, a weak one or an asterisk is refused: none
// of them says which version the caller saw.
func parseIfMatch(text string) (uint64, error) {
	digits, ok := strings.CutPrefix(text, `"r`)
	digits, closed := strings.CutSuffix(digits, `"`)
	revision, err := strconv.ParseUint(digits, 10, 63)
	if !ok || !closed || err != nil || etag(eventstore.Revision(revision)) != text {
		return 0, errBadIfMatch
	}
	return revision, nil
}

// storeAndMore is what a token is bound to that one store may use for one thing.
func storeAndMore(store uuid.UUID, more string) []byte {
	return append(store[:len(store):len(store)], more...)
}
