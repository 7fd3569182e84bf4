package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// bound is a bind mount for the time of the test, that nothing is propagated to or from.
func bound(t *testing.T, source, target string) {
	t.Helper()
	mounted(t, source, target, "", unix.MS_BIND|unix.MS_REC)
	if err := unix.Mount("", target, "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, elements ...string) string {
	t.Helper()
	dir := filepath.Join(elements...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestABindMountOfAClosedPlaceIsThatPlace(t *testing.T) {
	base := hostFolders(t)
	mkdir(t, base, "etc/ssl/certs")
	for _, test := range []struct {
		name, bound, at, path, inside string
		open                          bool // etc is, since the path lies in it
		flat                          bool // without what is mounted in it
		says                          string
	}{
		{"itself", "etc", "srv/empty", "srv/empty", "srv", false, false, "srv/empty would show BASE/etc, which is mounted there under this other name"},
		{"itself, alone", "etc", "srv/empty", "srv/empty", "srv", false, true, "srv/empty would show BASE/etc"},
		{"a folder of it", "etc/ssl", "srv/empty", "srv/empty/certs", "srv", false, false, "would show BASE/etc"},
		{"what it lies in", "", "srv/empty", "srv/empty/srv/data", "srv", false, false, ""},
		{"what it lies in, as a whole", "", "srv/empty", "srv/empty", "srv", false, false, "would show BASE/etc"},
		{"a file of it", "etc/secret", "srv/data/a/proof", "srv/data/a/proof", "srv", false, false, "would show BASE/etc"},
		{"in the path", "etc/ssl", "srv/empty", "srv", "srv", false, false, "which is mounted in it at BASE/srv/empty; mount another folder, or without"},
		{"in the path, which is mounted without it", "etc/ssl", "srv/empty", "srv", "srv", false, true, ""},
		{"the policy's own path in it", "srv/data", "etc/ssl/certs", "etc/ssl/certs", "etc/ssl/certs", true, false, ""},
		{"another folder of it in the policy's path", "etc", "etc/ssl/certs", "etc/ssl", "etc/ssl", true, false, "would show BASE/etc, which is mounted in it at BASE/etc/ssl/certs"},
		{"the policy's own path, once more", "etc/ssl", "etc/ssl/certs", "etc/ssl", "etc/ssl", true, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			bound(t, filepath.Join(base, test.bound), filepath.Join(base, test.at))
			h := HostPath{Path: filepath.Join(base, test.path), Inside: filepath.Join(base, test.inside), Recursive: !test.flat, Closed: []string{base + "/etc"}}
			if test.open {
				h.Open, h.Closed = h.Closed, nil
			}
			dir := stageDir(t)
			s, err := stageHostPath(dir, h)
			if says := strings.ReplaceAll(test.says, "BASE", base); says != "" {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("got %v, want ...%q...", err, says)
				}
				checkNothingStaged(t, dir)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if test.flat && len(mountsBelow(t, s.HostSource(0))) != 1 {
				t.Error("what is mounted in it is staged with it")
			}
			release(t, s)
		})
	}
}

func TestAPlaceThatIsMountedFromElsewhereIsClosedThereToo(t *testing.T) {
	base := hostFolders(t)
	mkdir(t, base, "srv/docker")
	write(t, base, "srv/docker", "image")
	data := mkdir(t, base, "lib")
	bound(t, base+"/srv/docker", data) // as hosts have /var/lib/docker on a large disk
	for path, says := range map[string]string{"srv": "srv would show " + data, "srv/docker": "would show " + data, "srv/data": ""} {
		s, err := stageHostPath(stageDir(t), HostPath{Path: filepath.Join(base, path), Inside: base + "/srv", Closed: []string{data}})
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
		if err == nil {
			release(t, s)
		}
	}
}

func TestFileSystemsOfTheKernelAreNotMountedFromElsewhere(t *testing.T) {
	base := hostFolders(t)
	sys := mkdir(t, base, "srv/empty/sys")
	mounted(t, "/sys/class", sys, "", unix.MS_BIND)
	cgroup := "/sys/fs/cgroup"
	for _, test := range []struct {
		path, inside string
		flat, lifted bool
		says         string
	}{
		{base + "/srv/empty", base + "/srv", false, false, "at " + sys + " there is a file system of the kernel (sysfs)"},
		{sys, base + "/srv", false, false, "file system of the kernel (sysfs)"},
		{sys, base + "/srv", false, true, ""},
		{base + "/srv/empty", base + "/srv", true, false, ""},
		{"/sys/class", "/sys/class", false, false, ""},
		{"/proc/sys/kernel", "/proc/sys/kernel", false, false, ""},
		{cgroup, cgroup, false, false, "(cgroup"},
		{cgroup, cgroup, false, true, ""},
	} {
		s, err := stageHostPath(stageDir(t), HostPath{Path: test.path, Inside: test.inside, Recursive: !test.flat, Lifted: test.lifted})
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%+v: %v", test, err)
		}
		if err == nil {
			release(t, s)
		}
	}
}

func TestReadOnlyPathsAreSoWithAllThatIsMountedInThem(t *testing.T) {
	base := hostFolders(t)
	mounted(t, "test", base+"/srv/empty", "tmpfs", unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_NOSYMFOLLOW)
	deep := mkdir(t, base, "srv/empty/deep")
	mounted(t, "test", deep, "tmpfs", unix.MS_NOSUID|unix.MS_NOATIME)
	s, err := stageHostPath(stageDir(t), HostPath{Path: base + "/srv", Inside: base + "/srv", Recursive: true, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer release(t, s)
	for _, dir := range []string{"", "empty", "empty/deep"} {
		if err := os.WriteFile(filepath.Join(s.HostSource(0), dir, "new"), nil, 0o644); !errors.Is(err, unix.EROFS) {
			t.Errorf("write in %q: %v", dir, err)
		}
		if err := os.WriteFile(filepath.Join(base, "srv", dir, "new"), nil, 0o644); err != nil {
			t.Errorf("the host's own mount at %q: %v", dir, err)
		}
	}
	var options []string
	for _, m := range mountsBelow(t, s.HostSource(0))[1:] {
		options = append(options, m.Options)
	}
	if want := []string{"ro,nodev,noexec,relatime,nosymfollow", "ro,nosuid,noatime"}; !slices.Equal(options, want) {
		t.Errorf("options %q, want %q", options, want)
	}
}

// What is mounted in a folder that is shared with the container has to be there after the release, and after that of a sweep.
func TestReleaseLeavesTheHostsMountsThatAreShared(t *testing.T) {
	for _, kind := range []string{"rprivate", "", "rslave", "rshared"} {
		t.Run(kind, func(t *testing.T) {
			base := hostFolders(t)
			mounted(t, "test", base+"/srv", "tmpfs", 0)
			if err := unix.Mount("", base+"/srv", "", unix.MS_SHARED, ""); err != nil {
				t.Fatal(err)
			}
			before, later := mkdir(t, base, "srv/before"), mkdir(t, base, "srv/later")
			mounted(t, "test", before, "tmpfs", 0)
			write(t, before, "proof")
			dir := stageDir(t)
			s, err := stageHostPath(dir, HostPath{Path: base + "/srv", Inside: base + "/srv", Recursive: true, Propagation: kind})
			if err != nil {
				t.Fatal(err)
			}
			if !exists(s.HostSource(0), "before/proof") {
				t.Error("what is mounted in it is not staged")
			}
			mounted(t, "test", later, "tmpfs", 0)
			write(t, later, "proof")
			if gets := kind == "rslave" || kind == "rshared"; exists(s.HostSource(0), "later/proof") != gets {
				t.Errorf("a later mount of the host's is staged: %v", !gets)
			}
			left, err := ListStages(dir)
			if err != nil || len(left) != 1 {
				t.Fatal(left, err)
			}
			if err := ReleaseStage(left[0]); err != nil {
				t.Error(err)
			}
			checkNothingStaged(t, dir)
			if !exists(before, "proof") || !exists(later, "proof") {
				t.Error("the release unmounted on the host")
			}
			release(t, s)
		})
	}
}

// inMountNamespace is a process with a mount namespace of its own in which a script was run first.
func inMountNamespace(t *testing.T, propagation, script string) int {
	t.Helper()
	cmd := exec.Command("unshare", "--mount", "--propagation", propagation, "sh", "-c", script+" && echo ready && exec cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestWithoutStagingOnlyPathsThatRootAloneCanChangeAreMounted(t *testing.T) {
	base := hostFolders(t)
	symlink(t, "srv", base, "served")
	mkdir(t, base, "srv/data/a/b")
	mkdir(t, base, "srv/other")
	mounted(t, "test", mkdir(t, base, "srv/disks/1"), "tmpfs", 0)
	mkdir(t, base, "srv/lent/in")
	daemon := inMountNamespace(t, "private", fmt.Sprintf("mount -t tmpfs test %[1]s/srv/other && mount --bind %[1]s/etc %[1]s/srv/lent/in", base))
	for _, test := range []struct {
		path, inside, source string
		readOnly             bool
		says                 string
	}{
		{"srv/empty", "srv", "srv/empty", true, ""},
		{"srv/data", "srv", "srv/data", false, ""}, // a user's, which only root can replace
		{"served/empty", "served", "srv/empty", false, ""},
		{"srv/data/a", "srv", "", false, "others than root can write to BASE/srv/data, and the engine is in another mount namespace; run the executor"},
		{"srv/data/a/proof", "srv", "", false, "others than root can write to BASE/srv/data"},
		{"srv/other", "srv", "", false, "srv/other is another file for the engine"},
		{"srv/disks", "srv", "srv/disks", false, ""},
		{"srv/disks", "srv", "", true, "has mounts in it, which might stay writable"},
		{"srv/lent", "srv", "", false, "would show BASE/etc, which is mounted in it at BASE/srv/lent/in"}, // for the engine
		{"etc/secret", "etc", "", false, "would show BASE/etc"},
	} {
		dir := stageDir(t)
		s, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, Daemon: daemon, HostPaths: []HostPath{{
			Path: filepath.Join(base, test.path), Inside: filepath.Join(base, test.inside), ReadOnly: test.readOnly, Recursive: true,
			Closed: []string{base + "/etc"},
		}}})
		if says := strings.ReplaceAll(test.says, "BASE", base); says != "" {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want ...%q...", test.path, err, says)
			}
			checkNothingStaged(t, dir)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.path, err)
			continue
		}
		if got := s.HostSource(0); got != filepath.Join(base, test.source) {
			t.Errorf("%s is mounted from %s", test.path, got)
		}
		release(t, s)
	}
	s, err := NewStage(StageOptions{Dir: stageDir(t), ContainerID: "c1", Attempt: 1, Daemon: os.Getpid(), HostPaths: []HostPath{{Path: base + "/srv/data/a", Inside: base + "/srv"}}})
	if err != nil {
		t.Fatal(err)
	}
	release(t, s)
}

