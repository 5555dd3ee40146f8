package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/internal/eventstore"
	"github.com/stewardhq/steward/internal/wireid"
)

// A command whose outcome could not be learned is answered with its id, by
// which the log tells later whether it happened. No other refusal names it.
func TestProblem_UnknownOutcomeNamesTheCommand(t *testing.T) {
	t.Parallel()
	s := &Server{log: slog.New(slog.DiscardHandler)}
	id := uuid.New()
	ctx := context.WithValue(t.Context(), callKey{}, &call{requestID: "r", commandID: id})

	unknown := s.refuse(ctx, fmt.Errorf("append: %w", eventstore.ErrOutcomeUnknown))
	if unknown.Status != http.StatusGatewayTimeout || unknown.CommandID != wireid.Format(wireid.Command, id) {
		t.Errorf("answered %+v", unknown)
	}
	if away := s.refuse(ctx, eventstore.ErrUnavailable); away.Status != http.StatusServiceUnavailable || away.CommandID != "" {
		t.Errorf("answered %+v", away)
	}
}
