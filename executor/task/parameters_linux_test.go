package task

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginetest"
)

// batches are parameters that Docker 20.10 takes together, command and engine, on any kernel.
var batches = map[string][]string{
	"process and limits": {
		"network bridge", "domainname example.org", "entrypoint /bin/app", "env A=b=c", "hostname h", "init true", "label a=b", "log-driver json-file",
		"log-opt max-size=1m", "read-only true", "restart on-failure:3", "stop-signal SIGUSR1", "stop-timeout 7", "tty true", "ulimit nofile=10:20",
		"user 5:6", "workdir /w", "cap-add CAP_KILL", "cap-drop CAP_CHOWN", "cgroup-parent /params", "cgroupns private", "device /dev/null:/dev/n:r",
		"device-cgroup-rule c 1:* rm", "group-add 7", "ipc shareable", "runtime runc", "security-opt no-new-privileges", "sysctl net.core.somaxconn=5",
		"add-host a:10.0.0.1", "dns 10.0.0.53", "dns-option ndots:2", "dns-search example.org",
		"publish 31000-31001:80-81", "publish 127.0.0.1:31002:82/udp", "publish published=31003,target=83", "publish-all true", "expose 90-91/udp",
		"tmpfs /run:size=1m", "volumes-from other", "volume-driver local", "volume /anonymous",
		"mount type=bind,src=%s/data,dst=/b,ro,bind-propagation=rslave,bind-nonrecursive", "mount type=volume,src=v1,dst=/v1,volume-driver=local,volume-nocopy,volume-label=a=b",
		"mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770",
		"memory-swap 1g", "memory-swappiness 5", "oom-score-adj 5", "pids-limit 50", "shm-size 1m", "cpuset-cpus 0", "cpuset-mems 0",
		"health-cmd true", "health-interval 1m", "health-retries 3", "health-start-period 2s", "health-timeout 3s",
	},
	"user-defined network": {
		"network web", "ip 10.99.0.9", "network-alias a", "network-alias b", "link other:db", "link-local-ip 169.254.9.9", "no-healthcheck true",
	},
	"long form of network": {"net name=web,alias=a,ip=10.99.0.10,driver-opt=k=v"},
	"the host's namespaces": {
		"network host", "pid host", "ipc host", "uts host", "userns host", "cgroupns host", "privileged true", "security-opt seccomp=unconfined",
	},
}

// inNoBatch are the flags that are in no batch, and why.
var inNoBatch = map[string]string{
	"blkio-weight":          "wants a kernel with the weight policy",
	"blkio-weight-device":   "wants a kernel with the weight policy",
	"cpu-rt-period":         "wants a kernel with real-time groups",
	"cpu-rt-runtime":        "wants a kernel with real-time groups",
	"device-read-bps":       "wants a kernel with throttling, and changes with the cgroup version",
	"device-read-iops":      "as device-read-bps",
	"device-write-bps":      "as device-read-bps",
	"device-write-iops":     "as device-read-bps",
	"health-start-interval": "wants API 1.44",
	"ip6":                   "wants a network with IPv6",
	"kernel-memory":         "gone from newer kernels",
	"mac-address":           "wants API 1.44: the client takes no address of an endpoint for older ones",
	"oom-kill-disable":      "has no effect with cgroup v2",
	"storage-opt":           "wants quotas of the storage driver",
	"volume":                "is a bind for the docker command and a mount here",
}

