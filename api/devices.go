package api

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
)

// deviceCookie is what a browser is known by in which somebody has signed in. It opens
// nothing: strangers who guess passwords cannot shut out who has it, and a sign-in
// without it is news to its owner.
const deviceCookie = "__Host-steward_device"

// deviceTime is how long a browser keeps it.
const deviceTime = 180 * 24 * time.Hour

// device is a browser that a login knows.
type device struct{ loginID, id uuid.UUID }

// presentedDevice is the device that a request says it comes from, if it is one of the
// store's logins.
func (s *Server) presentedDevice(ctx context.Context, store uuid.UUID) (device, bool) {
	r := http.Request{Header: callOf(ctx).header}
	kept, err := r.Cookie(deviceCookie)
	if err != nil {
		return device{}, false
	}
	content, ok := s.tokens.open("device", store[:], kept.Value)
	if !ok || len(content) != 32 {
		return device{}, false
	}
	return device{uuid.UUID(content[:16]), uuid.UUID(content[16:])}, true
}

// remember makes the browser in which a session has begun known to the login, unless it
// is. A failure costs nothing but that.
func (s *Server) remember(ctx context.Context, n newSession, r decider.Request) []http.Cookie {
	loginID := n.who.loginID()
	if known, ok := s.presentedDevice(ctx, n.row.StoreID); ok && known.loginID == loginID {
		return nil
	}
	added := login.AddDevice{DeviceID: uuid.New(), SessionID: n.row.ID}
	if _, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(loginID), added, r.Step("device")); err != nil {
		s.log.WarnContext(ctx, "a device was not remembered", "login_id", loginID, "err", err)
		return nil
	}
	value := s.tokens.seal("device", n.row.StoreID[:], append(loginID[:], added.DeviceID[:]...))
	return []http.Cookie{{
		Name: deviceCookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(deviceTime / time.Second),
	}}
}
