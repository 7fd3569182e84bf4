package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// Health says what keeps an engine from its work. A daemon that answers a ping is not healthy yet.
type Health int

// The states of an engine.
const (
	Undiagnosed     Health = iota // the caller gave up before the end
	Healthy                       // everything that was asked was answered
	Frozen                        // dockerd is stopped, or so far behind that its queue of connections is full
	Hung                          // dockerd is not stopped, and does not answer a ping
	Down                          // nobody listens on the socket
	RuntimeStuck                  // dockerd answers a ping and no more: containerd is stopped, dead or hangs
	ContainerWedged               // all is well but for the one container
	Unusable                      // what answers makes no sense, or may not be asked
)

func (h Health) String() string {
	names := [...]string{"undiagnosed", "healthy", "frozen", "hung", "down", "runtime stuck", "container wedged", "unusable"}
	if h < 0 || int(h) >= len(names) {
		return fmt.Sprintf("health %d", int(h))
	}
	return names[h]
}

// Process is one of the engine's processes, as /proc shows it.
type Process struct {
	Name  string // "dockerd"
	PID   int    // 0: not found
	State string // one letter, proc_pid_stat(5): "S" sleeps, "T" is stopped, "D" waits in the kernel; "" if it has ended
}

func (p Process) stopped() bool { return p.State == "T" || p.State == "t" }

func (p Process) String() string {
	switch {
	case p.PID == 0:
		return p.Name
	case p.State == "":
		return fmt.Sprintf("%s (pid %d, ended)", p.Name, p.PID)
	}
	return fmt.Sprintf("%s (pid %d, state %s)", p.Name, p.PID, p.State)
}

// Diagnosis is what [Engine.Diagnose] found out. Its String and its Advice are for the operator and say what to do.
type Diagnosis struct {
	Health     Health
	Host       string  // of the engine
	Container  string  // that was asked about, "" for none
	Dockerd    Process // what could be found of them
	Containerd Process
	Shim       Process // of the container, if that is wedged
	Err        error   // of the request that failed; nil if none was needed
}

// Diagnose finds out what is wrong with the engine, and with one container unless containerID is "". It looks at the processes first, and then
// asks at most for a ping, the info and the container, one after the other, each under its limit (Ping, Info, InspectPoll):
// what hangs costs the daemon no more than that. It needs no probe before; a success is one.
func (e *Engine) Diagnose(ctx context.Context, containerID string) Diagnosis {
	d := Diagnosis{Host: e.host, Container: containerID, Dockerd: Process{Name: "dockerd"}, Containerd: Process{Name: "containerd"}}
	if d.Health = e.lookAtDaemon(&d); d.Health != Healthy {
		return d
	}
	var p *protocol
	if p, d.Err = e.negotiate(ctx); d.Err != nil {
		d.Health = d.judge(ctx, Hung)
		return d
	}
	if d.Containerd.stopped() { // the answer would never come
		d.Health = RuntimeStuck
		return d
	}
	if _, d.Err = e.info(ctx, p); d.Err != nil {
		d.Health = d.judge(ctx, RuntimeStuck)
		return d
	}
	e.agreed.Store(p)
	if containerID == "" {
		return d
	}
	if _, d.Err = e.InspectAgain(ctx, containerID); errors.Is(d.Err, ErrNotFound) {
		d.Err = nil // as good an answer as any
	}
	if d.Err != nil {
		d.Health = d.judge(ctx, ContainerWedged)
	}
	if d.Health == ContainerWedged {
		d.Shim = processes().shim(containerID)
	}
	return d
}

// Explain says what a failed probe means, by the processes alone: it asks nothing, since an engine in trouble is asked less. It does not
// repeat the failure. Healthy means that there is nothing to be said beside that.
func (e *Engine) Explain(ctx context.Context, failed error) Diagnosis {
	d := Diagnosis{Host: e.host, Dockerd: Process{Name: "dockerd"}, Containerd: Process{Name: "containerd"}}
	d.Health = e.lookAtDaemon(&d)
	var call *CallError
	if d.Health == Healthy && errors.As(failed, &call) {
		hangs := RuntimeStuck
		if call.Call == "ping" {
			hangs = Hung
		}
		d.Err = failed
		d.Health = d.judge(ctx, hangs)
	}
	d.Err = nil
	return d
}

