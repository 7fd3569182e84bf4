package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"mesos-docker-executor/executor/enginetest"
)

// openReal returns a probed client of the private engine.
func openReal(t *testing.T) *Engine {
	t.Helper()
	e, err := Open(private.Host, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// create creates a container that is removed at the end of the test.
func create(t *testing.T, e *Engine, c container.Config) (id string) {
	t.Helper()
	if c.Image == "" {
		c.Image = enginetest.Image
	}
	name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()) + fmt.Sprint(time.Now().UnixNano())
	// Without a log file the daemon passes output on several times as fast, and these tests don't read it.
	host := &container.HostConfig{LogConfig: container.LogConfig{Type: "none"}}
	id, _, err := e.Create(t.Context(), name, &c, host, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(context.WithoutCancel(t.Context()), id); err != nil {
			t.Error(err)
		}
	})
	return id
}

// watch attaches to a container and registers for its exit.
func watch(t *testing.T, e *Engine, id string, tty bool) (*Output, *Exit) {
	t.Helper()
	output, err := e.Attach(t.Context(), id, tty)
	if err != nil {
		t.Fatal(err)
	}
	exit, err := e.NextExit(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exit.Close(); output.Close() })
	return output, exit
}

func TestLifeOfAContainer(t *testing.T) {
	e := openReal(t)
	ctx := t.Context()
	began := time.Now()
	id := create(t, e, container.Config{
		Cmd:        []string{"sh", "-c", `trap "echo bye; exit 7" USR1; echo hello; while :; do sleep 0.01; done`},
		Env:        []string{"TOKEN=s3cret"},
		Labels:     map[string]string{"team": "web"},
		StopSignal: "SIGUSR1",
	})
	created, err := e.Inspect(ctx, id)
	if err != nil || created.Status != "created" || !created.StartedAt.IsZero() || created.Running {
		t.Errorf("created: %+v, %v", created, err)
	}
	if err := e.Signal(ctx, id, "TERM"); !errors.Is(err, ErrConflict) {
		t.Errorf("signal before the start: %v", err)
	}
	output, exit := watch(t, e, id, false)
	for range 2 { // the second one finds it running
		if err := e.Start(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	running, err := e.Inspect(ctx, created.Name)
	if err != nil || !running.Running || running.Pid == 0 || running.StartedAt.Before(began) || running.ID != id {
		t.Errorf("running: %+v, %v", running, err)
	}
	if len(running.Networks) != 1 || running.Networks[0].Name != "bridge" || running.Networks[0].IPv4 == "" {
		t.Errorf("networks: %+v", running.Networks)
	}
	if running.StopSignal != "SIGUSR1" || running.Labels["team"] != "web" || bytes.Contains(running.Raw, []byte("s3cret")) {
		t.Errorf("configuration: %+v", running)
	}
	var out, errs syncBuffer
	copied := make(chan error, 1)
	go func() { copied <- output.Copy(&out, &errs) }()
	if !eventually(func() bool { return out.String() == "hello\n" }) { // the trap is set
		t.Fatalf("output %q", out.String())
	}
	if err := e.Signal(ctx, id, "SIGUSR1"); err != nil {
		t.Error(err)
	}
	if code, err := exit.Wait(ctx); code != 7 || err != nil {
		t.Errorf("exit %d, %v", code, err)
	}
	if err := <-copied; err != nil || out.String() != "hello\nbye\n" || errs.String() != "" {
		t.Errorf("output %q and %q, %v", out.String(), errs.String(), err)
	}
	exited, err := e.Inspect(ctx, id)
	if err != nil || exited.Status != "exited" || exited.ExitCode != 7 || exited.FinishedAt.Before(exited.StartedAt) {
		t.Errorf("exited: %+v, %v", exited, err)
	}
	if err := e.Signal(ctx, id, "TERM"); !errors.Is(err, ErrConflict) || OutcomeOf(err) != Refused {
		t.Errorf("signal after the exit: %v", err)
	}
	for range 2 { // the second one finds nothing
		if err := e.Remove(ctx, id); err != nil {
			t.Error(err)
		}
	}
	if _, err := e.Inspect(ctx, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("inspect after the removal: %v", err)
	}
}

func TestShortestLivesAreSeenFromTheFirstByteToTheStatus(t *testing.T) {
	const each = 25
	commands := []struct {
		words []string
		out   string
		code  int
	}{
		{[]string{"true"}, "", 0},
		{[]string{"sh", "-c", "printf first; exit 3"}, "first", 3},
	}
	e := openReal(t)
	checkDescriptors(t)
	checkGoroutines(t)
	busy := make(chan struct{}, 4) // two cores
	var all sync.WaitGroup
	for _, c := range commands {
		for range each {
			busy <- struct{}{}
			all.Go(func() {
				defer func() { <-busy }()
				id := create(t, e, container.Config{Cmd: c.words})
				output, exit := watch(t, e, id, false)
				if err := e.Start(t.Context(), id); err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var out bytes.Buffer
				copyErr := output.Copy(&out, io.Discard)
				code, err := exit.Wait(ctx)
				if code != c.code || err != nil || out.String() != c.out || copyErr != nil {
					t.Errorf("%v: exit %d, %v; output %q, %v", c.words, code, err, out.String(), copyErr)
				}
				exit.Close()
				if err := e.Remove(t.Context(), id); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
}

func TestLargeOutputArrivesByteForByte(t *testing.T) {
	const outLines, errLines = 8_500_000, 100_000 // 64 MiB and 0.6 MiB
	e := openReal(t)
	id := create(t, e, container.Config{Cmd: []string{"sh", "-c", fmt.Sprintf("seq %d & seq %d >&2; wait", outLines, errLines)}})
	output, exit := watch(t, e, id, false)
	if err := e.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	out, errs := &sum{Hash64: fnv.New64a()}, &sum{Hash64: fnv.New64a()}
	began := time.Now()
	if err := output.Copy(out, errs); err != nil {
		t.Error(err)
	}
	t.Logf("%d MiB in %s", (out.n+errs.n)>>20, time.Since(began).Round(time.Millisecond))
	if got, want := *out, numbers(outLines); got.n != want.n || got.Sum64() != want.Sum64() {
		t.Errorf("stdout: %d bytes, want %d, equal", got.n, want.n)
	}
	if got, want := *errs, numbers(errLines); got.n != want.n || got.Sum64() != want.Sum64() {
		t.Errorf("stderr: %d bytes, want %d, equal", got.n, want.n)
	}
	if code, err := exit.Wait(t.Context()); code != 0 || err != nil {
		t.Errorf("exit %d, %v", code, err)
	}
}

// sum is a checksum and length of what is written.
type sum struct {
	hash.Hash64
	n int
}

func (s *sum) Write(p []byte) (int, error) { s.n += len(p); return s.Hash64.Write(p) }

// numbers is the sum of what `seq last` prints.
func numbers(last int) sum {
	s := sum{Hash64: fnv.New64a()}
	var block []byte
	for i := 1; i <= last; i++ {
		block = append(strconv.AppendInt(block, int64(i), 10), '\n')
		if len(block) > 1<<16 || i == last {
			s.Write(block) //nolint:errcheck // a hash does not fail
			block = block[:0]
		}
	}
	return s
}

func TestTerminal(t *testing.T) {
	e := openReal(t)
	id := create(t, e, container.Config{Tty: true, Cmd: []string{"sh", "-c", "test -t 1 && echo a; echo b >&2"}})
	output, exit := watch(t, e, id, true)
	if err := e.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if err := output.Copy(&out, &errs); err != nil || out.String() != "a\r\nb\r\n" || errs.Len() != 0 {
		t.Errorf("%q and %q, %v", out.String(), errs.String(), err)
	}
	if code, err := exit.Wait(t.Context()); code != 0 || err != nil {
		t.Errorf("exit %d, %v", code, err)
	}
}

func TestFailedCreatesAndStarts(t *testing.T) {
	e := openReal(t)
	ctx := t.Context()
	c, h := minimal()
	id := create(t, e, *c)
	taken, err := e.Inspect(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.Create(ctx, taken.Name, c, h, nil); !errors.Is(err, ErrConflict) || OutcomeOf(err) != Refused || !strings.Contains(err.Error(), id) {
		t.Errorf("name in use: %v", err)
	}
	if _, _, err := e.Create(ctx, "missing-image", &container.Config{Image: "busybox:nope"}, h, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing image: %v", err)
	}
	if _, err := e.Image(ctx, "busybox:nope"); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing image: %v", err)
	}
	if _, _, err := e.Create(ctx, "bad-env", &container.Config{Image: enginetest.Image, Env: []string{"=s3cret"}}, h, nil); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("malformed variable: %v", err)
	}
	for name, err := range map[string]error{
		"start": e.Start(ctx, "nobody"), "signal": e.Signal(ctx, "nobody", "TERM"),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of nobody: %v", name, err)
		}
	}

	id = create(t, e, container.Config{Cmd: []string{"/no/such/command"}})
	_, exit := watch(t, e, id, false)
	err = e.Start(ctx, id)
	if OutcomeOf(err) != Refused || !strings.Contains(err.Error(), "/no/such/command") {
		t.Errorf("missing command: outcome %v, %v", OutcomeOf(err), err)
	}
	failed, err := e.Inspect(ctx, id)
	if err != nil || failed.Status != "created" || failed.Error == "" || !failed.StartedAt.IsZero() {
		t.Errorf("after the failed start: %+v, %v", failed, err)
	}
	exit.Close()
	if code, err := exit.Wait(ctx); err == nil {
		t.Errorf("a container that never ran exited with %d", code)
	}
}

func TestSickDaemon(t *testing.T) {
	sick, err := enginetest.Start(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sick.Stop(); err != nil {
			t.Error(err)
		}
	})
	e, err := Open(sick.Host, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkDescriptors(t)
	checkGoroutines(t)
	id := create(t, e, container.Config{Cmd: []string{"sleep", "1000"}})
	late := create(t, e, container.Config{Cmd: []string{"sleep", "1000"}})
	output, exit := watch(t, e, id, false)
	if err := e.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}

	if err := sick.Freeze(); err != nil {
		t.Fatal(err)
	}
	hasty := &Engine{host: e.host, limits: fakeLimits(300 * time.Millisecond), guard: e.guard}
	hasty.agreed.Store(e.agreed.Load())
	err = hasty.Start(t.Context(), late)
	if !errors.Is(err, context.DeadlineExceeded) || OutcomeOf(err) != Unknown {
		t.Errorf("start by a frozen daemon: outcome %v, %v", OutcomeOf(err), err)
	}
	if _, err := hasty.Probe(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("probe of a frozen daemon: %v", err)
	}
	if err := sick.Thaw(); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool { c, err := e.Inspect(t.Context(), late); return err == nil && c.Running }) {
		t.Error("this daemon dropped a start that was given up: Unknown would be too careful")
	}

	if err := sick.Kill(); err != nil {
		t.Fatal(err)
	}
	if code, err := exit.Wait(t.Context()); err == nil {
		t.Errorf("the daemon's death passed for exit %d", code)
	}
	if err := output.Copy(io.Discard, io.Discard); err != nil {
		t.Errorf("output at the daemon's death: %v", err)
	}
	if err := e.Signal(t.Context(), id, "TERM"); OutcomeOf(err) != Refused {
		t.Errorf("signal through a dead daemon: outcome %v, %v", OutcomeOf(err), err)
	}
	if err := sick.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// checkDescriptors fails the test if it ends with more open files than it began with.
func checkDescriptors(t *testing.T) {
	t.Helper()
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Error(err)
		}
		return len(entries)
	}
	runtime.GC() // files without an owner are closed now, not during the test
	before := count()
	t.Cleanup(func() {
		if !eventually(func() bool { return count() <= before }) {
			t.Errorf("%d open files, %d before", count(), before)
		}
	})
}

// syncBuffer is a buffer that can be looked at while it is written to.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
