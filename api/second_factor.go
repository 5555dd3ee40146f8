package api

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/commands/session"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/throttle"
	"github.com/stewardhq/steward/internal/totp"
)

// SecondFactorInput answers the challenge of a sign-in.
type SecondFactorInput struct {
	CommandContext
	Body struct {
		Challenge    string `json:"challenge" maxLength:"200" doc:"From /v1/sign-in."`
		Code         string `json:"code,omitempty" maxLength:"100" doc:"The six digits that the authenticator app shows." example:"123456"`
		RecoveryCode string `json:"recovery_code,omitempty" maxLength:"100" doc:"Instead of a code. Each is good once."`
		Cookie       bool   `json:"cookie,omitempty" doc:"As in /v1/sign-in."`
	}
}

var (
	errOneFactor = fault.New(fault.Invalid, "invalid", "send either a code or a recovery code").On("code", "or recovery_code, one of the two, is needed")
	errCode      = login.ErrCodeUsed.On("code", "is wrong, or was used before: wait for the next one, and check that the clock of your device is right")
)

// signInFactor handles POST /v1/sign-in/second-factor.
func (s *Server) signInFactor(ctx context.Context, in *SecondFactorInput) (*SignInOutput, error) {
	if (in.Body.Code == "") == (in.Body.RecoveryCode == "") {
		return nil, errOneFactor
	}
	challenge, err := apitoken.Parse(in.Body.Challenge)
	if err != nil || !challenge.IsChallenge() {
		return nil, session.ErrOver
	}
	stream := events.SessionStream(challenge.ID())
	waiting, err := session.Decider.LoadAny(ctx, s.engine, stream)
	if err != nil {
		return nil, err
	}
	r, err := s.visit(ctx, waiting.StoreID)
	if err != nil {
		return nil, err
	}
	matches := challenge.Matches(waiting.State.Challenge)
	if !matches || !waiting.State.Waits(r.At) {
		return nil, session.ErrOver
	}
	who, err := s.personOf(ctx, waiting.StoreID, waiting.State.CustomerID, waiting.State.StaffID)
	if err != nil {
		return nil, err
	}
	r.Actor = who.actor(uuid.Nil)
	slot, err := s.throttle.Take(ctx, r.At,
		throttle.Challenge(waiting.State.ID), throttle.SecondFactor(waiting.StoreID, who.id()),
		throttle.Network(waiting.StoreID, netOf(ctx).IP))
	if err != nil {
		return nil, err
	}
	method, reason, err := s.consume(ctx, waiting, in.Body.Code, in.Body.RecoveryCode, r)
	if errors.Is(err, login.ErrCodeUsed) {
		note := session.RefuseFactor{Method: method, Reason: reason, Now: r.At}
		if _, err := session.Decider.Handle(ctx, s.engine, stream, note, r.Step("refused")); err != nil {
			return nil, err
		}
		return nil, errCode
	}
	if err != nil {
		return nil, err
	}
	if err := slot.GiveBack(ctx); err != nil {
		return nil, err
	}
	return s.passed(ctx, waiting, challenge, method, in.Body.Cookie, r)
}

// passed begins the session of a challenge whose second factor was right.
func (s *Server) passed(ctx context.Context, waiting decider.Loaded[session.State], challenge apitoken.Token, method events.AuthMethod, cookie bool, r decider.Request) (*SignInOutput, error) {
	who, err := s.personOf(ctx, r.StoreID, waiting.State.CustomerID, waiting.State.StaffID)
	if err != nil {
		return nil, err
	}
	token := challenge.Passed()
	begun := s.newSession(token, who, r.StoreID, r, cookie)
	pass := session.Pass{
		Method: method, Status: who.status(), Scope: scopeOf(who.credentials.State), Epoch: who.epoch(), TokenHash: token.Hash(),
		Idle: begun.row.Idle, ExpiresAt: begun.row.ExpiresAt, Now: r.At,
	}
	if !who.active() {
		if _, err := session.Decider.Handle(ctx, s.engine, events.SessionStream(waiting.State.ID), pass, r); err != nil {
			return nil, err
		}
		shop, err := store.Decider.Load(ctx, s.engine, r.StoreID, events.StoreStream(r.StoreID))
		if err != nil {
			return nil, err
		}
		return nil, who.refusal(shop.State.Policies.At(r.At), "")
	}
	out, err := s.begin(ctx, begun, pass, r)
	if err == nil && pass.Scope == events.ScopePassword {
		out.Body.Next = nextSetPassword
	}
	return out, err
}

// consume uses a code or a recovery code up. Its fault is [login.ErrCodeUsed] when
// that is not possible; reason then says why. The code is checked anew on whatever
// the login has become, so of many who send the same one gets through.
func (s *Server) consume(ctx context.Context, waiting decider.Loaded[session.State], code, recoveryCode string, r decider.Request) (method events.AuthMethod, reason events.RefusalReason, err error) {
	method = events.MethodCode
	check := func(f login.TwoFactor) (login.Command, events.RefusalReason, error) {
		step, seen, err := verifyCode(f, code, r.At)
		return login.AcceptCode{Step: step, SessionID: waiting.State.ID}, seen, err
	}
	if recoveryCode != "" {
		method = events.MethodRecovery
		check = func(f login.TwoFactor) (login.Command, events.RefusalReason, error) {
			index, seen, err := verifyRecovery(f, recoveryCode)
			return login.UseRecoveryCode{Index: index, SessionID: waiting.State.ID}, seen, err
		}
	}
	reason = events.RefusedUsedCode // as of a race
	_, err = login.Decider.HandleFrom(ctx, s.engine, events.LoginStream(waiting.State.LoginID), func(_ context.Context, state login.State) (login.Command, error) {
		command, why, err := check(state.TwoFactor)
		if err != nil {
			reason = why
		}
		return command, err
	}, r.Step("factor"))
	return method, reason, err
}

// verifyCode checks a code of the authenticator app, and returns the step it is of.
func verifyCode(f login.TwoFactor, typed string, now time.Time) (uint64, events.RefusalReason, error) {
	secret, err := secretOf(f.Secret)
	if err != nil || !f.Enabled {
		return 0, events.RefusedCode, login.ErrCodeUsed
	}
	step, ok := totp.Verify(secret, typed, now, f.LastStep)
	switch {
	case ok:
		return step, "", nil
	case step != 0:
		return 0, events.RefusedUsedCode, login.ErrCodeUsed
	default:
		return 0, events.RefusedCode, login.ErrCodeUsed
	}
}

// verifyRecovery checks a recovery code, and returns which it is.
func verifyRecovery(f login.TwoFactor, typed string) (int, events.RefusalReason, error) {
	code, err := totp.ParseRecoveryCode(typed)
	if err != nil {
		return 0, events.RefusedCode, login.ErrCodeUsed
	}
	hashes, err := recoveryHashes(f.Recovery)
	if err != nil {
		return 0, events.RefusedCode, err
	}
	index, ok := totp.MatchRecovery(hashes, f.Used, code)
	switch {
	case ok:
		return index, "", nil
	case index >= 0:
		return 0, events.RefusedUsedCode, login.ErrCodeUsed
	default:
		return 0, events.RefusedCode, login.ErrCodeUsed
	}
}
