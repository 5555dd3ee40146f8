package postgres

import (
	"bytes"
	"fmt"
	"os"
	"slices"
)

// isServerOf reports whether process pid is a PostgreSQL server of the data directory dir. Command lines are
// readable for everybody, unlike working directories. A zombie has none.
func isServerOf(pid int, dir string) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := bytes.Split(text, []byte{0})
	return bytes.Contains(args[0], []byte("postgres")) &&
		slices.ContainsFunc(args[1:], func(arg []byte) bool { return string(arg) == dir })
}
