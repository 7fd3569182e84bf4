package registryauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/registry"
	"golang.org/x/sys/unix"
)

// defaultHelperPath is where helpers are looked for, and their own PATH.
const defaultHelperPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const (
	maxHelperAnswer = 64 << 10               // bytes; a cloud registry's token has some 2 KiB
	afterExit       = time.Second            // until stdout is read, which a child that left the group may hold open
	afterKill       = 2 * time.Second        // until a killed helper has to be gone; more than afterExit
	afterGivingUp   = 100 * time.Millisecond // the same when the caller has given up
)

// Words of Docker's protocol of credential helpers (docker/docker-credential-helpers, credentials/error.go and client/client.go).
const (
	saysNotFound    = "credentials not found in native keychain"
	isIdentityToken = "<token>" // as user: the secret is an identity token
)

// helper is a program docker-credential-NAME. Called with "get", it reads a registry's name from stdin and writes user and secret as JSON
// to stdout; or fails, with a message there.
type helper struct {
	name  string
	path  string
	limit time.Duration
}

// get asks for a registry's credentials; nil without an error if the helper has none.
func (h helper) get(ctx context.Context, server string) (*registry.AuthConfig, error) {
	program, err := h.find()
	if err != nil {
		return nil, err
	}
	answer, err := h.run(ctx, program, server)
	if err != nil && strings.TrimSpace(string(answer)) == saysNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var said struct{ Username, Secret string }
	if json.Unmarshal(answer, &said) != nil || said.Secret == "" {
		return nil, errors.New("its answer is not a credential helper's (not shown)")
	}
	if said.Username == isIdentityToken {
		return &registry.AuthConfig{IdentityToken: said.Secret}, nil
	}
	return &registry.AuthConfig{Username: said.Username, Password: said.Secret}, nil
}

// find looks the program up. It will run as root, so nobody else may be able to change it.
func (h helper) find() (string, error) {
	if h.path == "" {
		h.path = defaultHelperPath
	}
	for dir := range strings.SplitSeq(h.path, ":") {
		program := filepath.Join(dir, "docker-credential-"+h.name)
		st, err := os.Stat(program)
		if err != nil || !st.Mode().IsRegular() || st.Mode().Perm()&0o111 == 0 {
			continue
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); !ok || sys.Uid != 0 || st.Mode().Perm()&0o022 != 0 {
			return "", fmt.Errorf("%s must be root's, and nobody else may write to it", program)
		}
		return program, nil
	}
	return "", fmt.Errorf("docker-credential-%s is not in %s", h.name, h.path)
}

// run executes the program and waits for it. The program's stdout comes back also when it failed.
//
// SIGKILL does not end at once what hangs in the kernel or is in a frozen cgroup (of cgroup v1). So the process belongs to a
// goroutine of its own, which reaps it whenever that is, and run leaves: afterKill after the limit, and afterGivingUp after its
// caller's context.
func (h helper) run(caller context.Context, program, server string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(caller, h.limit)
	defer cancel()
	end := make(chan ending, 1)
	go func() { end <- execute(ctx, program, server) }()
	select {
	case e := <-end:
		return h.judge(caller, e, program, server)
	case <-ctx.Done():
	}
	patience := time.NewTimer(afterKill)
	defer patience.Stop()
	select {
	case e := <-end:
		return h.judge(caller, e, program, server)
	case <-patience.C:
		return nil, fmt.Errorf("no answer within %s (config.yaml's registry.helper_limit), and it cannot be ended: it hangs in the kernel or is frozen", h.limit)
	case <-caller.Done():
	}
	// Mostly it is gone in a moment, and with it its group: nothing is left then, even if this process ends now.
	moment := time.NewTimer(afterGivingUp)
	defer moment.Stop()
	select {
	case <-end:
	case <-moment.C:
	}
	return nil, caller.Err()
}

// judge says what an ended program's answer is worth.
func (h helper) judge(caller context.Context, e ending, program, server string) ([]byte, error) {
	switch {
	case e.killed && caller.Err() != nil:
		return nil, caller.Err()
	case e.killed:
		return nil, fmt.Errorf("no answer within %s (config.yaml's registry.helper_limit)", h.limit)
	case e.answer.full:
		return nil, fmt.Errorf("its answer is longer than %d bytes", maxHelperAnswer)
	case e.err != nil && !e.started:
		return nil, fmt.Errorf("cannot be started: %w", e.err)
	case e.err != nil:
		return e.answer.content, fmt.Errorf("%w; run `echo %s | %s get` as root to see why", e.err, server, program)
	}
	return e.answer.content, nil
}

// ending is how a program ended. killed says that it was ended, as the context was over.
type ending struct {
	answer  *boundedBuffer
	started bool
	killed  bool
	err     error
}

// execute runs the program in a process group of its own, which is killed when the program has ended or the context is over.
// It returns when the program is reaped.
func execute(ctx context.Context, program, server string) ending {
	// The parent-death signal comes when the thread ends that started the program (PR_SET_PDEATHSIG, prctl(2)).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e := ending{answer: &boundedBuffer{}}
	cmd := exec.Command(program, "get")
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + defaultHelperPath, "HOME=/root", "LANG=C"}
	cmd.Stdin = strings.NewReader(server)
	cmd.Stdout = e.answer
	cmd.WaitDelay = afterExit
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if e.err = cmd.Start(); e.err != nil {
		return e
	}
	e.started = true
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		awaitExit(cmd.Process.Pid)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		e.killed = true
	}
	// Not reaped yet, so the group's number is nobody else's.
	_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // ESRCH cannot be: the program itself, dead or alive, is in it
	e.err = cmd.Wait()
	if errors.Is(e.err, exec.ErrWaitDelay) {
		e.err = nil // the program itself was content; what it wrote is read
	}
	<-ended
	return e
}

// awaitExit returns when the child has ended, and leaves it to be reaped (waitid(2), WNOWAIT).
func awaitExit(pid int) {
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			return
		}
	}
}

// boundedBuffer keeps at most maxHelperAnswer bytes and fails then, so that the program's pipe is closed.
type boundedBuffer struct {
	content []byte
	full    bool
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if len(b.content)+len(p) > maxHelperAnswer {
		b.full = true
		return 0, io.ErrShortBuffer
	}
	b.content = append(b.content, p...)
	return len(p), nil
}
