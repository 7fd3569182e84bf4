package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Init is the init process of a container. The pidfd that it holds means this one
// process for ever, also after its process id was given to another.
type Init struct {
	PID       int    // in our PID namespace
	StartTime uint64 // clock ticks after boot, field 22 of proc_pid_stat(5)

	pidfd *os.File
}

// Signal sends the signal by pidfd_send_signal(2). The error is os.ErrProcessDone when the
// process is gone (a zombie takes signals and does nothing), os.ErrClosed after Close.
//
// The init of a PID namespace ignores signals from inside that it has no handler for, but not
// SIGKILL and SIGSTOP from outside (pid_namespaces(7)). With SIGKILL the
// kernel kills all the processes of its namespace, too. One in the host's PID namespace takes signals as any
// process does, and leaves its children behind. A process in a frozen v1
// cgroup (docker pause) dies when it is thawed: see [Leaf.Kill].
func (i *Init) Signal(sig unix.Signal) error {
	err := sendSignal(i.pidfd, sig)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		err = fmt.Errorf("send %s to init process %d: %w", SignalName(sig), i.PID, err)
	}
	return err
}

// Dead blocks until the process is dead, all its threads. What goes away soon after,
// such as the counters of [Memory], is read best between Dead and [Init.Wait].
//
// Its error is not nil only when it could not be seen that the process is dead: ctx
// ended (the error wraps context.Cause(ctx)), or the Init is closed (os.ErrClosed). A
// process that died long ago is fine, as is one that several goroutines wait for.
func (i *Init) Dead(ctx context.Context) error {
	_, err := i.await(ctx, func(*os.File, syscall.RawConn) Exit { return Exit{} })
	return err
}

// Wait blocks until the process is dead, then returns its status from the first source
// that has it; see [Exit]. It never reaps the process, whose parent is the shim.
// Errors are those of [Init.Dead].
func (i *Init) Wait(ctx context.Context) (Exit, error) {
	return i.await(ctx, i.status)
}

// await waits for the death, then returns what then says. From the death on the end of
// ctx does not count.
func (i *Init) await(ctx context.Context, then func(*os.File, syscall.RawConn) Exit) (Exit, error) {
	poller, err := i.poller(ctx)
	if err != nil {
		return Exit{}, fmt.Errorf("wait for init process %d: %w", i.PID, err)
	}
	defer poller.Close()
	conn, err := poller.SyscallConn()
	if err != nil {
		return Exit{}, fmt.Errorf("wait for init process %d: %w", i.PID, err)
	}

	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = poller.SetReadDeadline(longAgo)
		close(interrupted)
	})
	err = conn.Read(func(fd uintptr) bool { return exited(int(fd)) })
	if !stop() {
		<-interrupted // the deadline is ours again
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Exit{}, fmt.Errorf("wait for init process %d: %w", i.PID, err)
	}
	return then(poller, conn), nil
}

// longAgo as a deadline ends a wait at once.
var longAgo = time.Unix(1, 0)

// descriptorPause is the time between two tries to get a file descriptor.
const descriptorPause = 50 * time.Millisecond

// poller returns a descriptor of its own for one wait, so that waits do not share a
// deadline and Close need not wait for them. When the process has too many open it waits for one: the
// lack passes, and who waits here has no other way to learn of the death.
func (i *Init) poller(ctx context.Context) (*os.File, error) {
	for {
		var dup int
		err := control(i.pidfd, func(fd int) (err error) {
			dup, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
			return err
		})
		if err == nil {
			return os.NewFile(uintptr(dup), "pidfd"), nil
		}
		if !errors.Is(err, unix.EMFILE) {
			return nil, err
		}
		select {
		case <-time.After(descriptorPause):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w, while there were too many open files", context.Cause(ctx))
		}
	}
}

// over reports whether the process is dead, or the Init closed.
func (i *Init) over() bool { return isOver(i.pidfd) }

// Close closes the pidfd. A Wait that goes on is not disturbed.
func (i *Init) Close() error { return i.pidfd.Close() }
