package admission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain also plays the other executors of a host: the test binary starts itself with PLAY set
// to one of the roles, in a folder that they share with the test.
func TestMain(m *testing.M) {
	role := os.Getenv("PLAY")
	if role == "" {
		os.Exit(m.Run())
	}
	if err := play(role); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func play(role string) error {
	limit, err := strconv.Atoi(os.Getenv("LIMIT"))
	if err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	g := New(Options{Dir: filepath.Join(here, "engine"), Engine: theirEngine, MaxStarts: limit, Note: func(line string) {
		fmt.Println(line)
		os.Exit(2)
	}})
	ctx := context.Background()
	switch role {
	case "launch":
		return g.Fit(ctx, 2*time.Minute, probe)
	case "start":
		return start(ctx, g)
	case "storm":
		return storm(ctx, g)
	}
	return errors.New("unknown role " + role)
}

// probe asks an engine that is well once the file "well" exists and takes 20 ms for an answer. The first
// executor to make the file "victim", if it shall be made, gets none until "resume" exists.
func probe(context.Context) error {
	busy, err := os.OpenFile("busy", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer busy.Close()
	alone := unix.Flock(int(busy.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
	if exists("wanted") {
		victim, err := os.OpenFile("victim", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			fmt.Fprintf(victim, "%d\n", os.Getpid())
			victim.Close()
			for !exists("resume") {
				time.Sleep(5 * time.Millisecond)
			}
			return errors.New("thawed too late")
		}
	}
	healthy := exists("well")
	time.Sleep(20 * time.Millisecond)
	note(fmt.Sprintf("well=%t alone=%t at=%d", healthy, alone, time.Now().UnixMilli()))
	if !healthy {
		return errFrozen
	}
	return nil
}

// start takes a slot three times. Whoever has one says so by a file in "within".
func start(ctx context.Context, g *Gate) error {
	for range 3 {
		leave, _, err := g.Enter(ctx, Start)
		if err != nil {
			return err
		}
		mine := filepath.Join("within", strconv.Itoa(os.Getpid()))
		if err := os.WriteFile(mine, nil, 0o600); err != nil {
			return err
		}
		for exists("hold") {
			time.Sleep(5 * time.Millisecond)
		}
		within, err := os.ReadDir("within")
		if err != nil {
			return err
		}
		note(fmt.Sprintf("within=%d", len(within)))
		time.Sleep(5 * time.Millisecond)
		if err := os.Remove(mine); err != nil {
			return err
		}
		leave()
	}
	return nil
}

// storm changes the state as often as it can, for ever.
func storm(ctx context.Context, g *Gate) error {
	for {
		g.Failed(errFrozen)
		g.change(func(s State) State { s.Next = time.Now(); return s })
		if err := g.Fit(ctx, 0, func(context.Context) error { return nil }); err != nil && !errors.As(err, new(*UnfitError)) {
			return err
		}
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// note adds a line to the file "notes", whole.
func note(line string) {
	file, err := os.OpenFile("notes", os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err == nil {
		_, err = file.WriteString(line + "\n")
		file.Close()
	}
	if err != nil {
		fmt.Println(err)
	}
}

// host is the folder that the executors of a test share.
type host struct {
	t   *testing.T
	dir string
}

func newHost(t *testing.T) *host {
	h := &host{t, t.TempDir()}
	must(t, os.Mkdir(h.path("within"), 0o700))
	return h
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) touch(name string) { must(h.t, os.WriteFile(h.path(name), nil, 0o600)) }

// gate is the test's own.
func (h *host) gate() *Gate { return newGate(h.t, h.path("engine")) }

// open opens the breaker; the next probe is due in a second.
func (h *host) open() { h.gate().Failed(errFrozen) }

// executor is one process.
type executor struct {
	command *exec.Cmd
	output  bytes.Buffer
	ended   chan error
	killed  bool
}

func (h *host) executors(n int, role string, limit func(i int) int) []*executor {
	h.t.Helper()
	self, err := os.Executable()
	must(h.t, err)
	var all []*executor
	for i := range n {
		e := &executor{command: exec.Command(self), ended: make(chan error, 1)}
		e.command.Dir, e.command.Stdout, e.command.Stderr = h.dir, &e.output, &e.output
		e.command.Env = []string{"PLAY=" + role, "LIMIT=" + strconv.Itoa(limit(i))}
		must(h.t, e.command.Start())
		go func() { e.ended <- e.command.Wait() }()
		h.t.Cleanup(func() { e.command.Process.Kill() })
		all = append(all, e)
	}
	return all
}

// wait wants every executor that was not killed to succeed.
func (h *host) wait(all []*executor) {
	h.t.Helper()
	end := time.After(2 * time.Minute)
	for _, e := range all {
		select {
		case err := <-e.ended:
			if err != nil && !e.killed {
				h.t.Errorf("an executor: %v: %s", err, e.output.String())
			}
		case <-end:
			h.t.Fatal("an executor does not end")
		}
	}
}

// until waits for a condition.
func (h *host) until(what string, condition func() bool) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("in vain: %s", what)
		}
	}
}

// notes are the lines so far.
func (h *host) notes(containing string) (lines []string) {
	data, err := os.ReadFile(h.path("notes"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, containing) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func (h *host) victim(all []*executor) *executor {
	h.t.Helper()
	pid := 0
	h.until("a victim", func() bool {
		data, err := os.ReadFile(h.path("victim"))
		if err != nil || !bytes.HasSuffix(data, []byte("\n")) {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(data)))
		return err == nil
	})
	for _, e := range all {
		if e.command.Process.Pid == pid {
			return e
		}
	}
	h.t.Fatalf("process %d is none of ours", pid)
	return nil
}

func always(limit int) func(int) int { return func(int) int { return limit } }
