package supervise

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/process"
)

// classFile gives its one class to every task.
const classFile = `version: 1
class_ids: required
unknown: default
clusters:
  gra1:
    teams: {web: {major: 0x0010}}
    identities:
      - {match: {roles: [web]}, team: web}
    default_team: web
`

const webDefault = "0x00100001"

// withClasses judges tasks by a class file; it has to be in effect before launch.
func (l *life) withClasses(file string) {
	l.t.Helper()
	registry, err := classes.Parse("classes.yaml", []byte(file))
	if err != nil {
		l.t.Fatal(err)
	}
	l.inputs.Classes = registry
}

// netCLS is where the host's net_cls hierarchy is mounted.
func netCLS(t *testing.T) string {
	t.Helper()
	support, err := cgroupnet.Probe()
	if err != nil {
		t.Fatal(err)
	}
	if support.NetCLS == nil {
		t.Fatal(support.Problem)
	}
	return support.NetCLS.Dir
}

// classOf reads the class of a cgroup in the net_cls hierarchy.
func classOf(t *testing.T, folder string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "net_cls.classid"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return classes.ID(id).String()
}

func TestContainerIsInItsClassAndItsOwnerIsTold(t *testing.T) {
	own := classOf(t, filepath.Join(netCLS(t), ownNetCLS(t)))
	l := begin(t)
	l.withClasses(classFile)
	l.launch(busybox("exec sleep 600"))
	starting := l.await(mesos.TASK_STARTING)
	if !strings.Contains(starting.GetMessage(), "class ID "+webDefault+": Default class of team web: ") {
		t.Error(starting.GetMessage())
	}
	running := l.await(mesos.TASK_RUNNING)

	found, err := l.engine.Inspect(t.Context(), "mesosx-"+l.containerID)
	if err != nil || found.Labels[labelClass] != webDefault {
		t.Errorf("label %q, %v", found.Labels[labelClass], err)
	}
	leaf := filepath.Join(netCLS(t), cgroupRoot, "00100001", l.containerID)
	for _, folder := range []string{leaf, filepath.Join(leaf, found.ID)} {
		if got := classOf(t, folder); got != webDefault {
			t.Errorf("%s has the class %s", folder, got)
		}
	}
	// Somebody takes the class away.
	for _, folder := range []string{leaf, filepath.Join(leaf, found.ID)} {
		if err := os.WriteFile(filepath.Join(folder, "net_cls.classid"), []byte("7"), 0); err != nil {
			t.Fatal(err)
		}
		await(t, "the class of "+folder, func() bool { return classOf(t, folder) == webDefault })
	}
	kill(l, 0)
	l.await(mesos.TASK_KILLING)
	killed := l.await(mesos.TASK_KILLED)
	l.exits(0)
	for _, s := range []mesos.TaskStatus{starting, running, killed} {
		if id := s.GetContainerStatus().GetCgroupInfo().GetNetCLS().GetClassID(); classes.ID(id).String() != webDefault {
			t.Errorf("%v has the class %#x", s.GetState(), id)
		}
	}
	if log := l.log.String(); !strings.Contains(log, `msg="class ID" class=`+webDefault+" team=web") {
		t.Error("no word of the class in the log")
	}
	if log := l.log.String(); !strings.Contains(log, "the class ID was lost") || !strings.Contains(log, "found=0x00000007") {
		t.Error("no word of the lost class in the log")
	}
	if got := classOf(t, filepath.Join(netCLS(t), ownNetCLS(t))); got != own {
		t.Errorf("the executor's own class is %s, and was %s", got, own)
	}
	if _, err := os.Stat(filepath.Dir(leaf)); err == nil {
		t.Errorf("%s is left", filepath.Dir(leaf))
	}
}

// ownNetCLS is the path of this process's own cgroup.
func ownNetCLS(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && strings.Contains(","+fields[1]+",", ",net_cls,") {
			return fields[2]
		}
	}
	t.Fatalf("no net_cls in %s", text)
	return ""
}

// A leaf that is there already, with a class, is not the task's to take: it is not even in the way of the clean-up.
func TestForeignClassIsNotTakenOver(t *testing.T) {
	for _, mode := range []string{"required", "preferred"} {
		l := begin(t)
		l.withClasses(strings.Replace(classFile, "required", mode, 1))
		leaf := filepath.Join(netCLS(t), cgroupRoot, "00100001", l.containerID)
		if err := os.MkdirAll(leaf, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(leaf, "net_cls.classid"), []byte("7"), 0); err != nil {
			t.Fatal(err)
		}
		l.launch(busybox("true"))
		l.await(mesos.TASK_STARTING)
		failed := l.await(mesos.TASK_FAILED)
		l.exits(1)
		if failed.GetContainerStatus().GetCgroupInfo() != nil {
			t.Errorf("%s: it is said to have the class: %v", mode, failed.ContainerStatus)
		}
		if failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(failed.GetMessage(), "0x00000007") {
			t.Errorf("%s: %v: %s", mode, failed.GetReason(), failed.GetMessage())
		}
	}
}

