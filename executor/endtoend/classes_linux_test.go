package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/localagent"
)

// The embedded agent's framework has the principal try. One team goes by role, the other by app ID, which is believed.
const classFile = `version: 1
principals:
  try: {app_id_trusted: true}
clusters:
  gra1:
    teams:
      web:
        major: 0x0010
        apps:
          front: 0x00100100
      shop:
        major: 0x0011
        apps:
          /shop/cart: 0x00110100
    identities:
      - {match: {roles: [web]}, team: web, app: front}
      - {match: {principals: [try], app_ids: ["/shop/**"]}, team: shop}
`

const (
	frontClass = 0x00100100
	cartClass  = 0x00110100
	shopClass  = 0x00110001 // the team's default
)

// withClasses writes a classes.yaml and returns how an executor is told of it.
func withClasses(t *testing.T, text string) (path string, use func(*localagent.Options)) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "classes.yaml")
	must(t, os.WriteFile(path, []byte(text), 0o644))
	return path, func(o *localagent.Options) { o.Arguments = append(o.Arguments, "--classes="+path) }
}

// ofRole has the framework launch the task for a role.
func ofRole(role string) func(*localagent.Options) {
	return func(o *localagent.Options) {
		f := localagent.DefaultFramework()
		f.Roles = []string{role}
		o.Framework = &f
		for i := range o.Task.Resources {
			o.Task.Resources[i].AllocationInfo = &mesos.Resource_AllocationInfo{Role: &role}
		}
	}
}

// ofApp gives the task an ID as Marathon makes it for an app.
func ofApp(app string) func(*localagent.Options) {
	return func(o *localagent.Options) {
		o.Task.TaskID.Value = strings.ReplaceAll(strings.TrimPrefix(app, "/"), "/", "_") + ".instance-4de9fde7-441d-4541-a155-771feae6296b._app.1"
	}
}

// classIDs are the class IDs in what the executor said, each once, in order; 0 for an update without.
func (r *run) classIDs() (ids []uint32) {
	for _, s := range r.Statuses() {
		if s.GetSource() != mesos.SOURCE_EXECUTOR {
			continue
		}
		id := s.GetContainerStatus().GetCgroupInfo().GetNetCLS().GetClassID()
		if len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
	}
	return ids
}

// wantClass checks that every update had the class, or that none had one (0).
func (r *run) wantClass(want uint32) {
	r.t.Helper()
	if got := r.classIDs(); len(got) != 1 || got[0] != want {
		r.t.Errorf("%s have the class IDs %#x, want %#x in each", r.sequence(), got, want)
	}
}

// wantNoLoss checks that the watcher never had to give the class back: it was there from the first, and stayed.
func (r *run) wantNoLoss() {
	r.t.Helper()
	for line := range strings.Lines(r.file("mesos-docker-executor.log")) {
		if strings.Contains(line, lossLogged) {
			r.t.Error(line)
		}
	}
}

// lossLogged is what the executor's log says of a class that somebody changed.
const lossLogged = "the class ID was lost"

// netCLS is where the hierarchy is mounted.
func netCLS(t *testing.T) cgroupnet.Hierarchy {
	t.Helper()
	support, err := cgroupnet.Probe()
	must(t, err)
	if _, err := support.Driver(); err != nil {
		t.Fatalf("%v (scripts/setup test mounts net_cls)", err)
	}
	return *support.NetCLS
}

// classOf reads the class of a cgroup.
func classOf(t *testing.T, cgroup string) uint32 {
	t.Helper()
	text, err := os.ReadFile(netCLS(t).Folder(filepath.Join(cgroup, "net_cls.classid")))
	must(t, err)
	class, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	must(t, err)
	return uint32(class)
}

// ownCgroup is where a task finds itself that has printed /proc/self/cgroup: its cgroup of net_cls.
func (r *run) ownCgroup() string {
	for line := range strings.Lines(r.file("stdout")) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && strings.HasPrefix(fields[1], "net_cls") {
			return fields[2]
		}
	}
	return ""
}

// showCgroup is a shell command that prints the cgroups of the task, and then that it has.
const showCgroup = "cat /proc/self/cgroup; echo shown"

