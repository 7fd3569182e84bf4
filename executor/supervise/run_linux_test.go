package supervise

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"hash"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/session"
)

func TestTaskRunsFromStartingToFinished(t *testing.T) {
	l := begin(t)
	l.launch(busybox("echo out; echo err >&2; echo $MESOS_CONTAINER_NAME; ls -d $MESOS_SANDBOX"))
	l.await(mesos.TASK_STARTING)
	running := l.await(mesos.TASK_RUNNING)
	finished := l.await(mesos.TASK_FINISHED)
	l.exits(0)

	if got, want := finished.GetMessage(), "Container exited with status 0"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	if id := running.GetContainerStatus().GetContainerID().GetValue(); id != l.containerID {
		t.Errorf("container status names %q, want the Mesos container %q", id, l.containerID)
	}
	var inspect []struct{ Config struct{ Env []string } }
	if err := json.Unmarshal(running.Data, &inspect); err != nil || len(inspect) != 1 {
		t.Errorf("data is not an array of one container: %v", err)
	} else if len(inspect[0].Config.Env) > 0 {
		t.Errorf("data carries the environment")
	}
	wantFile(t, l.stdout, "out\nmesosx-"+l.containerID+"\n/mnt/mesos/sandbox\n")
	wantFile(t, l.stderr, "err\n")
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v), want %q", filepath.Base(path), got, err, want)
	}
}

func TestExitStatusBecomesStateAndMessage(t *testing.T) {
	for _, test := range []struct{ name, command, message string }{
		{"exit code", "exit 7", "Container exited with status 7;"},
		{"signal", "kill -SEGV $$; sleep 5", ""},
		{"137 of its own", "exit 137", "Container exited with status 137 (as after SIGKILL)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "signal" {
				test.command, test.message = "exec sh -c 'kill -KILL -1; exit 139'", "Container exited with status 139 (as after SIGSEGV)"
			}
			l := begin(t)
			l.launch(busybox(test.command))
			l.await(mesos.TASK_STARTING)
			l.await(mesos.TASK_RUNNING)
			failed := l.await(mesos.TASK_FAILED)
			if !strings.HasPrefix(failed.GetMessage(), test.message) || failed.Reason != nil {
				t.Errorf("%v: %q, want no reason and %q...", failed.GetReason(), failed.GetMessage(), test.message)
			}
			l.exits(0)
		})
	}
}

