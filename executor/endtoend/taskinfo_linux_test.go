package endtoend

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/localagent"
)

// oddValues are texts that shells, JSON and process tables are known to bend.
func oddValues() map[string]string {
	return map[string]string{
		"EMPTY":    "",
		"EQUALS":   "=a==b=",
		"NEWLINES": "one\ntwo\n\n",
		"QUOTES":   `"it's" \n $HOME ` + "`date`" + ` %s`,
		"UNICODE":  "grüße, 世界 \u202e🚢",
		"BLANKS":   "  \t ",
		"LONG":     strings.Repeat("0123456789abcde\n", 6400), // 100 KiB, within the kernel's 128 KiB for one string
	}
}

// TestOddValuesReachTheProgramUnchanged passes each value as a variable and as an argument, and compares what the program
// got by its SHA-256.
func TestOddValuesReachTheProgramUnchanged(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		values := oddValues()
		const script = `while [ $# -gt 0 ]; do
			eval "variable=\$$1"
			echo "$1 $(printf %s "$variable" | sha256sum | cut -c 1-64) $(printf %s "$2" | sha256sum | cut -c 1-64)"
			shift 2
		done`
		info := shell(t, "")
		command := &mesos.CommandInfo{Shell: ptr(false), Value: ptr("sh"), Arguments: []string{"-c", script, "sh"}, Environment: &mesos.Environment{}}
		var want strings.Builder
		for name, value := range values {
			command.Arguments = append(command.Arguments, name, value)
			command.Environment.Variables = append(command.Environment.Variables, mesos.Environment_Variable{Name: name, Value: &value})
			sum := sha256.Sum256([]byte(value))
			fmt.Fprintf(&want, "%s %x %x\n", name, sum, sum)
		}
		info.Command = command
		r := launch(t, mode, info)
		r.ends(mesos.TASK_FINISHED, 0)
		if got := r.file("stdout"); got != want.String() {
			t.Errorf("the program got\n%s\nwant\n%s", got, want.String())
		}
		r.nothingLeft()
	})
}

// TestLimitsReachTheCgroup reads what the kernel holds, from inside the container.
func TestLimitsReachTheCgroup(t *testing.T) {
	var host unix.Sysinfo_t
	if err := unix.Sysinfo(&host); err != nil {
		t.Fatal(err)
	}
	total := float64(host.Totalram) * float64(host.Unit) / (1 << 20) // MiB
	const script = "cd /sys/fs/cgroup; cat cpu/cpu.shares cpu/cpu.cfs_quota_us memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes /proc/self/oom_score_adj"
	for name, test := range map[string]struct {
		cpus, mem float64
		limits    string
		cfs       bool
		want      string
	}{
		"no limits":       {1.5, 64, "", false, "1536 -1 67108864 9223372036854771712 0"},
		"enforced quota":  {0.5, 64, "", true, "512 50000 67108864 9223372036854771712 0"},
		"limits":          {1, float64(int(total / 2)), fmt.Sprintf(`"limits": {"cpus": {"value": 2}, "mem": {"value": %d}}`, int(total)), true, "1024 200000 MEM SOFT 500"},
		"infinite cpus":   {1, 64, `"limits": {"cpus": {"value": "Infinity"}}`, true, "1024 -1 67108864 9223372036854771712 0"},
		"equal to demand": {1, 64, `"limits": {"cpus": {"value": 1}, "mem": {"value": 64}}`, false, "1024 100000 67108864 67108864 0"},
	} {
		t.Run(name, func(t *testing.T) {
			var extra []string
			if test.limits != "" {
				extra = append(extra, test.limits)
			}
			info := shell(t, script, extra...)
			info.Resources[0].Scalar.Value, info.Resources[1].Scalar.Value = test.cpus, test.mem
			r := launch(t, localagent.DropIn, info, func(o *localagent.Options) { o.EnforceCFS = test.cfs })
			r.ends(mesos.TASK_FINISHED, 0)
			want := strings.NewReplacer("MEM", fmt.Sprint(int64(total)<<20), "SOFT", fmt.Sprint(int64(int(total/2))<<20)).Replace(test.want)
			got := strings.Join(strings.Fields(r.file("stdout")), " ")
			if name == "limits" { // the share of the host's memory is an integer of the kernel's
				got = strings.NewReplacer(" 499", " 500", " 501", " 500").Replace(got)
			}
			if got != want {
				t.Errorf("shares, quota, limit, soft limit, OOM score are %s, want %s", got, want)
			}
		})
	}
}

