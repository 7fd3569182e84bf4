package task

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/mount"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// FuzzDecide: no bytes make Decide panic, it either plans or refuses, and no plan of the built-in policy [escapes]. The
// task's own ids and environment cannot be forged.
func FuzzDecide(f *testing.F) {
	for _, name := range slices.Concat(fixtureNames(f, "."), someOf(fixtureNames(f, "hostile")), someOf(fixtureNames(f, "ordinary"))) {
		for _, mode := range []Mode{DropIn, Custom} {
			raw, _ := inMode(f, mode, fixtureTask(f, name))
			f.Add(raw, mode == DropIn)
		}
	}
	task := fixtureTask(f, "hello")
	for _, e := range effects() {
		task.Container.Docker.Parameters = parametersOf(append(e.given, e.parameter)...)
		f.Add(marshal(f, task), true)
	}
	task.Container.Docker.Parameters = nil
	task.Command, task.Data = nil, manyThenHostile()
	f.Add(marshal(f, task), false)
	f.Add(manyThenHostile(), true)
	task.Data = []byte("{" + strings.Repeat(`"no_such_field": 0, `, maxProblems+1) + `"value": "x"}`)
	f.Add(marshal(f, task), false)
	f.Fuzz(func(t *testing.T, raw []byte, dropIn bool) {
		in := testInputs()
		if !dropIn {
			in.Mode, in.WorkDir = Custom, "/var/lib/mesos"
		}
		d := Decide(raw, in, security.BuiltIn())
		if (d.Plan == nil) == (d.Refusal == nil) {
			t.Fatalf("neither or both of plan and refusal: %+v", d)
		}
		if d.Refusal != nil {
			if m := d.Refusal.Message; m == "" || len(m) > maxMessage || strings.ContainsAny(m, "\n\x1b") {
				t.Fatalf("the refusal says %q", m)
			}
			return
		}
		if notes := strings.Join(d.Plan.Notes, "; "); len(notes) > maxMessage || strings.ContainsAny(notes, "\n\x1b") {
			t.Fatalf("the notes say %q", notes)
		}
		spec := d.Plan.Spec
		if problem := escapes(spec, in); problem != "" {
			t.Fatalf("accepted with %s: %+v", problem, spec)
		}
		if spec.Name != in.ContainerName || d.Plan.TaskID == "" {
			t.Fatalf("%+v", spec)
		}
		for _, dir := range d.Plan.SandboxDirs {
			if dir == "" || strings.HasPrefix(dir, "/") || strings.Contains("/"+dir+"/", "/../") {
				t.Fatalf("folder %q", dir)
			}
		}
		own := 0
		for _, entry := range spec.Config.Env {
			if strings.HasPrefix(entry, "MESOS_CONTAINER_NAME=") && entry == "MESOS_CONTAINER_NAME="+in.ContainerName {
				own++
			}
		}
		if own != 1 {
			t.Fatalf("environment %q", spec.Config.Env)
		}
	})
}

// someOf are every tenth. All of them are decided by other tests, and each seed is run before anything is varied.
func someOf(names []string) (some []string) {
	for i := 0; i < len(names); i += 10 {
		some = append(some, names[i])
	}
	return some
}

// escapes says by what a container of the built-in policy would have more than is its own, "" if by nothing. It uses none of the
// policy's code.
func escapes(s security.Spec, in Inputs) string {
	allowed := strings.Fields(`CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_NET_BIND_SERVICE
		CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_CHROOT`)
	h := s.Host
	switch {
	case h.Privileged:
		return "privileged"
	case !slices.Equal(h.CapDrop, []string{"ALL"}):
		return fmt.Sprintf("what Docker grants by itself, less %q", h.CapDrop)
	case h.PidMode != "" || h.UTSMode != "" || h.UsernsMode != "" || h.CgroupnsMode == "host" ||
		h.IpcMode != "private" && h.IpcMode != "none" || h.NetworkMode != "bridge" && h.NetworkMode != "none":
		return fmt.Sprintf("namespaces %q", []any{h.PidMode, h.UTSMode, h.UsernsMode, h.CgroupnsMode, h.IpcMode, h.NetworkMode})
	case len(h.Binds)+len(h.VolumesFrom)+len(h.Devices)+len(h.DeviceRequests)+len(h.DeviceCgroupRules) > 0:
		return "something of the host's or of other containers"
	case !slices.Contains(h.SecurityOpt, "no-new-privileges") || slices.ContainsFunc(h.SecurityOpt, func(o string) bool { return strings.Contains(o, "unconfined") }):
		return fmt.Sprintf("security options %q", h.SecurityOpt)
	}
	for _, name := range h.CapAdd {
		if !slices.Contains(allowed, name) {
			return "capability " + name
		}
	}
	for _, m := range h.Mounts {
		switch {
		case m.Type == mount.TypeTmpfs && m.Source == "":
		case m.Type != mount.TypeBind || path.Clean(m.Source) != m.Source:
			return fmt.Sprintf("mount %+v", m)
		case strings.HasPrefix(m.Source+"/", in.SandboxSource+"/"):
		case in.Mode != Custom || !strings.HasPrefix(s.Origins.Of("Host.Mounts["+m.Target+"]"), "resources["):
			return "a mount of " + m.Source
		case strings.HasPrefix(m.Source, in.WorkDir+"/"): // a persistent volume, on the agent's disk or on one of its own
		default:
			for _, closed := range strings.Fields("/boot /dev /etc /home /proc /root /run /sys /var/run /var/lib/docker /var/lib/containerd " + in.WorkDir) {
				if strings.HasPrefix(m.Source+"/", closed+"/") || strings.HasPrefix(closed, strings.TrimSuffix(m.Source, "/")+"/") {
					return "a disk at " + m.Source
				}
			}
		}
	}
	return ""
}

