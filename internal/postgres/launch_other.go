//go:build unix && !linux

package postgres

// launch starts the server. Only Linux can tie it to the life of this process; elsewhere the next start ends what
// a killed one left behind.
func (c *Cluster) launch() error {
	if err := c.cmd.Start(); err != nil {
		close(c.done)
		return err
	}
	go func() {
		_ = c.cmd.Wait() // how it ended is in its log
		close(c.done)
	}()
	return nil
}
