package session

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const runPath = "slaves/a-S0/frameworks/f-1/executors/e.1/runs/c-1"

// workDir makes an agent's work directory with one run and returns the run's sandbox and the
// folder of its checkpointed pids.
func workDir(t *testing.T) (sandbox, pids string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sandbox = filepath.Join(dir, runPath)
	pids = filepath.Join(dir, "meta", runPath, "pids")
	for _, d := range []string{sandbox, pids} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return sandbox, pids
}

func registered(t *testing.T, nudge func()) (address string) {
	t.Helper()
	sandbox, pids := workDir(t)
	base := runtime.NumGoroutine()
	r, err := Register(RegisterOptions{SandboxPath: sandbox, AgentID: "a-S0", OnReconnect: nudge})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(pids, "libprocess.pid")); err != nil {
			t.Errorf("the address is gone: %v", err)
		}
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			t.Error("somebody still listens")
		}
		eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= base })
	})
	pid, err := os.ReadFile(filepath.Join(pids, "libprocess.pid"))
	if err != nil {
		t.Fatal(err)
	}
	address, ok := strings.CutPrefix(string(pid), "executor(1)@")
	if !ok || !strings.HasPrefix(address, "127.0.0.1:") {
		t.Fatalf("pid %q", pid)
	}
	entries, err := os.ReadDir(pids)
	if err != nil || len(entries) != 1 {
		t.Errorf("left in pids: %v, %v", entries, err)
	}
	return address
}

// reconnect is the message as libprocess writes it: no host, chunked.
func reconnect(path string, body []byte) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nUser-Agent: libprocess/slave(1)@127.0.0.1:5051\r\n"+
		"Libprocess-From: slave(1)@127.0.0.1:5051\r\nConnection: Keep-Alive\r\nHost: \r\n"+
		"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", path, len(body), body)
}

// ours is the body of the message of our agent: slave_id { value: "a-S0" }.
var ours = []byte("\x0a\x06\x0a\x04a-S0")

func ask(t *testing.T, address string, request []byte) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go conn.Write(request)
	conn.SetReadDeadline(time.Now().Add(patience))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func TestReconnectMessageNudges(t *testing.T) {
	nudges := make(chan struct{}, 10)
	address := registered(t, func() { nudges <- struct{}{} })

	probe, err := net.Dial("tcp", address) // the agent's first sign of life: it says nothing
	if err != nil {
		t.Fatal(err)
	}
	probe.Close()
	if code := ask(t, address, reconnect(reconnectPath, ours)); code != http.StatusAccepted {
		t.Errorf("answer %d", code)
	}
	receive(t, nudges, "nudge")
	if len(nudges) != 0 {
		t.Error("more than one nudge")
	}
}

func TestOnlyTheReconnectMessageIsTaken(t *testing.T) {
	address := registered(t, func() { t.Error("nudged") })
	for name, test := range map[string]struct {
		request []byte
		want    int
	}{
		"another message": {reconnect("/executor(1)/mesos.internal.ShutdownExecutorMessage", []byte("x")), 404},
		"another agent":   {reconnect(reconnectPath, []byte("\x0a\x06\x0a\x04a-S1")), 403},
		"no agent":        {reconnect(reconnectPath, []byte("\x0a\x00")), 403},
		"no protobuf":     {reconnect(reconnectPath, bytes.Repeat([]byte{0x0a}, 289)), 403},
		"empty":           {[]byte("POST " + reconnectPath + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), 403},
		"another process": {reconnect("/executor(2)/mesos.internal.ReconnectExecutorMessage", []byte("x")), 404},
		"another method":  {[]byte("GET " + reconnectPath + " HTTP/1.1\r\nHost: a\r\n\r\n"), 404},
		"too large":       {reconnect(reconnectPath, make([]byte, maxReconnect+1)), 400},
		"no HTTP":         {[]byte("hello\r\n\r\n"), 400},
		"large header":    {[]byte("GET / HTTP/1.1\r\nA: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"), 431},
	} {
		if code := ask(t, address, test.request); code != test.want {
			t.Errorf("%s: answer %d, want %d", name, code, test.want)
		}
	}
}

func TestReconnectListenerBoundsItsConnections(t *testing.T) {
	nudges := make(chan struct{}, 1)
	address := registered(t, func() { nudges <- struct{}{} })
	var silent []net.Conn
	for range 2 * maxConnections {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	conn, err := net.Dial("tcp", address) // connects, as an agent's probe would
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(reconnect(reconnectPath, ours)); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("served beside %d others: %v", len(silent), err)
	}
	for _, c := range silent {
		c.Close()
	}
	receive(t, nudges, "nudge, once there is room")
}

