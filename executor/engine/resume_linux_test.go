package engine

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/enginetest"
)

// startEngine starts a private engine of the test's own and returns a probed client.
func startEngine(t *testing.T, args ...string) (*enginetest.Engine, *Engine) {
	t.Helper()
	daemon, err := enginetest.Start(t.Context(), t.Output(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := daemon.Stop(); err != nil {
			t.Error(err)
		}
	})
	e, err := Open(daemon.Host, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return daemon, e
}

// writer is a container that writes numbered lines to both streams until it gets SIGTERM.
type writer struct {
	name   string
	log    container.LogConfig
	tty    bool
	ends   bool   // while the daemon is down
	gap    bool   // is expected
	pause  string // after 20 lines, in seconds
	over   bool   // it has ended, and was resumed
	output *Output
	id     string
	pid    int
	out    syncBuffer
	errs   syncBuffer
	copied chan error
}

// The lines of stderr have numbers of their own: a terminal mixes both.
const writeLines = `trap "echo last; exit 0" TERM; i=0; while :; do i=$((i+1)); echo "line $i"; test $((i%7)) = 0 && echo "note $i" >&2; ` +
	`test $((i%20)) = 0 && sleep $PAUSE; done`

func (w *writer) start(t *testing.T, e *Engine) {
	t.Helper()
	id, _, err := e.Create(t.Context(), w.name, &container.Config{Image: enginetest.Image, Tty: w.tty, Env: []string{"PAUSE=" + w.pause}, Cmd: []string{"sh", "-c", writeLines}},
		&container.HostConfig{LogConfig: w.log}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.id, w.copied = id, make(chan error, 1)
	if w.output, err = e.Attach(t.Context(), id, w.tty); err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.copy(w.output)
	c, err := e.Inspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	w.pid = c.Pid
}

func (w *writer) copy(o *Output) { go func() { w.copied <- o.Copy(&w.out, &w.errs) }() }

// resume goes on as a caller does.
func (w *writer) resume(t *testing.T, e *Engine) {
	t.Helper()
	o, gap, err := e.Resume(t.Context(), w.id, w.output)
	if err != nil {
		t.Errorf("%s: %v", w.name, err)
		return
	}
	if w.name == "rotated" { // depends on how long the daemon was down
		w.gap = w.gap || !gap.IsZero()
	} else if gap.IsZero() == w.gap {
		t.Errorf("%s: %v", w.name, gap)
	}
	w.output = o
	w.copy(o)
}

// ended waits for the copy's end, and resumes if the log moved.
func (w *writer) ended(t *testing.T, e *Engine) {
	t.Helper()
	for {
		select {
		case err := <-w.copied:
			if errors.Is(err, ErrLogMoved) {
				t.Logf("%s: the log moved", w.name)
				w.resume(t, e)
				continue
			}
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // the latter is a log's end with its daemon
				t.Errorf("%s: copy: %v", w.name, err)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%s: the output does not end", w.name)
		}
		return
	}
}

var numbered = regexp.MustCompile(`(line|note) ([0-9]+)\r?\n`)

// check compares with what the daemon has: a line that it neither passed on nor recorded was lost by itself.
func (w *writer) check(t *testing.T, logged, before, got, stream string) {
	t.Helper()
	seen, doubled := map[string]int{}, 0
	for _, m := range numbered.FindAllStringSubmatch(got, -1) {
		if seen[m[0]]++; seen[m[0]] > 1 {
			doubled++
		}
	}
	missing := 0
	for _, m := range numbered.FindAllStringSubmatch(logged+before, -1) {
		if seen[m[0]] == 0 {
			missing++
		}
	}
	steps := 0 // lines that nobody has
	last := 0
	each := 1
	if stream == "stderr" {
		each = 7
	}
	for _, m := range numbered.FindAllStringSubmatch(got, -1) {
		n := 0
		for _, digit := range m[2] {
			n = 10*n + int(digit-'0')
		}
		steps += max(0, (n-last)/each-1)
		last = n
	}
	t.Logf("%s %s: %d lines, last %d, %d lost by the daemon", w.name, stream, len(seen), last, steps)
	// A log that is rotated while it is followed can be doubled by dockerd itself, now and then, on a busy machine.
	if doubled > 0 && w.log.Config == nil || missing > 0 && !w.gap {
		t.Errorf("%s %s: %d lines doubled, %d missing of those that the daemon has", w.name, stream, doubled, missing)
	}
	if len(seen) == 0 {
		t.Errorf("%s %s: no lines", w.name, stream)
	}
}

// logs returns what the daemon has recorded.
func logs(t *testing.T, e *Engine, w *writer) (out, errs string) {
	t.Helper()
	s, err := e.open(t.Context(), call{name: "logs", limit: time.Minute, accept: []int{http.StatusOK}, stream: true}, http.MethodGet, w.id, "logs", logQuery(time.Time{}, false), http.Header{})
	if noLog(err) {
		return "", ""
	}
	if err != nil {
		t.Fatal(err)
	}
	var o, x syncBuffer
	if err := (&Output{stream: s, tty: w.tty, at: &position{}}).Copy(&o, &x); err != nil {
		t.Error(err)
	}
	return o.String(), x.String()
}

func TestOutputGoesOnAfterTheDaemonsRestart(t *testing.T) {
	daemon, e := startEngine(t, "--live-restore")
	checkDescriptors(t)
	checkGoroutines(t)
	rotated := map[string]string{"max-size": "10k", "max-file": "2"}
	writers := []*writer{
		{name: "json-file", log: container.LogConfig{Type: "json-file"}},
		{name: "local", log: container.LogConfig{Type: "local"}},
		{name: "none", log: container.LogConfig{Type: "none"}, gap: true},
		{name: "terminal", log: container.LogConfig{Type: "json-file"}, tty: true},
		{name: "ended", log: container.LogConfig{Type: "json-file"}, ends: true, gap: true},
		{name: "none-ended", log: container.LogConfig{Type: "none"}, ends: true, gap: true},
		{name: "rotated", log: container.LogConfig{Type: "json-file", Config: rotated}, pause: "0.5"},
	}
	for _, w := range writers {
		if w.pause == "" {
			w.pause = "0.05"
		}
		w.start(t, e)
	}
	for _, w := range writers {
		if !eventually(func() bool { return strings.Count(w.out.String(), "\n") > 150 }) {
			t.Fatalf("%s writes too little: %q", w.name, w.out.String())
		}
	}
	before := map[string][2]string{}
	for range 2 { // the second time it is the resumed output that ends
		if err := daemon.Kill(); err != nil {
			t.Fatal(err)
		}
		for _, w := range writers {
			if w.over {
				continue
			}
			w.ended(t, e) // with the daemon
			before[w.name] = [2]string{w.out.String(), w.errs.String()}
			if w.ends {
				if err := unix.Kill(w.pid, unix.SIGTERM); err != nil {
					t.Error(err)
				}
			}
		}
		if err := daemon.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, w := range writers {
			if w.over {
				continue
			}
			w.resume(t, e)
			if w.over = w.ends; w.over {
				w.ended(t, e)
			}
		}
		for _, w := range writers {
			length := len(before[w.name][0])
			if !w.over && !eventually(func() bool { return len(w.out.String()) > length+1000 }) {
				t.Errorf("%s: no output after the restart", w.name)
			}
		}
	}
	for _, w := range writers {
		if !w.ends {
			if err := e.Signal(t.Context(), w.id, "TERM"); err != nil {
				t.Errorf("%s: %v", w.name, err)
			}
			w.ended(t, e)
			for before := int64(-1); !w.gap; { // a followed log may end early
				now, _ := w.output.Delivered()
				if now == before {
					break
				}
				before = now
				w.resume(t, e)
				w.ended(t, e)
			}
		}
	}
	for _, w := range writers {
		out, errs := logs(t, e, w)
		w.check(t, out, before[w.name][0], w.out.String(), "stdout")
		if !w.tty {
			w.check(t, errs, before[w.name][1], w.errs.String(), "stderr")
		}
		if strings.Contains(out, "last") && !strings.HasSuffix(strings.ReplaceAll(w.out.String(), "\r", ""), "last\n") {
			t.Errorf("%s: the end is missing", w.name)
		}
		if err := e.Remove(context.WithoutCancel(t.Context()), w.id); err != nil {
			t.Error(err)
		}
	}
}
