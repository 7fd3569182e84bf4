package supervise

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// withBrokenGlass has a policy decide that lifts what is denied otherwise.
func withBrokenGlass(glass security.BreakGlass) lifeOption {
	return withRules(func(r *security.Rules) { r.BreakGlass = glass })
}

var hostPID = security.BreakGlass{HostNamespaces: []string{"pid"}}

// inHostPID is [busybox] with the parameter pid=host and others, each in JSON.
func inHostPID(command string, parameters ...string) string {
	all := strings.Join(append([]string{`{"key": "pid", "value": "host"}`}, parameters...), ", ")
	return strings.Replace(busybox(command), `"network": "NONE"`, `"network": "NONE", "parameters": [`+all+`]`, 1)
}

// leavesChild is a script that leaves a process with its id, on the host, in the sandbox behind.
const leavesChild = `sh -c 'trap "" TERM; echo $$ >$MESOS_SANDBOX/child; exec sleep 1000' & while [ ! -s $MESOS_SANDBOX/child ]; do sleep 0.01; done; `

// child reads the id of the process that [leavesChild] leaves.
func (l *life) child() int {
	l.t.Helper()
	var pid int
	await(l.t, "the id of the child", func() bool {
		text, _ := os.ReadFile(filepath.Join(l.sandbox, "child"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid > 0
	})
	return pid
}

// wantDead looks once: it has to be true by the terminal update.
func wantDead(t *testing.T, pid int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return
	}
	if state := string(text)[strings.LastIndexByte(string(text), ')')+2]; state != 'Z' && state != 'X' {
		t.Errorf("process %d is alive: %s", pid, text)
	}
}

func TestExitInTheHostsPIDNamespaceEndsWhatItLeaves(t *testing.T) {
	l := begin(t, withBrokenGlass(hostPID))
	l.launch(inHostPID(leavesChild + "exit 7"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	child := l.child()
	failed := l.await(mesos.TASK_FAILED)
	wantDead(t, child)
	if !strings.HasPrefix(failed.GetMessage(), "Container exited with status 7;") || failed.Reason != nil {
		t.Errorf("%v: %q", failed.GetReason(), failed.GetMessage())
	}
	l.exits(0)
}

// It is unconfined otherwise, too, which is no alarm when it was decided.
func TestKillInTheHostsPIDNamespaceGivesGraceAndEndsAll(t *testing.T) {
	l := begin(t, withBrokenGlass(security.BreakGlass{
		HostNamespaces: []string{"ipc", "pid", "userns"}, Unconfined: []string{"apparmor", "seccomp"},
	}))
	l.launch(inHostPID(leavesChild+"trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done",
		`{"key": "ipc", "value": "host"}`, `{"key": "userns", "value": "host"}`,
		`{"key": "security-opt", "value": "apparmor=unconfined"}`, `{"key": "security-opt", "value": "seccomp=unconfined"}`))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	awaitFile(t, l.stdout, "ready\n")
	child := l.child()
	kill(l, time.Minute)
	l.await(mesos.TASK_KILLING)
	killed := l.await(mesos.TASK_KILLED)
	wantDead(t, child)
	if killed.GetMessage() != "Container exited with status 0" {
		t.Errorf("%q", killed.GetMessage())
	}
	l.exits(0)
}

// Nobody but the executor ends anything: dockerd is frozen and so is the shim.
func TestKillInTheHostsPIDNamespaceNeedsNeitherDaemonNorShim(t *testing.T) {
	l := begin(t, withBrokenGlass(hostPID))
	l.launch(inHostPID(leavesChild + "trap '' TERM; echo ready; while :; do sleep 0.05; done"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	awaitFile(t, l.stdout, "ready\n")
	child := l.child()
	found, err := l.engine.Inspect(t.Context(), "mesosx-"+l.containerID)
	if err != nil {
		t.Fatal(err)
	}
	if err := docker.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = docker.Thaw() }()
	if err := docker.SignalShim(found.ID, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	kill(l, 100*time.Millisecond)
	l.await(mesos.TASK_KILLING)
	killed := l.await(mesos.TASK_KILLED)
	wantDead(t, child)
	if killed.GetMessage() != "Container exited with status 137 (SIGKILL)" {
		t.Errorf("%q", killed.GetMessage())
	}
	if err := errors.Join(docker.SignalShim(found.ID, unix.SIGCONT), docker.Thaw()); err != nil {
		t.Fatal(err)
	}
	l.exits(0)
}

func TestSweepEndsAContainerInTheHostsPIDNamespace(t *testing.T) {
	p := cast(t, wasRunning, filepath.Join(t.TempDir(), "run"))
	p.PIDMode = "host"
	p.begin(t)
	p.says(t, "ready")
	await(t, "the container and its child", func() bool { return len(p.processes(t)) >= 2 })
	p.kill(t)
	report := sweepOnce(t, p.RunDir)
	p.nothingLeft(t)
	if swept := sweptIn(t, report, p.ID); !swept.Complete {
		t.Errorf("%+v", swept)
	}
}
