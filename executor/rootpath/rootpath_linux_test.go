package rootpath

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder makes a folder of root's with a mode, and a file in it.
func folder(t *testing.T, parent, name string, mode os.FileMode) string {
	t.Helper()
	dir := filepath.Join(parent, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	touch(t, filepath.Join(dir, "file"))
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func give(t *testing.T, path string) {
	t.Helper()
	if err := os.Lchown(path, 1234, 0); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
}

func TestPathsThatAreRootsAlone(t *testing.T) {
	root := t.TempDir() // below /tmp, which is sticky
	work := folder(t, root, "work", 0o755)
	foreign := folder(t, root, "foreign", 0o755)
	give(t, foreign)
	inForeign := folder(t, foreign, "roots", 0o755)
	docker := folder(t, root, "docker", 0o710)
	touch(t, filepath.Join(docker, "engine-id"))
	containerd := folder(t, root, "containerd", 0o711)
	folder(t, containerd, "io.containerd.metadata.v1.bolt", 0o711)
	sticky := folder(t, root, "sticky", 0o777|os.ModeSticky)
	for path, want := range map[string]string{
		folder(t, root, "open", 0o755):      "",
		folder(t, root, "closed", 0o700):    "",
		folder(t, sticky, "ours", 0o755):    "",
		sticky:                              "mode 0777",
		folder(t, root, "all", 0o777):       "mode 0777",
		folder(t, root, "group", 0o775):     "mode 0775",
		foreign:                             "belongs to user 1234",
		inForeign:                           "belongs to user 1234",
		work:                                "where tasks can write",
		folder(t, work, "volumes", 0o755):   "where tasks can write",
		docker:                              "files of containers",
		folder(t, docker, "overlay", 0o755): "files of containers",
		folder(t, containerd, "s", 0o755):   "files of containers",
		filepath.Join(root, "none"):         "cannot be looked at",
		"/proc/1/root/etc":                  "is below /proc",
		"/":                                 "",
	} {
		err := Check(filepath.Join(path, "file"), work)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if err := Check("/etc/file", "/"); err == nil {
		t.Error("a work_dir that is everything leaves something over")
	}
}

func TestLinksAreFollowedAndWhatTheyLeadToCounts(t *testing.T) {
	root := t.TempDir()
	good := folder(t, root, "good", 0o755)
	sandbox := folder(t, root, "sandbox", 0o755)
	give(t, sandbox)
	owned := folder(t, root, "owned", 0o755)
	give(t, filepath.Join(owned, "file"))
	link := func(target, path string) string {
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ path, want, err string }{
		{filepath.Join(good, "file"), filepath.Join(good, "file"), ""},
		{link(filepath.Join(good, "file"), filepath.Join(sandbox, "link")), filepath.Join(good, "file"), ""},
		{link(good, filepath.Join(sandbox, "folder")) + "/file", filepath.Join(good, "file"), ""},
		{link(filepath.Join(sandbox, "file"), filepath.Join(good, "link")), filepath.Join(good, "link"), "belongs to user 1234"},
		{filepath.Join(owned, "file"), filepath.Join(owned, "file"), "belongs to user 1234"},
		{filepath.Join(good, "none"), filepath.Join(good, "none"), "cannot be resolved: no such file"},
	} {
		got, err := Resolve(c.path, "/work")
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %s, %v", c.path, got, err)
		}
	}
}
