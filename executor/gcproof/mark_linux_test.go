package gcproof

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"mesos-docker-executor/executor/admission"
)

func TestHostComesBackUnderItsMark(t *testing.T) {
	h := newHost(t)
	kept := h.images("kept.example", 1, 10)[0]
	ids := h.images("a.example", 14, 100)
	h.want(800)
	h.change(func(k *keys) { k.begin += 5 }) // the second run goes on between the marks
	h.used(ids[0], time.Minute)
	// Without a name of its own: it is created and never started.
	id, _, err := h.engine.Create(t.Context(), "gcproof", &container.Config{Image: "a.example/app1:1", Cmd: []string{"x"}}, &container.HostConfig{NetworkMode: "none"}, nil)
	must(t, err)
	defer func() {
		if err := h.engine.Remove(after(t), id); err != nil {
			t.Error(err)
		}
	}()
	out, err := h.gc("--dry-run").CombinedOutput()
	for _, want := range []string{"remove  a.example/app2:1", "later ", "keep    a.example/app0:1", "containers: 1", "the keep list has kept.example/*", "inodes more"} {
		if err != nil || !bytes.Contains(out, []byte(want)) {
			t.Errorf("%v; %q is missing in:\n%s", err, want, out)
		}
	}
	if there := h.there(); len(there) < len(ids) {
		t.Error("--dry-run has removed something")
	}
	removed := 0
	for runs := 1; ; runs++ {
		r := h.gcOnce()
		for _, one := range r.Images.Images {
			if !one.Removed || one.ID != ids[2+removed] {
				t.Errorf("run %d: %+v, and it is the turn of %s", runs, one, ids[2+removed])
			}
			removed++
		}
		if len(r.Failed) > 0 || len(r.Images.Images) > 5 {
			t.Fatalf("%+v", r)
		}
		if r.Images.Left.Inodes == 0 {
			break
		}
		if runs == 10 {
			t.Fatalf("%d runs were not enough: %+v, %d inodes are free", runs, r, h.free())
		}
	}
	there := h.there()
	h.reached(100 + overhead)
	for n, id := range append(ids, kept) {
		if want := n < 2 || n >= 2+removed; there[id] != want {
			t.Errorf("image %d: there is %t", n, !want)
		}
	}
	if r := h.gcOnce(); len(r.Images.Images) > 0 || !r.room() {
		t.Errorf("with room: %+v", r)
	}
}

func TestWhatStandsAgainstARemoval(t *testing.T) {
	h := newHost(t)
	ids := h.images("d.example", 4, 100)
	h.want(300)
	gate := func() *admission.Gate {
		return admission.New(admission.Options{Dir: filepath.Join(h.run, "engine"), Engine: private.Host, MaxStarts: 1})
	}
	nothing := func(want string) {
		t.Helper()
		if r := h.gcOnce(); !strings.Contains(r.Images.Ended, want) || len(r.Failed) > 0 {
			t.Errorf("want %q: %+v", want, r)
		}
		if there := h.there(); !there[ids[0]] {
			t.Fatalf("removed, although %s", want)
		}
	}
	// A launch waits for a start.
	leave, _, err := gate().Enter(t.Context(), admission.Start)
	must(t, err)
	second := make(chan func(), 1)
	go func() {
		leave, _, err := gate().Enter(t.Context(), admission.Start)
		if err != nil {
			t.Error(err)
		}
		second <- leave
	}()
	await(t, "a second start to wait", func() bool { return gate().Awaited(admission.Start) })
	nothing("a launch waits for its start")
	leave()
	(<-second)()
	// The record is another version's.
	version := filepath.Join(h.record, "version")
	must(t, os.WriteFile(version, []byte("2\n"), 0o600))
	out, err := h.gc().CombinedOutput()
	if status := new(exec.ExitError); !errors.As(err, &status) || status.ExitCode() != 1 || !bytes.Contains(out, []byte("failed: no image is removed: record of image use: ")) ||
		!bytes.Contains(out, []byte("executors: 0 executors live")) || !h.there()[ids[0]] {
		t.Errorf("%v: %s", err, out)
	}
	must(t, os.WriteFile(version, []byte("1\n"), 0o600))
	// The breaker is open.
	gate().Failed(errors.New("it was cross"))
	nothing("has been unfit since")
	// Nothing does any more, as after a boot.
	must(t, os.RemoveAll(filepath.Join(h.run, "engine")))
	if r := h.gcOnce(); r.Images.Ended != "" || h.there()[ids[0]] {
		t.Errorf("%+v", r)
	}
}
