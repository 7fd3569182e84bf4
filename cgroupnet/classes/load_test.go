package classes

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// write makes a file of root's.
func write(t testing.TB, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 0, 0); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	return path
}

func TestLoadReadsFileOfRoot(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o644, 0o444} {
		for _, named := range []bool{true, false} {
			r, err := Load(write(t, "mine.yaml", twoTeams, mode), named)
			if err != nil {
				t.Fatalf("mode %o, named %v: %v", mode, named, err)
			}
			if r.Name() != "mine.yaml" || len(r.Teams()) != 3 || r.Digest() != fmt.Sprintf("%x", sha256.Sum256([]byte(twoTeams))) {
				t.Errorf("mode %o, named %v: %+v", mode, named, r)
			}
		}
	}
}

func TestLoadOfMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "classes.yaml")
	r, err := Load(path, false)
	if err != nil || r.Mode() != Off || r.Name() != "classes.yaml" || r.Digest() != "" || r.Cluster() != "" || r.UsesIdentity() || len(r.Teams()) != 0 {
		t.Fatalf("default path: %v, %+v", err, r)
	}
	reason := "Class IDs are off: there is no " + path + "."
	if notes := r.Notes(); len(notes) != 1 || notes[0] != reason {
		t.Errorf("notes: %q", notes)
	}
	if c, err := r.For(proxy); err != nil || c != (Class{Outcome: NoClass, Place: path, Reason: reason}) {
		t.Errorf("%+v, %v", c, err)
	}
	if o := r.Lookup(0x00100100); o.Kind != OwnerNone {
		t.Errorf("%+v", o)
	}

	r, err = Load(path, true)
	var e *Error
	if !errors.As(err, &e) || r != nil || !strings.Contains(err.Error(), path+": does not exist; create it, or leave the flag out for no class IDs") {
		t.Errorf("named: %v", err)
	}
}

func TestLoadRefusesWhatOthersCouldHaveWritten(t *testing.T) {
	dir := t.TempDir()
	owned := func(uid int, mode os.FileMode) string {
		path := write(t, "a", twoTeams, mode)
		if err := os.Chown(path, uid, 0); err != nil {
			t.Fatal(err)
		}
		return path
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink(write(t, "a", twoTeams, 0o644), dir+"/link"))
	must(os.Symlink(dir+"/nowhere", dir+"/dangling"))
	must(syscall.Mkfifo(dir+"/fifo", 0o600))
	for name, c := range map[string]struct{ path, want string }{
		"another owner":                       {owned(1234, 0o644), "belongs to user 1234, not to root; run `chown root "},
		"group may write":                     {owned(0, 0o664), "may be written by its group or others (mode 0664); run `chmod go-w "},
		"others may write":                    {owned(0, 0o602), "(mode 0602)"},
		"another owner and all may write":     {owned(1234, 0o666), "user 1234, not to root; run `chown root "},
		"symbolic link":                       {dir + "/link", "is a symbolic link; name the file itself"},
		"symbolic link to nothing":            {dir + "/dangling", "is a symbolic link; name the file itself"},
		"folder":                              {dir, "is not a regular file"},
		"FIFO without a writer":               {dir + "/fifo", "is not a regular file"},
		"device":                              {"/dev/zero", "is not a regular file"},
		"file in place of a folder":           {owned(0, 0o644) + "/x", "cannot be opened"},
		"too large":                           {write(t, "a", twoTeams+strings.Repeat(" \n", maxFileSize/2), 0o644), "is larger than "},
		"a path that is not the shortest one": {dir + "/../x", "is not in its shortest form"},
		"relative path":                       {"classes.yaml", "is not an absolute path"},
		"no path":                             {"", "an absolute path is needed"},
		"control character":                   {"/etc/\n", "contains a control character"},
	} {
		for _, named := range []bool{true, false} {
			r, err := Load(c.path, named)
			var e *Error
			if !errors.As(err, &e) || r != nil || !strings.Contains(err.Error(), c.want) || len(e.Problems) != 1 {
				t.Errorf("%s, named %v: %v; want %s", name, named, err, c.want)
			}
		}
	}
}

func TestFileHasAtMostTwoMebibytes(t *testing.T) {
	var b strings.Builder
	b.WriteString(appsText("a: 0x00100100"))
	for id := ID(0x00100101); b.Len() < 2<<20-300; id++ {
		fmt.Fprintf(&b, "          /%s/%x: %s\n", strings.Repeat("x", 200), uint32(id), id)
	}
	b.WriteString(strings.Repeat("#", 2<<20-b.Len()))
	text := b.String()
	if r, err := Load(write(t, "c.yaml", text, 0o644), true); err != nil || len(r.Classes()) < 9000 {
		t.Errorf("%v", err)
	}
	if _, err := Load(write(t, "c.yaml", text+"\n", 0o644), true); err == nil || !strings.HasSuffix(err.Error(), "c.yaml: is larger than 2097152 bytes; this is another kind of file") {
		t.Errorf("%v", err)
	}
	if _, err := Parse("c.yaml", []byte(text+"\n")); err == nil || err.Error() != "c.yaml: is larger than 2097152 bytes; this is another kind of file" {
		t.Errorf("%v", err)
	}
}

func TestLoadReportsContentWithPathAndLine(t *testing.T) {
	path := write(t, "classes.yaml", "version: 1\nclass_ids: on\n", 0o644)
	if _, err := Load(path, true); err == nil || !strings.HasPrefix(err.Error(), path+`:2: class_ids: "on" is no mode of class IDs`) {
		t.Errorf("error: %v", err)
	}
}
