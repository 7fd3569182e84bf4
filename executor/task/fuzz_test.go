package task

import (
	"path"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/mount"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// FuzzDecide: no bytes make Decide panic, and it either plans or refuses. What an accepted Spec may hold is checked in
// package security; here, that the task's own ids and environment could not be forged.
func FuzzDecide(f *testing.F) {
	for _, dir := range []string{".", "hostile"} {
		for _, name := range fixtureNames(f, dir) {
			f.Add(fixture(f, name), true)
			f.Add(fixture(f, name), false)
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
		if spec.Host.Privileged || spec.Name != in.ContainerName || d.Plan.TaskID == "" {
			t.Fatalf("%+v", spec)
		}
		for _, m := range spec.Host.Mounts {
			if strings.HasPrefix(spec.Origins.Of("Host.Mounts["+m.Target+"]"), "resources[") && !strings.HasPrefix(m.Target, "/proc") {
				continue // a persistent volume
			}
			if m.Type == mount.TypeBind && m.Source != in.SandboxSource && !strings.HasPrefix(m.Source, in.SandboxSource+"/") {
				t.Fatalf("mount of %q", m.Source)
			}
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

// FuzzParameters: no two parameters make the translation panic, whatever they say. Either they are refused, or what they
// set can be told to Docker: each mount has a target of its own, and ports stay within their bound.
func FuzzParameters(f *testing.F) {
	for _, e := range effects() {
		key, value, _ := strings.Cut(e.parameter, " ")
		f.Add(key, value, "network", "web")
	}
	for _, long := range longParameters() {
		p := long(0, 2000)
		f.Add(p.Key, p.Value, p.Key, "")
	}
	f.Fuzz(func(t *testing.T, key, value, key2, value2 string) {
		spec, found := translated(t, func(task *mesos.TaskInfo) {
			task.Container.Docker.Parameters = []mesos.Parameter{{Key: key, Value: value}, {Key: key2, Value: value2}}
		})
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
