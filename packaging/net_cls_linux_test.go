package packaging

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// prelude is what the scripts of the tests are written in. They are run in a mount namespace that begins as a host whose cgroup
// folder is a tmpfs with nothing in it, as systemd makes it. The hierarchy of the machine itself is alive all the
// time, so it can be mounted with its own set of controllers only.
const prelude = `
fresh() { mount -t tmpfs -o nosuid,nodev,noexec,mode=755 tmpfs /sys/fs/cgroup; }
read_only() { mount -o remount,ro /sys/fs/cgroup; }
kernel() { printf '#subsys_name\thierarchy\tnum_cgroups\tenabled\n'"$1" >"$dir/cgroups"; mount --bind "$dir/cgroups" /proc/cgroups; }
run() { status=0; $under ./mount-net-cls || status=$?; echo "exit $status"; }
look() { (
	cd /sys/fs/cgroup
	for name in *; do
		if [ -L "$name" ]; then echo "$name -> $(readlink "$name")"
		elif [ -e "$name/cgroup.procs" ] && [ -e "$name/net_cls.classid" ]; then echo "$name is net_cls"
		elif [ -e "$name" ]; then echo "$name"
		fi
	done
); }
flags() { awk '$5 == "/sys/fs/cgroup" { last = $6 } END { print last }' /proc/self/mountinfo; }
fresh
`

// shells are those that the script must not tell apart: Debian's, and Alpine's.
var shells = []string{"sh", "busybox sh"}

