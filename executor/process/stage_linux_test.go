package process

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// stageDir is a folder for mounts; when the test ends none may be left there.
func stageDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run", "mounts")
	t.Cleanup(func() { checkNothingStaged(t, dir) })
	return dir
}

func mountsBelow(t *testing.T, dir string) []*mountinfo.Info {
	t.Helper()
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	if err != nil {
		t.Fatal(err)
	}
	return mounts
}

func checkNothingStaged(t *testing.T, dir string) {
	t.Helper()
	mounts := mountsBelow(t, dir)
	for _, m := range mounts {
		t.Errorf("left mounted: %s", m.Mountpoint)
		_ = unix.Unmount(m.Mountpoint, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) // before the test's folders are removed
	}
	if left, err := os.ReadDir(dir); err == nil && len(left) != 0 && len(mounts) == 0 {
		t.Errorf("left behind: %v", left)
	}
}

// mounted mounts a filesystem for the time of the test.
func mounted(t *testing.T, source, target, kind string, flags uintptr) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			t.Errorf("unmount %s: %v", target, err)
		}
	})
}

func write(t *testing.T, elements ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(elements...), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func exists(elements ...string) bool {
	_, err := os.Lstat(filepath.Join(elements...))
	return err == nil
}

func release(t *testing.T, s *Stage) {
	t.Helper()
	if err := s.Release(); err != nil {
		t.Error(err)
	}
}

func TestStagedFoldersAreThoseOfTheSandbox(t *testing.T) {
	sandbox, _ := newSandbox(t)
	dir := stageDir(t)
	s, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, Sandbox: sandbox + "/", SandboxDirs: []string{"data", "a//b/", "data/", "."}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Source("data") != filepath.Join(dir, "c1.1", "0") || s.Source("./data/") != s.Source("data") || s.Source("other") != "" {
		t.Errorf("sources %q, %q, %q", s.Source("data"), s.Source("./data/"), s.Source("other"))
	}
	for _, rel := range []string{"data", "a/b", "."} {
		write(t, s.Source(rel), "proof")
		if !exists(sandbox, rel, "proof") {
			t.Errorf("a file made at %s is not in %s of the sandbox", s.Source(rel), rel)
		}
		if uid, gid := owner(t, filepath.Join(sandbox, rel)); uid != taskUser || gid != taskGroup {
			t.Errorf("%s belongs to %d:%d", rel, uid, gid)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "c1.1")); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("folder of the mounts: %v, %v", st, err)
	}
	release(t, s)
	release(t, s)
	checkNothingStaged(t, dir)
	for _, rel := range []string{"data", "a/b", "."} {
		if !exists(sandbox, rel, "proof") {
			t.Errorf("the release took %s from the sandbox", rel)
		}
	}
}

func TestStagedFolderStaysWhateverTheTaskPutsInItsPlace(t *testing.T) {
	sandbox, rootsOwn := newSandbox(t)
	write(t, rootsOwn, "secret")
	s, err := NewStage(StageOptions{Dir: stageDir(t), ContainerID: "c1", Attempt: 1, Sandbox: sandbox, SandboxDirs: []string{"data"}})
	if err != nil {
		t.Fatal(err)
	}
	defer release(t, s)
	data := filepath.Join(sandbox, "data")
	if err := os.Rename(data, data+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(rootsOwn, data); err != nil {
		t.Fatal(err)
	}
	write(t, s.Source("data"), "written")
	if exists(rootsOwn, "written") || exists(s.Source("data"), "secret") || !exists(data+".old", "written") {
		t.Error("the mount followed the symlink")
	}
}

// The task swaps the folder and a symlink to a folder of root's all the time.
func TestStagingWhileTheTaskSwapsTheFolder(t *testing.T) {
	sandbox, rootsOwn := newSandbox(t)
	write(t, rootsOwn, "secret")
	stop := swapping(t, filepath.Join(sandbox, "data"), rootsOwn)
	dir := stageDir(t)
	staged := 0
	for range 500 {
		s, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, Sandbox: sandbox, SandboxDirs: []string{"data/"}})
		if err != nil {
			continue
		}
		staged++
		if exists(s.Source("data"), "secret") {
			t.Fatal("root's folder is staged")
		}
		release(t, s)
	}
	stop()
	if staged == 0 {
		t.Error("never staged: nothing is proved")
	}
	t.Logf("staged %d times of 500", staged)
}

