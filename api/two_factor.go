package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/customer"
	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/commands/session"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/apitoken"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/throttle"
	"github.com/stewardhq/steward/internal/totp"
	"github.com/stewardhq/steward/internal/wireid"
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
	r.Actor = events.Customer(waiting.State.CustomerID, uuid.Nil)
	slot, err := s.throttle.Take(ctx, r.At,
		throttle.Challenge(waiting.State.ID), throttle.SecondFactor(waiting.StoreID, waiting.State.CustomerID),
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
	var who identified
	var err error
	if who.account, err = customer.Decider.Load(ctx, s.engine, r.StoreID, events.CustomerStream(waiting.State.CustomerID)); err != nil {
		return nil, err
	}
	if who.credentials, err = login.Decider.Load(ctx, s.engine, r.StoreID, events.LoginStream(waiting.State.LoginID)); err != nil {
		return nil, err
	}
	token := challenge.Passed()
	begun := s.newSession(token, who, r.StoreID, r, cookie)
	pass := session.Pass{
		Method: method, Status: who.account.State.Status, Epoch: who.credentials.State.Epoch, TokenHash: token.Hash(),
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
		return nil, refusal(shop.State.Policies.At(r.At), "")
	}
	return s.begin(ctx, begun, pass, r)
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

// TwoFactorSetup is a secret to be put into an authenticator app.
type TwoFactorSetup struct {
	Key   string   `json:"key" doc:"To type into the app, in groups of four." example:"JBSW Y3DP EHPK 3PXP"`
	URI   string   `json:"uri" doc:"The same as apps read it from a QR code."`
	SVG   string   `json:"qr_svg" doc:"The QR code as SVG."`
	PNG   string   `json:"qr_png" doc:"The QR code as PNG, in base64."`
	Steps []string `json:"steps" doc:"What to do, in order: keys for texts of the storefront."`
}

// TwoFactorSetupOutput is the answer with a secret.
type TwoFactorSetupOutput struct{ Body TwoFactorSetup }

// PasswordInput is what needs the password once more.
type PasswordInput struct {
	CommandContext
	ID   string `path:"id"`
	Body struct {
		Password string `json:"password" maxLength:"2000"`
	}
}

// ConfirmTwoFactorInput confirms a set-up.
type ConfirmTwoFactorInput struct {
	CommandContext
	ID   string `path:"id"`
	Body struct {
		Code string `json:"code" maxLength:"100" example:"123456"`
	}
}

// RecoveryCodesOutput is the answer with recovery codes.
type RecoveryCodesOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		RecoveryCodes []string `json:"recovery_codes" doc:"Each opens the account once without the app. They are shown here and nowhere else."`
		ShownOnce     bool     `json:"shown_once"`
	}
}

var errSelfOnly = fault.New(fault.Forbidden, "customer_only", "only customers set up a second factor, each for themself")

// self is a customer who does something about their own login.
func (s *Server) self(ctx context.Context) (decider.Loaded[customer.State], decider.Request, error) {
	who := callerOf(ctx)
	if !who.isCustomer() {
		return decider.Loaded[customer.State]{}, decider.Request{}, errSelfOnly
	}
	r, err := s.requestOnce(ctx)
	if err != nil {
		return decider.Loaded[customer.State]{}, r, err
	}
	r.Fingerprint = r.CommandID.String() // nothing is derived from a secret
	account, err := s.loadCustomer(ctx, who.storeID, who.customerID)
	return account, r, err
}

// startTwoFactor handles POST /v1/customers/{id}/two-factor/start.
func (s *Server) startTwoFactor(ctx context.Context, in *PasswordInput) (*TwoFactorSetupOutput, error) {
	account, r, err := s.self(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.provePassword(ctx, account, in.Body.Password, r.At); err != nil {
		return nil, err
	}
	shop, err := store.Decider.Load(ctx, s.engine, r.StoreID, events.StoreStream(r.StoreID))
	if err != nil {
		return nil, err
	}
	name := text(shown(account.State.Username))
	if name == "" {
		name = text(shown(account.State.Email))
	}
	secret := totp.NewSecret()
	key, err := totp.NewKey(shop.State.Name, name, secret)
	if err != nil {
		return nil, err
	}
	svg, err := key.SVG()
	if err != nil {
		return nil, err
	}
	png, err := key.PNG(totp.DefaultPNG)
	if err != nil {
		return nil, err
	}
	start := login.StartTwoFactor{CredentialID: uuid.New(), Secret: hex.EncodeToString(secret.Bytes())}
	if _, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(account.State.LoginID), start, r); err != nil {
		return nil, err
	}
	return &TwoFactorSetupOutput{Body: TwoFactorSetup{
		Key: key.Text(), URI: key.URI(), SVG: string(svg), PNG: base64.StdEncoding.EncodeToString(png),
		Steps: []string{"install_an_authenticator_app", "scan_the_code_or_type_the_key", "confirm_with_a_code", "save_the_recovery_codes"},
	}}, nil
}

