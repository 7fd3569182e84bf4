package supervise

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/admission"
)

// hungFolder mounts a file system whose server never answers, as a user can who may run fusermount, and returns where it is.
func hungFolder(t *testing.T, dir string) string {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	server, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("hung", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", server)); err != nil {
		unix.Close(server)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(server) // whoever waits for an answer gets ENOTCONN
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestKillOfATaskWhosePathOfTheHostHangs(t *testing.T) {
	base := hostTree(t)
	hung := hungFolder(t, base+"/srv/hung")
	l := begin(t, opening(base))
	l.launch(with(busybox("true"), hung+"/data:/data:RO"))
	l.await(mesos.TASK_STARTING)
	await(t, "the stage to be begun", func() bool {
		begun, err := os.ReadDir(stageDir(l.runDir))
		return err == nil && len(begun) == 1
	})
	kill(l, 0)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exitsStuck()
}

// exitsStuck waits for the exit, and has the next executor's sweep release what could not be.
func (l *life) exitsStuck() {
	l.t.Helper()
	select {
	case got := <-l.exit:
		if got != 1 {
			l.t.Errorf("exit status %d", got)
		}
	case <-time.After(soonEnough):
		l.t.Fatal("the executor does not exit")
	}
	if _, err := Sweep(l.t.Context(), SweepOptions{RunDir: l.runDir, CgroupRoot: cgroupRoot, Log: slog.New(slog.DiscardHandler), Limit: soonEnough}); err != nil {
		l.t.Error(err)
	}
	if left, err := os.ReadDir(stageDir(l.runDir)); err != nil || len(left) > 0 {
		l.t.Errorf("staged after the sweep: %v, %v", left, err)
	}
}

// A path that hangs must keep no other task of the host from starting, and the framework is told which it is.
func TestATaskWhosePathOfTheHostHangsFails(t *testing.T) {
	base := hostTree(t)
	hung := hungFolder(t, base+"/srv/hung")
	var gate *admission.Gate
	l := begin(t, opening(base), func(l *life, o *Options) {
		o.Gate = admission.New(admission.Options{Dir: l.runDir + "/engine", Engine: docker.Host, MaxStarts: 1, MaxPulls: 1})
		gate = o.Gate
	})
	l.launch(with(busybox("true"), base+"/srv/data:/data:RO", hung+":/hung:RO"))
	l.await(mesos.TASK_STARTING)
	await(t, "the stage to be begun", func() bool {
		begun, err := os.ReadDir(stageDir(l.runDir))
		return err == nil && len(begun) == 1
	})
	leave, waited, err := gate.Enter(t.Context(), admission.Start)
	if err != nil || waited > time.Second {
		t.Errorf("another start waited %s: %v", waited, err)
	}
	leave()
	failed := l.await(mesos.TASK_FAILED)
	if message := failed.GetMessage(); failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(message, "container.volumes[1]") ||
		!strings.Contains(message, fmt.Sprintf("%q cannot be mounted", hung)) || !strings.Contains(message, "does not answer") || strings.Contains(message, "Docker") {
		t.Errorf("%v: %q", failed.GetReason(), message)
	}
	l.exitsStuck()
}

// What hangs is only in the way of who goes there.
func TestATaskRunsBesideAFileSystemThatHangs(t *testing.T) {
	base := hostTree(t)
	hungFolder(t, base+"/srv/hung")
	l := begin(t, opening(base))
	l.launch(with(busybox("cat /srv/data/proof"), base+"/srv:/srv:RO"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	wantFile(t, l.stdout, "srv/data/proof")
}