// swapping lets name be a folder with a file "proof" and a symlink to target in turn, until the returned function or
// the test ends.
func swapping(t *testing.T, name, target string) (stop func()) {
	t.Helper()
	link := name + ".link"
	if err := errors.Join(os.MkdirAll(name, 0o755), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	write(t, name, "proof")
	done := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			_ = unix.Renameat2(unix.AT_FDCWD, name, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
		}
	})
	stop = sync.OnceFunc(func() { close(done); swapper.Wait() })
	t.Cleanup(stop)
	return stop
}

func TestStagingThatFailsLeavesNothing(t *testing.T) {
	base := t.TempDir()
	for _, test := range []struct {
		name, id, sandbox string
		attempt           int
		dirs              []string
		says              string
	}{
		{"symlink", "c1", "", 1, []string{"fine", "link"}, `folder "link": "link": is a symlink`},
		{"through a symlink", "c1", "", 1, []string{"fine", "link/sub"}, `"link": is a symlink`},
		{"file", "c1", "", 1, []string{"file"}, "is not a folder"},
		{"going up", "c1", "", 1, []string{"fine", "../etc"}, "inside the sandbox"},
		{"going up and down", "c1", "", 1, []string{"fine/../fine"}, "inside the sandbox"},
		{"absolute", "c1", "", 1, []string{"/etc"}, "inside the sandbox"},
		{"empty", "c1", "", 1, []string{""}, "inside the sandbox"},
		{"bad id", "../c1", "", 1, []string{"fine"}, "container id"},
		{"bad attempt", "c1", "", 0, []string{"fine"}, "attempt 0"},
		{"relative sandbox", "c1", "sandbox", 1, []string{"fine"}, "not an absolute path"},
		{"missing sandbox", "c1", filepath.Join(base, "none"), 1, []string{"fine"}, "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sandbox, rootsOwn := newSandbox(t)
			if err := os.Symlink(rootsOwn, filepath.Join(sandbox, "link")); err != nil {
				t.Fatal(err)
			}
			write(t, sandbox, "file")
			if test.sandbox == "" {
				test.sandbox = sandbox
			}
			dir := stageDir(t)
			s, err := NewStage(StageOptions{Dir: dir, ContainerID: test.id, Attempt: test.attempt, Sandbox: test.sandbox, SandboxDirs: test.dirs})
			if err == nil || s != nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %+v, %v; want an error with %q", s, err, test.says)
			}
			checkNothingStaged(t, dir)
			if exists(rootsOwn, "sub") {
				t.Error("made outside of the sandbox")
			}
		})
	}
}

func TestStageOfTheSameAttemptIsRefusedAndKept(t *testing.T) {
	sandbox, _ := newSandbox(t)
	dir := stageDir(t)
	first, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, Sandbox: sandbox, SandboxDirs: []string{"data"}})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, Sandbox: sandbox, SandboxDirs: []string{"data"}}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %+v, %v", s, err)
	}
	write(t, first.Source("data"), "proof")
	if !exists(sandbox, "data", "proof") {
		t.Error("the first stage is gone")
	}
	second, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 2, Sandbox: sandbox, SandboxDirs: []string{"data"}})
	if err != nil {
		t.Fatal(err)
	}
	release(t, first)
	release(t, first) // must not hit another one
	if !exists(second.Source("data"), "proof") {
		t.Error("the second stage went with the first")
	}
	release(t, second)
}

func TestReleaseAfterSomebodyElseCleanedUp(t *testing.T) {
	sandbox, _ := newSandbox(t)
	dir := stageDir(t)
	for name, clean := range map[string]func(path string) error{
		"unmounted": func(path string) error { return unix.Unmount(path, unix.MNT_DETACH) },
		"removed":   func(path string) error { return errors.Join(unix.Unmount(path, unix.MNT_DETACH), os.Remove(path)) },
	} {
		s, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, Sandbox: sandbox, SandboxDirs: []string{"data"}})
		if err == nil {
			err = clean(filepath.Join(dir, "c1.1"))
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Release(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		checkNothingStaged(t, dir)
	}
}