func TestTaskHasTheClassOfItsIdentityInEveryUpdate(t *testing.T) {
	_, use := withClasses(t, classFile)
	_, byDefault := withClasses(t, strings.Replace(classFile, "version: 1", "version: 1\nunknown: default", 1))
	for _, test := range []struct {
		name     string
		mode     localagent.Mode
		whose    func(*localagent.Options)
		file     func(*localagent.Options)
		class    uint32
		starting string
	}{
		{"by role", localagent.DropIn, ofRole("web"), use, frontClass, "class ID 0x00100100 of team web, app front"},
		{"by role, custom", localagent.Custom, ofRole("web"), use, frontClass, "class ID 0x00100100 of team web, app front"},
		{"by principal and app ID", localagent.DropIn, ofApp("/shop/cart"), use, cartClass, "class ID 0x00110100 of team shop, app /shop/cart"},
		{"the team's default", localagent.Custom, ofApp("/shop/new"), byDefault, shopClass, "class ID 0x00110001: Default class of team shop: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := launch(t, test.mode, shell(t, showCgroup+"; exec sleep 600"), test.file, test.whose)
			if got := r.starting(); !strings.Contains(got, test.starting) {
				t.Errorf("STARTING says %q, not %q", got, test.starting)
			}
			r.state(mesos.TASK_RUNNING)
			r.awaitOutput("shown")
			if got := classOf(t, r.ownCgroup()); got != test.class {
				t.Errorf("the container is in class %#x, want %#x", got, test.class)
			}
			c, err := client(t).Inspect(r.ctx, r.containerName())
			must(t, err)
			if got, want := c.Labels["mesos-docker-executor.class_id"], classes.ID(test.class).String(); got != want {
				t.Errorf("label %q, want %q", got, want)
			}
			grace := time.Duration(0)
			r.Kill(&grace)
			r.ends(mesos.TASK_KILLED, 0)
			r.wantClass(test.class)
			r.wantNoLoss()
			r.nothingLeft()
		})
	}
}

func TestTaskWithoutALineIsRefusedAClass(t *testing.T) {
	_, use := withClasses(t, classFile)
	for _, test := range []struct {
		name  string
		whose func(*localagent.Options)
		want  []string
	}{
		{"of no team", ofRole("data"), []string{"class ID: no entry of identities matches", `role "data"`, "roles: [data]"}},
		{"an app that is not in the file", ofApp("/shop/new"), []string{`team shop has no app "/shop/new"`, "/shop/new: 0x00110101"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBothModes(t, func(t *testing.T, mode localagent.Mode) {
				r := launch(t, mode, shell(t, "true"), use, test.whose)
				r.failsToLaunch(append(test.want, "classes.yaml:")...)
			})
		})
	}
}

// failsToLaunch waits for TASK_FAILED of a task that was given no container, and looks for texts in its message.
func (r *run) failsToLaunch(want ...string) {
	r.t.Helper()
	failed := r.ends(mesos.TASK_FAILED, 1)
	if failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED {
		r.t.Errorf("reason %v", failed.GetReason())
	}
	for _, text := range want {
		if !strings.Contains(failed.GetMessage(), text) {
			r.t.Errorf("%q lacks %q", failed.GetMessage(), text)
		}
	}
	r.wantSequence("FAILED")
	r.wantClass(0)
	if report := r.file("mesos-docker-executor-report.json"); report == "" || strings.Contains(report, `"create"`) {
		r.t.Errorf("the engine was asked to create a container: %s", report)
	}
	r.nothingLeft()
}

func TestClassFileThatCannotBeUsedStartsNothing(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		change func(t *testing.T, path string)
		want   []string
	}{
		"two apps of a class": {strings.Replace(classFile, "front: 0x00100100", "front: 0x00100100\n          back: 0x00100100", 1), nil,
			[]string{"classes.yaml:11: clusters.gra1.teams.web.apps.back: 0x00100100 is the class ID of front"}},
		"missing":            {classFile, func(t *testing.T, path string) { must(t, os.Remove(path)) }, []string{"does not exist"}},
		"writable by others": {classFile, func(t *testing.T, path string) { must(t, os.Chmod(path, 0o666)) }, []string{"chmod go-w"}},
		"somebody else's":    {classFile, func(t *testing.T, path string) { must(t, os.Chown(path, 1000, 1000)) }, []string{"chown root"}},
	} {
		t.Run(name, func(t *testing.T) {
			path, use := withClasses(t, test.text)
			if test.change != nil {
				test.change(t, path)
			}
			for _, mode := range modes {
				r := launch(t, mode, shell(t, "true"), use, ofRole("web"))
				r.failsToLaunch(append(test.want, path)...)
			}
		})
	}
}

