package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/seal"
	"github.com/stewardhq/steward/internal/wireid"
	"github.com/stewardhq/steward/projections"
)

func newReplayCommand() *cobra.Command {
	var until, output string
	cmd := &cobra.Command{
		Use:   "replay STREAM",
		Short: "Print what happened in one stream, from its first event on",
		Long: `Print what happened in one stream, from its first event on: what changed, from
what to what, when, from where, and by whom.

STREAM is the id of a customer, domain, store, staff member or API key as the
API shows it, or the name of a stream in the event store. With --until the
history ends at a time or at a position: what was so then?`,
		Example: `  steward replay cus_01j9z3t8v5e4x6q0k2m7n1r8pa
  steward replay dom_… --until 2026-03-01T12:00:00Z
  steward replay platform-… --output json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			stream, err := streamOf(args[0])
			if err != nil {
				return err
			}
			end, err := parseUntil(until)
			if err != nil {
				return err
			}
			return withSystem(cmd, func(ctx context.Context, s *system, _ events.PlatformInitialized) error {
				return replay(ctx, cmd.OutOrStdout(), s, stream, end, output)
			})
		},
	}
	cmd.Flags().StringVar(&until, "until", "", "end at a time (2026-03-01, 2026-03-01T12:00:00Z) or a position in the log (a number)")
	addOutputFlag(cmd, &output)
	addDataFlag(cmd)
	return cmd
}

// streamOf names the stream of an id as the API shows it; anything else is a
// stream's name already.
func streamOf(text string) (string, error) {
	kinds := map[wireid.Kind]func(uuid.UUID) string{
		wireid.Customer: events.CustomerStream, wireid.Domain: events.DomainStream, wireid.Store: events.StoreStream,
		wireid.Staff: events.StaffStream, wireid.APIKey: events.APIKeyStream,
	}
	prefix, _, found := strings.Cut(text, "_")
	if stream, known := kinds[wireid.Kind(prefix)]; found && known {
		id, err := wireid.Parse(wireid.Kind(prefix), text)
		if err == nil {
			return stream(id), nil
		}
	}
	if !strings.Contains(text, "-") {
		return "", fmt.Errorf("%q is neither an id such as cus_… or dom_… nor the name of a stream", text)
	}
	return text, nil
}

// end is where a replay stops; the zero value of a part does not stop it.
type end struct {
	time   time.Time
	commit uint64
}

func parseUntil(text string) (end, error) {
	if text == "" {
		return end{commit: math.MaxUint64}, nil
	}
	if commit, err := strconv.ParseUint(text, 10, 64); err == nil {
		return end{commit: commit}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return end{time: at, commit: math.MaxUint64}, nil
		}
	}
	return end{}, errors.New("--until: want a time such as 2026-03-01T12:00:00Z or a position such as 4711")
}

func (e end) before(r events.Record) bool {
	return r.Position.Commit > e.commit || !e.time.IsZero() && r.RecordedAt.After(e.time)
}

func replay(ctx context.Context, w io.Writer, s *system, stream string, until end, output string) error {
	records, err := s.store.ReadStream(ctx, stream, 0)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return fmt.Errorf("no such stream: %s", stream)
	}
	var envelopes []events.Envelope
	for _, r := range records {
		if until.before(r) {
			break
		}
		env, err := events.Decode(r)
		if err != nil {
			return err
		}
		envelopes = append(envelopes, env)
	}
	if envelopes, err = seal.New(s.vault).Open(ctx, envelopes); err != nil {
		return err
	}
	for _, env := range envelopes {
		if err := printEvent(w, env, output); err != nil {
			return err
		}
	}
	return nil
}

func printEvent(w io.Writer, env events.Envelope, output string) error {
	described := projections.Describe(env.Event)
	net, _ := events.ParseNet(env.Metadata.Net)
	reason, _ := env.Metadata.Reason.Reveal()
	if output == outputJSON {
		return json.NewEncoder(w).Encode(map[string]any{
			"event_id": wireid.Format(wireid.Event, env.ID), "type": env.Event.EventType(), "revision": env.Revision,
			"position": env.Position.Commit, "recorded_at": env.RecordedAt, "event": described.Event,
			"actor": env.Metadata.Actor, "source": env.Metadata.Source, "ip": net.IP, "reason": reason, "ticket": env.Metadata.Ticket, "changes": changesJSON(described.Changes),
		})
	}
	by := actorName(env.Metadata.Actor)
	if net.IP != "" {
		by += " from " + net.IP
	}
	if _, err := fmt.Fprintf(w, "%4d  %s  %s\n      by %s\n", env.Revision, env.RecordedAt.UTC().Format(time.RFC3339), described.Event, by); err != nil {
		return err
	}
	if reason != "" || env.Metadata.Ticket != "" {
		if _, err := fmt.Fprintf(w, "      because: %s\n", strings.TrimSpace(reason+" "+env.Metadata.Ticket)); err != nil {
			return err
		}
	}
	for _, change := range described.Changes {
		before, after := shown(change.Field, change.Before), shown(change.Field, change.After)
		if _, err := fmt.Fprintf(w, "      %s: %s -> %s\n", change.Field, before, after); err != nil {
			return err
		}
	}
	return nil
}

func changesJSON(changes []projections.Change) []map[string]any {
	all := make([]map[string]any, len(changes))
	for i, c := range changes {
		all[i] = map[string]any{"field": c.Field, "before": c.Before, "after": c.After}
	}
	return all
}

// actorName is who acted, by the ids that the API shows.
func actorName(a events.Actor) string {
	name := string(a.Kind)
	switch id, err := uuid.Parse(a.ID); {
	case err != nil:
		name += " " + a.ID // a component, or nobody known
	case a.Kind == events.ActorReseller:
		name += " " + wireid.Format(wireid.Staff, id)
	default:
		name += " " + wireid.Format(wireid.Customer, id)
	}
	if a.Kind == events.ActorAsCustomer {
		name += ", who was " + wireid.Format(wireid.Staff, a.StaffID)
	}
	return strings.TrimSpace(name)
}

// shown is a value for people; nothing is a dash.
func shown(field string, v any) string {
	if v == nil || v == "" {
		return "-"
	}
	if owner, ok := v.(string); ok && field == projections.SettingOwner {
		if id, err := uuid.Parse(owner); err == nil {
			return wireid.Format(wireid.Customer, id)
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return strings.Trim(string(text), `"`)
}
