package main

import (
	"os"
	"syscall"
)

// instance is what a running dev tells other commands about itself.
type instance struct {
	PID         int    `json:"pid"`
	BaseURL     string `json:"base_url"`
	PostgresURL string `json:"postgres_url"`
	EventStore  string `json:"event_store"`
}

// alive reports whether the process that wrote the file still runs.
func (i instance) alive() bool {
	if i.PID == 0 {
		return false
	}
	process, err := os.FindProcess(i.PID)
	return err == nil && process.Signal(syscall.Signal(0)) == nil
}
