package events

import "github.com/google/uuid"

// Stored names of security questions, which accounts of other systems bring along.
// Never edit or reuse a value.
const (
	TypeCustomerSecurityQuestionImported = "customer.security_question_imported"
	TypeCustomerSecurityQuestionRemoved  = "customer.security_question_removed"
)

// CustomerSecurityQuestionImported says that the account had a security question where
// it came from. Nothing asks it, and its answer is not kept.
type CustomerSecurityQuestionImported struct {
	CustomerID uuid.UUID `json:"customer_id"`
	Question   Personal  `json:"question" subject:"customer"`
}

// CustomerSecurityQuestionRemoved removes it.
type CustomerSecurityQuestionRemoved struct {
	CustomerID uuid.UUID `json:"customer_id"`
}

func (CustomerSecurityQuestionImported) EventType() string {
	return TypeCustomerSecurityQuestionImported
}

func (CustomerSecurityQuestionRemoved) EventType() string { return TypeCustomerSecurityQuestionRemoved }

func (CustomerSecurityQuestionImported) customerEvent() {}
func (CustomerSecurityQuestionRemoved) customerEvent()  {}
