package policy

import "errors"

var errEmpty = errors.New("is empty")

// The values of a policy of yes or no.
const (
	on  = "true"
	off = "false"
)

func either(whenOn, whenOff string) []Value { return []Value{{on, whenOn}, {off, whenOff}} }

// Values that decisions name.
const (
	UsernameRequired = "required"
	UsernameOptional = "optional"
	UsernameIsEmail  = "email_is_username"

	ActivationAuto   = "auto"
	ActivationManual = "manual"
	ActivationLink   = "link"

	PasswordsNIST    = "nist"
	PasswordsClassic = "classic"

	StaffPasswordNever     = "never"
	StaffPasswordTemporary = "set_temporary"
	StaffPasswordSet       = "set"

	RevealAfterPassword = "after_correct_password"
	RevealNever         = "never"
	RevealAlways        = "always"

	TwoFactorOptional = "optional"
	TwoFactorRequired = "required"

	WelcomeMail    = "welcome"
	ActivationMail = "account_activation"

	ImpersonateAllow = "allow"
	ImpersonateDeny  = "deny"

	DeletionSoft     = "soft"
	DeletionErase    = "erase"
	DeletionDisabled = "disabled"

	ReleaseNever    = "never"
	ReleaseOnDelete = "on_delete"
	ReleaseOnErase  = "on_erase"
)

// The policies.
var (
	UsernameMode = Policy{
		Name: "username_mode", Default: UsernameRequired,
		About: "Whether customers have a username beside their email address.",
		Values: []Value{
			{UsernameRequired, "every account has one"},
			{UsernameOptional, "an account may have one"},
			{UsernameIsEmail, "customers sign in with their email address, accounts have no username"},
		},
	}
	Registration = Policy{
		Name: "self_registration", Default: on,
		About:  "Whether visitors can open an account by themselves.",
		Values: either("they can", "accounts are opened by the team"),
	}
	Activation = Policy{
		Name: "activation", Default: ActivationAuto,
		About: "How an account becomes usable.",
		Values: []Value{
			{ActivationAuto, "at once"},
			{ActivationManual, "one that the team opened at once, one that somebody opened for themself when a member of the team confirms it"},
			{ActivationLink, "when the customer follows a link that is sent to their address, and has chosen a password"},
		},
	}
	WelcomeTemplate = Policy{
		Name: "welcome_template", Default: WelcomeMail,
		About: "Which mail brings a customer the link to their first password, of an account that the team opened.",
		Values: []Value{
			{WelcomeMail, "a welcome with the store's logo and colour"},
			{ActivationMail, "the one that also goes to those who opened their account themselves"},
		},
	}
	WelcomeHours = Policy{
		Name: "welcome_hours", Default: "24",
		About:  "How many hours such a link, and one that activates an account, is good for.",
		Values: []Value{{"24", "a day"}, {"72", "three days"}, {"168", "a week, for accounts that are opened by the thousand"}},
	}
	Passwords = Policy{
		Name: "passwords", Default: PasswordsNIST,
		About: "What a new password must be like. No policy accepts passwords that many people use.",
		Values: []Value{
			{PasswordsNIST, "at least 15 characters, of any kind"},
			{PasswordsClassic, "at least 8 characters, a capital letter and a number"},
		},
	}
	StaffPassword = Policy{
		Name: "staff_password", Default: StaffPasswordNever,
		About: "Whether the team can set a customer's password.",
		Values: []Value{
			{StaffPasswordNever, "it cannot: it can send a link"},
			{StaffPasswordTemporary, "it can, and the customer has to choose another one when they sign in"},
			{StaffPasswordSet, "it can"},
		},
	}
	RevealStatus = Policy{
		Name: "reveal_status", Default: RevealAfterPassword,
		About: "Whether somebody whose account is suspended, banned or pending is told so when they sign in.",
		Values: []Value{
			{RevealAfterPassword, "after the right password"},
			{RevealNever, "never: it looks like a wrong password"},
			{RevealAlways, "whatever the password: then anybody can find out who has such an account"},
		},
	}
	StaffDisableTwoFactor = Policy{
		Name: "staff_disable_two_factor", Default: on,
		About:  "Whether the team can disable the two-factor authentication of a customer who lost their device.",
		Values: either("it can, and the log says who did", "it cannot: only a recovery code helps"),
	}
	StaffTwoFactor = Policy{
		Name: "staff_two_factor", Default: TwoFactorOptional,
		About: "Whether members of the team need a second factor to sign in.",
		Values: []Value{
			{TwoFactorOptional, "whoever sets one up has one"},
			{TwoFactorRequired, "who has none can do nothing in a session but set one up"},
		},
	}
	CustomerTwoFactor = Policy{
		Name: "customer_two_factor", Default: TwoFactorOptional,
		About: "Whether customers need a second factor to sign in.",
		Values: []Value{
			{TwoFactorOptional, "whoever sets one up has one"},
			{TwoFactorRequired, "who has none can do nothing in a session but set one up"},
		},
	}
	RequireReason = Policy{
		Name: "require_reason", Default: off,
		About:  "Whether suspending, banning and deleting a customer needs a reason.",
		Values: either("without a reason_code, a reason or a Steward-Reason it is refused", "a reason may be given"),
	}
	HoldServices = Policy{
		Name: "hold_services", Default: off,
		About:  "Whether a suspension or ban puts the customer's domains on hold when the request does not say.",
		Values: either("their domains are held too", "their domains stay as they are"),
	}
	Deletion = Policy{
		Name: "deletion", Default: DeletionSoft,
		About: "What deleting a customer does.",
		Values: []Value{
			{DeletionSoft, "the account is hidden and can be restored"},
			{DeletionErase, "the person is erased when the grace is over, until then that can be cancelled"},
			{DeletionDisabled, "deleting is refused: suspend instead. A person can be erased all the same"},
		},
	}
	ErasureGrace = Policy{
		Name: "erasure_grace_hours", Default: "72", Most: 720,
		About: "How many hours after it was asked for a person is erased.",
	}
	ReleaseIdentifiers = Policy{
		Name: "release_identifiers", Default: ReleaseOnErase,
		About: "When others can have the email address, username and external id of a customer who is gone.",
		Values: []Value{
			{ReleaseNever, "never"},
			{ReleaseOnDelete, "when the account is deleted or erased; restoring it takes them again, or others if somebody has them"},
			{ReleaseOnErase, "when the person is erased"},
		},
	}
	ImpersonationReason = Policy{
		Name: "impersonation_reason", Default: on,
		About:  "Whether a member of the team who logs in as a customer says why.",
		Values: either("without a reason or a Steward-Reason it is refused", "a reason may be given"),
	}
	ImpersonateSuspended = Policy{
		Name: "impersonate_suspended", Default: ImpersonateAllow,
		About: "Whether the team can log in as a customer who is suspended or banned.",
		Values: []Value{
			{ImpersonateAllow, "it can, to help"},
			{ImpersonateDeny, "it cannot"},
		},
	}
	ImpersonationReceipt = Policy{
		Name: "impersonation_receipt", Default: off,
		About:  "Whether a customer is told by mail what the team did in their session, when that is over.",
		Values: either("they are, change by change", "they find it in their log"),
	}
	SuspendedLabel  = Policy{Name: "suspended_label", Default: "Suspended", About: "What a suspended account is called where people read it."}
	CustomerLabel   = Policy{Name: "customer_label", Default: "Customer", About: "What the event log calls a customer who acts."}
	ResellerLabel   = Policy{Name: "reseller_label", Default: "Reseller", About: "What the event log calls the team when it acts."}
	AsCustomerLabel = Policy{Name: "as_customer_label", Default: "As Customer", About: "What the event log calls the team when it acts in a customer's session."}
	SystemLabel     = Policy{Name: "system_label", Default: "System", About: "What the event log calls Steward when it acts by itself."}
)

