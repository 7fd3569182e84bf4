package cgroupnet

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ownMountsVariable holds the name of the test that runs with mounts of its own.
const ownMountsVariable = "CGROUPNET_TEST_WITH_OWN_MOUNTS"

// hasOwnMounts reports whether this is the process that [withOwnMounts] started for the test.
func hasOwnMounts(t *testing.T) bool { return os.Getenv(ownMountsVariable) == t.Name() }

// withOwnMounts runs the test once more, in a process that has a mount namespace of its own and these variables.
func withOwnMounts(t *testing.T, variables ...string) {
	t.Helper()
	var pattern []string
	for name := range strings.SplitSeq(t.Name(), "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(name)+"$")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run="+strings.Join(pattern, "/"), "-test.v")
	cmd.Env = append(append(os.Environ(), ownMountsVariable+"="+t.Name()), variables...)
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0")                  // the race detector would wait for a second
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS} // which also makes all mounts private
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "--- PASS: "+t.Name()) {
		t.Errorf("with mounts of its own: %v\n%s", err, output)
	}
}

// support returns what the host has, which has to be net_cls.
func support(t *testing.T) Support {
	t.Helper()
	s, err := Probe()
	if err != nil {
		t.Fatal(err)
	}
	if s.Problem != nil {
		t.Fatalf("%v (scripts/setup test mounts it)", s.Problem)
	}
	return s
}

func driver(t *testing.T) netCLS {
	t.Helper()
	d, err := support(t).Driver()
	if err != nil {
		t.Fatal(err)
	}
	return d.(netCLS)
}

// otherCgroups mounts an empty folder over the host's cgroups, and on it the hierarchies of these controllers at the names.
func otherCgroups(t *testing.T, byName map[string]string) {
	t.Helper()
	mount(t, "tmpfs", "/sys/fs/cgroup", "tmpfs", 0, "mode=755")
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		mountCgroup(t, "/sys/fs/cgroup/"+name, byName[name])
	}
}

func mountCgroup(t *testing.T, dir, controllers string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	mount(t, "cgroup", dir, "cgroup", 0, controllers)
}

func mount(t *testing.T, source, dir, kind string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount(source, dir, kind, flags, data); err != nil {
		t.Fatalf("mount %s on %s: %v", source, dir, err)
	}
	if flags&unix.MS_REMOUNT == 0 {
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // before it is removed, if it is a temporary one
	}
}

func unmount(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Fatalf("unmount %s: %v", dir, err)
	}
}

// unchanged returns a function that fails the test when the process is in another cgroup or has another class than at the call, or when
// the folders, which are on no cgroup filesystem, have other contents.
func unchanged(t *testing.T, dirs ...string) (check func()) {
	t.Helper()
	before := contents(t, dirs)
	return func() {
		t.Helper()
		if after := contents(t, dirs); !maps.Equal(before, after) {
			t.Errorf("changed:\n%v\n%v", before, after)
		}
	}
}

func contents(t *testing.T, dirs []string) map[string]string {
	t.Helper()
	all := map[string]string{}
	read := func(name string) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	read("/proc/self/cgroup")
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.Type().IsRegular():
				read(name)
			default:
				all[name] = entry.Type().String()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}
