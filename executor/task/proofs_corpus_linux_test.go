package task

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// These tests start what was decided, and ask the container itself and the kernel what it may do. Each container answers many
// questions, since a start is what costs.

// script makes a shell script of attempts, "name: command", which says for each whether it did. What would change the host if it
// did is written so that it changes nothing: a setting is overwritten with itself.
func script(attempts string) string {
	var b strings.Builder
	b.WriteString("cd /mnt/mesos/sandbox; exec >said.tmp 2>errors\n")
	for line := range strings.Lines(attempts) {
		if name, command, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			fmt.Fprintf(&b, "if (%s) >out; then echo \"%s: $(cat out)\"; else echo \"%s: refused\"; fi\n", command, name, name)
		}
	}
	b.WriteString("mv said.tmp said; exec sleep 1000\n")
	return b.String()
}

// confined is a started container: what it said, and what the kernel says of its init process.
type confined struct {
	t       *testing.T
	said    map[string]string
	proc    string // /proc/<pid>
	inspect container.InspectResponse
}

// startDecided starts the container of a task that the built-in policy has decided over, and waits until its script is through.
// What the plan says goes to the engine as it is.
func startDecided(t *testing.T, task mesos.TaskInfo, in Inputs) *confined {
	t.Helper()
	docker := dockerClient(t)
	plan := accepted(t, marshal(t, task), in)
	for _, folder := range plan.SandboxDirs {
		if err := os.MkdirAll(filepath.Join(in.SandboxSource, folder), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	spec := plan.Spec
	made, err := docker.ContainerCreate(t.Context(), &spec.Config, &spec.Host, &spec.Network, nil, spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := docker.ContainerRemove(context.WithoutCancel(t.Context()), made.ID, container.RemoveOptions{RemoveVolumes: true, Force: true}); err != nil {
			t.Error(err)
		}
	})
	if err := docker.ContainerStart(t.Context(), made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	c := &confined{t: t}
	if c.inspect, err = docker.ContainerInspect(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	c.proc = fmt.Sprintf("/proc/%d", c.inspect.State.Pid)
	c.said = answers(t, filepath.Join(in.SandboxSource, "said"))
	return c
}

// answers reads what the script wrote, once it is complete.
func answers(t *testing.T, file string) map[string]string {
	t.Helper()
	said := map[string]string{}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(file)
		if err == nil {
			for line := range strings.Lines(string(text)) {
				name, answer, _ := strings.Cut(strings.TrimSpace(line), ":")
				said[name] = strings.TrimSpace(answer)
			}
			return said
		}
		if time.Now().After(deadline) {
			errors, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "errors"))
			t.Fatalf("the container says nothing: %v\n%s", err, errors)
		}
	}
}

func (c *confined) refused(names ...string) {
	c.t.Helper()
	for _, name := range names {
		if c.said[name] != "refused" {
			c.t.Errorf("%s is not refused: %q", name, c.said[name])
		}
	}
}

func (c *confined) says(name, want string) {
	c.t.Helper()
	if c.said[name] != want {
		c.t.Errorf("%s: %q, want %q", name, c.said[name], want)
	}
}

// status is a line of /proc/<pid>/status of the container's init, as the host sees it.
func (c *confined) status(key, want string) {
	c.t.Helper()
	for line := range strings.Lines(c.read("status")) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			if got := strings.Join(strings.Fields(value), " "); got != want {
				c.t.Errorf("%s of the init process: %q, want %q", key, got, want)
			}
			return
		}
	}
	c.t.Errorf("no %s in the status of the init process", key)
}

func (c *confined) read(name string) string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.proc, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// ownNamespaces: the container shares none of these with the host, nor with the engine.
func (c *confined) ownNamespaces(kinds ...string) {
	c.t.Helper()
	pid, err := os.ReadFile(filepath.Join(private.Dir, "docker.pid"))
	if err != nil {
		c.t.Fatal(err)
	}
	daemon := strings.TrimSpace(string(pid))
	for _, kind := range kinds {
		its, err := os.Readlink(filepath.Join(c.proc, "ns", kind))
		for _, other := range []string{"self", daemon} {
			theirs, theirErr := os.Readlink(filepath.Join("/proc", other, "ns", kind))
			if err != nil || theirErr != nil || its == theirs {
				c.t.Errorf("namespace %s: %q, that of /proc/%s is %q: %v %v", kind, its, other, theirs, err, theirErr)
			}
		}
	}
}