func TestNetClsIsMountedWhereItIsMissing(t *testing.T) {
	const mounted = "exit 0\nnet_cls -> net_cls,net_prio\nnet_cls,net_prio is net_cls\nnet_prio -> net_cls,net_prio\n"
	for _, test := range []struct {
		name, script string
		want         string // lines of the output that are not the script's own
		says         []string
	}{
		{"nothing is mounted", "run; look", mounted, []string{"mounted /sys/fs/cgroup/net_cls,net_prio; containers that run already"}},
		{"twice", "run; run; look; grep -c ' /sys/fs/cgroup/net_cls,net_prio .*:net_cls' /proc/self/mountinfo || true",
			"exit 0\n" + mounted + "0\n", []string{"mounted"}},
		{"with systemd's read-only tmpfs, which gets its options back", "read_only; run; look; flags",
			mounted + "ro,nosuid,nodev,noexec,relatime\n", []string{"mounted"}},
		{"with another name already", "mkdir /sys/fs/cgroup/mine; mount -t cgroup -o net_cls,net_prio cgroup /sys/fs/cgroup/mine; run; look",
			"exit 0\nmine is net_cls\n", nil},
		{"where runc does not look", "mkdir -p \"$dir/mine\" /sys/fs/cgroup/deeper/net_cls; for f in \"$dir/mine\" /sys/fs/cgroup/deeper/net_cls; " +
			"do mount -t cgroup -o net_cls,net_prio cgroup \"$f\"; done; run; look", "exit 0\ndeeper\n" + strings.TrimPrefix(mounted, "exit 0\n"), []string{"mounted"}},
		{"hidden by another mount", "run; mount -t tmpfs tmpfs /sys/fs/cgroup/net_cls; look; run; look",
			mounted[:len("exit 0\n")] + "net_cls -> net_cls,net_prio\nnet_cls,net_prio\nnet_prio -> net_cls,net_prio\n" + mounted, []string{"mounted"}},
		{"empty folders of the names", "mkdir /sys/fs/cgroup/net_cls /sys/fs/cgroup/net_prio /sys/fs/cgroup/net_cls,net_prio; run; look", mounted, []string{"mounted"}},
		{"a folder of plain files, which stays", "mkdir /sys/fs/cgroup/net_cls; echo 1 >/sys/fs/cgroup/net_cls/net_cls.classid; run; look",
			"exit 0\nnet_cls\nnet_cls,net_prio is net_cls\nnet_prio -> net_cls,net_prio\n", []string{"mounted"}},
		{"only a part of it is mounted", "cd /sys/fs/cgroup; mkdir all part; mount -t cgroup -o net_cls,net_prio cgroup all; " +
			"mkdir all/mount-net-cls-$$; mount --bind all/mount-net-cls-$$ part; umount all; rmdir all; cd - >/dev/null; run; look; " +
			"umount /sys/fs/cgroup/part; rmdir /sys/fs/cgroup/net_cls/mount-net-cls-$$",
			mounted + "part is net_cls\n", []string{"mounted"}},
		{"a free hierarchy, with what can be had", `kernel 'net_cls\t0\t1\t1\nperf_event\t0\t1\t1\nnet_prio\t0\t1\t1\ncpu\t0\t1\t1\n'; run; look`,
			mounted, []string{"mounted"}},
		{"no controller in the kernel", `kernel 'cpu\t1\t83\t1\nnet_prio\t0\t1\t1\n'; run; look`, "exit 1\n", []string{"CONFIG_CGROUP_NET_CLASSID"}},
		{"disabled at boot", `kernel 'net_cls\t0\t1\t0\n'; run; look`, "exit 1\n", []string{"cgroup_disable=net_cls"}},
		{"in use with a set that the kernel does not give", `kernel 'net_cls\t7\t1\t1\n'; read_only; run; look; flags`,
			"exit 1\nro,nosuid,nodev,noexec,relatime\n", []string{"cannot be mounted below /sys/fs/cgroup: mount:"}},
		{"mounted read-only", "mkdir /sys/fs/cgroup/ro; mount -t cgroup -o net_cls,net_prio cgroup /sys/fs/cgroup/ro; mount -o remount,bind,ro /sys/fs/cgroup/ro; run; look",
			"exit 1\nro is net_cls\n", []string{"mount -o remount,bind,rw /sys/fs/cgroup/ro"}},
		{"mounted, and once more read-only", "mkdir /sys/fs/cgroup/rw /sys/fs/cgroup/view; mount -t cgroup -o net_cls,net_prio cgroup /sys/fs/cgroup/rw; " +
			"mount --bind /sys/fs/cgroup/rw /sys/fs/cgroup/view; mount -o remount,bind,ro /sys/fs/cgroup/view; run; look", "exit 0\nrw is net_cls\nview is net_cls\n", nil},
		{"a read-only tmpfs of somebody else's", "read_only; under=\"unshare --user --map-root-user --mount $under\"; run; look; flags",
			"exit 1\nro,nosuid,nodev,noexec,relatime\n", []string{"read-only", "outside of any container"}},
		{"cgroup v2 only", "mount -t cgroup2 cgroup2 /sys/fs/cgroup; run; umount /sys/fs/cgroup; look", "exit 1\n", []string{"cgroup v2 only", "systemd.unified_cgroup_hierarchy=0"}},
		{"cgroup v2 only, with net_cls elsewhere", "run; mkdir \"$dir/elsewhere\"; mount --move /sys/fs/cgroup/net_cls \"$dir/elsewhere\"; mount -t cgroup2 cgroup2 /sys/fs/cgroup; run",
			"exit 0\nexit 1\n", []string{"mounted or not"}},
		{"no cgroups in the kernel", "mount -t tmpfs tmpfs /proc; run; umount /proc", "exit 1\n", []string{"/proc/cgroups"}},
		{"no cgroups at all", "umount -R /sys/fs/cgroup; umount -R /sys/fs/cgroup; run", "exit 1\n", []string{"nothing is mounted on /sys/fs/cgroup"}},
		{"a disk in its place", "mount --bind \"$dir\" /sys/fs/cgroup; run", "exit 1\n", []string{"is no tmpfs", "folders of a tmpfs"}},
	} {
		for _, shell := range shells {
			t.Run(test.name+" ("+shell+")", func(t *testing.T) {
				said, rest := inMountNamespace(t, shell, test.script)
				if rest != test.want {
					t.Errorf("got %q, want %q", rest, test.want)
				}
				if test.says == nil && said != "" {
					t.Errorf("it says %q, and nothing was to be said", said)
				}
				for _, want := range test.says {
					if !strings.Contains(said, want) {
						t.Errorf("it says %q, not %q", said, want)
					}
				}
			})
		}
	}
}

// inMountNamespace runs a script, and returns what mount-net-cls said in it, and the other lines of the output.
func inMountNamespace(t *testing.T, shell, script string) (said, rest string) {
	t.Helper()
	setting := fmt.Sprintf("dir='%s' under='%s'\n", t.TempDir(), shell)
	out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "sh", "-euc", setting+prelude+script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "mount-net-cls: ") {
			said += line
		} else {
			rest += line
		}
	}
	return said, rest
}
