package agenttls

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mesos-docker-executor/executor/agenttls/tlstest"
)

func file(t *testing.T, path string, data []byte, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func link(t *testing.T, target, path string) string {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// nothing is what an error about a path of the environment may say.
const nothing = " cannot be used: it has to be root's alone and hold what is needed in PEM form, without a passphrase; agent.tls in config.yaml says what is wrong with a path"

func TestFilesThatOthersCouldHaveWrittenAreRefused(t *testing.T) {
	authority := tlstest.NewAuthority(t, "authority")
	dir, tasks := t.TempDir(), t.TempDir()
	good := file(t, filepath.Join(dir, "good.pem"), authority.PEM(), 0o644)
	owned := file(t, filepath.Join(dir, "owned.pem"), authority.PEM(), 0o644)
	if err := os.Chown(owned, 1234, 0); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	inSandbox := file(t, filepath.Join(tasks, "ca.pem"), authority.PEM(), 0o644)
	below := func(name string, mode os.FileMode) string {
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(folder, mode); err != nil {
			t.Fatal(err)
		}
		return file(t, filepath.Join(folder, "ca.pem"), authority.PEM(), 0o644)
	}
	docker := below("docker", 0o710)
	file(t, filepath.Join(filepath.Dir(docker), "engine-id"), nil, 0o600)
	for name, c := range map[string]struct {
		path string
		want string // part of the error; empty: accepted
	}{
		"good":                    {good, ""},
		"link to a good one":      {link(t, good, filepath.Join(dir, "link.pem")), ""},
		"missing":                 {filepath.Join(dir, "none.pem"), "does not exist; create it"},
		"another owner":           {owned, "belongs to user 1234"},
		"others may write":        {file(t, filepath.Join(dir, "others.pem"), authority.PEM(), 0o646), "mode 0646"},
		"group may write":         {file(t, filepath.Join(dir, "group.pem"), authority.PEM(), 0o664), "mode 0664"},
		"in a sandbox":            {inSandbox, "is below " + tasks},
		"in a sandbox, by a link": {link(t, inSandbox, filepath.Join(dir, "into.pem")), "is below " + tasks},
		"in a folder of all":      {below("all", 0o777), "its group or others may write to (mode 0777)"},
		"in a sticky folder":      {below("sticky", 0o777|os.ModeSticky), "(mode 0777)"},
		"in a container":          {docker, "holds the files of containers"},
		"another's root folder":   {otherRoot(t, authority.PEM()), "is not a file of the host's"},

		"folder":                {dir, "not a regular file"},
		"FIFO":                  {fifo, "not a regular file"},
		"device":                {"/dev/zero", "not a regular file"},
		"link to a device":      {link(t, "/dev/zero", filepath.Join(dir, "zero.pem")), "not a regular file"},
		"no certificate":        {file(t, filepath.Join(dir, "text.pem"), []byte("s3cr3t"), 0o644), "no certificate in PEM form"},
		"too large":             {file(t, filepath.Join(dir, "large.pem"), bytes.Repeat([]byte("x"), maxFile+1), 0o644), "larger than"},
		"a path through a file": {good + "/ca.pem", "not a directory"},
	} {
		for _, pinned := range []bool{true, false} {
			_, err := New(Options{Pinned: pinned, Verify: true, VerifyAddress: true, V12: true, CAFile: c.path}, tasks)
			if c.want == "" {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if !pinned {
				if want := "environment: LIBPROCESS_SSL_CA_FILE: " + strconv.Quote(c.path) + nothing; err == nil || err.Error() != want {
					t.Errorf("%s: %v\nwant %s", name, err, want)
				}
				continue
			}
			const origin = "config.yaml: agent.tls.ca_file: "
			if err == nil || !strings.HasPrefix(err.Error(), origin) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
				t.Errorf("%s: %q is not in: %v", name, c.want, err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%s: content in the error: %v", name, err)
			}
		}
	}
}

// otherRoot is a path through /proc to a file of a process with a mount namespace and a tmpfs of its own.
func otherRoot(t *testing.T, data []byte) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", `mount -t tmpfs none "$0" && cat >"$0/ca.pem" && chmod 644 "$0/ca.pem" && echo ready && exec sleep 600`, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS}
	cmd.Stdin, cmd.Stderr = bytes.NewReader(data), os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	return fmt.Sprintf("/proc/%d/root%s/ca.pem", cmd.Process.Pid, dir)
}

func TestFolderOfAuthorities(t *testing.T) {
	one, two := tlstest.NewAuthority(t, "one"), tlstest.NewAuthority(t, "two")
	count := func(dir string) (int, error) {
		c, err := New(Options{Pinned: true, Verify: true, VerifyAddress: true, V12: true, CADir: dir}, "/work")
		if err != nil {
			return 0, err
		}
		return len(c.rule.roots.Subjects()), nil //lint:ignore SA1019 the pool is not the host's
	}
	plain := t.TempDir()
	file(t, filepath.Join(plain, "one.pem"), one.PEM(), 0o644)
	file(t, filepath.Join(plain, "two.crt"), two.PEM(), 0o644)
	file(t, filepath.Join(plain, "README"), []byte("text"), 0o644)
	if n, err := count(plain); n != 2 || err != nil {
		t.Errorf("by suffix: %d, %v", n, err)
	}
	// As `openssl rehash` leaves it; what it has not hashed, OpenSSL does not trust either.
	link(t, "one.pem", filepath.Join(plain, "12ab34cd.0"))
	if n, err := count(plain); n != 1 || err != nil {
		t.Errorf("by hash: %d, %v", n, err)
	}
	link(t, "README", filepath.Join(plain, "12ab34cd.1"))
	if _, err := count(plain); err == nil || !strings.Contains(err.Error(), `"12ab34cd.1" holds no certificate`) {
		t.Errorf("a file that is none: %v", err)
	}
	if _, err := count(t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds no file named") {
		t.Errorf("empty: %v", err)
	}
	for _, path := range []string{"/dev/zero", filepath.Join(plain, "one.pem")} {
		if _, err := count(path); err == nil || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("%s: %v", path, err)
		}
	}
	many := t.TempDir()
	for i := range maxFiles + 1 {
		file(t, filepath.Join(many, fmt.Sprint(i)), nil, 0o600)
	}
	if _, err := count(many); err == nil || !strings.Contains(err.Error(), "more than 2000") {
		t.Errorf("many files: %v", err)
	}
	for _, path := range []string{plain, many, t.TempDir(), "/dev/zero", filepath.Join(plain, "none")} {
		_, err := New(Options{Verify: true, VerifyAddress: true, V12: true, CADir: path}, "/work")
		if want := "environment: LIBPROCESS_SSL_CA_DIR: " + strconv.Quote(path) + nothing; err == nil || err.Error() != want {
			t.Errorf("of the environment: %v\nwant %s", err, want)
		}
	}
	if _, err := count(filepath.Join(plain, "none")); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("missing: %v", err)
	}
}

