package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"
)

// freezeBoth stops dockerd and its containerd, and lets them run again at the end of the test at the latest.
func freezeBoth(t *testing.T) (thaw func()) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dockerEngine.Dir, "exec", "containerd", "containerd.pid"))
	if err != nil {
		t.Fatal(err)
	}
	containerd, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	frozen := true
	thaw = func() {
		if !frozen {
			return
		}
		frozen = false
		if err := errors.Join(unix.Kill(containerd, unix.SIGCONT), dockerEngine.Thaw()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(thaw)
	if err := errors.Join(dockerEngine.Freeze(), unix.Kill(containerd, unix.SIGSTOP)); err != nil {
		t.Fatal(err)
	}
	return thaw
}

// limited is a context for what has to come soon.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// startWithShim starts a container that exits with 9 on SIGUSR1 and ignores SIGTERM.
func startWithShim(t *testing.T, f *fixture, host container.HostConfig, script string) (id string, init *Init, shim *Shim) {
	t.Helper()
	c := dockerClient(t)
	id = f.create(c, host, "sh", "-c", script)
	init, err := f.startWatched(c, id)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the program to run", func() bool {
		st, err := readStat(init.PID)
		return err == nil && !strings.HasPrefix(st.comm, "runc")
	})
	shim, err = init.Shim(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shim.Close() })
	return id, init, shim
}

const exits9 = "trap 'exit 9' USR1; trap '' TERM; while :; do sleep 0.01; done"

// signalUntilDead sends the signal until the process dies of it: number 1 ignores it until it has the trap.
func signalUntilDead(t *testing.T, init *Init, sig unix.Signal) {
	t.Helper()
	waitFor(t, "the init process to die", func() bool { _ = init.Signal(sig); return init.over() })
}

func TestShimTellsTheStatusWhileBothDaemonsAreFrozen(t *testing.T) {
	f := newLeaf(t)
	id, init, shim := startWithShim(t, f, container.HostConfig{}, exits9)
	answer := make(chan Exit, 1)
	go func() {
		exit, err := shim.Wait(limited(t))
		if err != nil {
			t.Error(err)
		}
		answer <- exit
	}()
	freezeBoth(t)
	again, err := init.Shim(id)
	if err != nil || again.PID != shim.PID || again.address != shim.address {
		t.Fatalf("looked for while they are frozen: %+v, %v", again, err)
	}
	defer again.Close()
	signalUntilDead(t, init, unix.SIGUSR1)
	died := time.Now()
	exit := <-answer
	t.Logf("told %v after the death was seen", time.Since(died))
	if !exit.Known || exit.Code() != 9 || exit.Source != SourceShim {
		t.Errorf("got %+v", exit)
	}
	// It tells as often as it is asked, as long as containerd does not have it deleted.
	if exit, err := again.Wait(limited(t)); err != nil || exit.Code() != 9 {
		t.Errorf("asked later: %+v, %v", exit, err)
	}
}

func TestShimIsFoundWhileTheContainerIsCreated(t *testing.T) {
	c := dockerClient(t)
	for range 5 {
		f := newLeaf(t)
		id := f.create(c, container.HostConfig{}, "sh", "-c", "exit 3")
		answer := make(chan error, 1)
		go func() { answer <- c.ContainerStart(t.Context(), id, container.StartOptions{}) }()
		init, err := f.WatchInit(limited(t), id)
		if err != nil {
			t.Fatalf("%v (start: %v)", err, <-answer)
		}
		shim, err := init.Shim(id) // runc is in between
		if err != nil {
			t.Fatalf("%v (start: %v)", err, <-answer)
		}
		exit, err := shim.Wait(limited(t))
		if err != nil || exit.Code() != 3 || exit.Source != SourceShim {
			t.Errorf("got %+v, %v", exit, err)
		}
		if err := <-answer; err != nil {
			t.Error(err)
		}
		waitFor(t, "the shim to end", shim.dead)
		if exit, err := shim.Wait(limited(t)); !errors.Is(err, ErrNoShim) {
			t.Errorf("after its end: %+v, %v", exit, err)
		}
		if _, err := init.Shim(id); !errors.Is(err, ErrNoShim) {
			t.Errorf("looked for after its end: %v", err)
		}
		if err := shim.Kill(); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("killed after its end: %v", err)
		}
		shim.Close()
		init.Close()
	}
}

