package postgres

import (
	"runtime"
	"syscall"
)

// launch starts the server so that it is told to shut down when this process dies, by whatever means. The kernel
// sends that signal when the starting thread ends, not the process, so one thread does nothing else but start the
// server and wait for it.
func (c *Cluster) launch() error {
	c.cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine, after the server
		err := c.cmd.Start()
		if err != nil {
			close(c.done)
		}
		started <- err
		if err == nil {
			_ = c.cmd.Wait() // how it ended is in its log
			close(c.done)
		}
	}()
	return <-started
}