// mountsAt: the container has exactly these mounts beside those that the engine makes for every container.
func (c *confined) mountsAt(want ...string) {
	c.t.Helper()
	usual := []string{"/", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}
	for line := range strings.Lines(c.read("mountinfo")) {
		at := strings.Fields(line)[4]
		first, _, _ := strings.Cut(at[1:], "/")
		if !slices.Contains(usual, at) && !slices.Contains([]string{"proc", "sys", "dev"}, first) && !slices.Contains(want, at) {
			c.t.Errorf("mount at %s: %s", at, line)
		}
	}
}

// dangers are attempts that no container of the built-in policy succeeds with, root in it or not.
const dangers = `
	mount: mount -t tmpfs none /mnt
	remount: mount -o remount,rw,bind /proc/sys
	unshare: unshare -m true
	user namespace: unshare -U true
	mknod of memory: mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem
	mknod of a disk: mknod /tmp/disk b 8 0 && head -c 1 /tmp/disk
	kernel memory: head -c 1 /proc/kcore | grep -q .
	raw socket: ping -c 1 -W 1 127.0.0.1
	hostname: hostname "$(hostname)"
	own address: ip addr add 10.99.0.1/24 dev lo
	core pattern: cat /proc/sys/kernel/core_pattern >/tmp/p && cat /tmp/p >/proc/sys/kernel/core_pattern
	sysrq: cat /proc/sys/kernel/sysrq >/tmp/p && cat /tmp/p >/proc/sys/kernel/sysrq
	sysrq trigger: echo >>/proc/sysrq-trigger
	cgroup: mkdir /sys/fs/cgroup/pids/x || { test -e /sys/fs/cgroup/cgroup.procs && mkdir /sys/fs/cgroup/x; }
	priority: renice -n -5 -p 1
	raise core: ulimit -c 1
	raise files: ulimit -Hn 1048576
	host file: cat /mnt/mesos/sandbox/link
	host process: test -e /mnt/mesos/sandbox/root/.dockerenv && exit 1; cat /mnt/mesos/sandbox/root/SECRET
	engine socket: ls /run/docker.sock /var/run/docker.sock /run/containerd | grep -q .
	disks: ls /dev | grep -E '^(sd|vd|nvme|xvd|loop|mem|kmsg|fuse|kvm)'
	core: ulimit -Hc
	pids: cat /sys/fs/cgroup/pids/pids.max || cat /sys/fs/cgroup/pids.max
	memory: cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max
	interfaces: ls /sys/class/net | tr '\n' ' '
	tools: for t in mount unshare mknod head ping hostname ip mkdir renice su chown; do command -v $t >/dev/null || echo no $t; done
	processes: ls /proc | grep -E '^[0-9]+$' | head -1
`

func (c *confined) lacksDangers() {
	c.t.Helper()
	c.refused("mount", "remount", "unshare", "user namespace", "mknod of memory", "mknod of a disk", "kernel memory", "raw socket", "hostname", "own address",
		"core pattern", "sysrq", "sysrq trigger", "cgroup", "priority", "raise core", "raise files", "host file", "host process", "engine socket", "disks")
	c.says("tools", "")
	c.says("core", "0")
	c.says("processes", "1")
	c.status("NoNewPrivs", "1")
	c.status("Seccomp", "2")
	c.ownNamespaces("ipc", "mnt", "net", "pid", "uts")
	for line := range strings.Lines(c.read("limits")) {
		if rest, ok := strings.CutPrefix(line, "Max core file size"); ok && strings.Join(strings.Fields(rest), " ") != "0 0 bytes" {
			c.t.Errorf("core dumps: %s", line)
		}
	}
}

