package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginetest"
)

// untilSignal is a program that ends with a status on SIGUSR1, and with another one on SIGTERM, which a daemon sends.
func untilSignal(status int) string {
	return fmt.Sprintf("trap 'exit %d' USR1; trap 'exit 99' TERM; echo ready; while :; do sleep 0.05; done", status)
}

// restart brings a dockerd that has ended back.
func restart(t *testing.T, e *enginetest.Engine) {
	t.Helper()
	if err := e.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The shim is killed: containerd takes the container for lost and kills it.
func TestContainerOfADeadShimFailsAndTheShimIsNamed(t *testing.T) {
	before, engineBefore := takeBase(t), takeEngineBase(t, docker)
	l := begin(t, docker.Host)
	l.running(untilSignal(0))
	must(t, docker.SignalShim(l.dockerID(), unix.SIGKILL))
	l.fails("Container exited with status 137 (SIGKILL)", "shim (containerd-shim) had died")
	l.exits()
	l.noProcess()
	l.nothingLeft(docker.Host)
	before.returns(t)
	engineBefore.returns(t)
}

// The shim is killed while nobody is there to notice, and then the program ends: Docker will take the 137 of a kill for its status.
func TestStatusWithoutAShimIsTrueOrUnknown(t *testing.T) {
	before, engineBefore := takeBase(t), takeEngineBase(t, docker)
	l := begin(t, docker.Host)
	l.running(untilSignal(9))
	id := l.dockerID()
	thaw := freeze(t)
	must(t, docker.FreezeContainerd())
	t.Cleanup(func() { docker.ThawContainerd() })
	must(t, docker.SignalShim(id, unix.SIGKILL))
	must(t, l.signal())
	failed := l.fails()
	if m := failed.GetMessage(); !strings.Contains(m, "exited with status 9;") && !strings.Contains(m, "exit status unknown") {
		t.Errorf("%q", m)
	}
	must(t, docker.ThawContainerd())
	thaw()
	l.exits()
	l.noProcess()
	l.nothingLeft(docker.Host)
	before.returns(t)
	engineBefore.returns(t)
}

// A crash of dockerd hurts no task; its return does, without live-restore.
func TestTaskOutlivesACrashAndItsEndNamesTheRestart(t *testing.T) {
	before := takeBase(t)
	l := begin(t, docker.Host)
	l.running(untilSignal(0))
	must(t, docker.Kill())
	until(t, "the executor to notice", func() bool { return strings.Contains(l.log.String(), "the connection to the Docker engine broke") })
	l.quiet()
	restart(t, docker)
	l.fails("Container exited with status 99; the Docker daemon was ", "unless live-restore is on")
	l.exits()
	l.noProcess()
	l.nothingLeft(docker.Host)
	before.returns(t)
}

// An upgrade of the package ends dockerd by SIGTERM: it stops all containers, some of them not at once.
func TestTasksOfADaemonThatShutsDownNameIt(t *testing.T) {
	before := takeBase(t)
	quick, slow := begin(t, docker.Host), begin(t, docker.Host)
	quick.running(untilSignal(0))
	slow.running("trap 'sleep 1; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
	must(t, docker.Terminate())
	quick.fails("Container exited with status 99; the Docker daemon was ", "when it shuts down")
	slow.await(mesos.TASK_FINISHED) // by its own decision, and true
	restart(t, docker)
	for _, l := range []*life{quick, slow} {
		l.exits()
		l.noProcess()
		l.nothingLeft(docker.Host)
	}
	before.returns(t)
}

func TestWithLiveRestore(t *testing.T) {
	e, err := enginetest.Start(t.Context(), nil, "--live-restore")
	must(t, err)
	t.Cleanup(func() { must(t, e.Stop()) })
	for name, test := range map[string]func(*testing.T, *enginetest.Engine){
		"output goes on after a crash of the daemon":  outputGoesOn,
		"success after a crash of the daemon is one":  successAfterCrash,
		"end without a daemon is told at once":        endWithoutDaemon,
		"upgrade of the daemon is no end of the task": upgraded,
	} {
		t.Run(name, func(t *testing.T) {
			before := takeBase(t)
			test(t, e)
			before.returns(t)
		})
	}
}

// counting writes numbered lines until SIGUSR1, and then ends with a status.
func counting(status int) string {
	return fmt.Sprintf("trap 'echo last; exit %d' USR1; echo ready; i=0; while :; do i=$((i+1)); echo line $i; usleep 10000; done", status)
}

func outputGoesOn(t *testing.T, e *enginetest.Engine) {
	l := begin(t, e.Host)
	l.running(counting(7))
	id := l.dockerID()
	must(t, e.Kill())
	written := l.lines()
	l.quiet()
	restart(t, e)
	until(t, "the output to go on", func() bool { return l.lines() > written+40 })
	logged := filepath.Join(e.DataRoot(), "containers", id, id+"-json.log")
	recorded := dockersLines(t, logged)
	must(t, l.signal())
	l.fails("Container exited with status 7;")
	l.exits()
	l.wrote("last\n")
	compareOutput(t, l.stdout, recorded)
	l.noProcess()
	l.nothingLeft(e.Host)
}

// lines counts those that have arrived.
func (l *life) lines() int {
	l.t.Helper()
	text, err := os.ReadFile(l.stdout)
	if err != nil {
		l.t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

// dockersLines returns what the daemon has recorded of a container in its json-file.
func dockersLines(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		var one struct{ Log string }
		if json.Unmarshal(s.Bytes(), &one) == nil { // the last one may be half written
			lines = append(lines, strings.TrimSpace(one.Log))
		}
	}
	return lines
}

// compareOutput checks that no line came twice or out of order, and that none is missing that the daemon has.
func compareOutput(t *testing.T, stdout string, recorded []string) {
	t.Helper()
	text, err := os.ReadFile(stdout)
	must(t, err)
	got := strings.Split(strings.TrimSpace(string(text)), "\n")
	last := 0
	for _, line := range got {
		number := 0
		if _, err := fmt.Sscanf(line, "line %d", &number); err != nil {
			continue
		}
		if number <= last {
			t.Errorf("line %d after line %d", number, last)
		}
		last = number
	}
	if len(recorded) < 40 || last < 40 {
		t.Errorf("only %d lines recorded, the last one to arrive is %d", len(recorded), last)
	}
	for _, line := range recorded {
		if !slices.Contains(got, line) {
			t.Errorf("%q is missing", line)
		}
	}
}

func successAfterCrash(t *testing.T, e *enginetest.Engine) {
	l := begin(t, e.Host)
	l.running(untilSignal(0))
	must(t, e.Kill())
	l.quiet()
	restart(t, e)
	until(t, "the executor to notice", func() bool { return strings.Contains(l.log.String(), "the engine is back") })
	l.quiet()
	must(t, l.signal())
	l.await(mesos.TASK_FINISHED)
	l.exits()
	l.noProcess()
	l.nothingLeft(e.Host)
}

func endWithoutDaemon(t *testing.T, e *enginetest.Engine) {
	l := begin(t, e.Host)
	l.running("trap 'echo its last words; exit 7' USR1; echo ready; while :; do sleep 0.05; done")
	must(t, e.Kill())
	must(t, l.signal())
	l.fails("Container exited with status 7;", "the Docker daemon was ")
	restart(t, e)
	// Docker 20.10 does not read what is left of the output of a container that ended without it.
	until(t, "the executor to say so", func() bool {
		return strings.Contains(l.log.String(), "may be missing or doubled: the container has ended")
	})
	l.exits()
	l.noProcess()
	l.nothingLeft(e.Host)
}

func upgraded(t *testing.T, e *enginetest.Engine) {
	l := begin(t, e.Host)
	l.running(untilSignal(7))
	must(t, e.Terminate())
	l.quiet()
	restart(t, e)
	l.quiet()
	must(t, l.signal())
	l.fails("Container exited with status 7;")
	l.exits()
	l.noProcess()
	l.nothingLeft(e.Host)
}
