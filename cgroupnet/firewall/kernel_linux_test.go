package firewall

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
)

// hangs is a deadline that only a test that hangs meets.
const hangs = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(processEnv) != "" {
		beProcess(os.Stdin, os.Stdout)
		return
	}
	m.Run()
}

// ownNetwork puts the test, and what it starts, into a new network namespace with loopback, for good: the thread is never unlocked, so
// that the runtime ends it with the test.
func ownNetwork(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("a network namespace is needed (root): %v", err)
	}
	run(t, "", "ip", "link", "set", "lo", "up")
}

// run runs a command with stdin and returns its output.
func run(t testing.TB, stdin string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// instructions returns the shell commands behind a word of the text's header.
func instructions(t testing.TB, text, word, file string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "# "+word+":")
	if !found {
		t.Fatalf("the header does not say how to: %s", word)
	}
	lines := strings.SplitAfter(rest, "\n")
	command, _, _ := strings.Cut(lines[0], "   replaces")
	if strings.Contains(command, "; do") {
		for _, line := range lines[1:] {
			line = strings.TrimPrefix(line, "#")
			command += line
			if strings.TrimSpace(line) == "done" {
				break
			}
		}
	}
	return strings.ReplaceAll(command, "FILE", file)
}

// load does what the header says, and returns a function that removes the rules in the same way.
func load(t testing.TB, text string) (remove func()) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "", "sh", "-ec", instructions(t, text, "Load", file))
	return func() { run(t, "", "sh", "-ec", instructions(t, text, "Remove", file)) }
}

// process is a process of this binary in a network class.
type process struct {
	t   testing.TB
	pid int
	end func()
	in  io.Writer
	out *bufio.Reader
}

// inClass starts a process in the test's network namespace and in a cgroup of the class.
func inClass(t testing.TB, class uint32) *process {
	t.Helper()
	procs := classCgroup(t, class)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), processEnv+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		in.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(end)
	if err := os.WriteFile(procs, []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	return &process{t, cmd.Process.Pid, end, in, bufio.NewReader(out)}
}

// classCgroup makes a leaf with the class in the net_cls hierarchy and returns its file cgroup.procs.
func classCgroup(t testing.TB, class uint32) string {
	t.Helper()
	hs, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(hs, func(h cgroupnet.Hierarchy) bool { return h.Has("net_cls") })
	if at < 0 {
		t.Fatal("no net_cls hierarchy is mounted; scripts/setup test mounts it where the kernel has it")
	}
	hs = hs[at : at+1]
	root := "/mesos-docker-executor-test-" + rand.Text()
	p, err := cgroupnet.Place(cgroupnet.PlaceInput{Root: root, ContainerID: "c1", CgroupDriver: "cgroupfs", Class: class})
	if err != nil {
		t.Fatal(err)
	}
	if err := cgroupnet.Prepare(hs, p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(cgroupnet.Remove(hs, p), os.Remove(hs[0].Folder(root))); err != nil {
			t.Error(err)
		}
	})
	leaf := hs[0].Folder(p.Path)
	if err := os.WriteFile(filepath.Join(leaf, "net_cls.classid"), []byte(strconv.FormatUint(uint64(class), 10)), 0); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(leaf, "cgroup.procs")
}

// ask has the process do something, and returns its answer.
func (p *process) ask(format string, args ...any) string {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
	answer, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the process ended: %v", err)
	}
	return strings.TrimSuffix(answer, "\n")
}

// server listens on all addresses of the namespace, with class 0 as the test itself, and returns the port.
func server(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go echo(l)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// counts are packets by name.
type counts map[string]uint64

// nftSet returns the packets of a set's elements.
func nftSet(t testing.TB, table, set string) map[uint32]uint64 {
	t.Helper()
	var out struct {
		NFTables []struct {
			Set struct {
				Elem []struct {
					Elem struct {
						Val     uint32
						Counter struct{ Packets uint64 }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(run(t, "", "nft", "-j", "list", "set", "inet", table, set)), &out); err != nil {
		t.Fatal(err)
	}
	packets := map[uint32]uint64{}
	for _, o := range out.NFTables {
		for _, e := range o.Set.Elem {
			packets[e.Elem.Val] = e.Elem.Counter.Packets
		}
	}
	return packets
}

// nftRules returns the packets of the rules of a chain that have both a counter and a comment, by the comment, or else by the
// verdict behind the counter.
func nftRules(t testing.TB, table, chain string) counts {
	t.Helper()
	packets := counts{}
	counter := regexp.MustCompile(`^(.*) ?counter packets (\d+) bytes \d+ ?(\w*)(?: comment "(.*)")?$`)
	for line := range strings.Lines(run(t, "", "nft", "list", "chain", "inet", table, chain)) {
		if m := counter.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			n, _ := strconv.ParseUint(m[2], 10, 64)
			name := m[4]
			if name == "" {
				name = strings.TrimSpace(m[1] + m[3])
			}
			packets[name] += n
		}
	}
	return packets
}

// iptablesRules returns the packets of the rules of a chain by what iptables-save prints of them behind the chain, without comment.
func iptablesRules(t testing.TB, tool, chain string) counts {
	t.Helper()
	packets := counts{}
	comment := regexp.MustCompile(` -m comment --comment (?:"[^"]*"|\S+)`)
	for line := range strings.Lines(run(t, "", tool+"-save", "-c")) {
		counter, rest, found := strings.Cut(line, " -A "+chain+" ")
		if !found {
			continue
		}
		n, _, _ := strings.Cut(strings.TrimPrefix(counter, "["), ":")
		value, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			t.Fatal(line)
		}
		packets[comment.ReplaceAllString(strings.TrimSpace(rest), "")] += value
	}
	return packets
}

// eventually waits until a condition holds; says tells what does not.
func eventually(t testing.TB, condition func() (ok bool, says string)) {
	t.Helper()
	for deadline := time.Now().Add(hangs); ; time.Sleep(20 * time.Millisecond) {
		ok, says := condition()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(says)
		}
	}
}