// lookAtDaemon connects without asking anything.
func (e *Engine) lookAtDaemon(d *Diagnosis) Health {
	path := strings.TrimPrefix(e.host, "unix://")
	conn, err := net.Dial("unix", path)
	pid := 0
	if err == nil {
		pid = peer(conn)
		conn.Close()
	}
	found := e.daemonsBehind(pid, path)
	d.Dockerd, d.Containerd = found.dockerd, found.containerd
	switch {
	case err == nil && d.Dockerd.stopped():
		return Frozen
	case err == nil:
		return Healthy
	}
	d.Err = fmt.Errorf("%w%s", err, remedy(err))
	switch {
	case errors.Is(err, syscall.EAGAIN) && (d.Dockerd.stopped() || d.Dockerd.PID == 0):
		return Frozen
	case errors.Is(err, syscall.EAGAIN):
		return Hung
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return Down
	}
	return Unusable
}

// judge says what a failed request means: hangs, if its limit was over.
func (d *Diagnosis) judge(ctx context.Context, hangs Health) Health {
	if ctx.Err() != nil {
		return Undiagnosed
	}
	// Things may have changed since the first look.
	d.Dockerd, d.Containerd = d.Dockerd.again(), d.Containerd.again()
	var no *DaemonError
	over := errors.Is(d.Err, context.DeadlineExceeded)
	switch {
	case d.Dockerd.stopped():
		return Frozen
	case d.Dockerd.PID != 0 && d.Dockerd.State == "", refusedConnection(d.Err):
		return Down
	case hangs != Hung && over && d.Containerd.stopped():
		return RuntimeStuck
	case over, hangs == RuntimeStuck && errors.As(d.Err, &no) && no.Status >= 500:
		return hangs
	}
	return Unusable
}

func refusedConnection(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)
}

// String is the [Diagnosis.Advice] in one line.
func (d Diagnosis) String() string {
	wrong, remedy := d.Advice()
	if remedy == "" {
		return wrong
	}
	return wrong + ": " + remedy
}

// Advice says what is wrong and what the operator does about it; of an engine that is healthy, or was not diagnosed, there is nothing to
// advise.
func (d Diagnosis) Advice() (wrong, remedy string) {
	because := ""
	if d.Err != nil {
		because = " (" + brief(d.Err) + ")"
	}
	switch d.Health {
	case Healthy:
		return "the Docker daemon is healthy", ""
	case Frozen:
		if d.Dockerd.PID == 0 {
			return "the Docker daemon at " + d.Host + " is frozen" + because, "look for a stopped dockerd (state T in ps) and continue it with kill -CONT, or restart it"
		}
		return d.Dockerd.String() + " is stopped" + because, d.Dockerd.goOn()
	case Hung:
		return d.Dockerd.String() + " does not answer" + because, "look at its log and at the host's load and disks, take its stacks with kill -USR1, and restart it"
	case Down:
		if d.Dockerd.State != "" {
			return d.Dockerd.String() + " runs, but does not listen at " + d.Host + because, "check the engine's host in the configuration"
		}
		return "the Docker daemon at " + d.Host + " is down" + because, "start it, for example with systemctl start docker"
	case RuntimeStuck:
		if d.Containerd.stopped() {
			return d.Containerd.String() + " is stopped" + because, d.Containerd.goOn()
		}
		return d.Dockerd.String() + " waits for its runtime, " + d.Containerd.String() + because,
			"look at containerd's log, restart containerd, and then dockerd if that doesn't help"
	case ContainerWedged:
		wrong = "the Docker daemon is alive, and its container " + d.Container + " is wedged" + because
		if d.Shim.stopped() {
			return wrong, d.Shim.String() + " is stopped, " + d.Shim.goOn()
		}
		return wrong, "look at " + d.Shim.String() + " with ps and /proc, and at containerd's log"
	case Unusable:
		return "what listens at " + d.Host + " is unusable" + because, unusableRemedy(d.Err)
	}
	return "the Docker daemon at " + d.Host + " was not diagnosed to the end" + because, ""
}

// unusableRemedy is for a daemon that says no, or none at all.
func unusableRemedy(err error) string {
	var old *oldAPIError
	switch {
	case errors.As(err, &old):
		return "upgrade it to Docker Engine 20.10 or newer"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "run this as root or as a member of the socket's group"
	}
	return "check that it is a Docker daemon, and its log"
}

// goOn is the remedy for a stopped process.
func (p Process) goOn() string { return fmt.Sprintf("continue it with kill -CONT %d", p.PID) }
