package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/stewardhq/steward/commands/login"
	"github.com/stewardhq/steward/commands/store"
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/decider"
	"github.com/stewardhq/steward/internal/fault"
	"github.com/stewardhq/steward/internal/policy"
	"github.com/stewardhq/steward/internal/throttle"
	"github.com/stewardhq/steward/internal/totp"
	"github.com/stewardhq/steward/internal/wireid"
)

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

// self is somebody who does something about their own login, in a session of theirs.
func (s *Server) self(ctx context.Context) (identified, decider.Request, error) {
	r, err := s.requestOnce(ctx)
	if err != nil {
		return identified{}, r, err
	}
	r.Fingerprint = r.CommandID.String() // nothing is derived from a secret
	who, err := s.asker(ctx)
	return who, r, err
}

// selfCustomer is [Server.self] for customers only.
func (s *Server) selfCustomer(ctx context.Context) (identified, decider.Request, error) {
	if !callerOf(ctx).isCustomer() {
		return identified{}, decider.Request{}, errSelfOnly
	}
	return s.self(ctx)
}

// startTwoFactor handles POST /v1/customers/{id}/two-factor/start.
func (s *Server) startTwoFactor(ctx context.Context, in *PasswordInput) (*TwoFactorSetupOutput, error) {
	who, r, err := s.selfCustomer(ctx)
	if err != nil {
		return nil, err
	}
	return s.startFactor(ctx, who, in.Body.Password, r)
}

// startFactor shows somebody a new secret.
func (s *Server) startFactor(ctx context.Context, who identified, password string, r decider.Request) (*TwoFactorSetupOutput, error) {
	if err := s.provePassword(ctx, who, password, r); err != nil {
		return nil, err
	}
	shop, err := store.Decider.Load(ctx, s.engine, r.StoreID, events.StoreStream(r.StoreID))
	if err != nil {
		return nil, err
	}
	secret := totp.NewSecret()
	key, err := totp.NewKey(shop.State.Name, who.name(), secret)
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
	if _, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(who.loginID()), start, r); err != nil {
		return nil, err
	}
	return &TwoFactorSetupOutput{Body: TwoFactorSetup{
		Key: key.Text(), URI: key.URI(), SVG: string(svg), PNG: base64.StdEncoding.EncodeToString(png),
		Steps: []string{"install_an_authenticator_app", "scan_the_code_or_type_the_key", "confirm_with_a_code", "save_the_recovery_codes"},
	}}, nil
}

// confirmTwoFactor handles POST /v1/customers/{id}/two-factor/confirm.
func (s *Server) confirmTwoFactor(ctx context.Context, in *ConfirmTwoFactorInput) (*RecoveryCodesOutput, error) {
	who, r, err := s.selfCustomer(ctx)
	if err != nil {
		return nil, err
	}
	return s.confirmFactor(ctx, who, in.Body.Code, r)
}

// confirmFactor turns on the second factor of somebody whose app shows this code.
func (s *Server) confirmFactor(ctx context.Context, who identified, code string, r decider.Request) (*RecoveryCodesOutput, error) {
	slot, err := s.throttle.Take(ctx, r.At, throttle.SecondFactor(r.StoreID, who.id()))
	if err != nil {
		return nil, err
	}
	codes := totp.NewRecoveryCodes()
	out, err := login.Decider.HandleFrom(ctx, s.engine, events.LoginStream(who.loginID()), func(_ context.Context, state login.State) (login.Command, error) {
		f := state.TwoFactor
		confirm := login.ConfirmTwoFactor{CredentialID: f.PendingID, RecoveryID: uuid.New(), Recovery: hashed(codes)}
		if f.PendingID == uuid.Nil {
			return confirm, nil
		}
		secret, err := secretOf(f.PendingSecret)
		if err != nil {
			return nil, err
		}
		step, ok := totp.Verify(secret, code, r.At, 0)
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
	who, r, err := s.selfCustomer(ctx)
	if err != nil {
		return nil, err
	}
	return s.renewCodes(ctx, who, in.Body.Password, r)
}

// renewCodes replaces somebody's recovery codes.
func (s *Server) renewCodes(ctx context.Context, who identified, password string, r decider.Request) (*RecoveryCodesOutput, error) {
	if err := s.provePassword(ctx, who, password, r); err != nil {
		return nil, err
	}
	codes := totp.NewRecoveryCodes()
	renew := login.RenewRecoveryCodes{RecoveryID: uuid.New(), Recovery: hashed(codes)}
	out, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(who.loginID()), renew, r)
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
	errConfirmDisable = fault.New(fault.Precondition, "confirmation_required", "this ends the secret and all recovery codes for good: send confirm").On("confirm", "is not true")
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
		if err := s.provePassword(ctx, identified{account: account}, in.Body.Password, r); err != nil {
			return nil, err
		}
	case !who.policies.On(policy.StaffDisableTwoFactor):
		return nil, errNoTool
	case !in.Body.Confirm:
		return nil, errConfirmDisable
	}
	return s.disableFactor(ctx, identified{account: account}, in.ID, r)
}

// disableFactor turns somebody's second factor off.
func (s *Server) disableFactor(ctx context.Context, who identified, id string, r decider.Request) (*CommandOutput, error) {
	out, err := login.Decider.Handle(ctx, s.engine, events.LoginStream(who.loginID()), login.DisableTwoFactor{}, r)
	if errors.Is(err, login.ErrUnknown) {
		err = login.ErrFactorOff
	}
	if err != nil {
		return nil, err
	}
	return s.answer(id, out, r), nil
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