// An engine that has no use for the cgroup parent, or does not see it: nothing of the container is where its class is.
func TestContainerThatRunsOutsideItsLeafIsFoundOut(t *testing.T) {
	support, err := cgroupnet.Probe()
	if err != nil {
		t.Fatal(err)
	}
	driver, err := support.Driver()
	if err != nil {
		t.Fatal(err)
	}
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	program := exec.Command("sleep", "600")
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	leaf := cgroupRoot + "/00100001/nobody"
	r := &runner{ctx: t.Context()}
	c := &container{driver: driver, class: 0x00100001, placement: &cgroupnet.Placement{Path: leaf}, leaf: process.OpenLeaf(groups, leaf)}
	running := engine.Container{Running: true, Pid: program.Process.Pid}
	if got := r.elsewhere(c, running); !strings.Contains(got, "its leaf "+leaf+" has no process") {
		t.Errorf("a container elsewhere: %q", got)
	}
	program.Process.Kill()
	await(t, "a zombie", func() bool { return !process.Runs(program.Process.Pid) })
	if got := r.elsewhere(c, running); got != "" {
		t.Errorf("one that has ended, and its shim has not reaped it yet: %q", got)
	}
	program.Wait()
	if got := r.elsewhere(c, running); got != "" {
		t.Errorf("one that has ended, and the engine does not know yet: %q", got)
	}
	if got := r.elsewhere(c, engine.Container{}); got != "" {
		t.Errorf("one that does not run: %q", got)
	}
}

// An engine whose mount namespace lacks net_cls: the container is in the leaf of all hierarchies but that.
func TestContainerThatIsNotInItsClassNeverRunsItsProgram(t *testing.T) {
	dir := t.TempDir()
	runtime := filepath.Join(dir, "runc-without-net-cls")
	script := "#!/bin/sh\nexec unshare --mount sh -c 'umount " + netCLS(t) + " && exec runc \"$@\"' runc \"$@\"\n"
	if err := os.WriteFile(runtime, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	e, err := enginetest.Start(t.Context(), &log, "--add-runtime=without="+runtime, "--default-runtime=without")
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	for mode, want := range map[string]struct {
		state     mesos.TaskState
		exit      int
		says, out string
	}{
		"required":  {mesos.TASK_FAILED, 1, "is in the net_cls cgroup /", ""},
		"preferred": {mesos.TASK_FINISHED, 0, "", "my program\n"},
	} {
		l := begin(t, withHost(e.Host))
		l.withClasses(strings.Replace(classFile, "required", mode, 1))
		l.launch(busybox("echo my program"))
		l.await(mesos.TASK_STARTING)
		if mode == "preferred" {
			if running := l.await(mesos.TASK_RUNNING); !strings.Contains(running.GetMessage(), "runs without its class ID") {
				t.Errorf("running: %s", running.GetMessage())
			}
		}
		last := l.await(want.state)
		l.exits(want.exit)
		if id := last.GetContainerStatus().GetCgroupInfo().GetNetCLS().GetClassID(); id != 0 || !strings.Contains(last.GetMessage(), want.says) {
			t.Errorf("%s: class %#x, %s", mode, id, last.GetMessage())
		}
		if output, err := os.ReadFile(l.stdout); err != nil || string(output) != want.out {
			t.Errorf("%s: it wrote %q, %v", mode, output, err)
		}
	}
}

// The host had net_cls when the task was accepted, and has it no more.
func TestContainerWhoseLeafCannotHaveItsClassRunsUntaggedWherePreferred(t *testing.T) {
	const inChild = "SUPERVISE_TEST_WITHOUT_NET_CLS"
	if os.Getenv(inChild) == "" {
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		child := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", `umount "$0" && exec "$@"`, netCLS(t),
			program, "-test.v", "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), inChild+"=1")
		if output, err := child.CombinedOutput(); err != nil || !strings.Contains(string(output), "--- PASS: "+t.Name()) {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}
	for mode, end := range map[string]mesos.TaskState{"required": mesos.TASK_FAILED, "preferred": mesos.TASK_FINISHED} {
		l := begin(t)
		l.withClasses(strings.Replace(classFile, "required", mode, 1))
		l.launch(busybox("true"))
		told := l.await(mesos.TASK_STARTING)
		if end == mesos.TASK_FINISHED {
			told = l.await(mesos.TASK_RUNNING)
			if told.GetContainerStatus().GetCgroupInfo() != nil || !strings.Contains(told.GetMessage(), "the container runs untagged, without its class ID "+webDefault) {
				t.Errorf("running: %v", told)
			}
			l.await(end)
			l.exits(0)
		} else {
			told = l.await(end)
			l.exits(1)
		}
		if !strings.Contains(told.GetMessage(), "the net_cls hierarchy is mounted nowhere") {
			t.Errorf("%s: %s", mode, told.GetMessage())
		}
		groups, err := cgroupnet.Hierarchies()
		if err != nil {
			t.Fatal(err)
		}
		for _, class := range []string{"00100001", "00000000"} {
			for _, h := range groups {
				if _, err := os.Stat(h.Folder(filepath.Join(cgroupRoot, class, l.containerID))); err == nil {
					t.Errorf("%s: the leaf of class %s is left in %s", mode, class, h.Dir)
				}
			}
		}
	}
}