func TestTaskIsToldThatItHasNoClass(t *testing.T) {
	_, off := withClasses(t, strings.Replace(classFile, "version: 1", "version: 1\nclass_ids: off", 1))
	_, untagged := withClasses(t, strings.Replace(classFile, "version: 1", "version: 1\nclass_ids: preferred\nunknown: untagged", 1))
	for _, test := range []struct {
		name string
		file func(*localagent.Options)
		want string
	}{
		{"no file", func(*localagent.Options) {}, "Class IDs are off: there is no " + classes.DefaultPath},
		{"off", off, "Class IDs are off (classes.yaml:2)"},
		{"no line", untagged, "Untagged: no entry of identities matches"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := launch(t, localagent.DropIn, shell(t, showCgroup), test.file, ofRole("data"))
			r.ends(mesos.TASK_FINISHED, 0)
			if got := r.starting(); !strings.Contains(got, test.want) {
				t.Errorf("STARTING says %q, not %q", got, test.want)
			}
			r.wantClass(0)
			if got := r.ownCgroup(); !strings.Contains(got, "/00000000/") {
				t.Errorf("the container was in %s", got)
			}
			r.nothingLeft()
		})
	}
}

// The executor is started where net_cls is not mounted, whatever is mounted on the host.
func TestHostWithoutNetCls(t *testing.T) {
	without := func(o *localagent.Options) {
		script := filepath.Join(t.TempDir(), "executor")
		text := fmt.Sprintf("#!/bin/sh\nexec unshare --mount --propagation private sh -c 'umount -l \"%s\" && exec %s \"$@\"' sh \"$@\"\n", netCLS(t).Dir, o.Executable)
		must(t, os.WriteFile(script, []byte(text), 0o755))
		o.Executable = script
	}
	t.Run("required", func(t *testing.T) {
		_, use := withClasses(t, classFile)
		inBothModes(t, func(t *testing.T, mode localagent.Mode) {
			r := launch(t, mode, shell(t, "true"), use, ofRole("web"), without)
			r.failsToLaunch("class ID", "net_cls")
		})
	})
	t.Run("preferred", func(t *testing.T) {
		_, use := withClasses(t, strings.Replace(classFile, "version: 1", "version: 1\nclass_ids: preferred", 1))
		inBothModes(t, func(t *testing.T, mode localagent.Mode) {
			r := launch(t, mode, shell(t, showCgroup), use, ofRole("web"), without)
			r.ends(mesos.TASK_FINISHED, 0)
			if got := r.starting(); !strings.Contains(got, "Untagged, without the class ID 0x00100100: ") || !strings.Contains(got, "net_cls") {
				t.Errorf("STARTING says %q", got)
			}
			r.wantClass(0)
			// The engine is not where net_cls is missing: runc made the leaf there, too, as its container's parent.
			must(t, os.Remove(netCLS(t).Folder(filepath.Dir(r.ownCgroup()))))
			r.nothingLeft()
		})
	})
}

func TestClassThatIsTakenAwayIsGivenBack(t *testing.T) {
	_, use := withClasses(t, classFile)
	r := launch(t, localagent.DropIn, shell(t, showCgroup+"; exec sleep 600"), use, ofRole("web"))
	r.state(mesos.TASK_RUNNING)
	r.awaitOutput("shown")
	container := r.ownCgroup()
	for i, cgroup := range []string{container, filepath.Dir(container)} {
		must(t, os.WriteFile(netCLS(t).Folder(filepath.Join(cgroup, "net_cls.classid")), []byte("4660"), 0))
		await(t, "the class of "+cgroup, func() bool { return classOf(t, cgroup) == frontClass })
		// The class is given back first, and then it is told.
		await(t, "the log to tell of each loss", func() bool {
			log := r.file("mesos-docker-executor.log")
			return strings.Count(log, lossLogged) == i+1 && strings.Count(log, "0x00001234") == i+1
		})
	}
	grace := time.Duration(0)
	r.Kill(&grace)
	r.ends(mesos.TASK_KILLED, 0)
	r.wantClass(frontClass)
	if report := r.file("mesos-docker-executor-report.json"); !strings.Contains(report, `"lost": 2`) {
		t.Errorf("the report does not count two losses: %s", report)
	}
	r.nothingLeft()
}
