package process

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const statusText = `Name:	x\nCapEff:	0
State:	S (sleeping)
Uid:	1	2	3	4294967294
Gid:	5	6	7	8
Groups:	4 24
CapInh:	0000000000000001
CapPrm:	0000000000000002
CapEff:	0000000000000003
CapBnd:	800001ffffffffff
CapAmb:	0000000000000004
NoNewPrivs:	1
Seccomp:	2
Seccomp_filters:	1
`

func TestParseRights(t *testing.T) {
	want := Rights{
		Inheritable: 1, Permitted: 2, Effective: 3, Bounding: 0x800001ffffffffff, Ambient: 4,
		NoNewPrivs: true, Seccomp: 2,
		UIDs: [4]int{1, 2, 3, 4294967294}, GIDs: [4]int{5, 6, 7, 8}, Groups: []int{4, 24},
	}
	got, err := parseRights(statusText)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	want.Seccomp, want.Groups, want.NoNewPrivs = 0, nil, false
	got, err = parseRights(strings.NewReplacer("Seccomp:\t2\n", "", "4 24", " ", "NoNewPrivs:\t1", "NoNewPrivs:\t0").Replace(statusText))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error("nothing of what may be missing:", err, diff)
	}
}

func TestParseRightsRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for _, change := range [][2]string{
		{"CapBnd:\t800001ffffffffff\n", ""},
		{"NoNewPrivs:\t1\n", ""},
		{"Uid:", "UID:"},
		{"Groups:\t4 24\n", ""},
		{"4294967294", ""},
		{"5\t6", "5\t-6"},
		{"4 24", "4 x"},
		{"800001ffffffffff", "1800001ffffffffff"},
		{"NoNewPrivs:\t1", "NoNewPrivs:\t2"},
		{"Seccomp:\t2", "Seccomp:\tfilter"},
	} {
		text := strings.Replace(statusText, change[0], change[1], 1)
		if text == statusText {
			t.Fatalf("%q is not in the text", change[0])
		}
		if got, err := parseRights(text); err == nil {
			t.Errorf("%q for %q: got %+v", change[1], change[0], got)
		}
	}
}

// rightsOnce reads the rights as soon as the condition holds.
func rightsOnce(t *testing.T, init *Init, what string, holds func(Rights) bool) Rights {
	t.Helper()
	var r Rights
	waitFor(t, what, func() bool {
		var err error
		if r, err = init.Rights(); err != nil && !errors.Is(err, ErrNotExecuted) {
			t.Fatal(err)
		}
		return err == nil && holds(r)
	})
	return r
}

// hostKinds are all kinds of namespaces but those that are left out.
func hostKinds(without ...string) (kinds []string) {
	for _, kind := range namespaceKinds() {
		if !strings.Contains(strings.Join(without, " "), kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func TestRightsAreThoseOfTheProcess(t *testing.T) {
	f := newLeaf(t)
	cmd := shell(`printf 'x\nCapBnd:\t0\nUid:\t1' >/proc/self/comm; read never`, true)
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 1000, Gid: 100, Groups: []uint32{7, 8}}
	c := f.start(testID, nil, cmd)
	init := f.watch()
	r := rightsOnce(t, init, "the program to begin", func(Rights) bool { return true })
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := parseRights(string(text))
	if err != nil {
		t.Fatal(err)
	}
	want := Rights{
		Bounding: ours.Bounding, Seccomp: ours.Seccomp, NoNewPrivs: ours.NoNewPrivs,
		UIDs: [4]int{1000, 1000, 1000, 1000}, GIDs: [4]int{100, 100, 100, 100}, Groups: []int{7, 8},
		Shared: hostKinds("pid"), Namespaces: r.Namespaces, Label: r.Label,
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	for kind, inode := range r.Namespaces {
		st, err := os.Stat(filepath.Join(procFile(c.Process.Pid, "ns"), kind))
		if err != nil || st.Sys().(*syscall.Stat_t).Ino != inode {
			t.Errorf("%s: %d, %v", kind, inode, err)
		}
	}
	if len(r.Namespaces) != len(namespaceKinds()) {
		t.Errorf("namespaces %v", r.Namespaces)
	}
}

func TestRightsOfANamespaceOfItsOwnAreNotShared(t *testing.T) {
	f := newLeaf(t)
	f.start(testID, nil, shell("exec unshare --net --ipc --uts --mount --cgroup sleep 1000", true))
	init := f.watch()
	r := rightsOnce(t, init, "the namespaces", func(r Rights) bool { return len(r.Shared) == 1 })
	if diff := cmp.Diff([]string{"user"}, r.Shared); diff != "" {
		t.Error(diff)
	}
}

// inUserNamespace starts the script as root of a user namespace, as an engine with userns-remap does.
func (f *fixture) inUserNamespace(script string) *Init {
	f.t.Helper()
	cmd := shell(script, true)
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 1, HostID: 300000, Size: 1000}, {ContainerID: 0, HostID: 200000, Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: 400000, Size: 1000}}
	cmd.SysProcAttr.Credential = &syscall.Credential{NoSetGroups: true}
	f.start(testID, nil, cmd)
	return f.watch()
}

func TestRightsInAUserNamespaceOfTheEngines(t *testing.T) {
	f := newLeaf(t)
	r := rightsOnce(t, f.inUserNamespace("sleep 1000 & wait"), "the program to begin", func(Rights) bool { return true })
	if r.RootUID != 200000 || r.UIDs != [4]int{200000, 200000, 200000, 200000} || r.OwnUserNamespace || r.Permitted == 0 {
		t.Errorf("got %+v", r)
	}
	if diff := cmp.Diff(hostKinds("pid", "user"), r.Shared); diff != "" {
		t.Error(diff)
	}
	limit := RightsLimit{NonRoot: true, HostNamespaces: r.Shared}
	if more := r.Exceeds(limit); len(more) != 2 || !strings.Contains(more[0], "CAP_SYS_ADMIN") || !strings.Contains(more[1], "root") {
		t.Errorf("exceeds %q", more)
	}
}

func TestUserNamespaceThatAProgramMakesGivesNoRights(t *testing.T) {
	f := newLeaf(t)
	cmd := shell("exec unshare --user --map-root-user sleep 1000", true)
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 1000, Gid: 1000}
	f.start(testID, nil, cmd)
	r := rightsOnce(t, f.watch(), "the user namespace", func(r Rights) bool { return r.OwnUserNamespace && r.Effective != 0 })
	if r.RootUID != 0 || r.UIDs != [4]int{1000, 1000, 1000, 1000} {
		t.Errorf("got %+v", r)
	}
	if more := r.Exceeds(RightsLimit{NonRoot: true, HostNamespaces: hostKinds()}); len(more) != 0 {
		t.Errorf("exceeds %q", more)
	}
}

