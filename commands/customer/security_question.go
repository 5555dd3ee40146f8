package customer

import (
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/fault"
)

// RemoveSecurityQuestion removes the security question that the account brought along
// from another system. None is ever set here.
type RemoveSecurityQuestion struct{ By events.Actor }

func (RemoveSecurityQuestion) customerCommand() {}

// maxQuestion is how many characters a security question has at most.
const maxQuestion = 300

// ErrNoQuestion is returned when there is no security question to remove.
var ErrNoQuestion = fault.New(fault.Conflict, "no_security_question", "the customer has no security question")

func removeSecurityQuestion(s State, c RemoveSecurityQuestion) ([]events.CustomerEvent, error) {
	if c.By.Kind != events.ActorReseller {
		return nil, ErrStaffOnly
	}
	if err := changeable(s); err != nil {
		return nil, err
	}
	if !s.SecurityQuestion {
		return nil, ErrNoQuestion
	}
	return []events.CustomerEvent{events.CustomerSecurityQuestionRemoved{CustomerID: s.ID}}, nil
}