func TestRegisterWiredToASession(t *testing.T) {
	agent := newAgent(t)
	agent.onSubscribe = func(n int) (int, string) {
		if n == 1 {
			return 503, "Agent has not finished recovery"
		}
		return 200, ""
	}
	opts := options(agent.url)
	opts.BackoffMax = time.Hour
	s, log := prepare(opts)
	s.pace.retryMin, s.pace.retryMax = time.Hour, time.Hour
	r := run(t, s, log)
	r.logged("503")
	address := registered(t, r.Nudge)
	ask(t, address, reconnect(reconnectPath, ours))
	agent.subscribed()
	event[Subscribed](r)
}

func TestRegisterWithoutAnAgentIDTakesAnyMessage(t *testing.T) {
	sandbox, pids := workDir(t)
	nudges := make(chan struct{}, 1)
	r, err := Register(RegisterOptions{SandboxPath: sandbox, OnReconnect: func() { nudges <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pid, err := os.ReadFile(filepath.Join(pids, "libprocess.pid"))
	if err != nil {
		t.Fatal(err)
	}
	ask(t, strings.TrimPrefix(string(pid), "executor(1)@"), reconnect(reconnectPath, []byte("x")))
	receive(t, nudges, "nudge")
}

func TestRegisterLeavesAnExistingAddressAlone(t *testing.T) {
	for name, occupy := range map[string]func(path string) error{
		"file":    func(path string) error { return os.WriteFile(path, []byte("executor(1)@10.0.0.1:1"), 0o644) },
		"symlink": func(path string) error { return os.Symlink("nowhere", path) },
		"folder":  func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			sandbox, pids := workDir(t)
			path := filepath.Join(pids, "libprocess.pid")
			if err := occupy(path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Register(RegisterOptions{SandboxPath: sandbox}); !errors.Is(err, ErrRegistered) {
				t.Errorf("error %v", err)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) || after.ModTime() != before.ModTime() {
				t.Error("it was touched")
			}
			if entries, err := os.ReadDir(pids); err != nil || len(entries) != 1 {
				t.Errorf("left in pids: %v, %v", entries, err)
			}
		})
	}
}

func TestRegisterNeedsTheRunsCheckpoints(t *testing.T) {
	sandbox, pids := workDir(t)
	if err := os.RemoveAll(filepath.Dir(pids)); err != nil {
		t.Fatal(err)
	}
	if _, err := Register(RegisterOptions{SandboxPath: sandbox}); !errors.Is(err, fs.ErrNotExist) ||
		!strings.Contains(err.Error(), "checkpointing") || !strings.Contains(err.Error(), " "+pids+" ") {
		t.Errorf("error %v", err)
	}
}

func TestRegisterMakesThePidsFolder(t *testing.T) {
	sandbox, pids := workDir(t)
	if err := os.Remove(pids); err != nil { // the agent makes it only after it has started us
		t.Fatal(err)
	}
	r, err := Register(RegisterOptions{SandboxPath: sandbox})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := os.Stat(filepath.Join(pids, "libprocess.pid")); err != nil {
		t.Error(err)
	}
}

func TestRegisterFollowsNoSymlink(t *testing.T) {
	for _, element := range []string{"meta", "meta/slaves", "meta/slaves/a-S0/frameworks/f-1", "meta/" + runPath, "meta/" + runPath + "/pids"} {
		t.Run(element, func(t *testing.T) {
			sandbox, pids := workDir(t)
			dir := strings.TrimSuffix(sandbox, "/"+runPath)
			path := filepath.Join(dir, element)
			if err := os.Rename(path, path+".real"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Base(path)+".real", path); err != nil {
				t.Fatal(err)
			}
			if _, err := Register(RegisterOptions{SandboxPath: sandbox}); err == nil || !strings.Contains(err.Error(), "is not a folder") {
				t.Errorf("error %v", err)
			}
			if _, err := os.Stat(filepath.Join(pids, "libprocess.pid")); err == nil {
				t.Error("written all the same")
			}
		})
	}
}

func TestSplitRun(t *testing.T) {
	for sandbox, want := range map[string]string{
		"/var/lib/mesos/" + runPath:              "/var/lib/mesos",
		"/" + runPath:                            "/",
		"/w/" + runPath + "/":                    "/w",
		"/w/" + runPath + "/" + runPath:          "/w/" + runPath,
		"/w/../v/" + runPath:                     "/v",
		"w/" + runPath:                           "",
		"":                                       "",
		"/tmp":                                   "",
		"/w/" + runPath + "/x":                   "",
		"/w/slaves/a/frameworks/f/executors/e/c": "",
		"/w/slaves/a/frameworks/f/executors/e/runs/..": "",
	} {
		dir, run, err := splitRun(sandbox)
		if dir != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", sandbox, dir, err)
		}
		if err == nil && strings.Join(run, "/") != runPath {
			t.Errorf("%s: run %v", sandbox, run)
		}
	}
}
