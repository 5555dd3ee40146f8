package throttle

import "time"

// Rule says how many slots of a bucket may be taken, and how fast. It is a limit on
// a streak, on what happens within a window, or both. All times are whole seconds.
type Rule struct {
	// Name stands in the database and tells buckets of different rules apart. It
	// never changes.
	Name string

	// Free slots may be taken at any time. After n more, the next may be taken
	// Wait·2ⁿ after the last one, but never later than Longest after it. Once Stop
	// slots were taken no time opens the bucket again. A slot that is given back
	// after a success ends the streak. All zero: there is no such limit.
	Free          int
	Wait, Longest time.Duration
	Stop          int

	// Windows limit what may be taken within any span of time.
	Windows []Window

	// Keep is how long a bucket is remembered after its last slot.
	Keep time.Duration
	// KeepStopped is the same for one that has stopped; zero is for ever.
	KeepStopped time.Duration
}

// Window allows Most slots within any time of length Per.
type Window struct {
	Most int
	Per  time.Duration
}

const (
	day   = 24 * time.Hour
	month = 30 * day
)

// Names are the rules of those who prove who they are by a secret that they know.
// The stop is what NIST SP 800-63B-4, section 3.2.2 demands, and a month of silence
// lets an attacker begin anew, which is three attempts a day.
func names(name string) Rule {
	return Rule{Name: name, Free: 5, Wait: time.Second, Longest: 15 * time.Minute, Stop: 100, Keep: month}
}

// The rules, all in one place.
var (
	// AccountRule is for the passwords tried on a name.
	AccountRule = names("account")
	// DeviceRule is for those tried from a device that has signed in to the name
	// before, so that strangers cannot lock its owner out.
	DeviceRule = names("device")
	// NetworkRule is for the failures of a network, whatever the names.
	NetworkRule = Rule{Name: "network", Windows: []Window{{30, 10 * time.Minute}}, Keep: day}
	// ChallengeRule is for the codes tried between a right password and a session.
	// A challenge lasts minutes, so a day later nobody can ask about it.
	ChallengeRule = Rule{Name: "challenge", Free: 5, Stop: 5, Keep: day, KeepStopped: day}
	// SecondFactorRule is for one-time codes and recovery codes of an account
	// together. A guess is right three times in a million, one of all that the rule
	// lets through three times in ten thousand.
	SecondFactorRule = Rule{Name: "second_factor", Free: 10, Wait: 15 * time.Minute, Longest: day, Stop: 100, Keep: month}
	// ResetRule is for the mails with which a password is reset.
	ResetRule = Rule{Name: "reset", Windows: []Window{{3, time.Hour}, {10, day}}, Keep: day}
	// ResetNetworkRule is for those that a network asks for, whatever the names.
	ResetNetworkRule = Rule{Name: "reset_network", Windows: []Window{{30, time.Hour}}, Keep: day}
)

// Rules lists all.
var Rules = []Rule{AccountRule, DeviceRule, NetworkRule, ChallengeRule, SecondFactorRule, ResetRule, ResetNetworkRule}

// streak reports whether the rule limits a streak, which a success ends.
func (r Rule) streak() bool { return r.Stop > 0 }

// size is how many slots of a bucket are kept, the newest. Of a window these are
// twice what it allows: when slots are given back and the clock is set back, those
// before them matter again.
func (r Rule) size() int {
	size := r.Stop
	for _, w := range r.Windows {
		size = max(size, 2*w.Most)
	}
	return size
}

// sqlRule is a rule as the database's functions read it, times in seconds.
type sqlRule struct {
	Name        string      `json:"name"`
	Free        int         `json:"free,omitzero"`
	Wait        float64     `json:"wait,omitzero"`
	Longest     float64     `json:"longest,omitzero"`
	Stop        int         `json:"stop,omitzero"`
	Windows     []sqlWindow `json:"windows,omitempty"`
	Size        int         `json:"size"`
	Keep        float64     `json:"keep"`
	KeepStopped float64     `json:"keep_stopped,omitzero"`
}

type sqlWindow struct {
	Most int     `json:"most"`
	Per  float64 `json:"per"`
}

func (r Rule) sql() sqlRule {
	s := sqlRule{
		Name: r.Name, Free: r.Free, Wait: r.Wait.Seconds(), Longest: r.Longest.Seconds(), Stop: r.Stop,
		Size: r.size(), Keep: r.Keep.Seconds(), KeepStopped: r.KeepStopped.Seconds(),
	}
	for _, w := range r.Windows {
		s.Windows = append(s.Windows, sqlWindow{w.Most, w.Per.Seconds()})
	}
	return s
}