// FuzzParameters: no two parameters make the translation panic, whatever they say. Either they are refused, in whatever order they
// are, or what they set can be told to Docker: each mount has a target of its own, and ports stay within their bound. What is no
// flag of docker run is refused, and privileged is never overlooked.
func FuzzParameters(f *testing.F) {
	for _, e := range effects() {
		key, value, _ := strings.Cut(e.parameter, " ")
		f.Add(key, value, "network", "web")
	}
	for _, long := range longParameters() {
		p := long(0, 2000)
		f.Add(p.Key, p.Value, p.Key, "")
	}
	for _, name := range someOf(fixtureNames(f, "hostile")) {
		task := fixtureTask(f, name)
		for _, p := range task.GetContainer().GetDocker().GetParameters() {
			f.Add(p.Key, p.Value, "label", "a=b")
		}
	}
	var base mesos.TaskInfo
	translated(f, func(task *mesos.TaskInfo) { base = *task })
	parse := func(parameters ...mesos.Parameter) (security.Spec, []security.Finding) {
		task, container, docker := base, *base.Container, *base.Container.Docker
		docker.Parameters, container.Docker, task.Container = parameters, &docker, &container
		return translatedIn(testInputs(), task)
	}
	f.Fuzz(func(t *testing.T, key, value, key2, value2 string) {
		one, two := mesos.Parameter{Key: key, Value: value}, mesos.Parameter{Key: key2, Value: value2}
		spec, found := parse(one, two)
		if _, turned := parse(two, one); (len(turned) == 0) != (len(found) == 0) {
			t.Errorf("the order counts: %+v, and the other way round %+v", found, turned)
		}
		for _, p := range []mesos.Parameter{one, two} {
			name, _, _ := strings.Cut(p.Key, "=")
			plain := strings.EqualFold(strings.Trim(name, "- \t\"'"), "privileged")
			if off := p.Key == "privileged" && slices.Contains(strings.Fields("0 f F false FALSE False"), p.Value); plain && !off && !spec.Host.Privileged {
				t.Errorf("%q is not taken for privileged", p.Key)
			}
			if !plain && flagTable()[p.Key] == nil && !spec.Host.Privileged && len(found) == 0 {
				t.Errorf("%q is no flag, and is accepted", p.Key)
			}
		}
		if len(found) > 0 {
			return
		}
		targets := map[string]bool{}
		for _, m := range spec.Host.Mounts {
			if targets[m.Target] || !path.IsAbs(m.Target) || path.Clean(m.Target) != m.Target {
				t.Errorf("mount at %q", m.Target)
			}
			targets[m.Target] = true
		}
		if len(spec.Config.ExposedPorts) > maxPorts || len(spec.Host.PortBindings) > maxPorts {
			t.Errorf("%d ports", len(spec.Config.ExposedPorts))
		}
		if host := spec.Host; host.AutoRemove || len(host.Binds) > 0 || spec.Name != testInputs().ContainerName {
			t.Errorf("%+v", spec)
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	for _, dir := range []string{".", "bad"} {
		for _, name := range fixtureNames(f, dir) {
			f.Add(readFixture(f, name))
		}
	}
	f.Add([]byte("{" + strings.Repeat(`"no_such_field": 0, `, maxProblems+1) + "\n]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		task, err := FromJSON(data)
		if err != nil {
			return
		}
		raw, err := task.Marshal()
		if err != nil {
			t.Fatalf("what was read cannot be encoded: %v", err)
		}
		if found := checkWire(raw, taskInfoSchema()); len(found.list) > 0 {
			t.Fatalf("what was read is malformed: %v", found.list)
		}
	})
}