func TestUserNamespaceWithinTheEnginesHidesWhoIsRoot(t *testing.T) {
	f := newLeaf(t)
	init := f.inUserNamespace("exec unshare --user --map-root-user sleep 1000")
	r := rightsOnce(t, init, "the user namespace", func(r Rights) bool { return r.OwnUserNamespace })
	if r.RootUID != -1 {
		t.Errorf("got %+v", r)
	}
	if more := r.Exceeds(RightsLimit{NonRoot: true, HostNamespaces: hostKinds()}); len(more) != 1 || !strings.Contains(more[0], "cannot be told") {
		t.Errorf("exceeds %q", more)
	}
}

func TestRightsOfADeadProcess(t *testing.T) {
	f := newLeaf(t)
	c := f.start(testID, nil, shell("exec sleep 1000", true))
	init := f.watch()
	if err := init.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := init.Dead(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := init.Rights(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("of a zombie: %+v, %v", r, err)
	}
	_ = c.reap()
	if r, err := init.Rights(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("of one that is reaped: %+v, %v", r, err)
	}
	init.Close()
	if r, err := init.Rights(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %+v, %v", r, err)
	}
}

// openOwn returns a process that the test started as if it were a container's init, and ends it with the test.
func openOwn(t *testing.T, c *exec.Cmd) *Init {
	t.Helper()
	pidfd, err := openPidfd(c.Process.Pid)
	if pidfd == nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		pidfd.Close()
	})
	return &Init{PID: c.Process.Pid, pidfd: pidfd}
}

// A dying process is either told as such or still has its rights, never a part of them.
func TestRightsOfADyingProcessAreWholeOrNone(t *testing.T) {
	for range 100 {
		c := sleep()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		init := openOwn(t, c)
		before, err := init.Rights()
		if err != nil {
			t.Fatal(err)
		}
		killed := make(chan error)
		go func() { killed <- init.Signal(unix.SIGKILL) }()
		for {
			r, err := init.Rights()
			if errors.Is(err, os.ErrProcessDone) {
				break
			}
			if diff := cmp.Diff(before, r); err != nil || diff != "" {
				t.Error(err, diff)
				break
			}
		}
		if err := <-killed; err != nil {
			t.Error(err)
		}
		_ = c.Wait()
	}
}

func TestRightsOfAnotherProcessWithTheSameIDAreNotRead(t *testing.T) {
	f := newLeaf(t)
	c, goOn := f.startHeld("exit 9")
	init := f.watch()
	goOn()
	_ = c.reap()
	alive := f.start(testID, nil, shell("exec sleep 1000", true))
	init.PID = alive.Process.Pid // as if the id had been given to another process
	if r, err := init.Rights(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestRightsOfAProcessThatHasNotExecuted(t *testing.T) {
	f := newLeaf(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	// The subshell is a clone that executes nothing until it is told to, as runc's init.
	cmd := shell("exec unshare --pid sh -c '(read go <&3; exec sleep 1000) & wait'", false)
	cmd.ExtraFiles = []*os.File{r}
	f.start(testID, nil, cmd)
	init := f.watch()
	for range 3 {
		if r, err := init.Rights(); !errors.Is(err, ErrNotExecuted) {
			t.Fatalf("got %+v, %v", r, err)
		}
	}
	if _, err := w.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	rightsOnce(t, init, "the program to begin", func(Rights) bool { return true })
}

func TestProgramCannotPassForOneThatHasNotExecuted(t *testing.T) {
	f := newLeaf(t)
	cmd := shell("", true)
	cmd.Dir = t.TempDir()
	if err := unix.Mkfifo(filepath.Join(cmd.Dir, "init"), 0o600); err != nil {
		t.Fatal(err)
	}
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Args = cat, []string{"/usr/bin/runc", "init"} // the command line of runc's init
	f.start(testID, nil, cmd)
	if r, err := f.watch().Rights(); err != nil {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestRightsOfAProcessWhoseFirstThreadEnds(t *testing.T) {
	for range 20 {
		c := actor(t, "first thread ends and the others stay")
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		init := openOwn(t, c)
		before, err := init.Rights()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write([]byte("\n")); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the first thread to end", func() bool {
			st, err := readStat(init.PID)
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				r, err := init.Rights()
				if diff := cmp.Diff(before, r); err != nil || diff != "" {
					t.Fatal(err, diff)
				}
			}
			return st.state == "Z"
		})
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}
