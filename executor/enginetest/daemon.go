//go:build linux

package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"
)

// daemon is a running dockerd.
type daemon struct {
	process *os.Process
	exited  chan struct{} // closed once dockerd was reaped
}

func (e *Engine) configFile() string { return filepath.Join(e.Dir, "daemon.json") }
func (e *Engine) execRoot() string   { return filepath.Join(e.Dir, "exec") }
func (e *Engine) pidFile() string    { return filepath.Join(e.Dir, "docker.pid") }
func (e *Engine) logFile() string    { return filepath.Join(e.Dir, "dockerd.log") }
func (e *Engine) containerdPID() string {
	return filepath.Join(e.execRoot(), "containerd", "containerd.pid")
}
func (e *Engine) containerdSock() string {
	return filepath.Join(e.execRoot(), "containerd", "containerd.sock")
}

// startDaemon starts dockerd in a network namespace of its own and returns once it answers.
func (e *Engine) startDaemon(ctx context.Context) error {
	// dockerd refuses to start over a pid file whose number is in use again.
	if err := os.Remove(e.pidFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the stale pid file: %w", err)
	}
	log, err := os.OpenFile(e.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the daemon's log: %w", err)
	}
	defer log.Close()

	cmd := exec.Command("dockerd", append([]string{
		"--config-file=" + e.configFile(),
		"--host=" + e.Host,
		"--data-root=" + e.DataRoot(),
		"--exec-root=" + e.execRoot(),
		"--pidfile=" + e.pidFile(),
		"--cgroup-parent=" + e.cgroupParent,
	}, e.options.Args...)...)
	// Nothing of the caller's environment: a proxy or a DOCKER_ variable would change the daemon.
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + e.Dir}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &unix.SysProcAttr{
		Setsid:    true, // Ctrl-C is for the caller, who then stops the daemon
		Pdeathsig: unix.SIGTERM,
	}
	d, err := launch(cmd, e.enterPidsGroup, e.leavePidsGroup)
	if err != nil {
		return fmt.Errorf("start dockerd: %w", err)
	}
	e.daemon, e.PID = d, d.process.Pid
	return e.waitUntilReady(ctx)
}

// launch starts cmd in a new network namespace with its loopback interface up. prepare runs on the thread that starts it.
//
// The namespace belongs to a thread: a goroutine keeps that thread for as long as the daemon runs,
// because the parent-death signal (PR_SET_PDEATHSIG, prctl(2)) comes when the starting thread ends, not the
// process. It is never unlocked, so the runtime discards the thread instead of using it for others; the first thread of the
// process it only puts to rest, which is why the thread has to undo by undo what would hold something.
func launch(cmd *exec.Cmd, prepare func() error, undo func()) (*daemon, error) {
	d := &daemon{exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		defer close(d.exited)
		runtime.LockOSThread()
		defer undo()
		if err := errors.Join(enterNewNetwork(), prepare()); err != nil {
			started <- err
			return
		}
		err := cmd.Start()
		d.process = cmd.Process
		started <- err
		if err == nil {
			cmd.Wait() //nolint:errcheck // how it ended is in its log
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return d, nil
}

// enterNewNetwork moves the calling thread into a new network namespace.
func enterNewNetwork() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bring up loopback: %w", err)
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("bring up loopback: %w", err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bring up loopback: %w", err)
	}
	return nil
}

func (e *Engine) waitUntilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	c, err := client.NewClientWithOpts(client.WithHost(e.Host))
	if err != nil {
		return err
	}
	defer c.Close()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if ping, err := c.Ping(ctx); err == nil && ping.APIVersion != "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-e.daemon.exited:
			e.daemon = nil
			return fmt.Errorf("dockerd ended before it answered; the end of its log:\n%s", e.logTail())
		case <-ctx.Done():
			return fmt.Errorf("dockerd does not answer: %w; the end of its log:\n%s", ctx.Err(), e.logTail())
		}
	}
}

// api returns a client of this engine; the caller closes it.
func (e *Engine) api() (*client.Client, error) {
	return client.NewClientWithOpts(client.WithHost(e.Host), client.WithAPIVersionNegotiation())
}

// logTail returns the last lines of the daemon's log.
func (e *Engine) logTail() string {
	const lines = 20
	text, err := os.ReadFile(e.logFile())
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// stopDaemon ends dockerd and its containerd, which must not be frozen; containers are removed first, so that the daemon takes
// their networks, mounts and cgroups away itself. What it fails to do is left to the sweep.
func (e *Engine) stopDaemon() error {
	if e.daemon == nil {
		return nil
	}
	e.removeContainers()
	// A failure means that it has ended, which is what we want.
	_ = e.daemon.process.Signal(unix.SIGTERM)
	select {
	case <-e.daemon.exited:
	case <-time.After(stopLimit):
		_ = e.daemon.process.Signal(unix.SIGKILL)
		<-e.daemon.exited
	}
	e.daemon = nil
	return e.waitForContainerd()
}

// removeContainers removes all containers through the API, as far as the daemon goes along.
func (e *Engine) removeContainers() {
	ctx, cancel := context.WithTimeout(e.base, removeLimit)
	defer cancel()
	c, err := e.api()
	if err != nil {
		return
	}
	defer c.Close()
	all, err := c.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return
	}
	for _, one := range all {
		_ = c.ContainerRemove(ctx, one.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	}
}

// waitForContainerd waits until the containerd that dockerd started has died with it.
func (e *Engine) waitForContainerd() error {
	text, err := os.ReadFile(e.containerdPID())
	if err != nil {
		return nil // it never ran, or dockerd ended it and removed its files
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("read %s: %w", e.containerdPID(), err)
	}
	// A dying process loses its command line before it is gone, and the next dockerd would take it for
	// a living containerd: only no process at all, or one with another command line, counts as gone.
	gone := poll(sweepLimit, func() bool {
		line := commandLine(pid)
		return unix.Kill(pid, 0) == unix.ESRCH || (line != "" && !strings.Contains(line, e.execRoot()))
	})
	if !gone {
		return fmt.Errorf("containerd (pid %d) of the private engine is still there", pid)
	}
	return os.Remove(e.containerdPID())
}