// TestDockerStoresWhatTheDockerCommandWouldHaveStored creates one container of each batch from the translated Spec and one
// with the docker command. The daemon has to hold what the Spec says, and the two containers have to differ from others
// without the parameters in the same way.
func TestDockerStoresWhatTheDockerCommandWouldHaveStored(t *testing.T) {
	d := newDaemon(t)
	ours, theirs := d.create(t), d.command(t)
	for name, parameters := range batches {
		t.Run(name, func(t *testing.T) {
			parameters := slices.Clone(parameters)
			for i, p := range parameters {
				parameters[i] = strings.ReplaceAll(p, "%s", d.sandbox)
			}
			want, got := d.command(t, parameters...), d.create(t, parameters...)
			if diff := cmp.Diff(difference(theirs, want), difference(ours, got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	inBatch := map[string]bool{}
	for _, parameters := range batches {
		for _, p := range parameters {
			key, _, _ := strings.Cut(p, " ")
			inBatch[flagTable()[key].name] = true
		}
	}
	for _, f := range flagTable() {
		if why := inNoBatch[f.name]; f.set != nil && !inBatch[f.name] && why == "" {
			t.Errorf("--%s is in no batch", f.name)
		}
	}
}

// daemon is the private engine with what the batches refer to, which ends with the engine.
type daemon struct {
	client  *client.Client
	host    string
	sandbox string // the source of the sandbox mount
}

func newDaemon(t *testing.T) daemon {
	t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(private.Host), client.WithVersion("1.41"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	d := daemon{client: c, host: private.Host, sandbox: t.TempDir()}
	if err := os.Mkdir(filepath.Join(d.sandbox, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = c.NetworkCreate(t.Context(), "web", network.CreateOptions{
		IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.99.0.0/24"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ContainerCreate(t.Context(), &container.Config{Image: enginetest.Image}, nil, nil, nil, "other"); err != nil {
		t.Fatal(err)
	}
	return d
}

// create makes a container from a translated Spec and checks that the daemon stored it.
func (d daemon) create(t *testing.T, parameters ...string) stored {
	t.Helper()
	in := testInputs()
	in.Sandbox, in.SandboxSource, in.ContainerName = d.sandbox, d.sandbox, ""
	task := fixtureTask(t, "hello")
	task.Command, task.Container.Docker.Network = &mesos.CommandInfo{Shell: ptr(false)}, nil
	task.Resources = append(task.Resources, portsResource(task))
	task.Container.Docker.Parameters = parametersOf(parameters...)
	spec, found := translatedIn(in, task)
	if len(found) > 0 {
		t.Fatal(found)
	}
	config, host := spec.Config, spec.Host // the client changes some fields in place
	made, err := d.client.ContainerCreate(t.Context(), &config, &host, &spec.Network, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	got := d.inspect(t, made.ID)
	for part, sent := range map[string]any{"Config": spec.Config, "HostConfig": spec.Host} {
		for key, value := range fields(t, sent) {
			if v := reflect.ValueOf(value); !v.IsValid() || v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 || key == "LogConfig" && spec.Host.LogConfig.Type == "" {
				continue
			}
			if key == "Env" || key == "SecurityOpt" { // the image and the daemon add to them
				for _, element := range value.([]any) {
					if !slices.Contains(got[part][key].([]any), element) {
						t.Errorf("%s.%s has no %v", part, key, element)
					}
				}
				continue
			}
			if diff := cmp.Diff(value, got[part][key]); diff != "" {
				t.Errorf("%s.%s: %s", part, key, diff)
			}
		}
	}
	// The sandbox is mounted by the executor alone.
	host.Mounts = slices.DeleteFunc(host.Mounts, func(m mount.Mount) bool { return m.Target == DefaultMappedDirectory })
	got["HostConfig"]["Mounts"] = fields(t, host)["Mounts"]
	return got
}

// command makes a container with the docker command.
func (d daemon) command(t *testing.T, parameters ...string) stored {
	t.Helper()
	args := []string{"create"}
	for _, p := range parametersOf(parameters...) {
		args = append(args, "--"+p.Key+"="+p.Value)
	}
	if !slices.ContainsFunc(parameters, func(p string) bool { return strings.HasPrefix(p, "net") }) {
		args = append(args, "--network=host") // the protocol's default
	}
	memory := fmt.Sprint(64 << 20) // of hello.json
	cmd := exec.CommandContext(t.Context(), "docker", append(args, "--memory="+memory, enginetest.Image)...)
	cmd.Env = []string{"DOCKER_HOST=" + d.host, "HOME=" + t.TempDir()}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker create (apt-get install docker.io if it is missing): %v %s", err, stderrOf(err))
	}
	return d.inspect(t, strings.TrimSpace(string(out)))
}

func stderrOf(err error) []byte {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.Stderr
	}
	return nil
}

// stored is what the daemon says about a container: the fields of Config, of HostConfig, and of its networks.
type stored map[string]map[string]any

func (d daemon) inspect(t *testing.T, id string) stored {
	t.Helper()
	got, err := d.client.ContainerInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if got.Config.Hostname == id[:12] {
		got.Config.Hostname = "" // the daemon's choice
	}
	for i, link := range got.HostConfig.Links { // "/other:/NAME/db"
		got.HostConfig.Links[i] = strings.ReplaceAll(strings.TrimPrefix(link, "/"), got.Name+"/", "")
	}
	for _, e := range got.NetworkSettings.Networks {
		e.Aliases = slices.DeleteFunc(e.Aliases, func(alias string) bool { return alias == id[:12] })
	}
	s := stored{"Config": fields(t, got.Config), "HostConfig": fields(t, got.HostConfig), "Networks": fields(t, got.NetworkSettings.Networks)}
	delete(s["Config"], "AttachStdout") // of the docker command's own connection
	delete(s["Config"], "AttachStderr")
	return s
}

// fields returns a value as the API writes it.
func fields(t *testing.T, v any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// difference returns the fields that have changed; of the environment, what was added.
func difference(before, after stored) stored {
	changed := stored{}
	for part, m := range after {
		changed[part] = map[string]any{}
		for key, value := range m {
			if old := before[part][key]; key == "Env" {
				changed[part][key] = slices.DeleteFunc(slices.Clone(value.([]any)), func(v any) bool { return slices.Contains(old.([]any), v) })
			} else if !cmp.Equal(old, value) {
				changed[part][key] = value
			}
		}
	}
	return changed
}
