package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// ClusterOptions says where a private cluster lives and how it runs.
type ClusterOptions struct {
	// Dir is the data directory. It is made when it does not exist; its parents must be passable for the user that
	// the server runs as, which for root is "postgres".
	Dir string
	// RunDir is a short directory for the socket, made with mode 0700. By default one under $XDG_RUNTIME_DIR or
	// /tmp whose name derives from Dir.
	RunDir string
	// NoSync turns durability off. For data that does not outlive the process, so for tests only.
	NoSync bool
	// Settings are server settings, such as work_mem, that win over the defaults.
	Settings map[string]string
	// Log gets what the server writes; by default nobody does.
	Log io.Writer
	// StartTimeout bounds the wait for readiness, crash recovery included; 1 minute by default.
	StartTimeout time.Duration
}

// Cluster is a PostgreSQL server that this process started and owns. It listens on a Unix socket only and trusts
// whoever may enter the socket's directory: this user and root.
type Cluster struct {
	runDir   string
	ownsRun  bool
	bin      Binaries
	lock     *os.File
	cmd      *exec.Cmd
	log      *tail
	done     chan struct{} // closed when the server has ended
	stopping sync.Mutex
}

// StartCluster starts a cluster in o.Dir, making it first if needed, and returns when it accepts connections. A
// server that a killed predecessor left running in the directory is stopped first; one whose owner lives is
// ErrInUse. The server ends with this process, however that ends. No server programs is ErrNoBinaries.
func StartCluster(ctx context.Context, o ClusterOptions) (*Cluster, error) {
	if o.Dir == "" {
		return nil, errors.New("start PostgreSQL: no data directory given")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	o.Dir = dir
	c := &Cluster{done: make(chan struct{}), log: &tail{to: o.Log}}
	if err := c.start(ctx, o); err != nil {
		c.release()
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, o ClusterOptions) error {
	acc := serverAccount()
	parent := filepath.Dir(o.Dir)
	if err := os.MkdirAll(parent, 0o755); err != nil { // the server's user must pass it
		return fmt.Errorf("make directory: %w", err)
	}
	if err := acc.reach(parent); err != nil {
		return err
	}
	var err error
	if c.lock, err = lockDir(o.Dir); err != nil {
		return err
	}
	major, err := dataVersion(o.Dir)
	if err != nil {
		return err
	}
	if c.bin, err = findBinaries(ctx, major); err != nil {
		return err
	}
	if err := acc.reach(c.bin.Dir); err != nil {
		return err
	}
	if err := endStray(ctx, o.Dir); err != nil {
		return err
	}
	if err := c.makeRunDir(acc, o); err != nil {
		return err
	}
	if major == 0 {
		err = initdb(ctx, c.bin, acc, o.Dir, !o.NoSync)
	} else {
		err = acc.owns(o.Dir)
	}
	if err != nil {
		return err
	}
	c.cmd = serverCommand(c.bin, o.Dir, c.runDir, settings(o))
	c.cmd.SysProcAttr = acc.attr()
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	if err := c.launch(); err != nil {
		return fmt.Errorf("as user %s: %w", acc.name, err)
	}
	return c.awaitReady(ctx, o)
}

func (c *Cluster) makeRunDir(acc account, o ClusterOptions) error {
	c.runDir, c.ownsRun = o.RunDir, o.RunDir == ""
	if c.ownsRun {
		c.runDir = defaultRunDir(acc, o.Dir)
	}
	if err := checkSocketPath(c.runDir); err != nil {
		return err
	}
	if err := acc.reach(filepath.Dir(c.runDir)); err != nil {
		return err
	}
	return acc.ownDir(c.runDir)
}

// awaitReady connects until it succeeds. The wait is bounded, and ends at once when the server does.
func (c *Cluster) awaitReady(ctx context.Context, o ClusterOptions) error {
	timeout := o.StartTimeout
	if timeout == 0 {
		timeout = time.Minute
	}
	wait, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := pollReady(wait, c.URL("postgres"), func() bool {
		select {
		case <-c.done:
			return true
		default:
			return false
		}
	})
	if err == nil {
		return nil
	}
	stopCtx, cancelStop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancelStop()
	err = fmt.Errorf("server in %s: %w%s", o.Dir, err, c.log.because())
	return errors.Join(err, c.end(stopCtx))
}

// URL is the address of the database name for pgx and psql alike.
func (c *Cluster) URL(name string) string { return socketURL(c.runDir, name) }

// Version is the major version of the server.
func (c *Cluster) Version() int { return c.bin.Major }

// Done is closed when the server has ended, asked to or not.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Stop ends the server: it rolls open transactions back, writes a checkpoint and returns when the process is gone.
// If ctx ends before, Stop makes the server crash safely, waits for that and says so. Stopping a stopped cluster,
// or a nil one, does nothing.
func (c *Cluster) Stop(ctx context.Context) error {
	if c == nil {
		return nil
	}
	c.stopping.Lock()
	defer c.stopping.Unlock()
	err := c.end(ctx)
	c.release()
	return err
}

// end asks with rising emphasis: a fast shutdown, an immediate one, the kernel.
func (c *Cluster) end(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	c.signal(syscall.SIGINT)
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	}
	c.signal(syscall.SIGQUIT)
	select {
	case <-c.done:
	case <-time.After(10 * time.Second):
		c.signal(syscall.SIGKILL)
		<-c.done
	}
	return fmt.Errorf("PostgreSQL did not stop in time and was forced, its next start recovers: %w", context.Cause(ctx))
}

func (c *Cluster) signal(sig syscall.Signal) {
	_ = c.cmd.Process.Signal(sig) // it fails only when the process is gone, which done tells
}

func (c *Cluster) release() {
	if c.lock != nil {
		unlockDir(c.lock)
		c.lock = nil
	}
	if c.ownsRun {
		_ = os.Remove(c.runDir) // the server removed its socket; what is not empty stays
	}
}

// settings are the server settings of a cluster, sorted, as command-line arguments.
func settings(o ClusterOptions) []string {
	set := map[string]string{
		"max_connections":         "200",
		"shared_buffers":          "256MB",
		"max_wal_size":            "4GB",
		"min_wal_size":            "256MB",
		"wal_compression":         "on",
		"random_page_cost":        "1.1",
		"jit":                     "off", // costs more than it gains on short queries
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"log_destination":         "stderr",
		"logging_collector":       "off",
		"cluster_name":            "steward",
		"log_error_verbosity":     "terse", // no detail lines: they quote column values
		"log_min_error_statement": "panic", // nor statements
	}
	if o.NoSync {
		set["fsync"], set["synchronous_commit"], set["full_page_writes"] = "off", "off", "off"
	}
	for name, value := range o.Settings {
		set[name] = value
	}
	var args []string
	for name, value := range set {
		args = append(args, name+"="+value)
	}
	slices.Sort(args)
	return args
}

// serverCommand is the server in the foreground, on its socket and nothing else.
func serverCommand(bin Binaries, dir, runDir string, settings []string) *exec.Cmd {
	args := []string{
		"-D", dir, "-c", "listen_addresses=", "-c", "port=5432",
		"-c", "unix_socket_directories=" + runDir, "-c", "unix_socket_permissions=0700",
	}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(bin.Dir, "postgres"), args...) //nolint:noctx // it outlives every context; Stop ends it
	cmd.Dir, cmd.Env, cmd.WaitDelay = "/", serverEnv(), 2*time.Second
	return cmd
}
