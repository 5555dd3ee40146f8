package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is the operating system user that a server runs as.
type account struct {
	name     string
	uid, gid int
	other    bool // not the user of this process
}

// serverAccount is the current user, unless that is root: PostgreSQL refuses to run as root, so it gets the user
// that its package made, or else the one that owns nothing.
func serverAccount() account {
	if os.Geteuid() != 0 {
		return account{name: "uid " + strconv.Itoa(os.Geteuid()), uid: os.Geteuid(), gid: os.Getegid()}
	}
	if u, err := user.Lookup("postgres"); err == nil {
		uid, uerr := strconv.Atoi(u.Uid)
		gid, gerr := strconv.Atoi(u.Gid)
		if uerr == nil && gerr == nil && uid != 0 {
			return account{name: "postgres", uid: uid, gid: gid, other: true}
		}
	}
	return account{name: "nobody", uid: 65534, gid: 65534, other: true}
}

// attr makes a child process run as a, in a process group of its own so that a Ctrl-C at the terminal reaches
// Steward alone, which then stops the server in its own time.
func (a account) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.other {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}

// ownDir makes dir a directory that only a can use. What is there already must be such a directory.
func (a account) ownDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	switch {
	case errors.Is(err, fs.ErrExist):
		if err := a.owns(dir); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("make directory: %w", err)
	case a.other:
		if err := os.Chown(dir, a.uid, a.gid); err != nil {
			return fmt.Errorf("give %s to user %s: %w", dir, a.name, err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil { // 0700 is what a server demands of its directory
		return fmt.Errorf("protect directory: %w", err)
	}
	return nil
}

// owns checks that dir is a directory, not a link to one, of the account.
func (a account) owns(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("inspect directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory: move it away or choose another", dir)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != a.uid {
		return fmt.Errorf("%s belongs to uid %d, but the server runs as %s: run chown -R %d:%d %s or choose another directory",
			dir, st.Uid, a.name, a.uid, a.gid, dir)
	}
	return nil
}

// reach checks that the account may pass every directory above path, and path itself if it is a directory that
// exists. Access lists are not looked at.
func (a account) reach(path string) error {
	if !a.other {
		return nil // a directory that this process cannot pass fails with a message of its own
	}
	at := "/"
	for _, part := range append([]string{""}, strings.Split(strings.TrimPrefix(filepath.Clean(path), "/"), "/")...) {
		at = filepath.Join(at, part)
		info, err := os.Stat(at)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("inspect %s: %w", at, err)
		}
		if info.IsDir() && !a.mayPass(info) {
			return fmt.Errorf("the database server runs as user %q, which may not pass the directory %s on the way to %s: "+
				"run chmod o+x %s, or choose a directory elsewhere", a.name, at, path, at)
		}
	}
	return nil
}

func (a account) mayPass(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return true
	case int(st.Uid) == a.uid:
		return info.Mode()&0o100 != 0
	case int(st.Gid) == a.gid:
		return info.Mode()&0o010 != 0
	}
	return info.Mode()&0o001 != 0
}
