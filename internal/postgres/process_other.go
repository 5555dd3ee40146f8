//go:build unix && !linux

package postgres

import (
	"os/exec"
	"strconv"
	"strings"
)

// isServerOf reports whether process pid is a PostgreSQL server of the data directory dir.
func isServerOf(pid int, dir string) bool {
	out, err := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output() //nolint:noctx // it ends at once
	return err == nil && strings.Contains(string(out), "postgres") && strings.Contains(string(out), "-D "+dir+" ")
}
