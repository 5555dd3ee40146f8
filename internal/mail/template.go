package mail

// Template names a mail. The name is stored with every mail that was sent, so it never changes.
type Template string

// The mails.
const (
	Welcome                 Template = "welcome"
	SetPassword             Template = "set_password"
	AccountActivation       Template = "account_activation"
	ActivationSuccessful    Template = "activation_successful"
	PasswordReset           Template = "password_reset"
	PasswordResetSuccessful Template = "password_reset_successful"
	PasswordChanged         Template = "password_changed"
	AccountSuspended        Template = "account_suspended"
	AccountReactivated      Template = "account_reactivated"
	TwoFactorDisabled       Template = "two_factor_disabled"
	RecoveryCodeUsed        Template = "recovery_code_used"
	EmailChange             Template = "email_change"
	EmailChanged            Template = "email_changed"
	NewDevice               Template = "new_device"
	StaffInvitation         Template = "staff_invitation"
	SessionReceipt          Template = "session_receipt"
	Message                 Template = "message"
)

// Description tells people about a mail.
type Description struct {
	Template Template
	Name     string // as people call it
	About    string // when it is sent
	HasLink  bool   // it carries a link that is good once
}

// Templates lists all mails, in a fixed order.
func Templates() []Description {
	all := make([]Description, len(catalogue))
	for i, e := range catalogue {
		all[i] = e.Description
	}
	return all
}

// entry is a mail and what cannot be left out of its data.
type entry struct {
	Description
	needs []need
}

// need is a field that a mail makes no sense without.
type need struct {
	field string
	has   func(view) bool
}

var (
	needsAt      = need{"At", func(v view) bool { return !v.At.IsZero() }}
	needsUntil   = need{"Until", func(v view) bool { return !v.Until.IsZero() }}
	needsLink    = need{"Link, a web address", func(v view) bool { return v.Link != "" }}
	needsSubject = need{"Subject", func(v view) bool { return v.Subject != "" }}
	needsBody    = need{"Body", func(v view) bool { return len(v.Paragraphs) > 0 }}
	needsLines   = need{"Lines", func(v view) bool { return len(v.Lines) > 0 }}

	linked = []need{needsLink, needsUntil}

	// Every mail says whose it is.
	always = []need{
		{"Store.Name", func(v view) bool { return v.Store.Name != "" }},
		{"Store.Host", func(v view) bool { return v.Store.Host != "" }},
	}
)

// catalogue holds the mails in the order of [Templates].
var catalogue = []entry{
	{Description{Welcome, "Welcome", "The team opened an account and asked for a welcome. The link leads to a first password.", true}, linked},
	{Description{AccountActivation, "Storefront account activation", "Somebody opened an account, or the team did and the store welcomes with this mail. The link activates the account.", true}, linked},
	{Description{ActivationSuccessful, "Activation was successful", "An account became active: by its link, or because the team confirmed it.", false}, nil},
	{Description{SetPassword, "Set your password", "The team sends a link to a first password, without a welcome.", true}, linked},
	{Description{PasswordReset, "Storefront user password reset", "Somebody asked for a new password, or the team did for the customer. The link leads to it.", true}, linked},
	{Description{PasswordResetSuccessful, "Reset Password Was Successful", "A password was reset by the link of such a mail.", false}, []need{needsAt}},
	{Description{PasswordChanged, "Password changed", "A password was changed by the customer or set by the team.", false}, []need{needsAt}},
	{Description{TwoFactorDisabled, "Two-factor authentication disabled", "Two-factor authentication was disabled by the customer or the team.", false}, []need{needsAt}},
	{Description{RecoveryCodeUsed, "Recovery code used", "Somebody signed in with a recovery code in place of the authenticator app.", false}, []need{needsAt}},
	{Description{NewDevice, "Sign-in from a new device", "Somebody signed in from a device that the account had not seen before.", false}, []need{needsAt}},
	{Description{EmailChange, "Confirm your email address", "A change of the email address was asked for. Goes to the new address; the link confirms it.", true}, linked},
	{Description{EmailChanged, "Email address changed", "The email address changed. Goes to the old address; the link undoes the change.", true}, linked},
	{Description{AccountSuspended, "Account suspended", "The team suspended an account, and did not say that it tells the customer itself.", false}, nil},
	{Description{AccountReactivated, "Account reactivated", "The team reactivated a suspended account, and did not say that it tells the customer itself.", false}, nil},
	{Description{SessionReceipt, "What was done in your account", "A session in which the team acted as the customer is over, and the store wants a receipt. Lists what was done.", false}, []need{needsAt, needsLines}},
	{Description{StaffInvitation, "Invitation to the team", "Somebody was invited to the store's team. The link accepts the invitation.", true}, linked},
	{Description{Message, "Message", "The team wrote to a customer. Subject and body are the writer's.", false}, []need{needsSubject, needsBody}},
}

func find(t Template) (entry, bool) {
	for _, e := range catalogue {
		if e.Template == t {
			return e, true
		}
	}
	return entry{}, false
}