func TestDefaultDNSReachesTheContainer(t *testing.T) {
	const setting = `{"docker": [{"network_mode": "BRIDGE", "dns": {"nameservers": ["10.9.8.7"], "search": ["one.example", "two.example"], "options": ["ndots:3"]}}]}`
	run := func(t *testing.T, parameters string) string {
		info := parse(t, strings.NewReplacer("NONE", "BRIDGE", `"network"`, parameters+`"network"`).Replace(
			withCommand(`{"value": "cat /etc/resolv.conf"}`, enginetest.Image)))
		r := launch(t, localagent.DropIn, info, func(o *localagent.Options) {
			o.Arguments = append(o.Arguments, "--default_container_dns="+setting)
		})
		r.ends(mesos.TASK_FINISHED, 0)
		return r.file("stdout")
	}
	t.Run("by default", func(t *testing.T) {
		got := run(t, "")
		for _, line := range []string{"nameserver 10.9.8.7\n", "search one.example two.example\n", "options ndots:3\n"} {
			if !strings.Contains(got, line) {
				t.Errorf("no %q in %q", line, got)
			}
		}
	})
	t.Run("not beside settings of the task", func(t *testing.T) {
		if got := run(t, `"parameters": [{"key": "dns", "value": "10.1.1.1"}], `); strings.Contains(got, "example") || !strings.Contains(got, "nameserver 10.1.1.1\n") {
			t.Errorf("resolv.conf is %q", got)
		}
	})
}

func TestBadDefaultDNSIsToldToTheFramework(t *testing.T) {
	r := launch(t, localagent.DropIn, shell(t, "true"), func(o *localagent.Options) {
		o.Arguments = append(o.Arguments, `--default_container_dns={"docker": [{"network_mode": "BRIDGE", "dns": {"nameservers": ["ns.example"]}}]}`)
	})
	failed := r.ends(mesos.TASK_FAILED, 1)
	if m := failed.GetMessage(); failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(m, "--default_container_dns") || !strings.Contains(m, "ns.example") {
		t.Errorf("%v: %s", failed.GetReason(), m)
	}
}

// withPersistentVolume gives a task a volume at "data" in its sandbox.
func withPersistentVolume(t *testing.T, info *mesos.TaskInfo, mode string) {
	t.Helper()
	var disk mesos.Resource
	text := fmt.Sprintf(`{"name": "disk", "type": "SCALAR", "scalar": {"value": 10}, "allocation_info": {"role": "web/front"},
		"reservations": [{"type": "DYNAMIC", "role": "web"}, {"type": "DYNAMIC", "role": "web/front"}],
		"disk": {"persistence": {"id": "p1"}, "volume": {"container_path": "data", "mode": %q}}}`, mode)
	if err := json.Unmarshal([]byte(text), &disk); err != nil {
		t.Fatal(err)
	}
	role := "web/front"
	for i := range info.Resources {
		info.Resources[i].AllocationInfo = &mesos.Resource_AllocationInfo{Role: &role}
	}
	info.Resources = append(info.Resources, disk)
}

