package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

// withRules lets another policy than the built-in one decide.
func withRules(change func(*security.Rules)) lifeOption {
	return func(l *life, o *Options) {
		rules := security.BuiltInRules()
		change(&rules)
		o.Settings.Decide = func(raw []byte, _ mesos.FrameworkInfo) task.Decision {
			return task.Decide(raw, l.inputs, security.New("test", rules))
		}
	}
}

// hostTree makes what a host shares with tasks, and a secret that none may see.
func hostTree(t *testing.T) (base string) {
	t.Helper()
	base = t.TempDir()
	for _, name := range []string{"etc/secret", "srv/data/proof", "srv/data/disk/proof"} {
		file := filepath.Join(base, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

// opening is a policy that opens the tree's srv, and closes its etc.
func opening(base string) lifeOption {
	return withRules(func(r *security.Rules) {
		r.Mounts.HostPaths = []security.HostPath{{Path: base + "/srv", Writable: true}}
		r.Mounts.DeniedPaths = []string{base + "/etc"}
	})
}

// with adds volumes to a task: each "source:target:mode".
func with(info string, volumes ...string) string {
	var all []string
	for _, v := range volumes {
		parts := strings.Split(v, ":")
		all = append(all, fmt.Sprintf(`{"host_path": %q, "container_path": %q, "mode": %q}`, parts[0], parts[1], parts[2]))
	}
	return strings.Replace(info, `"type": "DOCKER",`, `"type": "DOCKER", "volumes": [`+strings.Join(all, ", ")+`],`, 1)
}

func TestPathsOfTheHostAreMountedAsThePolicySays(t *testing.T) {
	base := hostTree(t)
	disk := base + "/srv/data/disk"
	if err := unix.Mount("test", disk, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(disk+"/on-the-disk", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	l := begin(t, opening(base))
	l.launch(with(busybox("until test -f /rw/go; do sleep 0.01; done; cat /file; ls /ro/disk; "+
		"for f in /ro/new /ro/disk/new; do (echo > $f) 2>&1; done | grep -c 'Read-only'; (echo > /file) 2>&1 | grep -c 'Read-only'; "+
		"touch /rw/new /rw/disk/new /mnt/mesos/sandbox/sandboxed/new"),
		base+"/srv/data:/ro:RO", base+"/srv/data:/rw:RW", base+"/srv/data/proof:/file:RO", "sandboxed:/mnt/mesos/sandbox/sandboxed:RW"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	await(t, "the stage to be released", func() bool {
		left, err := os.ReadDir(stageDir(l.runDir))
		return err == nil && len(left) == 0
	})
	if err := os.WriteFile(base+"/srv/data/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	wantFile(t, l.stdout, "srv/data/proofon-the-disk\n2\n1\n")
	for _, name := range []string{base + "/srv/data/new", disk + "/new", l.sandbox + "/sandboxed/new"} {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("what the task wrote is missing: %v", err)
		}
	}
}

func TestATaskThatMountsWhatCannotBeMountedSafelyFails(t *testing.T) {
	base := hostTree(t)
	for link, target := range map[string]string{"srv/link": base + "/etc", "srv/data/up": "../../etc/secret"} {
		if err := os.Symlink(target, filepath.Join(base, link)); err != nil {
			t.Fatal(err)
		}
	}
	engines := withRules(func(r *security.Rules) {
		r.Mounts.HostPaths = []security.HostPath{{Path: docker.Dir}, {Path: filepath.Dir(docker.Dir)}}
	})
	for _, test := range []struct {
		name, source, says string
		policy             lifeOption
	}{
		{"symlink", base + "/srv/link", "srv/link is a symbolic link to", opening(base)},
		{"through a symlink", base + "/srv/link/secret", "srv/link is a symbolic link to", opening(base)},
		{"symlink to a file", base + "/srv/data/up", "srv/data/up is a symbolic link to", opening(base)},
		{"missing", base + "/srv/none", "srv/none does not exist; make it on the host", opening(base)},
		{"the engine's data", docker.Dir, "which would show " + docker.Dir, engines},
		{"the engine's socket", docker.Socket, "is a socket, which only break_glass", engines},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := begin(t, test.policy)
			l.launch(with(busybox("true"), test.source+":/data:RO"))
			l.await(mesos.TASK_STARTING)
			failed := l.await(mesos.TASK_FAILED)
			start := fmt.Sprintf("the container could not be created: container.volumes[0]: %q cannot be mounted at \"/data\": ", test.source)
			if message := failed.GetMessage(); failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !strings.HasPrefix(message, start) || !strings.Contains(message, test.says) {
				t.Errorf("%v: %q, want %q...%q", failed.GetReason(), message, start, test.says)
			}
			l.exits(1)
		})
	}
}

// From before the launch to the end of the task a user swaps the folder that it mounts and a symlink to one of root's.
func TestATaskNeverSeesWhatAUserPutsInPlaceOfAPath(t *testing.T) {
	const rounds = 12
	base := hostTree(t)
	data, link := base+"/srv/data", base+"/srv/link"
	if err := os.Symlink(base+"/etc", link); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, data, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
			}
		}
	})
	defer func() { close(stop); swapper.Wait() }()
	ran := 0
	for range rounds {
		l := begin(t, opening(base))
		l.launch(with(busybox("ls /data; test -f /data/proof && ! test -e /data/secret && touch /data/written"), data+":/data:RW"))
		l.await(mesos.TASK_STARTING)
		switch s := <-l.statuses; s.GetState() {
		case mesos.TASK_RUNNING:
			ran++
			l.await(mesos.TASK_FINISHED)
			l.exits(0)
		case mesos.TASK_FAILED:
			if s.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(s.GetMessage(), "symbolic link") && !strings.Contains(s.GetMessage(), "is being moved") {
				t.Errorf("%v: %s", s.GetReason(), s.GetMessage())
			}
			l.exits(1)
		default:
			t.Fatalf("%v: %s", s.GetState(), s.GetMessage())
		}
		if _, err := os.Lstat(base + "/etc/written"); err == nil {
			t.Fatal("the task wrote into root's folder")
		}
	}
	if ran == 0 {
		t.Error("never ran: nothing is proved")
	}
	t.Logf("ran %d times of %d", ran, rounds)
}

func TestBreakGlassMountsTheEnginesSocket(t *testing.T) {
	l := begin(t, withRules(func(r *security.Rules) {
		r.BreakGlass = security.BreakGlass{Reason: "test", Expires: "2999-12-31", Paths: []security.HostPath{{Path: docker.Socket, Writable: true}}}
		r.Mounts.DeniedPaths = []string{docker.Dir} // as an executor denies it that knows its engine
	}))
	l.launch(with(busybox("test -S /sock && stat -c %i /sock"), docker.Socket+":/sock:RW"))
	if starting := l.await(mesos.TASK_STARTING); !strings.Contains(starting.GetMessage(), "break_glass") {
		t.Errorf("the framework is not told: %q", starting.GetMessage())
	}
	l.await(mesos.TASK_RUNNING)
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	info, err := os.Stat(docker.Socket)
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, l.stdout, fmt.Sprintln(info.Sys().(*syscall.Stat_t).Ino))
}
