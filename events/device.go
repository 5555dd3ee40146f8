package events

import "github.com/google/uuid"

// TypeLoginDeviceAdded is the stored name of the devices of a login. Never edit or
// reuse it.
const TypeLoginDeviceAdded = "login.device_added"

// LoginDeviceAdded remembers a browser in which somebody has signed in.
type LoginDeviceAdded struct {
	LoginID    uuid.UUID `json:"login_id"`
	CustomerID uuid.UUID `json:"customer_id,omitzero"`
	StaffID    uuid.UUID `json:"staff_id,omitzero"`
	DeviceID   uuid.UUID `json:"device_id"`
	SessionID  uuid.UUID `json:"session_id"`
	// First says that no other was remembered: it is no news.
	First bool `json:"first"`
}

// EventType returns the stored name.
func (LoginDeviceAdded) EventType() string { return TypeLoginDeviceAdded }

// Customer is whose login it is.
func (e LoginDeviceAdded) Customer() uuid.UUID { return e.CustomerID }

// Staff is whose login it is.
func (e LoginDeviceAdded) Staff() uuid.UUID { return e.StaffID }

func (LoginDeviceAdded) loginEvent() {}