// TestPersistentVolumeKeepsWhatTheTaskWrites: in custom mode the executor finds the volume below the agent's work_dir; in
// drop-in mode the agent has mounted it into the sandbox, as here the test does.
func TestPersistentVolumeKeepsWhatTheTaskWrites(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		info := shell(t, "cat data/before; echo written > data/after; touch own")
		withPersistentVolume(t, &info, "RW")
		info.Command.Value = ptr("cd $MESOS_SANDBOX; " + *info.Command.Value)
		work := t.TempDir()
		r := prepare(t, mode, info, func(o *localagent.Options) {
			o.WorkDir = work
			f := localagent.DefaultFramework()
			f.Roles = []string{"web/front"}
			o.Framework = &f
		})
		volume := filepath.Join(work, "volumes", "roles", "web front", "p1")
		if err := os.MkdirAll(volume, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(volume, "before"), []byte("kept\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if mode == localagent.DropIn {
			mountIntoSandbox(t, volume, filepath.Join(r.Sandbox(), "data"))
		}
		r.start()
		r.ends(mesos.TASK_FINISHED, 0)
		if got := r.file("stdout"); got != "kept\n" {
			t.Errorf("stdout %q", got)
		}
		if got, err := os.ReadFile(filepath.Join(volume, "after")); string(got) != "written\n" {
			t.Errorf("the volume holds %q: %v", got, err)
		}
		if _, err := os.Stat(filepath.Join(r.Sandbox(), "own")); err != nil {
			t.Error(err)
		}
		r.nothingLeft()
	})
}

func mountIntoSandbox(t *testing.T, volume, at string) {
	t.Helper()
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(volume, at, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
}

func TestReadOnlyPersistentVolumeCannotBeWritten(t *testing.T) {
	info := shell(t, "touch $MESOS_SANDBOX/data/x && echo written; true")
	withPersistentVolume(t, &info, "RO")
	work := t.TempDir()
	if err := os.MkdirAll(filepath.Join(work, "volumes", "roles", "web front", "p1"), 0o777); err != nil {
		t.Fatal(err)
	}
	r := launch(t, localagent.Custom, info, func(o *localagent.Options) {
		o.WorkDir = work
		f := localagent.DefaultFramework()
		f.Roles = []string{"web/front"}
		o.Framework = &f
	})
	r.ends(mesos.TASK_FINISHED, 0)
	if out, err := r.file("stdout"), r.file("stderr"); out != "" || !strings.Contains(err, "Read-only file system") {
		t.Errorf("stdout %q, stderr %q", out, err)
	}
}

// TestLinuxInfoAndRlimitsHold looks at the process itself.
func TestLinuxInfoAndRlimitsHold(t *testing.T) {
	info := shell(t, "grep CapBnd /proc/self/status; id -u; hostname; ulimit -n; df -k /dev/shm | tail -n 1")
	info.Command.User = ptr("1000")
	info.Container.Hostname = ptr("web-1")
	info.Container.Docker.Network = mesos.ContainerInfo_DockerInfo_BRIDGE.Enum()
	info.Container.LinuxInfo = &mesos.LinuxInfo{
		EffectiveCapabilities: &mesos.CapabilityInfo{Capabilities: []mesos.CapabilityInfo_Capability{mesos.CapabilityInfo_CHOWN, mesos.CapabilityInfo_KILL}},
		SHMSize:               ptr(uint32(8)),
	}
	info.Container.RlimitInfo = &mesos.RLimitInfo{Rlimits: []mesos.RLimitInfo_RLimit{
		{Type: mesos.RLimitInfo_RLimit_RLMT_NOFILE, Soft: ptr(uint64(77)), Hard: ptr(uint64(99))},
		{Type: mesos.RLimitInfo_RLimit_RLMT_AS, Soft: ptr(uint64(1 << 36)), Hard: ptr(uint64(1 << 36))}, // the runtime itself needs more than 1 GiB,
	}}
	r := launch(t, localagent.DropIn, info)
	r.ends(mesos.TASK_FINISHED, 0)
	got := r.file("stdout")
	for _, want := range []string{"CapBnd:\t0000000000000021\n", "\n1000\n", "\nweb-1\n", "\n77\n", " 8192 "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

func ptr[T any](v T) *T { return &v }
