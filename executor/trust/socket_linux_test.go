package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sandbox is a folder in which a task can write.
func sandbox(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chown(dir, 1234, 0); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	return dir
}

// What a task's MESOS_DOMAIN_SOCKET can be: a link in its sandbox, which leads to the agent until the agent is trusted.
func TestExchangedLinkLeadsTheSessionNowhereElse(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	link := filepath.Join(sandbox(t), "link.sock")
	if err := os.Symlink(socket, link); err != nil {
		t.Fatal(err)
	}
	stranger := strangerAt(t, "unix "+filepath.Join(t.TempDir(), "stranger.sock"))
	found := agent(t, "unix "+socket, "executor", targetIs+"="+link, exchangeBy+"="+stranger)
	expect(t, found, true, "which started the executor")
	if !strings.Contains(found.Why, fmt.Sprintf("process %d (", found.Peer)) {
		t.Errorf("the session talks to process %d: %s", found.Peer, found.Why)
	}
}

// Tasks can put a socket of theirs there once the agent's was seen.
func TestSocketWhereTasksCanWriteIsNotTrusted(t *testing.T) {
	work, open := t.TempDir(), t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for socket, why := range map[string]string{
		filepath.Join(sandbox(t), "agent.sock"): "belongs to user 1234",
		filepath.Join(open, "agent.sock"):       "its group or others may write to",
		filepath.Join(work, "agent.sock"):       "is below " + work,
	} {
		expect(t, agent(t, "unix "+socket, "executor", workDirIs+"="+work), false, why)
		link := filepath.Join(t.TempDir(), "link.sock")
		if err := os.Symlink(socket, link); err != nil {
			t.Fatal(err)
		}
		os.Remove(socket)
		expect(t, agent(t, "unix "+socket, "executor", workDirIs+"="+work, targetIs+"="+link), false, why)
	}
}

// playDeceased prints its number.
func playDeceased() int {
	_, address, _ := strings.Cut(os.Getenv(listenAt), " ")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l.SetUnlinkOnClose(false)
	file, err := l.File()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	heir := part("stranger")
	heir.Stdin, heir.Stderr, heir.ExtraFiles = os.Stdin, os.Stderr, []*os.File{file}
	if err := heir.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(os.Getpid())
	return 0
}

// playReuser is process 1 of a pid namespace.
func playReuser() int {
	if err := reuse(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func reuse() error {
	err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("proc", "/proc", "proc", 0, ""))
	if err != nil {
		return err
	}
	held, holding, err := os.Pipe() // the heir ends with the last of us that holds this
	if err != nil {
		return err
	}
	defer holding.Close()
	deceased := part("deceased")
	deceased.Stdin, deceased.Stderr = held, os.Stderr
	text, err := deceased.Output()
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	_, socket, _ := strings.Cut(os.Getenv(listenAt), " ")
	for range 1000 { // a thread may get the number instead
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(number-1)), 0); err != nil {
			return fmt.Errorf("this test needs a kernel with CONFIG_CHECKPOINT_RESTORE: %w", err)
		}
		agent := part("agent", listenAt+"=tcp4 127.0.0.1:0", targetIs+"="+socket, "TRUST_TEST_NEXT=executor", "TRUST_TEST_NUMBER="+strconv.Itoa(number))
		agent.Stderr = os.Stderr
		out, err := agent.Output()
		if agent.ProcessState.ExitCode() == otherNumber {
			continue
		}
		os.Stdout.Write(out)
		return err
	}
	return errors.New("the number was given to nobody")
}

// otherNumber is the exit status of an agent that has another number than it is to have.
const otherNumber = 3

// The kernel notes a number with the socket, and numbers come again.
func TestNumberOfADeadListenerIsNotTrustedWhenAnAncestorGetsIt(t *testing.T) {
	cmd := part("reuser", listenAt+"=unix "+filepath.Join(t.TempDir(), "agent.sock"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	expect(t, read(t, cmd), false, "the process that made it has ended")
}

// What is done before Linux 6.5.
func TestListenerWithoutAPidfd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a name with spaces.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	us, other := peer{pid: os.Getpid()}, peer{pid: os.Getppid()}
	if err := us.check(path); err != nil {
		t.Error(err)
	}
	link := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := us.check(link); err != nil {
		t.Error(err)
	}
	if err := other.check(path); !errors.Is(err, errEnded) {
		t.Errorf("a process that does not have the socket: %v", err)
	}
	// Both listen under the name now, and which of them is reached cannot be told.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	strangerAt(t, "unix "+path)
	if err := us.check(path); !errors.Is(err, errEnded) {
		t.Errorf("beside a stranger: %v", err)
	}
}

func TestInquiriesLeaveNothingBehind(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	local, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	ended, end := context.WithCancel(t.Context())
	end()
	inquire := func() {
		for _, target := range []Target{
			AtSocket(socket, "/work", dial), AtSocket("/none", "/work", dial), {Socket: "/none", Dial: dial},
			{Endpoint: netip.MustParseAddrPort(tcp.Addr().String())}, {Pinned: true},
		} {
			for _, ctx := range []context.Context{t.Context(), ended} {
				if v, err := Begin(ctx, target).Verdict(t.Context()); err != nil || v.Trusted && !target.Pinned {
					t.Errorf("%s: %+v, %v", target, v, err)
				}
			}
		}
	}
	inquire()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for range 20 {
		inquire()
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > goroutines || len(openFiles(t)) > len(files) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before; files %q, %q before", runtime.NumGoroutine(), goroutines, openFiles(t), files)
		}
		time.Sleep(time.Millisecond)
	}
}

func openFiles(t *testing.T) []string {
	t.Helper()
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}