func TestNothingToStageNeedsNothing(t *testing.T) {
	dir := stageDir(t)
	s, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, Sandbox: "/no/such/sandbox", SandboxDirs: nil})
	if err != nil || s.Source("data") != "" {
		t.Fatalf("got %+v, %v", s, err)
	}
	release(t, s)
	if exists(dir) {
		t.Error("the folder was made")
	}
}

func TestStagingFromASandboxWithMounts(t *testing.T) {
	sandbox, _ := newSandbox(t)
	mounted(t, "test", sandbox, "tmpfs", 0)
	volume := filepath.Join(sandbox, "volume") // as the agent mounts a persistent volume
	if err := os.MkdirAll(filepath.Join(volume, "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	mounted(t, "test", filepath.Join(volume, "deep"), "tmpfs", 0)
	write(t, volume, "deep", "proof")
	s, err := NewStage(StageOptions{Dir: stageDir(t), ContainerID: "c1", Attempt: 1, Sandbox: sandbox, SandboxDirs: []string{"volume", "volume/deep", "data"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{s.Source("volume") + "/deep/proof", s.Source("volume/deep") + "/proof"} {
		if !exists(name) {
			t.Errorf("%s is missing", name)
		}
	}
	release(t, s)
	if !exists(volume, "deep", "proof") {
		t.Error("the release unmounted in the sandbox")
	}
}

func TestStagingHoldsNoDescriptor(t *testing.T) {
	sandbox, rootsOwn := newSandbox(t)
	if err := os.Symlink(rootsOwn, filepath.Join(sandbox, "link")); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(open)
	}
	dir := stageDir(t)
	before := count()
	s, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, Sandbox: sandbox, SandboxDirs: []string{"data", "a/b"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 2, Sandbox: sandbox, SandboxDirs: []string{"data", "link"}}); err == nil {
		t.Error("a symlink was staged")
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
	release(t, s)
}

// inNamespace runs a script in a mount namespace of its own, from now on; say lets it begin and returns its output.
func inNamespace(t *testing.T, propagation, script string) (say func() string) {
	t.Helper()
	cmd := exec.Command("unshare", "--mount", "--propagation", propagation, "sh", "-c", "echo ready; read go; "+script+" 2>&1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	if line, err := out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("said %q, %v", line, err)
	}
	return func() string {
		if _, err := io.WriteString(in, "go\n"); err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(said)
	}
}

// A daemon in a namespace that the mounts don't reach has to fail, instead of using an empty mount point.
func TestSourceIsMissingInAnotherMountNamespace(t *testing.T) {
	sandbox, _ := newSandbox(t)
	dir := stageDir(t)
	look := inNamespace(t, "private", "ls -d "+dir+"/c1.1/*")
	s, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, Sandbox: sandbox, SandboxDirs: []string{"data"}})
	if err != nil {
		t.Fatal(err)
	}
	defer release(t, s)
	if said := look(); !strings.Contains(said, "No such file") {
		t.Errorf("there the source is %q", said)
	}
}

// Most hosts' mounts are shared (systemd makes them so), and the daemon may have a namespace that gets them.
func TestSourceIsThereInANamespaceThatGetsTheMounts(t *testing.T) {
	sandbox, _ := newSandbox(t)
	mounted(t, "test", sandbox, "tmpfs", 0)
	run := t.TempDir()
	mounted(t, "test", run, "tmpfs", 0)
	for _, dir := range []string{sandbox, run} {
		if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(sandbox, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, sandbox, "data", "proof")
	dir := filepath.Join(run, "mounts")
	during := inNamespace(t, "slave", "ls "+dir+"/c1.1/0")
	after := inNamespace(t, "slave", "ls "+dir+"; grep -c "+dir+" /proc/self/mountinfo")
	s, err := NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, Sandbox: sandbox, SandboxDirs: []string{"data"}})
	if err != nil {
		t.Fatal(err)
	}
	if said := during(); said != "proof\n" {
		t.Errorf("there the source has %q", said)
	}
	for _, m := range mountsBelow(t, s.Source("data")) {
		if m.Optional != "" {
			t.Errorf("%s is not private: %s", m.Mountpoint, m.Optional)
		}
	}
	release(t, s)
	if said := after(); said != "0\n" {
		t.Errorf("there stays %q", said)
	}
	checkNothingStaged(t, dir)
}
