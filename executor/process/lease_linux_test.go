package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLeaseIsASymlinkToTheSandbox(t *testing.T) {
	run, sandbox := t.TempDir(), t.TempDir()
	dir := filepath.Join(run, "made", "leases")
	l, err := NewLease(dir, "c1", 1, sandbox+"/")
	if err != nil {
		t.Fatal(err)
	}
	if l.Path != filepath.Join(dir, "c1.1") || l.Attempt != 1 {
		t.Errorf("got %+v", l)
	}
	if to, err := os.Readlink(l.Path); err != nil || to != sandbox {
		t.Errorf("leads to %q, %v", to, err)
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("lease folder %v, %v", st, err)
	}
	for range 2 { // the second time it is gone already
		if err := l.Revoke(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(l.Path); !os.IsNotExist(err) {
		t.Errorf("after revoke: %v", err)
	}
	if _, err := os.Stat(sandbox); err != nil {
		t.Errorf("the sandbox: %v", err)
	}
}

func TestLeaseOfAnEarlierAttemptIsNeverUsedAgain(t *testing.T) {
	dir, sandbox := filepath.Join(t.TempDir(), "leases"), t.TempDir()
	first, err := NewLease(dir, "c1", 1, sandbox)
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewLease(dir, "c1", 1, sandbox)
	if err != nil {
		t.Fatal(err)
	}
	if second.Path == first.Path || second.Attempt != 2 {
		t.Errorf("got %+v after %+v", second, first)
	}
	if err := second.Revoke(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(first.Path); err != nil {
		t.Errorf("the first lease: %v", err)
	}
	// Whatever has the name is in the way, and Revoke removes nothing but a symlink.
	if err := os.Mkdir(filepath.Join(dir, "c1.7"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := NewLease(dir, "c1", 7, sandbox)
	if err != nil || l.Attempt != 8 {
		t.Errorf("got %+v, %v", l, err)
	}
	if err := (&Lease{Path: filepath.Join(dir, "c1.7")}).Revoke(); err == nil {
		t.Error("revoke removed a folder")
	}
}

func TestOnlyRootMayChangeWhereTheLeasesAre(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(base string) error
		dir     string
		says    string // empty: fine
	}{
		"nothing there": {nil, "a/b/leases", ""},
		"sticky folder above": {
			func(base string) error { return makeFolder(base+"/tmp", os.ModeSticky|0o777, 0) }, "tmp/leases", "",
		},
		"sticky itself": {
			func(base string) error { return makeFolder(base+"/leases", os.ModeSticky|0o777, 0) }, "leases", "others can change it",
		},
		"others can write above": {
			func(base string) error { return makeFolder(base+"/open", 0o777, 0) }, "open/run/leases", "open has mode 0777",
		},
		"somebody's folder above": {
			func(base string) error { return makeFolder(base+"/home", 0o755, taskUser) }, "home/run/leases", "home does not belong to root",
		},
		"root's symlink above": {
			func(base string) error {
				return errors.Join(os.Mkdir(base+"/run", 0o755), os.Mkdir(base+"/var", 0o755), os.Symlink("../run", base+"/var/run"))
			}, "var/run/leases", "",
		},
		"root's symlink through what others can write": {
			func(base string) error {
				return errors.Join(makeFolder(base+"/open", 0o777, 0), os.Symlink(base+"/open/run", base+"/run"))
			}, "run/leases", "open has mode 0777",
		},
		"somebody's symlink above": {
			func(base string) error {
				return errors.Join(os.Symlink(base, base+"/run"), os.Lchown(base+"/run", taskUser, -1))
			}, "run/leases", "run does not belong to root",
		},
		"endless symlink above": {
			func(base string) error { return os.Symlink("run", base+"/run") }, "run/leases", "symlinks on the way",
		},
		"file above": {
			func(base string) error { return os.WriteFile(base+"/run", nil, 0o644) }, "run/leases", "run is not a folder",
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			if test.prepare != nil {
				if err := test.prepare(base); err != nil {
					t.Fatal(err)
				}
			}
			dir := filepath.Join(base, test.dir)
			l, err := NewLease(dir, "c1", 1, t.TempDir())
			switch {
			case test.says == "" && err == nil:
				if _, err := os.Lstat(LeasePath(dir, "c1", 1)); err != nil || l.Path != LeasePath(dir, "c1", 1) {
					t.Errorf("lease %+v, %v", l, err)
				}
			case test.says == "" || err == nil || !strings.Contains(err.Error(), test.says):
				t.Errorf("got %+v, %v; want an error with %q", l, err, test.says)
			}
		})
	}
}

func makeFolder(name string, mode os.FileMode, uid int) error {
	return errors.Join(os.Mkdir(name, 0o700), os.Chmod(name, mode), os.Chown(name, uid, -1))
}

func TestLeaseRefuses(t *testing.T) {
	sandbox := t.TempDir()
	base := t.TempDir()
	make := func(name string, mode os.FileMode, uid int) string {
		dir := filepath.Join(base, name)
		if err := makeFolder(dir, mode, uid); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	good := make("good", 0o700, 0)
	link, file := filepath.Join(base, "link"), filepath.Join(base, "file")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		dir, id, sandbox string
		attempt          int
		says             string
	}{
		"others can write":     {make("others", 0o707, 0), "c1", sandbox, 1, "others can change it"},
		"group can write":      {make("group", 0o770, 0), "c1", sandbox, 1, "others can change it"},
		"not root's":           {make("nobody", 0o700, 65534), "c1", sandbox, 1, "does not belong to root"},
		"symlink":              {link, "c1", sandbox, 1, "not a folder"},
		"file":                 {file, "c1", sandbox, 1, "not a folder"},
		"relative folder":      {"leases", "c1", sandbox, 1, "not an absolute path"},
		"id going up":          {good, "../c1", sandbox, 1, "byte 0"},
		"id with a slash":      {good, "a/c1", sandbox, 1, "byte 1"},
		"empty id":             {good, "", sandbox, 1, "empty"},
		"attempt 0":            {good, "c1", sandbox, 0, "1 or more"},
		"relative sandbox":     {good, "c1", "sandbox", 1, "not an absolute path"},
		"missing sandbox":      {good, "c1", filepath.Join(base, "none"), 1, "no such file"},
		"sandbox is a symlink": {good, "c1", link, 1, "not a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := NewLease(test.dir, test.id, test.attempt, test.sandbox)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %+v, %v; want an error with %q", l, err, test.says)
			}
		})
	}
	if entries, err := os.ReadDir(good); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}
