//go:build linux

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// start starts an engine that is stopped at the end of the test at the latest.
func start(t *testing.T, args ...string) *Engine {
	t.Helper()
	e, err := Start(t.Context(), t.Output(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestImagesRunAsDescribed(t *testing.T) {
	e := start(t)
	for _, tc := range []struct {
		image   string
		command []string
		want    string
	}{
		{Image, nil, "default command\n"},
		{Image, []string{"id", "-un"}, "root\n"},
		{Image, []string{"su", "web", "-c", "env -i /bin/id -u; stat -c %a /tmp"}, "1000\n1777\n"},
		{EntrypointImage, nil, "entry default\n"},
		{EntrypointImage, []string{"given"}, "entry given\n"},
	} {
		t.Run(fmt.Sprint(tc.image, tc.command), func(t *testing.T) {
			if got := runContainer(t, e, tc.image, tc.command); got != tc.want {
				t.Errorf("printed %q, want %q", got, tc.want)
			}
		})
	}
	image, err := dockerClient(t, e).ImageInspect(t.Context(), StopSignalImage)
	if err != nil || image.Config.StopSignal != "SIGUSR1" {
		t.Errorf("stop signal of %s: %+v, %v", StopSignalImage, image.Config, err)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	for _, tc := range []struct {
		name    string
		disturb func(t *testing.T, e *Engine)
	}{
		{"healthy", func(*testing.T, *Engine) {}},
		{"frozen, with its containerd and a shim", func(t *testing.T, e *Engine) {
			must(t, e.Freeze())
			must(t, e.FreezeContainerd())
			must(t, e.SignalShim(e.containerIDs()[0], unix.SIGSTOP))
		}},
		{"frozen containers", func(t *testing.T, e *Engine) { freezeContainers(t, e) }},
		{"shims killed while frozen, frozen containers", func(t *testing.T, e *Engine) {
			freezeContainers(t, e)
			must(t, e.Freeze())
			must(t, e.FreezeContainerd())
			for _, id := range e.containerIDs() {
				must(t, e.SignalShim(id, unix.SIGKILL))
			}
			must(t, e.Kill())
		}},
		{"killed", func(t *testing.T, e *Engine) { must(t, e.Kill()) }},
		{"paused container and killed", func(t *testing.T, e *Engine) {
			must(t, dockerClient(t, e).ContainerPause(t.Context(), "sleeper"))
			must(t, e.Kill())
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := start(t)
			startSleeper(t, e, "sleeper", "")
			elsewhere := e.cgroupParent + "-elsewhere" // made by runc; whoever names a parent removes it
			startSleeper(t, e, "nested", elsewhere)
			if len(traces(t, e.Dir)) == 0 {
				t.Fatal("a running engine leaves no trace: the check is blind")
			}
			tc.disturb(t, e)
			must(t, e.Stop())
			removeEmptyCgroups(t, elsewhere)
			if len(e.shimSockets) != 2 {
				t.Errorf("two containers, but shim sockets %v were seen", e.shimSockets)
			}
			for socket := range e.shimSockets {
				if _, err := os.Lstat(socket); err == nil {
					t.Errorf("left behind: %s", socket)
				}
			}
			if left := traces(t, e.Dir); len(left) > 0 {
				t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
			}
		})
	}
}

// freezeContainers freezes the cgroups of the containers, and those above them that are of these tests.
func freezeContainers(t *testing.T, e *Engine) {
	t.Helper()
	var states []string
	for _, below := range []string{"*", "*/*"} {
		found, err := filepath.Glob("/sys/fs/cgroup/freezer" + e.cgroupParent + below + "/freezer.state")
		must(t, err)
		states = append(states, found...)
	}
	if len(states) != 4 {
		t.Fatalf("two containers, but the freezer has %v: is it mounted?", states)
	}
	for _, state := range states {
		must(t, writeExisting(state, "FROZEN"))
	}
}

func TestContainersOutliveAKilledDaemonAndTheRestartedOneKnowsThem(t *testing.T) {
	e := start(t, "--live-restore")
	id := startSleeper(t, e, "survivor", "")
	must(t, e.Kill())
	must(t, e.Restart(t.Context()))
	c, err := dockerClient(t, e).ContainerInspect(t.Context(), id)
	if err != nil || !c.State.Running {
		t.Errorf("container after the restart: %+v, %v", c.State, err)
	}
}

func TestFrozenEngineDoesNotAnswerUntilItThaws(t *testing.T) {
	e := start(t)
	must(t, e.Freeze())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := dockerClient(t, e).ServerVersion(ctx); ctx.Err() == nil {
		t.Errorf("a frozen daemon answered: %v", err)
	}
	must(t, e.Thaw())
	if _, err := dockerClient(t, e).ServerVersion(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFailedStartShowsTheDaemonsLogAndLeavesNothing(t *testing.T) {
	_, err := Start(t.Context(), nil, "--storage-driver=no-such-driver")
	if err == nil || !strings.Contains(err.Error(), "no-such-driver") {
		t.Fatalf("error %v does not show the reason", err)
	}
	dir := regexp.MustCompile(`/\S*/enginetest-[0-9]+`).FindString(err.Error())
	if dir == "" {
		t.Fatalf("the log names no folder of the engine: %v", err)
	}
	if left := traces(t, dir); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

func TestStartDeletesWhatADeadOwnerLeft(t *testing.T) {
	dead := start(t, "--live-restore")
	startSleeper(t, dead, "survivor", "")
	alive := start(t)
	must(t, dead.Kill())
	must(t, dead.lock.Close()) // as the kernel does when the owner dies
	dead.lock = nil
	start(t)
	if left := traces(t, dead.Dir); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
	if _, err := dockerClient(t, alive).Ping(t.Context()); err != nil {
		t.Errorf("an engine in use suffered: %v", err)
	}
}

// traces lists what is there of the engine with that folder: processes, mounts, cgroups and files.
func traces(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, pid := range processes() {
		if line := commandLine(pid); strings.Contains(line, dir) {
			found = append(found, fmt.Sprintf("process %d %s", pid, line))
		}
	}
	mounts, err := mountinfo.GetMounts(nil)
	must(t, err)
	for _, m := range mounts {
		if strings.HasPrefix(m.Mountpoint, dir) {
			found = append(found, "mount "+m.Mountpoint)
		}
		if strings.HasPrefix(m.FSType, "cgroup") {
			groups, err := filepath.Glob(filepath.Join(m.Mountpoint, "*"+filepath.Base(dir)+"*"))
			must(t, err)
			found = append(found, groups...)
		}
	}
	if _, err := os.Lstat(dir); err == nil {
		found = append(found, "file "+dir)
	}
	return found
}

// removeEmptyCgroups fails if anything is left in the cgroup of that name, in any hierarchy.
func removeEmptyCgroups(t *testing.T, name string) {
	t.Helper()
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	must(t, err)
	for _, m := range mounts {
		if err := os.Remove(filepath.Join(m.Mountpoint, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
}

func dockerClient(t *testing.T, e *Engine) *client.Client {
	t.Helper()
	c, err := e.api()
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func startSleeper(t *testing.T, e *Engine, name, cgroupParent string) (id string) {
	t.Helper()
	c := dockerClient(t, e)
	made, err := c.ContainerCreate(t.Context(),
		&container.Config{Image: Image, Cmd: []string{"sh", "-c", "sleep 1000 & sleep 1000"}},
		&container.HostConfig{Resources: container.Resources{CgroupParent: cgroupParent}}, nil, nil, name)
	must(t, err)
	must(t, c.ContainerStart(t.Context(), made.ID, container.StartOptions{}))
	return made.ID
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// runContainer runs a container to its end and returns what it printed.
func runContainer(t *testing.T, e *Engine, image string, command []string) string {
	t.Helper()
	c := dockerClient(t, e)
	made, err := c.ContainerCreate(t.Context(), &container.Config{Image: image, Cmd: command, Tty: true}, nil, nil, nil, "")
	must(t, err)
	must(t, c.ContainerStart(t.Context(), made.ID, container.StartOptions{}))
	exits, errs := c.ContainerWait(t.Context(), made.ID, container.WaitConditionNotRunning)
	select {
	case <-exits:
	case err := <-errs:
		t.Fatal(err)
	}
	logs, err := c.ContainerLogs(t.Context(), made.ID, container.LogsOptions{ShowStdout: true})
	must(t, err)
	defer logs.Close()
	text, err := io.ReadAll(logs)
	must(t, err)
	return strings.ReplaceAll(string(text), "\r\n", "\n") // the terminal's line ends
}

func TestListenAndDialHappenInTheEnginesNetwork(t *testing.T) {
	e := start(t)
	l, err := e.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			io.WriteString(conn, "hello") //nolint:errcheck // the test sees it
			conn.Close()
		}
	}()
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the listener is reachable from the host")
	}
	conn, err := e.Dial(t.Context(), "tcp", l.Addr().String())
	must(t, err)
	defer conn.Close()
	if text, err := io.ReadAll(conn); string(text) != "hello" {
		t.Errorf("got %q, %v", text, err)
	}
}
