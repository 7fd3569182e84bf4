package process

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	shimv2 "github.com/containerd/containerd/api/runtime/task/v2"
	shimv3 "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// task answers Wait as a shim does: with what code returns for the n-th question.
type task struct {
	shimv2.TaskService
	code  func(ctx context.Context, id string, n int) (uint32, error)
	asked int
}

func (s *task) Wait(ctx context.Context, r *shimv2.WaitRequest) (*shimv2.WaitResponse, error) {
	s.asked++
	code, err := s.code(ctx, r.ID, s.asked)
	return &shimv2.WaitResponse{ExitStatus: code, ExitedAt: timestamppb.Now()}, err
}

// taskV3 is the same service as containerd 2 has it.
type taskV3 struct {
	shimv3.TTRPCTaskService
	*task
}

func (s taskV3) Wait(ctx context.Context, r *shimv3.WaitRequest) (*shimv3.WaitResponse, error) {
	answer, err := s.task.Wait(ctx, &shimv2.WaitRequest{ID: r.ID})
	return &shimv3.WaitResponse{ExitStatus: answer.ExitStatus, ExitedAt: answer.ExitedAt}, err
}

// serveTask runs containerd's own ttrpc server on the listener.
func serveTask(t *testing.T, l net.Listener, version int, service *task) {
	t.Helper()
	server, err := ttrpc.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	switch version {
	case 2:
		shimv2.RegisterTaskService(server, service)
	case 3:
		shimv3.RegisterTTRPCTaskService(server, taskV3{task: service})
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-served; !errors.Is(err, ttrpc.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// sleeper is a process of the test's own and its pidfd.
func sleeper(t *testing.T) (*exec.Cmd, *os.File) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidfd, err := openPidfd(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pidfd.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, pidfd
}

// pretended is a Shim whose address leads to a server of the test.
func pretended(t *testing.T, socket string, version int) (s *Shim, shim, init *exec.Cmd) {
	t.Helper()
	shim, shimFD := sleeper(t)
	init, initFD := sleeper(t)
	return &Shim{
		PID:      shim.Process.Pid,
		dockerID: testID,
		address:  shimAddress{socket: socket, version: version},
		init:     &Init{PID: init.Process.Pid, pidfd: initFD},
		pidfd:    shimFD,
	}, shim, init
}

func TestShimIsAskedInBothVersionsOfTheService(t *testing.T) {
	for name, version := range map[string]int{"containerd 1": 2, "containerd 2": 3} {
		for _, code := range []uint32{0, 7, 137, 255} {
			t.Run(name, func(t *testing.T) {
				socket := filepath.Join(t.TempDir(), "s")
				serveTask(t, listen(t, socket), version, &task{code: func(_ context.Context, id string, _ int) (uint32, error) {
					if id != testID {
						t.Errorf("asked for %q", id)
					}
					return code, nil
				}})
				s, _, _ := pretended(t, "unix://"+socket, version)
				exit, err := s.Wait(limited(t))
				if err != nil || !exit.Known || exit.Code() != int(code) || exit.Source != SourceShim || exit.Status.Signaled() {
					t.Errorf("got %+v, %v", exit, err)
				}
			})
		}
	}
}

func TestShimOnAnAbstractSocket(t *testing.T) {
	name := "/containerd-shim/" + rand.Text() + "/shim.sock"
	serveTask(t, listen(t, "@"+name), 2, &task{code: func(context.Context, string, int) (uint32, error) { return 7, nil }})
	for _, socket := range []string{name, "unix://" + name, "@" + name} {
		s, _, _ := pretended(t, socket, 2)
		if exit, err := s.Wait(limited(t)); err != nil || exit.Code() != 7 {
			t.Errorf("%s: got %+v, %v", socket, exit, err)
		}
	}
}

func TestShimThatCreatesTheContainerIsAskedAgain(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	serveTask(t, listen(t, socket), 2, &task{code: func(_ context.Context, _ string, n int) (uint32, error) {
		switch n {
		case 1, 2:
			return 0, status.Error(codes.NotFound, "container not created")
		case 3:
			return 0, status.Error(codes.FailedPrecondition, "container must be created")
		}
		return 5, nil
	}})
	s, _, _ := pretended(t, "unix://"+socket, 2)
	if exit, err := s.Wait(limited(t)); err != nil || exit.Code() != 5 {
		t.Errorf("got %+v, %v", exit, err)
	}
}

func TestShimThatDoesNotTell(t *testing.T) {
	notFound := func(context.Context, string, int) (uint32, error) {
		return 0, status.Error(codes.NotFound, "container not created")
	}
	hang := func(ctx context.Context, _ string, _ int) (uint32, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	end := func(t *testing.T, cmd *exec.Cmd) {
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
	}
	cause := errors.New("enough")
	for name, test := range map[string]struct {
		code func(context.Context, string, int) (uint32, error)
		do   func(t *testing.T, s *Shim, shim, init *exec.Cmd, cancel func())
		want func(error) bool
	}{
		"asked after the container was deleted": {notFound,
			func(t *testing.T, _ *Shim, _, init *exec.Cmd, _ func()) { end(t, init) },
			func(err error) bool { return errors.Is(err, ErrShimForgot) }},
		"the shim dies before the container is created": {notFound,
			func(t *testing.T, _ *Shim, shim, _ *exec.Cmd, _ func()) { end(t, shim) },
			func(err error) bool { return errors.Is(err, ErrNoShim) }},
		"the caller gives up while the shim is silent": {hang,
			func(_ *testing.T, _ *Shim, _, _ *exec.Cmd, cancel func()) { cancel() },
			func(err error) bool { return errors.Is(err, cause) }},
		"the caller gives up between two tries": {notFound,
			func(_ *testing.T, _ *Shim, _, _ *exec.Cmd, cancel func()) { cancel() },
			func(err error) bool { return errors.Is(err, cause) }},
		"the shim has no such call": {
			func(context.Context, string, int) (uint32, error) { return 0, status.Error(codes.Unimplemented, "no") },
			func(*testing.T, *Shim, *exec.Cmd, *exec.Cmd, func()) {},
			func(err error) bool { return err != nil && strings.Contains(err.Error(), "code 12: no") }},
		"what it says is no status": {
			func(context.Context, string, int) (uint32, error) { return 256, nil },
			func(*testing.T, *Shim, *exec.Cmd, *exec.Cmd, func()) {},
			func(err error) bool { return err != nil && strings.Contains(err.Error(), "256") }},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			serveTask(t, listen(t, socket), 3, &task{code: test.code})
			s, shim, init := pretended(t, "unix://"+socket, 3)
			ctx, cancel := context.WithCancelCause(limited(t))
			goroutines := runtime.NumGoroutine()
			waited := make(chan error, 1)
			go func() {
				exit, err := s.Wait(ctx)
				if exit.Known {
					t.Errorf("it told %+v", exit)
				}
				waited <- err
			}()
			test.do(t, s, shim, init, func() { cancel(cause) })
			if err := <-waited; !test.want(err) {
				t.Errorf("got %v", err)
			}
			// The server's goroutines for a connection end when that is closed.
			waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
		})
	}
}

func TestShimThatHangsUpIsCalledAgain(t *testing.T) {
	l := listen(t, filepath.Join(t.TempDir(), "s"))
	s, _, _ := pretended(t, "unix://"+l.Addr().String(), 2)
	go func() {
		for range 3 {
			if conn, err := l.Accept(); err == nil {
				conn.Close()
			}
		}
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = conn.Write([]byte("\x00\x00\x00\x06\x00\x00\x00\x01\x02\x00\x12\x04\x08\x09\x12\x00"))
		}
	}()
	if exit, err := s.Wait(limited(t)); err != nil || exit.Code() != 9 {
		t.Errorf("got %+v, %v", exit, err)
	}
}

func TestAnswersThatAreNotTTRPC(t *testing.T) {
	for name, answer := range map[string]string{
		"HTTP":                 "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
		"too long":             "00010001 00000001 02 00",
		"another stream":       "00000000 00000003 02 00",
		"a request":            "00000000 00000001 01 00",
		"stream data":          "00000000 00000001 03 00",
		"bad message":          "00000002 00000001 02 00 12ff",
		"bad payload":          "00000003 00000001 02 00 1201 08",
		"bad status":           "00000003 00000001 02 00 0a01 08",
		"field of no type":     "00000001 00000001 02 00 0f",
		"status that lacks it": "00000002 00000001 02 00 0a05",
		"no response":          "00000000 00000001 02 00",
		"an empty response":    "00000002 00000001 02 00 1200",
	} {
		t.Run(name, func(t *testing.T) {
			bytes := []byte(answer)
			if text, err := hex.DecodeString(strings.ReplaceAll(answer, " ", "")); err == nil {
				bytes = text
			}
			l := listen(t, filepath.Join(t.TempDir(), "s"))
			s, _, _ := pretended(t, "unix://"+l.Addr().String(), 2)
			go func() {
				if conn, err := l.Accept(); err == nil {
					defer conn.Close()
					_, _ = conn.Read(make([]byte, 1024))
					_, _ = conn.Write(bytes)
				}
			}()
			if exit, err := s.Wait(limited(t)); !errors.Is(err, errTTRPC) {
				t.Errorf("got %+v, %v", exit, err)
			}
		})
	}
}

func TestAddressIsReadFromTheBundle(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  shimAddress
		err   string
	}{
		"containerd 1": {
			map[string]string{"address": "unix:///run/containerd/s/abc"},
			shimAddress{"unix:///run/containerd/s/abc", 2}, "",
		},
		"containerd 2": {
			map[string]string{"bootstrap.json": `{"version":3,"address":"unix:///run/containerd/s/abc","protocol":"ttrpc"}`, "address": "unix:///old"},
			shimAddress{"unix:///run/containerd/s/abc", 3}, "",
		},
		"containerd 2 with a shim of containerd 1": {
			map[string]string{"bootstrap.json": `{"version":2,"address":"/containerd-shim/moby/abc/shim.sock","protocol":"ttrpc"}`},
			shimAddress{"/containerd-shim/moby/abc/shim.sock", 2}, "",
		},
		"gRPC":           {map[string]string{"bootstrap.json": `{"version":3,"address":"unix:///a","protocol":"grpc"}`}, shimAddress{}, "only ttrpc"},
		"a new version":  {map[string]string{"bootstrap.json": `{"version":4,"address":"unix:///a","protocol":"ttrpc"}`}, shimAddress{}, "version 4"},
		"no address":     {map[string]string{"bootstrap.json": `{"version":3,"protocol":"ttrpc"}`}, shimAddress{}, "no address"},
		"not JSON":       {map[string]string{"bootstrap.json": `unix:///a`}, shimAddress{}, "invalid character"},
		"an empty file":  {map[string]string{"address": "\n"}, shimAddress{}, "is empty"},
		"neither of two": {nil, shimAddress{}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range test.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := readBundle(dir)
			if test.err == "" && (err != nil || got != test.want) || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// shellCalled is a copy of the shell with another name.
func shellCalled(t *testing.T, program string) (path string) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), program)
	if err := os.WriteFile(path, text, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// playShim starts a process whose program is called like a shim, with the command line of one, and below it an init process.
func (f *fixture) playShim(program, id, state, dir string) *child {
	f.t.Helper()
	copied := shellCalled(f.t, program)
	// unshare stays in between, as runc does.
	cmd := exec.Command(copied, "-c", "read go; unshare --pid --fork sleep 1000; exit 1",
		"sh", "-namespace", "moby", "-id", id, "-address", filepath.Join(state, "containerd.sock"))
	cmd.Dir = dir
	return f.start(testID, nil, cmd)
}

func TestShimIsTheAncestorThatSaysSo(t *testing.T) {
	other := strings.Repeat("f", 64)
	for name, test := range map[string]struct {
		program, id string
		bundle      string // below the state folder of containerd; empty: the working folder
		found       bool
	}{
		"runc's":                       {"containerd-shim-runc-v2", testID, "", true},
		"of another runtime":           {"containerd-shim-kata-v2", testID, "", true},
		"bundle of dockerd's":          {"containerd-shim-runc-v2", testID, "daemon/io.containerd.runtime.v2.task/moby/" + testID, true},
		"bundle of the host's":         {"containerd-shim-runc-v2", testID, "io.containerd.runtime.v2.task/moby/" + testID, true},
		"that of another container":    {"containerd-shim-runc-v2", other, "", false},
		"a program of some other kind": {"supervisord", testID, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newLeaf(t)
			state, dir := t.TempDir(), t.TempDir()
			bundle := dir
			if test.bundle != "" {
				bundle = filepath.Join(state, test.bundle)
				if err := os.MkdirAll(bundle, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(bundle, "address"), []byte("unix:///a"), 0o600); err != nil {
				t.Fatal(err)
			}
			c := f.playShim(test.program, test.id, state, dir)
			init := f.watch()
			s, err := init.Shim(testID)
			if !test.found {
				if !errors.Is(err, ErrNoShim) {
					t.Errorf("got %+v, %v", s, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if s.PID != c.Process.Pid || s.address != (shimAddress{"unix:///a", 2}) {
				t.Errorf("got %+v; the shim is %d", s, c.Process.Pid)
			}
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = c.reap()
			if p, ok := s.Process(); ok || s.Stopped() {
				t.Errorf("dead and described as %v", p)
			}
			if s, err := init.Shim(testID); !errors.Is(err, ErrNoShim) {
				t.Errorf("after its death: %+v, %v", s, err)
			}
		})
	}
}

func TestShimWithoutAnAddressSaysWhereItLooked(t *testing.T) {
	f := newLeaf(t)
	f.playShim("containerd-shim-runc-v2", testID, "/nowhere", t.TempDir())
	_, err := f.watch().Shim(testID)
	if err == nil || errors.Is(err, ErrNoShim) || !strings.Contains(err.Error(), "/nowhere/daemon/io.containerd") {
		t.Errorf("got %v", err)
	}
}

func TestShimNeedsAFullDockerID(t *testing.T) {
	if _, err := (&Init{PID: os.Getpid()}).Shim("abc"); err == nil || !strings.Contains(err.Error(), "64 hex digits") {
		t.Errorf("got %v", err)
	}
}

func TestStatusByPidfdIsWhatTheKernelDoes(t *testing.T) {
	goroutines, fds := runtime.NumGoroutine(), openFiles(t)
	says := StatusByPidfd()
	cmd := exec.Command("sh", "-c", "read go; exit 7")
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := io.WriteString(input, "\n"); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	_, does, _ := pidfdStatus(fd)
	if says != does {
		t.Errorf("says %v, and the status of a child is told: %v", says, does)
	}
	began := time.Now()
	for range 100 {
		if StatusByPidfd() != does {
			t.Error("the answer changed")
		}
	}
	t.Logf("%v each", time.Since(began)/100)
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if now := openFiles(t); now > fds+1 {
		t.Errorf("%d open files, %d before", now, fds)
	}
}