// The memory cgroup is gone some 20 ms after the death of the init. What it counted is read when the kernel announces the kill, and
// else found in the kernel's log, where the limit may be missing.
func TestOutOfMemoryIsNamedWithItsEvidence(t *testing.T) {
	l := begin(t)
	l.launch(busybox("exec tail /dev/zero"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	failed := l.await(mesos.TASK_FAILED)
	l.exits(0)
	if failed.GetReason() != mesos.REASON_CONTAINER_LIMITATION_MEMORY || failed.Limitation == nil {
		t.Fatalf("%v, limitation %v: %q", failed.GetReason(), failed.Limitation, failed.GetMessage())
	}
	if !strings.Contains(failed.GetMessage(), "the memory cgroup counted 1 OOM kill") {
		t.Fatalf("no evidence of the kernel's: %q", failed.GetMessage())
	}
}

func TestKilledTaskIsKilledWhateverItsStatus(t *testing.T) {
	for _, test := range []struct {
		name, command, message string
		grace                  time.Duration
	}{
		{"status 0 on SIGTERM", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done", "Container exited with status 0", 30 * time.Second},
		{"SIGTERM ignored", "trap '' TERM; echo ready; while :; do sleep 0.05; done", "Container exited with status 137 (SIGKILL)", 300 * time.Millisecond},
		{"no grace", "echo ready; while :; do sleep 0.05; done", "Container exited with status 137 (SIGKILL)", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := begin(t)
			l.launch(busybox(test.command, `"kill_policy": {"grace_period": {"nanoseconds": 600000000000}}`))
			l.await(mesos.TASK_STARTING)
			l.await(mesos.TASK_RUNNING)
			awaitFile(t, l.stdout, "ready\n")
			kill(l, test.grace)
			l.await(mesos.TASK_KILLING)
			killed := l.await(mesos.TASK_KILLED)
			if killed.GetMessage() != test.message || killed.Healthy != nil {
				t.Errorf("%q, healthy %v, want %q", killed.GetMessage(), killed.Healthy, test.message)
			}
			l.exits(0)
		})
	}
}

func awaitFile(t *testing.T, path, want string) {
	t.Helper()
	await(t, path+" to hold "+want, func() bool {
		got, _ := os.ReadFile(path)
		return strings.Contains(string(got), want)
	})
}

// await polls a condition that other processes bring about.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(soonEnough)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestSecondKillCanOnlyShortenTheGrace(t *testing.T) {
	l := begin(t)
	l.launch(busybox("trap '' TERM; echo ready; while :; do sleep 0.05; done"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	awaitFile(t, l.stdout, "ready\n")
	kill(l, 10*time.Minute)
	l.await(mesos.TASK_KILLING)
	kill(l, 20*time.Minute)
	kill(l, 100*time.Nanosecond)
	l.await(mesos.TASK_KILLED)
	l.exits(0)
}

func TestImageStopSignalIsUsed(t *testing.T) {
	l := begin(t)
	l.launch(taskJSON(`{"shell": true, "value": "trap 'exit 42' USR1; echo ready; while :; do sleep 0.05; done"}`, enginetest.StopSignalImage))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	awaitFile(t, l.stdout, "ready\n")
	kill(l, time.Minute)
	l.await(mesos.TASK_KILLING)
	if killed := l.await(mesos.TASK_KILLED); killed.GetMessage() != "Container exited with status 42" {
		t.Errorf("%q", killed.GetMessage())
	}
	l.exits(0)
}

func TestStopSignalOfTheTaskWinsOverTheImages(t *testing.T) {
	l := begin(t)
	l.launch(strings.Replace(
		taskJSON(`{"shell": true, "value": "trap 'exit 41' USR1; trap 'exit 42' USR2; echo ready; while :; do sleep 0.05; done"}`, enginetest.StopSignalImage),
		`"network"`, `"parameters": [{"key": "stop-signal", "value": "SIGUSR2"}], "network"`, 1))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	awaitFile(t, l.stdout, "ready\n")
	kill(l, time.Minute)
	l.await(mesos.TASK_KILLING)
	if killed := l.await(mesos.TASK_KILLED); killed.GetMessage() != "Container exited with status 42" {
		t.Errorf("%q", killed.GetMessage())
	}
	l.exits(0)
}

func TestMaxCompletionTimeFailsTheTask(t *testing.T) {
	l := begin(t)
	l.launch(busybox("sleep 600", `"max_completion_time": {"nanoseconds": 2000000000}`))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	failed := l.await(mesos.TASK_FAILED)
	if failed.GetReason() != mesos.REASON_MAX_COMPLETION_TIME_REACHED {
		t.Errorf("reason %v: %s", failed.GetReason(), failed.GetMessage())
	}
	l.exits(0)
}

func TestShutdownAndSignalsEndTheTask(t *testing.T) {
	for name, ask := range map[string]func(*life){
		"SHUTDOWN": func(l *life) { l.say(session.Shutdown{}) },
		"SIGTERM":  func(l *life) { l.signals <- syscall.SIGTERM },
	} {
		t.Run(name, func(t *testing.T) {
			l := begin(t)
			l.launch(busybox("echo ready; sleep 600"))
			l.await(mesos.TASK_STARTING)
			l.await(mesos.TASK_RUNNING)
			ask(l)
			l.await(mesos.TASK_KILLING)
			l.await(mesos.TASK_KILLED)
			l.exits(0)
		})
	}
}

func TestLostAgentEndsTheContainer(t *testing.T) {
	l := begin(t, withoutAcks())
	l.launch(busybox("sleep 600"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	l.say(session.Lost{Err: errors.New("Executor cannot be found")})
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits(1)
}

func TestKillBeforeStartNeverStarts(t *testing.T) {
	l := begin(t)
	kill(l, 0)
	l.await(mesos.TASK_KILLED)
	l.exits(1)

	l = begin(t)
	l.launch(busybox("echo must not run"))
	kill(l, 0)
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits(1)
	wantFile(t, l.stdout, "")
}

func TestWhatCannotStartFailsWithTheReason(t *testing.T) {
	nobody := filepath.Join(t.TempDir(), "none.sock")
	for _, test := range []struct {
		name, task, message string
		options             []lifeOption
	}{
		{"no such command", taskJSON(`{"shell": false, "value": "/no/such"}`, enginetest.Image), "no such file or directory", nil},
		{"no engine", busybox("true"), "engine unfit:", []lifeOption{withHost("unix://" + nobody)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := begin(t, test.options...)
			l.launch(test.task)
			l.await(mesos.TASK_STARTING)
			failed := l.await(mesos.TASK_FAILED)
			if failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(failed.GetMessage(), test.message) {
				t.Errorf("%v: %q, want ...%q...", failed.GetReason(), failed.GetMessage(), test.message)
			}
			l.exits(1)
		})
	}
}

func TestRefusedTaskMeetsNoEngine(t *testing.T) {
	l := begin(t)
	l.launch(strings.Replace(busybox("true"), `"image"`, `"privileged": true, "image"`, 1))
	refused := l.await(mesos.TASK_ERROR)
	if refused.GetReason() != mesos.REASON_TASK_UNAUTHORIZED {
		t.Errorf("%v: %s", refused.GetReason(), refused.GetMessage())
	}
	l.exits(1)
}

func TestTrueFinishesEveryTime(t *testing.T) {
	const tasks, atOnce = 200, 4
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for range tasks {
		slots <- struct{}{}
		l := begin(t)
		all.Go(func() {
			defer func() { <-slots }()
			l.launch(busybox("true"))
			for _, state := range []mesos.TaskState{mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_FINISHED} {
				select {
				case s := <-l.statuses:
					if s.GetState() != state {
						t.Errorf("%v (%s), want %v\n%s", s.GetState(), s.GetMessage(), state, l.log)
						return
					}
				case <-time.After(soonEnough):
					t.Errorf("no %v\n%s", state, l.log)
					return
				}
			}
			if status := <-l.exit; status != 0 {
				t.Errorf("exit status %d", status)
			}
		})
	}
	all.Wait()
}

func TestAGibibyteOfOutputArrivesByteForByte(t *testing.T) {
	const size = 1 << 30
	sum := &hashed{Hash: sha256.New()}
	l := begin(t, withStdout(sum))
	line := strings.Repeat("0123456789abcdef", 256)[:4095]
	l.launch(busybox("yes " + line + " | head -c 1073741824"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	select {
	case status := <-l.exit:
		if finished := l.await(mesos.TASK_FINISHED); status != 0 {
			t.Errorf("exit status %d: %s", status, finished.GetMessage())
		}
	case <-time.After(10 * soonEnough):
		t.Fatal("the task does not end")
	}
	want := sha256.New()
	chunk := []byte(strings.Repeat(line+"\n", 256))
	for range size / len(chunk) {
		want.Write(chunk)
	}
	if sum.bytes != size || !bytes.Equal(sum.Sum(nil), want.Sum(nil)) {
		t.Errorf("%d bytes of %d arrived, or others", sum.bytes, size)
	}
}

type hashed struct {
	hash.Hash
	bytes int64
}

func (h *hashed) Write(p []byte) (int, error) {
	h.bytes += int64(len(p))
	return h.Hash.Write(p)
}

func TestBrokenStdoutDoesNotHurtTheTask(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	l := begin(t, withStdout(w))
	l.launch(busybox("for i in 1 2 3 4 5; do echo line $i; done"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	if !strings.Contains(l.log.String(), "dropped") {
		t.Error("the log does not tell of the dropped bytes")
	}
}

func TestGoroutinesAndFilesReturnToTheBaseLine(t *testing.T) {
	one := func() {
		l := begin(t)
		l.launch(busybox("echo hello"))
		l.await(mesos.TASK_STARTING)
		l.await(mesos.TASK_RUNNING)
		l.await(mesos.TASK_FINISHED)
		l.exits(0)
	}
	one()
	files := func() int { entries, _ := os.ReadDir("/proc/self/fd"); return len(entries) }
	goroutines, fds := runtime.NumGoroutine(), files()
	for range 3 {
		one()
	}
	// Each life leaves the two output files of the test itself open until its end.
	await(t, "goroutines and files to be gone", func() bool {
		return runtime.NumGoroutine() <= goroutines && files() <= fds+3*2
	})
}

func TestOutputThatNobodyReadsHoldsNothingUp(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	l := begin(t, withStdout(w))
	l.launch(busybox("yes"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	await(t, "the pipe to be full", func() bool {
		full := []unix.PollFd{{Fd: int32(w.Fd()), Events: unix.POLLOUT}}
		n, err := unix.Poll(full, 0)
		return err == nil && n == 0
	})
	l.say(session.Shutdown{})
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits(0)
}

func TestEndOfTheSessionEndsTheTask(t *testing.T) {
	l := begin(t, withoutAcks())
	l.launch(busybox("sleep 600"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	close(l.events) // the session is over
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits(1)
}
