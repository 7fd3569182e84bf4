package process

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// hostFolders makes a folder that only root can change, with what a host has: a folder of root's with a secret, which is closed,
// and "srv" with the folder "data" of a user.
func hostFolders(t *testing.T) (base string) {
	t.Helper()
	base = filepath.Join(rootsDir(t), "host")
	for _, dir := range []string{"etc", "srv/data/a", "srv/empty"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, base, "etc", "secret")
	write(t, base, "srv/data/a", "proof")
	if err := os.Chown(filepath.Join(base, "srv/data"), taskUser, taskGroup); err != nil {
		t.Fatal(err)
	}
	return base
}

// rootsDir is a folder in which, and above which, only root can change anything: not so in /tmp.
func rootsDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/lib", "mesos-docker-executor-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// stageHostPath stages one path as attempt 1 of the container c1.
func stageHostPath(dir string, h HostPath) (*Stage, error) {
	return NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, HostPaths: []HostPath{h}})
}

func symlink(t *testing.T, target string, elements ...string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(elements...)); err != nil {
		t.Fatal(err)
	}
}

func TestPathsOfTheHostAreOpenedOrRefused(t *testing.T) {
	base := hostFolders(t)
	at := func(name string) string { return filepath.Join(base, name) }
	symlink(t, at("etc"), at("srv/data/link"))
	symlink(t, at("etc/secret"), at("srv/data/file-link"))
	symlink(t, "/proc/self/root", at("srv/data/magic"))
	symlink(t, "../../../srv/data/a", at("etc/out"))
	symlink(t, at("srv"), at("served"))
	symlink(t, "srv/../served", at("twice"))
	symlink(t, "loop", at("loop"))
	symlink(t, at("etc"), at("harmless"))
	if err := unix.Mkfifo(at("srv/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", at("srv/socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, test := range []struct {
		name, path, inside string
		lifted             bool
		says               string // of the error; "" if it can be mounted
	}{
		{"folder", "srv/data/a", "srv", false, ""},
		{"the very folder of the policy", "srv", "srv", false, ""},
		{"file", "srv/data/a/proof", "srv", false, ""},
		{"symlink of root's in the policy's path", "served/data/a", "served", false, ""},
		{"symlinks of root's one after the other", "twice/data/a", "twice/data", false, ""},
		{"symlink of root's to a closed place", "harmless/secret", "harmless", false, "etc/secret, which would show " + at("etc")},
		{"symlink below the policy's path", "srv/data/link", "srv", false, "srv/data/link is a symbolic link"},
		{"symlink in the middle", "srv/data/link/secret", "srv", false, "srv/data/link is a symbolic link"},
		{"symlink to a file", "srv/data/file-link", "srv", false, "none is followed below"},
		{"symlink in the policy's path where a user can write", "srv/data/link/x", "srv/data/link/x", false, "others than root can write to " + at("srv/data")},
		{"magic link", "srv/data/magic" + base + "/etc", "srv", false, "srv/data/magic is a symbolic link"},
		{"endless symlinks", "loop/x", "loop", false, "40 before it"},
		{"missing", "srv/none/x", "srv", false, "srv/none does not exist; make it"},
		{"missing folder of the policy", "none/x", "none", false, "none does not exist"},
		{"file in a file", "srv/data/a/proof/x", "srv", false, "a/proof is not a folder"},
		{"fifo", "srv/fifo", "srv", true, "neither a folder nor a regular file"},
		{"socket", "srv/socket", "srv", false, "only break_glass"},
		{"socket by break glass", "srv/socket", "srv/socket", true, ""},
		{"closed by its text", "etc/secret", "etc", false, "would show"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := stageDir(t)
			s, err := stageHostPath(dir, HostPath{
				Path: at(test.path), Inside: at(test.inside), Lifted: test.lifted, Recursive: true, Closed: []string{at("etc"), at("none"), "/proc"},
			})
			if test.says != "" {
				var of *HostPathError
				if err == nil || !strings.Contains(err.Error(), test.says) || !errors.As(err, &of) || of.Index != 0 {
					t.Errorf("got %v, want ...%q...", err, test.says)
				}
				checkNothingStaged(t, dir)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			staged, err := os.Stat(s.HostSource(0))
			real, err2 := os.Stat(at(test.path))
			if err := errors.Join(err, err2); err != nil || !os.SameFile(staged, real) {
				t.Errorf("something else is staged: %v", err)
			}
			release(t, s)
		})
	}
}

func TestPathsThatNoReviewLetsPassAreRefused(t *testing.T) {
	for _, h := range []HostPath{
		{Path: "/srv/../etc", Inside: "/srv"}, {Path: "/etc", Inside: "/srv"}, {Path: "/srv2", Inside: "/srv"}, {Path: "srv", Inside: "srv"},
		{Path: "/srv/", Inside: "/srv"}, {}, {Path: "/srv/./x", Inside: "/srv"},
	} {
		dir := stageDir(t)
		if _, err := stageHostPath(dir, h); err == nil || !strings.Contains(err.Error(), "not a clean path") {
			t.Errorf("%+v: %v", h, err)
		}
	}
}

// One place by two names is one place: a host has /var/run for /run, and /lib for /usr/lib.
// As a home of autofs, the tracing folder of debugfs is mounted when somebody goes into it.
func TestWhatIsMountedWhenSomebodyGoesThereIsStaged(t *testing.T) {
	for _, path := range []string{"tracing", "tracing/README"} {
		base := hostFolders(t)
		debug := base + "/srv/empty"
		mounted(t, "test", debug, "debugfs", 0)
		s, err := stageHostPath(stageDir(t), HostPath{Path: filepath.Join(debug, path), Inside: base + "/srv", Lifted: true})
		if err != nil {
			t.Error(err)
			continue
		}
		if got := mountsBelow(t, s.HostSource(0)); len(got) != 1 || got[0].FSType != "tracefs" {
			t.Errorf("%s: staged %+v", path, got)
		}
		release(t, s)
	}
}

func TestAPlaceThatIsOpenIsSoByItsOtherName(t *testing.T) {
	base := hostFolders(t)
	symlink(t, "etc", base, "config")
	h := HostPath{Path: base + "/config/secret", Inside: base + "/config/secret", Open: []string{base + "/config"}, Closed: []string{base + "/etc"}}
	s, err := stageHostPath(stageDir(t), h)
	if err != nil {
		t.Fatal(err)
	}
	release(t, s)
	h.Open, h.Closed = nil, []string{base + "/etc", base + "/config"}
	if _, err := stageHostPath(stageDir(t), h); err == nil {
		t.Error("mounted although it is open by neither name")
	}
}

// The path is a folder and a symlink to a closed folder in turn, and so is one above it.
func TestStagingWhileAUserSwapsThePath(t *testing.T) {
	for _, swapped := range []string{"srv/data/swap", "srv/data/swap/deep/er"} {
		base := hostFolders(t)
		for _, dir := range []string{"etc/deep/er", "srv/data/swap/deep/er"} {
			if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		write(t, base, "etc/deep/er", "secret")
		stop := swapping(t, base+"/srv/data/swap", base+"/etc")
		dir := stageDir(t)
		staged := 0
		for range 200 {
			// Nothing is closed: it is the walk alone that has to hold.
			s, err := stageHostPath(dir, HostPath{Path: filepath.Join(base, swapped), Inside: base + "/srv", Recursive: true})
			if err != nil {
				continue
			}
			staged++
			if exists(s.HostSource(0), "secret") {
				t.Fatal("root's folder is staged")
			}
			release(t, s)
		}
		stop()
		if staged == 0 {
			t.Error("never staged: nothing is proved")
		}
		t.Logf("%s: staged %d times of 200", swapped, staged)
	}
}

func TestStagedPathStaysWhateverTakesItsPlace(t *testing.T) {
	base := hostFolders(t)
	s, err := NewStage(StageOptions{Dir: stageDir(t), ContainerID: "c1", Attempt: 1, HostPaths: []HostPath{
		{Path: base + "/srv/data/a", Inside: base + "/srv", Recursive: true},
		{Path: base + "/srv/data/a/proof", Inside: base + "/srv", Recursive: true, ReadOnly: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer release(t, s)
	if err := os.Rename(base+"/srv/data/a", base+"/srv/data/old"); err != nil {
		t.Fatal(err)
	}
	symlink(t, base+"/etc", base, "srv/data/a")
	if err := os.WriteFile(base+"/srv/data/old/proof", []byte("written"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"/proof", ""} {
		if text, err := os.ReadFile(s.HostSource(i) + name); err != nil || string(text) != "written" {
			t.Errorf("%d: %q, %v", i, text, err)
		}
	}
	if exists(s.HostSource(0), "secret") {
		t.Error("the mount followed the symlink")
	}
}

func TestStagingAPathHoldsNoDescriptor(t *testing.T) {
	base := hostFolders(t)
	symlink(t, base+"/etc", base, "srv/data/link")
	symlink(t, base+"/srv", base, "served")
	count := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(open)
	}
	dir := stageDir(t)
	before := count()
	for _, path := range []string{"/srv/data/link/x", "/srv/none", "/srv/data/a", "/srv/data/a/proof/x", "/served/data/a"} {
		inside := base + "/" + strings.Split(path, "/")[1]
		if s, err := stageHostPath(dir, HostPath{Path: base + path, Inside: inside}); err == nil {
			release(t, s)
		}
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}