// confirmTwoFactor handles POST /v1/customers/{id}/two-factor/confirm.
func (s *Server) confirmTwoFactor(ctx context.Context, in *ConfirmTwoFactorInput) (*RecoveryCodesOutput, error) {
	account, r, err := s.self(ctx)
	if err != nil {
		return nil, err
	}
	slot, err := s.throttle.Take(ctx, r.At, throttle.SecondFactor(r.StoreID, account.State.ID))
	if err != nil {
		return nil, err
	}
	codes := totp.NewRecoveryCodes()
	out, err := login.Decider.HandleFrom(ctx, s.engine, events.LoginStream(account.State.LoginID), func(_ context.Context, state login.State) (login.Command, error) {
		f := state.TwoFactor
		confirm := login.ConfirmTwoFactor{CredentialID: f.PendingID, RecoveryID: uuid.New(), Recovery: hashed(codes)}
		if f.PendingID == uuid.Nil {
			return confirm, nil
		}
		secret, err := secretOf(f.PendingSecret)
		if err != nil {
			return nil, err
		}
		step, ok := totp.Verify(secret, in.Body.Code, r.At, 0)
		if !ok {
			return nil, errCode
		}
		confirm.Step = step
		return confirm, nil
	}, r)
	if err != nil {
		return nil, err
	}
	return recoveryCodes(codes, out), slot.GiveBack(ctx)
}

// renewRecoveryCodes handles POST /v1/customers/{id}/two-factor/renew-codes.
func (s *Server) renewRecoveryCodes(ctx context.Context, in *PasswordInput) (*RecoveryCodesOutput, error) {
	account, r, err := s.self(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.provePassword(ctx, account, in.Body.Password, r.At); err != nil {
		return nil, err
	}
	codes := totp.NewRecoveryCodes()
	renew := login.RenewRecoveryCodes{RecoveryID: uuid.New(), Recovery: hashed(codes)}
	out, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(account.State.LoginID), renew, r)
	if err != nil {
		return nil, err
	}
	return recoveryCodes(codes, out), nil
}

// DisableTwoFactorInput turns the second factor off: customers prove themselves by
// their password, the team confirms that it means it.
type DisableTwoFactorInput struct {
	CommandContext
	ID   string `path:"id"`
	Body struct {
		Password string `json:"password,omitempty" maxLength:"2000" doc:"For customers."`
		Confirm  bool   `json:"confirm,omitempty" doc:"For the team: true. The secret and all recovery codes end for good."`
	}
}

var (
	errConfirmDisable = fault.New(fault.Precondition, "confirmation_required", "this ends the customer's secret and recovery codes for good: send confirm").On("confirm", "is not true")
	errNoTool         = fault.New(fault.NotFound, "route_not_found", "There is nothing at this address.")
)

// disableTwoFactor handles POST /v1/customers/{id}/two-factor/disable.
func (s *Server) disableTwoFactor(ctx context.Context, in *DisableTwoFactorInput) (*CommandOutput, error) {
	who := callerOf(ctx)
	id, err := pathID(wireid.Customer, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.requestOnce(ctx)
	if err != nil {
		return nil, err
	}
	r.Fingerprint = r.CommandID.String()
	account, err := s.loadCustomer(ctx, who.storeID, id)
	if err != nil {
		return nil, err
	}
	switch {
	case who.isCustomer():
		if _, err := s.provePassword(ctx, account, in.Body.Password, r.At); err != nil {
			return nil, err
		}
	case !who.policies.On(policy.StaffDisableTwoFactor):
		return nil, errNoTool
	case !in.Body.Confirm:
		return nil, errConfirmDisable
	}
	out, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(account.State.LoginID), login.DisableTwoFactor{}, r)
	if errors.Is(err, login.ErrUnknown) {
		err = login.ErrFactorOff
	}
	if err != nil {
		return nil, err
	}
	return s.answer(in.ID, out, r), nil
}

func recoveryCodes(codes [totp.RecoveryCodes]totp.RecoveryCode, done decider.Outcome) *RecoveryCodesOutput {
	out := &RecoveryCodesOutput{ETag: etag(done.Revision)}
	out.Body.ShownOnce = true
	for _, code := range codes {
		out.Body.RecoveryCodes = append(out.Body.RecoveryCodes, code.Reveal())
	}
	return out
}

// hashed is what is kept of recovery codes.
func hashed(codes [totp.RecoveryCodes]totp.RecoveryCode) string {
	hashes := make([]string, len(codes))
	for i, code := range codes {
		hashes[i] = hex.EncodeToString(code.Hash().Bytes())
	}
	return strings.Join(hashes, ",")
}

func recoveryHashes(kept events.Personal) ([]totp.RecoveryHash, error) {
	joined, ok := kept.Reveal()
	if !ok {
		return nil, nil
	}
	var hashes []totp.RecoveryHash
	for part := range strings.SplitSeq(joined, ",") {
		raw, err := hex.DecodeString(part)
		if err != nil {
			return nil, errBroken
		}
		hash, err := totp.RecoveryHashFrom(raw)
		if err != nil {
			return nil, errors.Join(errBroken, err)
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func secretOf(kept events.Personal) (totp.Secret, error) {
	encoded, ok := kept.Reveal()
	if !ok {
		return totp.Secret{}, errBroken
	}
	raw, err := hex.DecodeString(encoded)
	if err != nil {
		return totp.Secret{}, errBroken
	}
	return totp.SecretFrom(raw)
}