func TestKeyMaterialNeverShows(t *testing.T) {
	authority := tlstest.NewAuthority(t, "authority")
	cert, key := tlstest.WritePair(t, authority.Issue(t, tlstest.Leaf{}))
	_, otherKey := tlstest.WritePair(t, authority.Issue(t, tlstest.Leaf{}))
	dir := t.TempDir()
	text := file(t, filepath.Join(dir, "text"), []byte("root:$6$s3cr3t"), 0o600)
	pem := func(name, kind, header string) string {
		return file(t, filepath.Join(dir, name), fmt.Appendf(nil, "-----BEGIN %s-----\n%sczNjcjN0\n-----END %s-----\n", kind, header, kind), 0o600)
	}
	for name, c := range map[string]struct{ cert, key, want string }{
		"good":                   {cert, key, ""},
		"another's key":          {cert, otherKey, "key_file"},
		"certificate as key":     {cert, cert, "key_file"},
		"key as certificate":     {key, key, "key_file"},
		"text as key":            {cert, text, "key_file"},
		"text as certificate":    {text, key, "cert_file"},
		"broken key":             {cert, pem("broken", "PRIVATE KEY", ""), "key_file"},
		"other kind of block":    {cert, pem("kind", "S3CR3T KIND", ""), "key_file"},
		"encrypted key":          {cert, pem("pkcs8", "ENCRYPTED PRIVATE KEY", ""), "without"},
		"encrypted key, old way": {cert, pem("old", "RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"), "without"},
	} {
		_, err := New(Options{Pinned: true, V12: true, CertFile: c.cert, KeyFile: c.key}, "/work")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			_, err := New(Options{V12: true, CertFile: c.cert, KeyFile: c.key}, "/work")
			for line := range strings.Lines(fmt.Sprint(err)) {
				if !strings.HasSuffix(strings.TrimSpace(line), nothing) {
					t.Errorf("%s of the environment: %v", name, err)
				}
			}
			for _, secret := range []string{"s3cr3t", "S3CR3T", "czNjcjN0", "BEGIN"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s: content in the error: %v", name, err)
				}
			}
		}
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := New(Options{Verify: true, V12: true, CAFile: "/none/ca", CADir: "/none/dir", CertFile: "/none/cert", KeyFile: "/none/key", Ciphers: "RC4", Curves: "X448"}, "")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, name := range []string{"CA_FILE", "CA_DIR", "CERT_FILE", "KEY_FILE", "CIPHERS", "ECDH_CURVES"} {
		if !strings.Contains(err.Error(), "environment: LIBPROCESS_SSL_"+name+": ") {
			t.Errorf("%s is missing in: %v", name, err)
		}
	}
}
