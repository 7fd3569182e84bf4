package task

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	endpoint "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/security"
)

// wideOpen lets through what a policy can let through, by way of exception too.
func wideOpen() security.Policy {
	rules := security.BuiltInRules()
	rules.Network = security.NetworkRules{
		Modes: []string{"bridge", "host", "none"}, Names: []string{"*"}, Aliases: true, StaticAddresses: true, MACAddress: true,
	}
	rules.HostNamespaces = []string{"cgroup", "uts"}
	rules.BreakGlass = security.BreakGlass{HostNamespaces: []string{"ipc", "pid", "userns"}, Unconfined: []string{"seccomp"}, Propagation: []string{"rslave"}}
	rules.UnlimitedMemory = true
	rules.NewPrivileges = true
	rules.Mounts.HostPaths = []security.HostPath{{Path: "/srv", Writable: true}}
	rules.Mounts.Volumes = []security.VolumeRule{{Driver: "local", Names: []string{"*"}}}
	return security.New("test", rules)
}

// TestFieldsShowInTheCreatedContainer creates the container of each effect and compares what the engine says of it.
func TestFieldsShowInTheCreatedContainer(t *testing.T) {
	docker := dockerClient(t)
	makeNetwork(t, docker)
	for _, e := range fieldEffects() {
		t.Run(e.name, func(t *testing.T) {
			in := testInputs()
			in.Sandbox, in.WorkDir, in.HostMemory = t.TempDir(), t.TempDir(), 1<<30
			in.SandboxSource = in.Sandbox
			if e.custom {
				in.Mode = Custom
			}
			task := fixtureTask(t, "hello")
			if e.custom {
				task.Command = nil
			}
			e.change(&task)
			spec := e.specOf(t, marshal(t, task), in)
			here := strings.NewReplacer(sandboxHere, in.Sandbox, workHere, in.WorkDir, "@NAME", in.ContainerName)
			said := createAndInspect(t, docker, spec)
			for path, want := range e.want {
				if diff := cmp.Diff(parseJSON(t, here.Replace(want)), at(said, path)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
			}
		})
	}
}

// specOf decides on the task. What no policy lets through is what the policy would have refused.
func (e fieldEffect) specOf(t *testing.T, raw []byte, in Inputs) security.Spec {
	t.Helper()
	if e.beyondPolicy {
		translated := translation{in: in, spec: security.Spec{Origins: security.Origins{}}}
		if err := decode(raw, &translated.task); err != nil {
			t.Fatal(err)
		}
		if translated.translate(); len(translated.findings) > 0 {
			t.Fatalf("%+v", translated.findings)
		}
		return translated.spec
	}
	d := Decide(raw, in, wideOpen())
	if d.Refusal != nil {
		t.Fatal(d.Refusal.Message)
	}
	return d.Plan.Spec
}

func dockerClient(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(private.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// makeNetwork makes the user network of the effects.
func makeNetwork(t *testing.T, docker *client.Client) {
	t.Helper()
	_, err := docker.NetworkCreate(t.Context(), testNetwork, endpoint.CreateOptions{
		Driver: "bridge", IPAM: &endpoint.IPAM{Config: []endpoint.IPAMConfig{{Subnet: "10.77.0.0/24"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := docker.NetworkRemove(context.WithoutCancel(t.Context()), testNetwork); err != nil {
			t.Error(err)
		}
	})
}

// createAndInspect returns the engine's JSON about a container that is created, looked at and removed.
func createAndInspect(t *testing.T, docker *client.Client, spec security.Spec) any {
	t.Helper()
	for _, m := range spec.Host.Mounts {
		if m.Type == "bind" {
			if err := os.MkdirAll(m.Source, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	made, err := docker.ContainerCreate(t.Context(), &spec.Config, &spec.Host, &spec.Network, nil, spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer removeContainer(t, docker, made.ID, spec)
	_, raw, err := docker.ContainerInspectWithRaw(t.Context(), made.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	return parseJSON(t, string(raw))
}

// removeContainer removes it with the volumes that were made for it.
func removeContainer(t *testing.T, docker *client.Client, id string, spec security.Spec) {
	t.Helper()
	if err := docker.ContainerRemove(t.Context(), id, container.RemoveOptions{RemoveVolumes: true, Force: true}); err != nil {
		t.Error(err)
	}
	for _, m := range spec.Host.Mounts {
		if m.Type == mount.TypeVolume {
			if err := docker.VolumeRemove(t.Context(), m.Source, false); err != nil {
				t.Error(err)
			}
		}
	}
}

// at follows a path of keys; what is not there is nil.
func at(said any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		object, _ := said.(map[string]any)
		said = object[key]
	}
	return said
}

func parseJSON(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}