// hostileSandbox is a sandbox with links to the host, and the inputs of a task in it.
func hostileSandbox(t *testing.T) Inputs {
	t.Helper()
	in := testInputs()
	in.Sandbox = t.TempDir()
	in.SandboxSource = in.Sandbox
	secret := filepath.Join(t.TempDir(), "SECRET")
	if err := os.WriteFile(secret, []byte("of the host"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"link": secret, "root": "/proc/1/root"} {
		if err := os.Symlink(target, filepath.Join(in.Sandbox, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(in.Sandbox, 0o777); err != nil {
		t.Fatal(err)
	}
	return in
}

// TestTrimmedContainerLacksWhatWasTrimmed starts a task that asks for rights, limits and sizes that it does not get.
func TestTrimmedContainerLacksWhatWasTrimmed(t *testing.T) {
	in := hostileSandbox(t)
	task := fixtureTask(t, "hostile/several-trims")
	parameters := &task.Container.Docker.Parameters
	*parameters = append(*parameters, parametersOf("cap-add ALL", "cap-add CAP_NET_ADMIN", "ulimit rtprio=99", "publish 31000:8080", "expose 22",
		"sysctl net.ipv4.ip_local_port_range=20000 30000")...)
	task.Resources = append(task.Resources, portsResource(task))
	task.Command.Value = ptr(script(dangers + `
		setuid program on the tmpfs: cp /bin/busybox /x/busybox && chmod 4755 /x/busybox && /x/busybox true
		device on the tmpfs: mknod /x/null c 1 3 && echo >/x/null
		tmpfs: grep ' /x tmpfs ' /proc/mounts | cut -d ' ' -f 4
		shm: df -k /dev/shm | tail -1 | tr -s ' ' | cut -d ' ' -f 2
		gpus: echo $NVIDIA_VISIBLE_DEVICES
		ports: cat /proc/sys/net/ipv4/ip_local_port_range | tr '\t' ' '
		forwarding: echo 1 >/proc/sys/net/ipv4/conf/lo/forwarding
	`))
	c := startDecided(t, task, in)
	c.lacksDangers()
	c.refused("setuid program on the tmpfs", "device on the tmpfs", "forwarding")
	c.status("CapEff", capabilitySet(t, security.BuiltInRules().Capabilities.Allow))
	c.status("CapBnd", capabilitySet(t, security.BuiltInRules().Capabilities.Allow))
	c.status("CapAmb", "0000000000000000")
	c.says("pids", "4096")
	c.says("memory", "67108864")
	c.says("shm", "65536")
	c.says("gpus", "void")
	c.says("interfaces", "eth0 lo")
	c.says("ports", "20000 30000")
	c.mountsAt("/mnt/mesos/sandbox", "/x")
	for _, option := range []string{"noexec", "nosuid", "nodev", "size=1048576k"} {
		if !slices.Contains(strings.Split(c.said["tmpfs"], ","), option) {
			t.Errorf("the tmpfs has no %s: %s", option, c.said["tmpfs"])
		}
	}
	if ports, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err != nil || strings.HasPrefix(string(ports), "20000\t30000") {
		t.Errorf("the sysctl holds for the host: %s %v", ports, err)
	}
	for port, bindings := range c.inspect.NetworkSettings.Ports {
		if want := map[string]int{"8080/tcp": 1}[string(port)]; len(bindings) < want || want == 0 && len(bindings) > 0 {
			t.Errorf("%s is published at %v", port, bindings)
		}
	}
	for name := range c.inspect.Config.Labels {
		if strings.HasPrefix(name, security.ReservedLabelPrefix) {
			t.Errorf("label %s", name)
		}
	}
}

// TestPlainUsersContainerHasNoRights starts a task that gives up what it can, and then tries what it gave up.
func TestPlainUsersContainerHasNoRights(t *testing.T) {
	in := hostileSandbox(t)
	task := fixtureTask(t, "hello")
	network := mesos.ContainerInfo_DockerInfo_NONE
	task.Container.Docker.Network = &network
	task.Container.Docker.Parameters = parametersOf("user 1000:1000", "cap-drop ALL", "read-only true", "pids-limit 30", "ipc none", "tmpfs /tmp:size=1m,mode=1777")
	task.Command.Value = ptr(script(dangers + `
		root's file: echo x >/etc/passwd
		another owner: touch /tmp/mine && chown 0 /tmp/mine
		setuid program of its own: cp /bin/busybox busybox && chmod 4755 busybox && ./busybox chown 0 busybox
		becoming root: su root -c true
		network: ip route get 10.0.0.1
		user: id -u
	`))
	c := startDecided(t, task, in)
	c.lacksDangers()
	c.refused("root's file", "another owner", "setuid program of its own", "becoming root", "network")
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		c.status(set, "0000000000000000")
	}
	c.status("Uid", "1000 1000 1000 1000")
	c.status("Gid", "1000 1000 1000 1000")
	c.says("user", "1000")
	c.says("pids", "30")
	c.says("interfaces", "lo")
	c.mountsAt("/mnt/mesos/sandbox", "/tmp")
}

// capabilitySet writes capabilities as /proc/<pid>/status does.
func capabilitySet(t *testing.T, names []string) string {
	t.Helper()
	numbers := map[string]int{ // linux/capability.h
		"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_FSETID": 4, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETPCAP": 8,
		"CAP_NET_BIND_SERVICE": 10, "CAP_SYS_CHROOT": 18, "CAP_AUDIT_WRITE": 29, "CAP_SETFCAP": 31,
	}
	set := uint64(0)
	for _, name := range names {
		n, known := numbers[name]
		if !known {
			t.Fatalf("%s is not among the twelve", name)
		}
		set |= 1 << n
	}
	return fmt.Sprintf("%016x", set)
}
