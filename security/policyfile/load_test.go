package policyfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mesos-docker-executor/security"
)

// write makes a file of root's.
func write(t *testing.T, name, text string, mode os.FileMode) string {
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

const seven = "version: 1\ndefaults: {pids_limit: 7}\n"

func TestLoadReadsFileOfRoot(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o644, 0o444} {
		for _, named := range []bool{true, false} {
			f, err := Load(write(t, "mine.yaml", seven, mode), named, today())
			if err != nil {
				t.Fatalf("mode %o, named %v: %v", mode, named, err)
			}
			if f.Name() != "mine.yaml" || rulesFor(t, f, security.Identity{}).PidsLimit != 7 {
				t.Errorf("mode %o, named %v: %+v", mode, named, f)
			}
		}
	}
}

func TestLoadOfMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "policy.yaml")
	if f, err := Load(path, false, today()); err != nil || f.Name() != "built-in" {
		t.Errorf("default path: %v, %+v", err, f)
	}
	_, err := Load(path, true, today())
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), path+": does not exist; create it") {
		t.Errorf("named: %v", err)
	}
}

// untrusted are ways in which a file, made with a text, can be anything but root's own.
func untrusted(t *testing.T, text string) map[string]struct{ path, want string } {
	dir := t.TempDir()
	owned := func(uid int, mode os.FileMode) string {
		path := write(t, "a", text, mode)
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
	must(os.Symlink(write(t, "a", text, 0o644), dir+"/link"))
	must(syscall.Mkfifo(dir+"/fifo", 0o600))
	return map[string]struct{ path, want string }{
		"another owner":                       {owned(1234, 0o644), "belongs to user 1234, not to root; run `chown root "},
		"group may write":                     {owned(0, 0o664), "may be written by its group or others (mode 0664); run `chmod go-w "},
		"others may write":                    {owned(0, 0o602), "(mode 0602)"},
		"another owner and all may write":     {owned(1234, 0o666), "user 1234, not to root; run `chown root "},
		"symbolic link":                       {dir + "/link", "is a symbolic link; name the file itself"},
		"folder":                              {dir, "is not a regular file"},
		"FIFO without a writer":               {dir + "/fifo", "is not a regular file"},
		"device":                              {"/dev/zero", "is not a regular file"},
		"file in place of a folder":           {owned(0, 0o644) + "/x", "cannot be opened"},
		"too large":                           {write(t, "a", text+strings.Repeat(" \n", maxFileSize/2), 0o644), "is larger than "},
		"a path that is not the shortest one": {dir + "/../x", "is not in its shortest form"},
	}
}

func TestLoadRefusesWhatOthersCouldHaveWritten(t *testing.T) {
	cases := untrusted(t, seven)
	cases["relative path"] = struct{ path, want string }{"policy.yaml", "is not an absolute path"}
	cases["no path"] = struct{ path, want string }{"", "an absolute path is needed"}
	for name, c := range cases {
		for _, named := range []bool{true, false} {
			f, err := Load(c.path, named, today())
			var e *Error
			if !errors.As(err, &e) || f != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, named %v: %v; want %s", name, named, err, c.want)
			}
		}
	}
}

func TestLoadReportsContentWithPathAndLine(t *testing.T) {
	path := write(t, "policy.yaml", "version: 1\ndefaults: {shm_size: 7}\n", 0o644)
	if _, err := Load(path, true, today()); err == nil || !strings.HasPrefix(err.Error(), path+":2: defaults.shm_size: 7 has no unit") {
		t.Errorf("error: %v", err)
	}
}

const goodProfile = `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`

func withProfile(path string) string {
	return fmt.Sprintf("version: 1\ndefaults:\n  seccomp_profiles:\n    web: %q\n", path)
}

func TestSeccompProfilesAreRead(t *testing.T) {
	profile := write(t, "web.json", goodProfile, 0o644)
	text := withProfile(profile) + "    again: " + profile + "\n    not: none\n"
	path := write(t, "policy.yaml", text, 0o644)
	f, err := Load(path, true, today())
	if err != nil {
		t.Fatal(err)
	}
	profiles := rulesFor(t, f, security.Identity{}).SeccompProfiles
	if len(profiles) != 2 || profiles["web"] != goodProfile || profiles["again"] != goodProfile {
		t.Errorf("profiles: %q", profiles)
	}
	hash := func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }
	if want := hash(hash(text) + "  policy.yaml\n" + hash(goodProfile) + "  " + profile + "\n"); f.Digest() != want {
		t.Errorf("digest %s, not %s", f.Digest(), want)
	}
	if err := os.WriteFile(profile, []byte(goodProfile+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err := Load(path, true, today()); err != nil || again.Digest() == f.Digest() {
		t.Errorf("%v: another profile, and the digest is the same", err)
	}

	unread, err := Parse("policy.yaml", []byte(text), today())
	if err != nil {
		t.Fatal(err)
	}
	if unread.Digest() != hash(text) || rulesFor(t, unread, security.Identity{}).SeccompProfiles["web"] != unreadProfile {
		t.Errorf("%+v", unread)
	}
}

func TestSeccompProfilesOfOthersAreRefused(t *testing.T) {
	for name, c := range untrusted(t, goodProfile) {
		_, err := Load(write(t, "policy.yaml", withProfile(c.path), 0o644), true, today())
		if err == nil || !strings.Contains(err.Error(), "policy.yaml:4: defaults.seccomp_profiles.web: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %s", name, err, c.want)
		}
	}
	for text, want := range map[string]string{
		"":                                   "is no seccomp profile in JSON",
		"[]":                                 "is no seccomp profile in JSON",
		"null":                               "has no defaultAction",
		"{}":                                 "has no defaultAction, without which the engine filters nothing",
		`{"defaultAction": "unconfined"}`:    "has no defaultAction",
		goodProfile + "x":                    "is no seccomp profile in JSON",
		`{"defaultAction":"SCMP_ACT_ALLOW"}`: "forbids no call, which is unconfined; only an entry of `break_glass`",
		`{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`: "forbids no call",
	} {
		_, err := Load(write(t, "policy.yaml", withProfile(write(t, "p", text, 0o644)), 0o644), true, today())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
	_, err := Load(write(t, "policy.yaml", withProfile("/no/such.json"), 0o644), true, today())
	if err == nil || !strings.Contains(err.Error(), `"/no/such.json": does not exist; create it, or remove the profile`) {
		t.Errorf("missing: %v", err)
	}
}