// Policies lists all, in the order in which they are shown.
var Policies = []Policy{
	UsernameMode, Registration, Activation, WelcomeTemplate, WelcomeHours, Passwords, StaffPassword, RevealStatus, StaffDisableTwoFactor, StaffTwoFactor, CustomerTwoFactor, RequireReason, HoldServices, Deletion,
	ErasureGrace, ReleaseIdentifiers,
	ImpersonationReason, ImpersonateSuspended, ImpersonationReceipt,
	SuspendedLabel, CustomerLabel, ResellerLabel, AsCustomerLabel, SystemLabel,
}

// Preset is a set of policies that go together: how another product behaves.
type Preset struct {
	Name  string
	About string
	Set   Set
}

// Presets lists all presets. Policies that one does not name have their default.
var Presets = []Preset{
	{"opensrs", "A reseller's storefront: suspended or active, nothing is deleted.", Set{
		Deletion.Name: DeletionDisabled, ImpersonationReason.Name: off,
	}},
	{"clientxcms", "A hosting client area: customers are found by email and can be deleted softly.", Set{
		UsernameMode.Name: UsernameIsEmail, StaffPassword.Name: StaffPasswordSet,
	}},
	{"bss", "A business portal whose users are contacts and known by their email.", Set{
		UsernameMode.Name: UsernameIsEmail, Deletion.Name: DeletionDisabled, Activation.Name: ActivationLink,
		WelcomeTemplate.Name: ActivationMail,
	}},
	{"pantry", "Logins that staff manage by hand and that are enabled, disabled or deleted for good.", Set{
		Passwords.Name:      PasswordsClassic,
		StaffPassword.Name:  StaffPasswordSet,
		Deletion.Name:       DeletionErase,
		ErasureGrace.Name:   "0",
		SuspendedLabel.Name: "Disabled",
	}},
}

// Called returns a preset.
func Called(name string) (Preset, bool) {
	for _, p := range Presets {
		if p.Name == name {
			return p, true
		}
	}
	return Preset{}, false
}
