package engine

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"
)

func TestFullQueueOfConnectionsIsAFrozenDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			break
		}
		defer conn.Close()
	}
	e, err := Open("unix://"+path, fakeLimits(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if d := e.Diagnose(t.Context(), ""); d.Health != Frozen || !strings.Contains(d.String(), "queue of connections is full") {
		t.Errorf("%v: %v", d.Health, d)
	}
}

// stop stops a process of the private engine until the test's end, or until the function returned is called.
func stop(t *testing.T, pid int) (goOn func()) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	goOn = func() { unix.Kill(pid, unix.SIGCONT) } //nolint:errcheck // it may have ended
	t.Cleanup(goOn)
	if !eventually(func() bool { e, ok := readStat(pid); return ok && e.stopped() }) {
		t.Fatalf("%d does not stop", pid)
	}
	return goOn
}

func TestDiagnosisOfARealEngine(t *testing.T) {
	daemon, e := startEngine(t)
	checkDescriptors(t)
	checkGoroutines(t)
	id := create(t, e, container.Config{Cmd: []string{"sleep", "1000"}})
	if err := e.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	limits := DefaultLimits()
	limits.Info, limits.InspectPoll, limits.Signal = time.Second, time.Second, time.Second
	quick, err := Open(daemon.Host, limits)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(daemon.Dir, "exec", "containerd", "containerd.pid"))
	if err != nil {
		t.Fatal(err)
	}
	containerd, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	expect := func(asked string, by *Engine, want Health, says string) Diagnosis {
		t.Helper()
		before := len(by.History())
		d := by.Diagnose(t.Context(), id)
		if d.Health != want || !strings.Contains(d.String(), says) {
			t.Errorf("%v, want %v and %q: %v", d.Health, want, says, d)
		}
		if d.Dockerd.PID != daemon.PID && want != Down {
			t.Errorf("dockerd is %v, want pid %d", d.Dockerd, daemon.PID)
		}
		calls := ""
		for _, r := range by.History()[before:] {
			calls += r.Call + " "
		}
		if calls != asked {
			t.Errorf("%v: asked %q, want %q", want, calls, asked)
		}
		standstill := map[Health]string{Frozen: "stopped (pid ", Down: "gone"}[want]
		if d.Containerd.stopped() {
			standstill = "without its containerd (pid "
		}
		if got, gone := by.Standstill(); gone != (want == Down) || !strings.HasPrefix(got, standstill) || standstill == "" && got != "" {
			t.Errorf("%v: standstill %q, want %q", want, got, standstill)
		}
		return d
	}

	if d := expect("ping info inspect ", e, Healthy, "healthy"); d.Containerd.PID != containerd {
		t.Errorf("containerd is %v, want pid %d", d.Containerd, containerd)
	}

	thaw := stop(t, daemon.PID)
	expect("", e, Frozen, fmt.Sprintf("dockerd (pid %d, state T) is stopped: continue it with kill -CONT %d", daemon.PID, daemon.PID))
	thaw()
	expect("ping info inspect ", e, Healthy, "")

	thaw = stop(t, containerd)
	expect("ping ", e, RuntimeStuck, fmt.Sprintf("containerd (pid %d, state T) is stopped: continue it with kill -CONT %d", containerd, containerd))
	thaw()
	expect("ping info inspect ", e, Healthy, "")

	shim := processes().shim(id)
	if shim.PID == 0 {
		t.Fatal("the shim is not found")
	}
	thaw = stop(t, shim.PID)
	expect("ping info inspect ", quick, Healthy, "") // a probe, and nothing holds the container's lock yet
	if err := quick.Signal(t.Context(), id, "TERM"); OutcomeOf(err) != Unknown {
		t.Errorf("signal through a stopped shim: %v", err)
	}
	expect("ping info inspect ", quick, ContainerWedged, fmt.Sprintf("containerd-shim (pid %d, state T) is stopped, continue it with kill -CONT %d", shim.PID, shim.PID))
	thaw()
	expect("ping info inspect ", e, Healthy, "")

	if err := e.Remove(t.Context(), id); err != nil {
		t.Error(err)
	}
	if err := daemon.Kill(); err != nil {
		t.Fatal(err)
	}
	expect("", e, Down, "systemctl start docker")
	if err := daemon.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestReadStat(t *testing.T) {
	self, ok := readStat(os.Getpid())
	if !ok || self.PID != os.Getpid() || self.parent != os.Getppid() || self.stopped() {
		t.Errorf("%+v, %v", self, ok)
	}
	if e, ok := readStat(1 << 30); ok {
		t.Errorf("a process that is not there: %+v", e)
	}
}
