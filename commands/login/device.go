package login

import (
	"github.com/google/uuid"

	"github.com/stewardhq/steward/events"
)

// AddDevice remembers a browser in which somebody has signed in.
type AddDevice struct {
	DeviceID  uuid.UUID
	SessionID uuid.UUID
}

func (AddDevice) loginCommand() {}

func addDevice(s State, c AddDevice) ([]events.LoginEvent, error) {
	if s.LoginID == uuid.Nil {
		return nil, ErrUnknown
	}
	return []events.LoginEvent{events.LoginDeviceAdded{
		LoginID: s.LoginID, CustomerID: s.CustomerID, StaffID: s.StaffID, DeviceID: c.DeviceID, SessionID: c.SessionID, First: s.Devices == 0,
	}}, nil
}