// In a namespace that gets the mounts they are not made read-only, and get the host's later mounts.
func TestPathsAreNotStagedForADaemonThatGetsCopiesOfTheMounts(t *testing.T) {
	base := hostFolders(t)
	run := t.TempDir()
	for _, dir := range []string{base + "/srv", run} {
		mounted(t, "test", dir, "tmpfs", 0)
		if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(base+"/srv", 0o755); err != nil {
		t.Fatal(err)
	}
	mkdir(t, base, "srv/data")
	daemon := inMountNamespace(t, "slave", "true")
	s, err := NewStage(StageOptions{Dir: run + "/mounts", ContainerID: "c1", Attempt: 1, Daemon: daemon, HostPaths: []HostPath{{
		Path: base + "/srv/data", Inside: base + "/srv", ReadOnly: true,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer release(t, s)
	if got := s.HostSource(0); got != base+"/srv/data" {
		t.Errorf("mounted from %s", got)
	}
}

func TestPathsAreLocatedInTheirFileSystems(t *testing.T) {
	mounts := []*mountinfo.Info{
		{Major: 1, Root: "/", Mountpoint: "/"},
		{Major: 2, Root: "/", Mountpoint: "/data"},
		{Major: 2, Root: "/docker", Mountpoint: "/var/lib/docker"},
		{Major: 3, Root: "/", Mountpoint: "/data"}, // over the first
		{Major: 1, Root: "/etc", Mountpoint: "/data/etc"},
	}
	for path, want := range map[string]location{
		"/":                 {1, 0, "/"},
		"/etc/ssl":          {1, 0, "/etc/ssl"},
		"/data":             {3, 0, "/"},
		"/data2":            {1, 0, "/data2"},
		"/data/etc":         {1, 0, "/etc"},
		"/data/etc/x":       {1, 0, "/etc/x"},
		"/var/lib/docker/x": {2, 0, "/docker/x"},
	} {
		if got, ok := locate(mounts, path); !ok || got != want {
			t.Errorf("%s is at %+v, want %+v", path, got, want)
		}
	}
	if _, ok := locate(nil, "/"); ok {
		t.Error("there is a location without a mount")
	}
	root, etc, etcetera, other := location{1, 0, "/"}, location{1, 0, "/etc"}, location{1, 0, "/etc2"}, location{1, 1, "/etc"}
	shares := map[[2]location]bool{{root, etc}: true, {etc, root}: true, {etc, etc}: true, {etc, etcetera}: false, {etc, other}: false, {root, other}: false}
	got := map[[2]location]bool{}
	for pair := range shares {
		got[pair] = pair[0].shares(pair[1])
	}
	if diff := cmp.Diff(shares, got, cmp.AllowUnexported(location{})); diff != "" {
		t.Error(diff)
	}
}

// withoutSysAdmin runs f on a thread that lacks CAP_SYS_ADMIN, and that is not used again.
func withoutSysAdmin(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		err := unix.Capget(&header, &data[0])
		data[unix.CAP_SYS_ADMIN/32].Effective &^= 1 << (unix.CAP_SYS_ADMIN % 32)
		if err = errors.Join(err, unix.Capset(&header, &data[0])); err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestWithoutTheRightToMountOnlyPathsThatRootAloneCanChangeAreMounted(t *testing.T) {
	base := hostFolders(t)
	dir := stageDir(t)
	withoutSysAdmin(t, func() {
		s, err := stageHostPath(dir, HostPath{Path: base + "/srv/data", Inside: base + "/srv"})
		if err != nil || s.HostSource(0) != base+"/srv/data" {
			t.Errorf("%+v, %v", s, err)
		}
		if err == nil {
			release(t, s)
		}
		_, err = stageHostPath(dir, HostPath{Path: base + "/srv/data/a", Inside: base + "/srv"})
		if err == nil || !strings.Contains(err.Error(), "others than root can write to "+base+"/srv/data, and the executor has no CAP_SYS_ADMIN; run the executor as root") {
			t.Error(err)
		}
		_, err = NewStage(StageOptions{
			Dir: dir, ContainerID: "c1", Attempt: 1, Sandbox: base, SandboxDirs: []string{"srv"}, HostPaths: []HostPath{{Path: base + "/srv/data", Inside: base + "/srv"}},
		})
		if !errors.Is(err, unix.EPERM) {
			t.Errorf("a folder of the sandbox is staged: %v", err)
		}
	})
}
