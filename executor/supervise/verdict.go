package supervise

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
)

// Evidence is what each witness said about the end of the container. A nil field is a witness that said nothing.
type Evidence struct {
	Init    *InitExited    // the kernel, about the process that was held by a pidfd
	Shim    *ShimTold      // the container's shim, asked after the death
	DiedAt  time.Time      // when the held process died, by the wall clock; zero: not known
	Wait    *WaitEnded     // the engine's answer to the wait registered before start
	Inspect *ExitInspected // the engine's account when asked afterwards
}

// Verdict is how the container ended.
type Verdict struct {
	Known  bool
	Code   int         // 0..255, 128+signal as shells and Docker count; meaningless unless Known
	Signal unix.Signal // 0 = it exited by itself, or only the code is known
	Source string      // the witness that was believed
	Doubts string      // what each witness said, when none could be believed
}

// Sources of a verdict beside those of the kernel, which its message names.
const (
	sourceShim   = "containerd shim"
	sourceDocker = "docker wait, confirmed by inspect"
)

// Judge decides which witness to believe.
//
// The kernel comes first: a status from the pidfd is the process's own. The shim, the container's parent, got the same from
// the kernel, and keeps it whatever becomes of the daemons. The zombie's entry in /proc is as good,
// unless it says 0, which may mean the status of its first thread or that it is not shown. Docker is believed only when two of its answers
// fit: the wait registered before start came back on an unbroken connection, and one inspect afterwards shows a container
// that was started, has exited when the process died, has no error and has the same code. Each answer alone is known to lie: dockerd restores an
// exit that it missed as status 0, a wait on a container that never started returns 0 at once, and a container that could
// not be started shows 127 or 128.
func Judge(e Evidence) Verdict {
	switch {
	case e.Init != nil && e.Init.Known && e.Init.Proven:
		return fromWaitStatus(e.Init.Status, e.Init.Source)
	case e.Shim != nil && e.Shim.Err == nil:
		return Verdict{Known: true, Code: e.Shim.Code, Source: sourceShim}
	case e.Init != nil && e.Init.Known && e.Init.Status != 0:
		return fromWaitStatus(e.Init.Status, e.Init.Source)
	case e.Wait != nil && e.Wait.Err == nil && !e.Wait.Again && inspectConfirms(e.Inspect, e.Wait.Code, e.DiedAt):
		return Verdict{Known: true, Code: e.Wait.Code, Source: sourceDocker}
	}
	return Verdict{Doubts: e.String()}
}

// settles reports whether what is there is enough without the engine's word.
func (e Evidence) settles() bool {
	e.Wait, e.Inspect = nil, nil
	return Judge(e).Known
}

func fromWaitStatus(status unix.WaitStatus, source string) Verdict {
	if status.Signaled() {
		return Verdict{Known: true, Code: 128 + int(status.Signal()), Signal: status.Signal(), Source: source}
	}
	return Verdict{Known: true, Code: status.ExitStatus(), Source: source}
}

// exitSkew is how far the engine's time of an exit may be from the death that the kernel told of. They are a millisecond
// apart; a daemon that missed the exit makes one up.
const exitSkew = 2 * time.Second

func inspectConfirms(i *ExitInspected, code int, died time.Time) bool {
	return i != nil && i.Err == nil &&
		!i.Container.Running && i.Container.Status == "exited" && !i.Container.StartedAt.IsZero() &&
		i.Container.Error == "" && i.Container.ExitCode == code &&
		(died.IsZero() || i.Container.FinishedAt.Sub(died).Abs() <= exitSkew)
}

// saysOver reports whether the engine's account is of a container that was started and is not running any more, or that
// somebody has removed.
func (i *ExitInspected) saysOver() bool {
	if i == nil || i.Err != nil {
		return i != nil && errors.Is(i.Err, engine.ErrNotFound)
	}
	return !i.Container.Running && !i.Container.StartedAt.IsZero() &&
		(i.Container.Status == "exited" || i.Container.Status == "dead")
}

// String lists what each witness said, for a message to the operator.
func (e Evidence) String() string {
	var said []string
	switch {
	case e.Init == nil:
		said = append(said, "init process: never seen")
	case e.Init.Known:
		said = append(said, fmt.Sprintf("init process: wait status %#x by %s", uint32(e.Init.Status), e.Init.Source))
	default:
		said = append(said, "init process: ended, status not known to this kernel")
	}
	switch {
	case e.Shim == nil:
	case e.Shim.Err != nil:
		said = append(said, fmt.Sprintf("shim: %v", e.Shim.Err))
	default:
		said = append(said, fmt.Sprintf("shim: %d", e.Shim.Code))
	}
	switch {
	case e.Wait == nil:
		said = append(said, "docker wait: no answer")
	case e.Wait.Again && e.Wait.Err == nil:
		said = append(said, fmt.Sprintf("docker wait, after a break: %d", e.Wait.Code))
	case e.Wait.Err != nil:
		said = append(said, e.Wait.Err.Error())
	default:
		said = append(said, fmt.Sprintf("docker wait: %d", e.Wait.Code))
	}
	switch {
	case e.Inspect == nil:
		said = append(said, "docker inspect: no answer")
	case e.Inspect.Err != nil:
		said = append(said, fmt.Sprintf("docker inspect: %v", e.Inspect.Err))
	default:
		c := e.Inspect.Container
		said = append(said, fmt.Sprintf("docker inspect: %s, code %d, error %q, finished at %s", c.Status, c.ExitCode, c.Error, c.FinishedAt.Format(time.RFC3339Nano)))
	}
	return strings.Join(said, "; ")
}

// String is the sentence that Mesos users know from the stock executor, with the signal's name added.
func (v Verdict) String() string {
	switch {
	case !v.Known:
		return "Container ended, exit status unknown (" + v.Doubts + ")"
	case v.Signal != 0:
		return fmt.Sprintf("Container exited with status %d (%s)", v.Code, process.SignalName(v.Signal))
	case v.Code > 128 && unix.SignalName(unix.Signal(v.Code-128)) != "":
		return fmt.Sprintf("Container exited with status %d (as after %s)", v.Code, process.SignalName(unix.Signal(v.Code-128)))
	default:
		return fmt.Sprintf("Container exited with status %d", v.Code)
	}
}

// killedByOOM reports whether the OOM killer ended the container: its cgroup counted a kill (or the engine says so, where
// that account was gone too early) and the init died of SIGKILL, or passed on a child's 137. 137 alone is any SIGKILL.
// A kill far from the limit was the whole host's lack of memory.
func (v Verdict) killedByOOM(oom OOM, engine *ExitInspected) bool {
	counted := oom.Kills > 0 && !oom.farFromLimit() || oom.Lost && engine.saysOver() && engine.Container.OOMKilled
	return v.Known && v.Code == 128+int(unix.SIGKILL) && counted
}

// farFromLimit reports that memory use never came near the cgroup's limit.
func (o OOM) farFromLimit() bool { return o.Limit > 0 && o.Peak > 0 && o.Peak < o.Limit/10*9 }

// String is the account in words.
func (o OOM) String() string {
	if o.Lost {
		return "docker inspect says OOMKilled"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the memory cgroup counted %d OOM kill(s)", o.Kills)
	if o.Limit > 0 {
		fmt.Fprintf(&b, ", limit %d MiB", o.Limit>>20)
	}
	if o.Peak > 0 {
		fmt.Fprintf(&b, ", peak %d MiB", o.Peak>>20)
	}
	if o.farFromLimit() {
		b.WriteString(": the host itself ran out of memory")
	}
	return b.String()
}
