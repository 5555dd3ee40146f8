// Package fault is the one kind of failure that a caller may see: a stable
// code, a sentence, and the fields at fault.
package fault

import (
	"errors"
	"time"
)

// Kind is the class of a fault. The API maps each kind to one HTTP status.
type Kind int

// The kinds.
const (
	Internal     Kind = iota // a defect; no detail leaves the process
	Invalid                  // the request is understood and wrong
	Malformed                // the request cannot be read
	Unauthorized             // no valid credential
	Forbidden                // the credential does not allow it
	NotFound                 // no such thing, or not one of the caller's
	Conflict                 // the state of the thing forbids it
	Stale                    // the thing changed since the caller saw it
	Precondition             // the caller must say which state it saw
	TooLarge                 // the request is bigger than allowed
	Unavailable              // something that is needed is away; try again
	Unknown                  // the outcome could not be learned in time
	TooMany                  // asked too often; try again later
	Gone                     // what was asked for is over for good
)

// Error is a failure that a caller may see. It never holds what the caller
// sent, nor any secret or personal value.
type Error struct {
	Kind    Kind
	Code    string // stable, lower snake case
	Message string
	// Fields are the inputs at fault, the first one first.
	Fields []Field
	// RetryAfter is when it makes sense to try again; zero says nothing.
	RetryAfter time.Duration
}

// Field is one input at fault.
type Field struct {
	Name    string // as the caller knows it: settings.nameservers[1]
	Message string
}

// New makes a fault. Package variables made with it serve as sentinels.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Is makes errors.Is compare faults by code, so that a fault with fields still
// is the sentinel it was made from.
func (e *Error) Is(target error) bool {
	var other *Error
	return errors.As(target, &other) && other.Code == e.Code
}

// On returns a copy of e that names an input at fault.
func (e *Error) On(field, message string) *Error {
	c := *e
	c.Fields = append(append([]Field(nil), e.Fields...), Field{Name: field, Message: message})
	return &c
}

// After returns a copy of e that says when to try again.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// As returns the fault in err's chain, if there is one.
func As(err error) (*Error, bool) {
	var f *Error
	ok := errors.As(err, &f)
	return f, ok
}
