package mail

import "time"

// Data is all that a mail can say. No field may hold a password or another secret; a link that is good once is the
// only thing that opens a door. What a template has no use for is ignored.
type Data struct {
	Store    Store
	Name     string    // whom the mail greets, may be empty
	Username string    // what the reader signs in with, may be empty
	Link     string    // an http or https address
	Until    time.Time // when the link ends
	At       time.Time // when it happened
	IP       string    // where it came from, may be empty
	Device   string    // with what, may be empty
	Reason   string    // for the reader's eyes, may be empty
	Subject  string    // of a message
	Body     string    // of a message; an empty line begins a paragraph
	// Staff is who of the team acted, in the words that the reader may see. Empty: the reader did it, or nobody is named.
	Staff     string
	Lines     []string // what was done, a sentence each
	Remaining int      // how many recovery codes are left
}

// Store is whose mail it is.
type Store struct {
	Name, Host string
	LogoURL    string // an https address; anything else shows the name instead
	Color      string // #rrggbb; anything else is replaced by a neutral one
}

// Sample is data for a preview or a test of t. A preview puts its own store in.
func Sample(t Template) Data {
	d := Data{
		Store: Store{Name: "Example Store", Host: "shop.example.com", LogoURL: "https://shop.example.com/logo.png", Color: "#1f6feb"},
		Name:  "Mary Shelley",
		Until: time.Date(2026, 3, 15, 9, 30, 0, 0, time.UTC),
		At:    time.Date(2026, 3, 14, 9, 30, 0, 0, time.UTC),
		IP:    "192.0.2.7", Device: "Firefox on Linux",
		Username: "mary.shelley",
	}
	if e, ok := find(t); ok && e.HasLink {
		d.Link = "https://shop.example.com/links/preview?for=" + string(t)
	}
	switch t {
	case AccountSuspended:
		d.Reason = "An invoice is overdue."
	case TwoFactorDisabled:
		d.Staff, d.Reason = "our support team", "You lost your phone."
	case RecoveryCodeUsed:
		d.Remaining = 8
	case StaffInvitation:
		d.Name, d.Staff = "Percy", "Mary Shelley"
	case SessionReceipt:
		d.Staff, d.Reason = "our support team", "You asked us on the phone."
		d.Lines = []string{"Nameservers of frankenstein.example changed.", "Automatic renewal of frankenstein.example turned on."}
	case Message:
		d.Staff, d.Subject = "Percy", "About your domain"
		d.Body = "Your domain is ready.\nNothing is left to do.\n\nWrite to us with any question."
	}
	return d
}