func TestStoppedShimLeavesTheZombieAndKillingItTheStatus(t *testing.T) {
	f := newLeaf(t)
	id, init, shim := startWithShim(t, f, container.HostConfig{}, exits9)
	if shim.Stopped() {
		t.Error("stopped before it is")
	}
	if err := sendSignal(shim.pidfd, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the shim to stop", shim.Stopped)
	if p, ok := shim.Process(); !ok || p.State != "T" || p.PID != shim.PID || !strings.HasPrefix(p.Comm, shimPrefix) {
		t.Errorf("described as %v, %v", p, ok)
	}
	if _, ok := init.Zombie(); ok {
		t.Error("a zombie before its death")
	}
	if err := init.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := init.Dead(limited(t)); err != nil {
		t.Fatal(err)
	}
	if status, ok := init.Zombie(); !ok || !status.Signaled() || status.Signal() != unix.SIGKILL {
		t.Errorf("zombie %#x, %v", status, ok)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, cause)
	defer cancel()
	if exit, err := shim.Wait(ctx); !errors.Is(err, cause) {
		t.Errorf("a stopped shim said %+v, %v", exit, err)
	}

	began := time.Now()
	if err := shim.Kill(); err != nil {
		t.Fatal(err)
	}
	exit, err := init.Wait(limited(t))
	t.Logf("reaped and told %v after the shim was killed", time.Since(began))
	if err != nil || exit.Source != SourcePidfd || !exit.Status.Signaled() || exit.Code() != 137 {
		t.Errorf("got %+v, %v", exit, err)
	}
	c := dockerClient(t)
	waitFor(t, "docker to notice", func() bool {
		i, err := c.ContainerInspect(t.Context(), id)
		return err == nil && i.State.Status == container.StateExited
	})
}

func TestStatusIsTrueWhenTheShimDiedBeforeAndNobodyElseKnows(t *testing.T) {
	f := newLeaf(t)
	id, init, shim := startWithShim(t, f, container.HostConfig{}, exits9)
	waited := make(chan error, 1)
	go func() {
		_, err := shim.Wait(limited(t))
		waited <- err
	}()
	thaw := freezeBoth(t)
	if err := shim.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; !errors.Is(err, ErrNoShim) {
		t.Errorf("the wait ended with %v", err)
	}
	if _, err := init.Shim(id); !errors.Is(err, ErrNoShim) {
		t.Errorf("looked for after its death: %v", err)
	}
	if init.over() {
		t.Error("the container died with its shim")
	}
	signalUntilDead(t, init, unix.SIGUSR1)
	exit, err := init.Wait(limited(t))
	if err != nil || !exit.Known || exit.Code() != 9 || exit.Source != SourcePidfd {
		t.Errorf("got %+v, %v", exit, err)
	}
	thaw()
	c := dockerClient(t)
	waitFor(t, "docker to notice", func() bool {
		i, err := c.ContainerInspect(t.Context(), id)
		return err == nil && i.State.Status == container.StateExited
	})
	if i, err := c.ContainerInspect(t.Context(), id); err == nil {
		t.Logf("docker says %d, the truth is 9", i.State.ExitCode)
	}
}

func TestKillEndsAContainerInTheHostsPIDNamespaceWithoutItsShim(t *testing.T) {
	for name, disable := range map[string]unix.Signal{"stopped shim": unix.SIGSTOP, "dead shim": unix.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			c := dockerClient(t)
			f := newLeaf(t)
			id := f.create(c, container.HostConfig{PidMode: "host"}, "sh", "-c", "sleep 1000 & sleep 1000 & sleep 1000 & wait")
			if err := c.ContainerStart(t.Context(), id, container.StartOptions{}); err != nil {
				t.Fatal(err)
			}
			f.waitForProcesses(4)
			i, err := c.ContainerInspect(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			st, err := readStat(i.State.Pid)
			if err != nil || !isShim(st.parent, id) {
				t.Fatalf("parent %d of %d is no shim (%v)", st.parent, i.State.Pid, err)
			}
			thaw := freezeBoth(t)
			if err := unix.Kill(st.parent, disable); err != nil {
				t.Fatal(err)
			}
			if err := unix.Kill(i.State.Pid, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the init process to die", func() bool {
				st, err := readStat(i.State.Pid)
				return gone(err) || err == nil && st.dead()
			})
			if ps, err := f.Processes(); err != nil || len(ps) != 3 {
				t.Errorf("the children of the init process are %v, %v", ps, err)
			}
			if err := f.Kill(); err != nil {
				t.Error(err)
			}
			f.wantEmpty()
			if disable == unix.SIGSTOP {
				if err := unix.Kill(st.parent, unix.SIGCONT); err != nil {
					t.Error(err)
				}
			}
			thaw()
		})
	}
}

// forkBomb never ends: a shell that cannot fork exits, and becomes another one by an exec.
const forkBomb = `export BOMB='trap "exec sh -c \"\$BOMB\" 2>/dev/null" EXIT; while :; do sh -c "$BOMB" 2>/dev/null & done'
sh -c "$BOMB" 2>/dev/null & exec sleep 1000`

func TestKillEndsAForkBomb(t *testing.T) {
	limit := int64(100)
	for name, leaf := range map[string]func(*fixture) *Leaf{
		"as the host is":  func(f *fixture) *Leaf { return f.Leaf },
		"v1 freezer only": func(f *fixture) *Leaf { return f.without(unified) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newLeaf(t)
			host := container.HostConfig{Resources: container.Resources{PidsLimit: &limit}}
			_, init, shim := startWithShim(t, f, host, forkBomb)
			f.waitForProcesses(int(limit) - 10)
			thaw := freezeBoth(t)
			if err := sendSignal(shim.pidfd, unix.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := leaf(f).Kill(); err != nil {
				t.Error(err)
			}
			t.Logf("killed in %v", time.Since(began))
			f.wantEmpty()
			if err := init.Dead(limited(t)); err != nil {
				t.Error(err)
			}
			if err := sendSignal(shim.pidfd, unix.SIGCONT); err != nil {
				t.Error(err)
			}
			thaw()
		})
	}
}
