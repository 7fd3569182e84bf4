package gcproof

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/storage/imageuse"
)

// The default thresholds ask for 20,000 free inodes, and a clean-up frees 5 % more.
const (
	begin = 20_000
	until = 22_500
)

func TestHostComesBackUnderItsMark(t *testing.T) {
	h := newHost(t)
	kept := h.images("kept.example", 1, 10)[0]
	ids := h.images("a.example", 34, 1000)
	if free := h.free(); free >= begin-4000 {
		t.Fatalf("%d inodes are free, too many for this test", free)
	}
	h.used(ids[0], time.Minute)
	// Without a name of its own: it is created and never started.
	id, _, err := h.engine.Create(t.Context(), "gcproof", &container.Config{Image: "a.example/app1:1", Cmd: []string{"x"}}, &container.HostConfig{NetworkMode: "none"}, nil)
	if err != nil {
		t.Fatal(err)
	}
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
	if free := h.free(); free < until || free > until+2500 {
		t.Errorf("%d inodes are free at the end", free)
	}
	for n, id := range append(ids, kept) {
		if want := n < 2 || n >= 2+removed; there[id] != want {
			t.Errorf("image %d: there is %t", n, !want)
		}
	}
	if r := h.gcOnce(); len(r.Images.Images) > 0 || r.Images.Wanted.Inodes > 0 {
		t.Errorf("with room: %+v", r)
	}
}

func TestKilledAtAnyMoment(t *testing.T) {
	h := newHost(t)
	ids := h.images("b.example", 125, 250)
	recent := ids[:3]
	for _, id := range recent {
		h.used(id, time.Minute)
	}
	kills := 0
	for h.free() < begin && kills < 20 {
		cmd := h.gc()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // the moment is the test
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			kills++
		}
		there := h.there()
		for _, id := range recent {
			if !there[id] {
				t.Fatalf("after %d kills %s is gone", kills, id)
			}
		}
		if _, _, err := imageuse.Read(h.record); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d runs were killed", kills)
	for runs := 0; h.gcOnce().Images.Left.Inodes > 0; runs++ { // nobody holds a lock any more
		if runs == 30 {
			t.Fatal("what was killed keeps others from finishing")
		}
	}
	if free := h.free(); free < until {
		t.Errorf("%d inodes are free", free)
	}
	there := h.there()
	for n := 4; n < len(ids); n++ {
		if there[ids[n-1]] && !there[ids[n]] {
			t.Errorf("image %d went before image %d", n, n-1)
		}
	}
	checkRecord(t, h)
}

// checkRecord finds what does not belong there.
func checkRecord(t *testing.T, h *host) {
	t.Helper()
	entries, err := os.ReadDir(h.record)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".seen"); len(name) != 64 && !strings.Contains("version cleanup.lock removals.lock", name) {
			t.Errorf("the record has %s", e.Name())
		}
	}
}

func TestSeveralAtOnceAreOne(t *testing.T) {
	h := newHost(t)
	ids := h.images("c.example", 34, 1000)
	gone := 0
	for round := 0; h.free() < until && round < 10; round++ {
		outs := make([]bytes.Buffer, 4)
		var all sync.WaitGroup
		for i := range outs {
			all.Go(func() {
				cmd := h.gc()
				cmd.Stdout, cmd.Stderr = &outs[i], &outs[i]
				if err := cmd.Run(); err != nil {
					t.Errorf("%v: %s", err, outs[i].String())
				}
			})
		}
		all.Wait()
		for i := range outs {
			gone += strings.Count(outs[i].String(), "images: removed ")
			if text := outs[i].String(); strings.Contains(text, "LEFT") || !strings.Contains(text, "images: ") && !strings.Contains(text, "put off: another gc of this host is at work") {
				t.Errorf("%s", text)
			}
		}
	}
	there := h.there()
	for n, id := range ids {
		if there[id] != (n >= gone) {
			t.Errorf("%d images were removed, and image %d is there: %t", gone, n, there[id])
		}
	}
	if free := h.free(); free < until {
		t.Errorf("%d inodes are free", free)
	}
	checkRecord(t, h)
}

func TestWhatStandsAgainstARemoval(t *testing.T) {
	h := newHost(t)
	ids := h.images("d.example", 34, 1000)
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
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan func(), 1)
	go func() {
		leave, _, err := gate().Enter(t.Context(), admission.Start)
		if err != nil {
			t.Error(err)
		}
		second <- leave
	}()
	for end := time.Now().Add(time.Minute); !gate().Awaited(admission.Start); {
		if time.Now().After(end) {
			t.Fatal("nobody waits")
		}
	}
	nothing("a launch waits for its start")
	leave()
	(<-second)()
	// The record is another version's.
	version := filepath.Join(h.record, "version")
	if err := os.WriteFile(version, []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := h.gc().CombinedOutput()
	if status := new(exec.ExitError); !errors.As(err, &status) || status.ExitCode() != 1 || !bytes.Contains(out, []byte("failed: no image is removed: record of image use: ")) ||
		!bytes.Contains(out, []byte("executors: 0 executors live")) || !h.there()[ids[0]] {
		t.Errorf("%v: %s", err, out)
	}
	if err := os.WriteFile(version, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The breaker is open.
	gate().Failed(errors.New("it was cross"))
	nothing("has been unfit since")
}
