package trust

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/trust/trusttest"
)

// The test binary plays every process. What it is to do stands in its
// environment, what it has to say on its output.
const (
	partVariable = "TRUST_TEST_PART"
	listenAt     = "TRUST_TEST_LISTEN" // "network address"; where children find it: the last field
	targetIs     = "TRUST_TEST_TARGET" // instead of where the parent listens
	workDirIs    = "TRUST_TEST_WORK_DIR"
	exchangeBy   = "TRUST_TEST_EXCHANGE" // what the target is a link to after the verdict
)

func TestMain(m *testing.M) {
	switch os.Getenv(partVariable) {
	case "agent": // listens, starts what comes next and waits for it
		os.Exit(playAgent())
	case "launcher": // starts the executor and waits for it, as mesos-containerizer does
		os.Exit(playOn("executor"))
	case "deserter": // starts the executor and leaves it
		cmd := next("orphan")
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case "orphan":
		for deadline := time.Now().Add(10 * time.Second); os.Getppid() != 1 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		os.Exit(playExecutor())
	case "executor":
		os.Exit(playExecutor())
	case "reuser": // gives a dead listener's number to an agent
		os.Exit(playReuser())
	case "deceased": // listens, leaves the socket to another process and ends
		os.Exit(playDeceased())
	case "stranger": // says where it listens, until its input ends
		fmt.Println(os.Getenv(targetIs))
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// part is a process that plays a part.
func part(name string, variables ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	// The race detector would have each process sleep a second before it exits.
	cmd.Env = append(append(os.Environ(), "GORACE=atexit_sleep_ms=0", partVariable+"="+name), variables...)
	return cmd
}

func next(name string) *exec.Cmd {
	cmd := part(name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

func playOn(part string) int {
	if err := next(part).Run(); err != nil {
		fmt.Fprintln(os.Stderr, part, err)
		return 1
	}
	return 0
}

func playAgent() int {
	if number := os.Getenv("TRUST_TEST_NUMBER"); number != "" && number != strconv.Itoa(os.Getpid()) {
		return otherNumber
	}
	network, address, _ := strings.Cut(os.Getenv(listenAt), " ")
	l, err := net.Listen(network, address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer l.Close()
	if os.Getenv(targetIs) == "" {
		os.Setenv(targetIs, l.Addr().String())
	}
	return playOn(os.Getenv("TRUST_TEST_NEXT"))
}

// finding is what an executor prints.
type finding struct {
	Verdict
	Peer int // the process that a connection like the session's ends at; only with exchangeBy
}

// playExecutor prints the verdict on the target.
func playExecutor() int {
	t := Target{}
	given := os.Getenv(targetIs)
	if strings.HasPrefix(given, "/") {
		t = AtSocket(given, os.Getenv(workDirIs), dial)
	} else {
		t.Endpoint = netip.MustParseAddrPort(given)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	verdict, err := Begin(ctx, t).Verdict(ctx)
	found := finding{Verdict: verdict}
	if other := os.Getenv(exchangeBy); err == nil && other != "" {
		found.Peer, err = exchange(ctx, t, given, other)
	}
	if err := errors.Join(err, json.NewEncoder(os.Stdout).Encode(found)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", path)
}

// exchange has the path that was given lead to another socket, and connects as the session does.
func exchange(ctx context.Context, t Target, given, other string) (int, error) {
	if err := errors.Join(os.Remove(given), os.Symlink(other, given)); err != nil {
		return 0, err
	}
	p, err := peerOf(ctx, t)
	p.close()
	return p.pid, err
}

// agent starts an agent that listens, and what it starts; it returns what the
// executor at the end of the line finds out.
func agent(t *testing.T, listen, nextPart string, extra ...string) finding {
	t.Helper()
	return read(t, part("agent", append(extra, listenAt+"="+listen, "TRUST_TEST_NEXT="+nextPart)...))
}

func read(t *testing.T, cmd *exec.Cmd) finding {
	t.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n') // an orphan writes later than its parent ends
	io.Copy(io.Discard, out)
	if waited := cmd.Wait(); waited != nil {
		t.Fatal(waited)
	}
	var v finding
	if err == nil {
		err = json.Unmarshal([]byte(line), &v)
	}
	if err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	return v
}

func expect(t *testing.T, v finding, trusted bool, why string) {
	t.Helper()
	if v.Trusted != trusted || !strings.Contains(v.Why, why) {
		t.Errorf("%+v, want trusted %v because %s", v, trusted, why)
	}
}

func TestListenerOfAnAncestorIsTrusted(t *testing.T) {
	for _, first := range []string{"executor", "launcher"} {
		for _, listen := range []string{"tcp4 127.0.0.1:0", "tcp6 [::1]:0", "unix " + filepath.Join(t.TempDir(), first+".sock")} {
			expect(t, agent(t, listen, first), true, "which started the executor")
		}
	}
}

// port finds one that is free.
func port(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestWildcardListenerOfTheParentIsTrustedForAddressesOfThisHost(t *testing.T) {
	for listen, targets := range map[string]map[string]bool{
		"tcp4 0.0.0.0:": {"127.0.0.1:": true, "[::1]:": false, "192.0.2.1:": false},
		"tcp [::]:":     {"127.0.0.1:": true, "[::1]:": true, "192.0.2.1:": false},
	} {
		for target, trusted := range targets {
			p := port(t)
			why := "which started the executor"
			switch {
			case target == "192.0.2.1:":
				why = "not an address of this host"
			case !trusted:
				why = "nobody listening"
			}
			v := agent(t, listen+p, "executor", targetIs+"="+target+p)
			if v.Trusted != trusted || !strings.Contains(v.Why, why) {
				t.Errorf("%s%s from %s: %+v", listen, p, target, v)
			}
		}
	}
}

// What a task can do that overrides MESOS_AGENT_ENDPOINT and MESOS_SLAVE_PID, or MESOS_DOMAIN_SOCKET.
func TestListenerOfAStrangerIsNotTrusted(t *testing.T) {
	for _, listen := range []string{"tcp4 127.0.0.1:0", "tcp4 0.0.0.0:0", "tcp6 [::1]:0", "unix " + filepath.Join(t.TempDir(), "agent.sock")} {
		address := strangerAt(t, listen)
		v := agent(t, "tcp4 127.0.0.1:0", "executor", targetIs+"="+address)
		expect(t, v, false, "did not start the executor")
	}
}

// strangerAt starts a process that listens and starts no executor, and returns
// its address.
func strangerAt(t *testing.T, listen string) string {
	t.Helper()
	address, _ := trusttest.Start(t, part("agent", listenAt+"="+listen, "TRUST_TEST_NEXT=stranger"))
	if strings.HasPrefix(address, "0.0.0.0:") {
		address = "127.0.0.1" + strings.TrimPrefix(address, "0.0.0.0")
	}
	return address
}

func TestAddressWithoutAListenerIsNotTrusted(t *testing.T) {
	expect(t, agent(t, "tcp4 127.0.0.1:0", "executor", targetIs+"=127.0.0.1:"+port(t)), false, "nobody listening")
	expect(t, agent(t, "tcp4 127.0.0.1:0", "executor", targetIs+"="+filepath.Join(t.TempDir(), "none.sock")), false, "cannot be resolved: no such file")
}

func TestAfterTheParentsDeathNothingIsTrusted(t *testing.T) {
	address := strangerAt(t, "tcp4 127.0.0.1:0")
	expect(t, read(t, part("deserter", targetIs+"="+address)), false, "parent is process 1")
}

func TestAnotherNetworkNamespaceIsNotTrusted(t *testing.T) {
	cmd := part("executor", targetIs+"="+strangerAt(t, "tcp4 127.0.0.1:0"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	expect(t, read(t, cmd), false, "nobody listening in the executor's network namespace")
}

// The two ways to list them see the same.
func TestListenersOfSockDiagAndOfProc(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		address := netip.MustParseAddrPort(l.Addr().String())
		family := uint8(unix.AF_INET)
		if address.Addr().Is6() {
			family = unix.AF_INET6
		}
		diag, err := diagListeners(family, address.Port())
		if err != nil {
			t.Fatal(err)
		}
		all, err := procListeners()
		if err != nil {
			t.Fatal(err)
		}
		if len(diag) != 1 || diag[0].address != address || !slices.Contains(all, diag[0]) {
			t.Errorf("%s: %v of sock_diag, not among those of /proc: %v", address, diag, all)
		}
	}
	if none, err := diagListeners(unix.AF_INET, 1); err != nil || len(none) > 0 {
		t.Errorf("port 1: %v, %v", none, err)
	}
}

func TestNamesOfProcessesStayOnOneLine(t *testing.T) {
	if got := printable("a\nb\x00\xff)"); got != "a?b??)" {
		t.Errorf("%q", got)
	}
}

func TestAddressesOfTheKernel(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:13BB": "127.0.0.1:5051", "00000000:0016": "0.0.0.0:22",
		"00000000000000000000000001000000:13BB": "[::1]:5051", "0000000000000000FFFF00000100007F:13BB": "127.0.0.1:5051",
		"B80D0120000000000000000001000000:FFFF": "[2001:db8::1]:65535",
	} {
		if got, err := parseAddress(text); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":", "01:1", "0100007F", "0100007F:10000", "XX00007F:1"} {
		if got, err := parseAddress(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
