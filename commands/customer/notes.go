package customer

import (
	"github.com/stewardhq/steward/events"
	"github.com/stewardhq/steward/internal/identity"
)

// AddNote keeps a note of the team about the customer.
type AddNote struct {
	By   events.Actor
	Text string
}

func (AddNote) customerCommand() {}

// maxNote is how many characters a note has at most.
const maxNote = 4000

func addNote(s State, c AddNote) ([]events.CustomerEvent, error) {
	if c.By.Kind != events.ActorReseller {
		return nil, ErrStaffOnly
	}
	if err := changeable(s); err != nil {
		return nil, err
	}
	text, err := identity.Text(c.Text, maxNote)
	switch {
	case err != nil:
		return nil, ErrInvalid.On("text", err.Error())
	case text == "":
		return nil, ErrInvalid.On("text", "is missing")
	}
	return []events.CustomerEvent{events.CustomerNoteAdded{CustomerID: s.ID, Text: events.Clear(text)}}, nil
}
