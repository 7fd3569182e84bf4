package process

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const (
	taskUser  = 12345
	taskGroup = 12346
)

// newSandbox makes the sandbox of an unprivileged user, beside a folder of root's.
func newSandbox(t *testing.T) (sandbox, rootsOwn string) {
	t.Helper()
	base := t.TempDir()
	sandbox, rootsOwn = filepath.Join(base, "sandbox"), filepath.Join(base, "etc")
	for _, dir := range []string{sandbox, rootsOwn} {
		if err := os.Mkdir(dir, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(sandbox, taskUser, taskGroup); err != nil {
		t.Fatal(err)
	}
	return sandbox, rootsOwn
}

func owner(t *testing.T, name string) (uid, gid uint32) {
	t.Helper()
	st, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	sys := st.Sys().(*syscall.Stat_t)
	return sys.Uid, sys.Gid
}

func TestSandboxDirsBelongToTheSandboxesOwner(t *testing.T) {
	sandbox, _ := newSandbox(t)
	if err := os.Mkdir(filepath.Join(sandbox, "there"), 0o700); err != nil { // root's, stays so
		t.Fatal(err)
	}
	for range 2 {
		if err := makeSandboxDirs(sandbox, []string{"data", "there/a/b", "x//y/", "."}); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"data", "there/a", "there/a/b", "x", "x/y"} {
		name := filepath.Join(sandbox, dir)
		if uid, gid := owner(t, name); uid != taskUser || gid != taskGroup {
			t.Errorf("%s belongs to %d:%d", dir, uid, gid)
		}
		if st, err := os.Stat(name); err != nil || st.Mode() != os.ModeDir|0o750 {
			t.Errorf("%s: %v, %v", dir, st.Mode(), err)
		}
	}
	if uid, _ := owner(t, filepath.Join(sandbox, "there")); uid != 0 {
		t.Errorf("a folder that was there was given to %d", uid)
	}
}

func TestSandboxDirsRefuseWhatATaskMayPutThere(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(sandbox, rootsOwn string) error
		dir     string
		says    []string
	}{
		"symlink out of the sandbox": {
			func(s, r string) error { return os.Symlink(r, filepath.Join(s, "data")) }, "data", []string{`"data"`, "symlink"},
		},
		"symlink on the way": {
			func(s, r string) error { return os.Symlink(r, filepath.Join(s, "data")) }, "data/sub", []string{`"data"`, "symlink"},
		},
		"relative symlink out": {
			func(s, _ string) error { return os.Symlink("../etc", filepath.Join(s, "data")) }, "data/sub", []string{`"data"`, "symlink"},
		},
		"symlink inside of the sandbox": {
			func(s, _ string) error { return os.Symlink(".", filepath.Join(s, "data")) }, "data", []string{`"data"`, "symlink"},
		},
		"dangling symlink": {
			func(s, _ string) error { return os.Symlink("nowhere", filepath.Join(s, "data")) }, "data", []string{`"data"`, "symlink"},
		},
		"symlink further down": {
			func(s, r string) error {
				if err := os.Mkdir(filepath.Join(s, "a"), 0o755); err != nil {
					return err
				}
				return os.Symlink(r, filepath.Join(s, "a", "b"))
			}, "a/b/c", []string{`"a/b"`, "symlink"},
		},
		"file": {
			func(s, _ string) error { return os.WriteFile(filepath.Join(s, "data"), nil, 0o644) }, "data/sub", []string{`"data"`, "not a folder"},
		},
		"pipe": {
			func(s, _ string) error { return syscall.Mkfifo(filepath.Join(s, "data"), 0o644) }, "data", []string{`"data"`, "not a folder"},
		},
		"going up":       {nil, "../etc/sub", []string{"inside the sandbox"}},
		"going up later": {nil, "a/../../etc/sub", []string{"inside the sandbox"}},
		"up and down":    {nil, "a/../b", []string{"inside the sandbox"}},
		"absolute":       {nil, "/etc/sub", []string{"inside the sandbox"}},
		"empty":          {nil, "", []string{"inside the sandbox"}},
		"zero byte":      {nil, "a\x00b", []string{"inside the sandbox"}},
	} {
		t.Run(name, func(t *testing.T) {
			sandbox, rootsOwn := newSandbox(t)
			if test.prepare != nil {
				if err := test.prepare(sandbox, rootsOwn); err != nil {
					t.Fatal(err)
				}
			}
			err := makeSandboxDirs(sandbox, []string{test.dir})
			if err == nil {
				t.Fatal("made")
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("error %q does not say %q", err, says)
				}
			}
			if entries, err := os.ReadDir(rootsOwn); err != nil || len(entries) != 0 {
				t.Errorf("outside of the sandbox: %v, %v", entries, err)
			}
			if uid, _ := owner(t, rootsOwn); uid != 0 {
				t.Errorf("a folder of root's was given to %d", uid)
			}
		})
	}
}

func TestSandboxDirsNeedASandbox(t *testing.T) {
	sandbox, rootsOwn := newSandbox(t)
	link := sandbox + ".link"
	if err := os.Symlink(rootsOwn, link); err != nil {
		t.Fatal(err)
	}
	if err := makeSandboxDirs(link, []string{"a"}); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("symlink: %v", err)
	}
	if err := makeSandboxDirs(sandbox+".none", []string{"a"}); !os.IsNotExist(err) && (err == nil || !strings.Contains(err.Error(), "no such file")) {
		t.Errorf("missing: %v", err)
	}
	if err := makeSandboxDirs(sandbox, nil); err != nil {
		t.Errorf("nothing to make: %v", err)
	}
}

// The task swaps folder and symlink as fast as it can: nothing may appear outside.
func TestSandboxDirsWhileTheTaskSwapsThem(t *testing.T) {
	sandbox, rootsOwn := newSandbox(t)
	data := filepath.Join(sandbox, "data")
	stop := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Symlink(rootsOwn, data)
			_ = os.Remove(data)
			_ = os.Mkdir(data, 0o755)
			_ = os.RemoveAll(data)
		}
	})
	made := 0
	for range 2000 {
		if makeSandboxDirs(sandbox, []string{"data/sub"}) == nil {
			made++
		}
	}
	close(stop)
	swapper.Wait()
	if entries, err := os.ReadDir(rootsOwn); err != nil || len(entries) != 0 {
		t.Errorf("outside of the sandbox: %v, %v", entries, err)
	}
	if uid, _ := owner(t, rootsOwn); uid != 0 {
		t.Errorf("a folder of root's was given to %d", uid)
	}
	t.Logf("made %d times of 2000", made)
}

// makeSandboxDirs makes folders as staging does.
func makeSandboxDirs(sandbox string, dirs []string) error {
	for _, dir := range dirs {
		folder, err := openSandboxDir(sandbox, dir)
		if err != nil {
			return err
		}
		folder.Close()
	}
	return nil
}
