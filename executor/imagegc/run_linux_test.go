package imagegc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage"
	"mesos-docker-executor/storage/imageuse"
)

func TestCyclesBringTheHostUnderTheMark(t *testing.T) {
	h := newHost(t, 92)
	h.used(t, id(0), time.Minute) // in use again
	h.containers[id(1)] = 1
	for _, want := range []string{"2 3 4 5 6", "7 8 9 a b", "c d e f 10", "11", ""} {
		r := h.cycle(t)
		if r.removed() != want || r.Ended != "" || r.Left.None() != (len(h.images) <= 80) {
			t.Errorf("removed %q, want %q; ended: %q; left: %+v", r.removed(), want, r.Ended, r.Left)
		}
		if want == "7 8 9 a b" { // others come meanwhile
			h.images = append(h.images, engine.ListedImage{ID: id(500), Size: gib}, engine.ListedImage{ID: id(501), Size: gib},
				engine.ListedImage{ID: id(502), Size: gib}, engine.ListedImage{ID: id(503), Size: gib})
		}
	}
	if uses, _, err := imageuse.Read(h.dir); err != nil || len(uses) != len(h.images) {
		t.Errorf("the record has %d images, the engine %d; %v", len(uses), len(h.images), err)
	}
}

func TestNothingIsRemovedWhileThereIsRoom(t *testing.T) {
	h := newHost(t, 80)
	h.images[0].ID = id(80)
	if r := h.cycle(t); len(r.Done) > 0 || !r.Left.None() {
		t.Errorf("%+v", r)
	}
	uses, _, err := imageuse.Read(h.dir)
	if err != nil || uses[id(80)].IsZero() {
		t.Errorf("what is there is not written down: %v, %v", uses, err)
	}
}

func TestPlanChangesNothing(t *testing.T) {
	h := newHost(t, 90)
	before, _, err := imageuse.Read(h.dir)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Look(t.Context(), h.Options, before, false)
	after, _, readErr := imageuse.Read(h.dir)
	if err != nil || readErr != nil || plan.Goal.None() || len(h.asked) > 0 || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("%v, %v, goal %+v, asked to remove %q", err, readErr, plan.Goal, h.asked)
	}
}

// Between plan and removal much can happen; the pause is a moment of it.
func TestImageThatComesIntoUseStays(t *testing.T) {
	h := newHost(t, 90)
	moments := 0
	h.Hindrance = func() string {
		switch moments++; moments {
		case 2:
			h.used(t, id(1), 0)
		case 3:
			h.containers[id(2)] = 1
		}
		return ""
	}
	r := h.cycle(t)
	if r.removed() != "0 3 4" || len(r.Done) != 5 {
		t.Errorf("%+v", r.Done)
	}
	for _, one := range r.Done[1:3] {
		if !strings.Contains(one.Why, "came into use") || one.Err != nil {
			t.Errorf("%+v", one)
		}
	}
}

func TestLaunchLearnsOfTheRemovalOfItsImage(t *testing.T) {
	h := newHost(t, 90)
	h.Rules.Cycle = 1
	h.Engine.RemoveImage = func(ctx context.Context, ref string) error {
		impatient, cancel := context.WithCancel(ctx)
		cancel()
		if again, err := imageuse.Note(impatient, h.dir, id(0)); !again || !errors.Is(err, context.Canceled) {
			t.Errorf("the launch was not told: %v, %v", again, err)
		}
		return h.RemoveImage(ctx, ref)
	}
	if r := h.cycle(t); r.removed() != "0" {
		t.Errorf("%+v", r)
	}
	if uses, _, err := imageuse.Read(h.dir); err != nil || time.Since(uses[id(0)]) > time.Hour {
		t.Errorf("the launch's use is lost: %v, %v", uses[id(0)], err)
	}
}

// A pull by hand is neither a use nor, for Docker 20.10, a tag.
func TestImageThatComesAgainIsNew(t *testing.T) {
	h := newHost(t, 90)
	again := h.images[0]
	if r := h.cycle(t); r.removed() != "0 1 2 3 4" {
		t.Errorf("%+v", r)
	}
	h.images = append(h.images, again)
	if r := h.cycle(t); r.removed() != "5 6 7 8 9" {
		t.Errorf("removed %s", r.removed())
	}
}

func TestImageThatWasTaggedLatelyStaysAndTheNextGoes(t *testing.T) {
	h := newHost(t, 90)
	h.Rules.Cycle = 2
	h.tagged[id(0)] = time.Now()
	if r := h.cycle(t); r.removed() != "1 2" {
		t.Errorf("%+v", r.Done)
	}
}

func TestNamesOfAnImageGoOneByOneAndForeignOnesStay(t *testing.T) {
	h := newHost(t, 90)
	h.Rules.Cycle = 1
	h.images[0].Names = []string{"a:1", "a:2", "b:1"}
	h.Hindrance = func() string { // a pull gives a:2 to another image
		h.images[0].Names = []string{"a:1", "b:1"}
		h.images[50].Names = []string{"a:2"}
		return ""
	}
	if r := h.cycle(t); r.removed() != "0" || !slices.Equal(h.asked, []string{"a:1", id(0)}) {
		t.Errorf("asked to remove %q: %+v", h.asked, r.Done)
	}
}

func TestRefusalCostsOneImageOnly(t *testing.T) {
	h := newHost(t, 90)
	h.fail[id(0)] = refused(engine.ErrConflict)
	if r := h.cycle(t); r.removed() != "1 2 3 4" || !errors.Is(r.Done[0].Err, engine.ErrConflict) || r.Ended != "" {
		t.Errorf("%+v", r)
	}
}

func TestEngineThatDoesNotAnswerIsSpared(t *testing.T) {
	h := newHost(t, 90)
	h.fail[id(1)] = unknown()
	if r := h.cycle(t); r.removed() != "0" || len(r.Done) != 2 || r.Ended == "" {
		t.Errorf("%+v", r)
	}
	delete(h.fail, id(1))
	if r := h.cycle(t); len(r.Done) > 0 || !strings.Contains(r.Ended, "no image is removed before") {
		t.Errorf("%+v", r)
	}
	h.Now = func() time.Time { return time.Now().Add(Spared) }
	if r := h.cycle(t); r.removed() != "1 2 3 4 5" {
		t.Errorf("%+v", r)
	}
}

func TestHindranceEndsTheCycle(t *testing.T) {
	h := newHost(t, 90)
	h.Hindrance = func() string {
		if len(h.images) < 89 {
			return "a launch waits"
		}
		return ""
	}
	if r := h.cycle(t); r.removed() != "0 1" || r.Ended != "a launch waits" || r.Left.None() {
		t.Errorf("%+v", r)
	}
}

func TestRunThatIsToldToStopGoesOnNextTime(t *testing.T) {
	h := newHost(t, 90)
	ctx, cancel := context.WithCancel(t.Context())
	looks := 0
	h.Rooms = func(ctx context.Context) []storage.Room {
		if looks++; looks == 3 { // after the second removal
			cancel()
		}
		if ctx.Err() != nil {
			return []storage.Room{{Places: []storage.Place{{Path: "/d", Use: storage.Layers}}, Err: &storage.SilentError{Path: "/d"}}}
		}
		return h.rooms(ctx)
	}
	r, err := Run(ctx, h.Options, h.record)
	if err != nil || r.removed() != "0 1" || r.Ended == "" || r.Left.None() || !h.record.Begun() {
		t.Errorf("%v, removed %q, ended %q, left %+v", err, r.removed(), r.Ended, r.Left)
	}
}

func TestBrokenAnswerRemovesNothing(t *testing.T) {
	h := newHost(t, 90)
	h.broken = unknown()
	if r, err := Run(t.Context(), h.Options, h.record); err == nil || len(h.asked) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestLoadOfTheHost(t *testing.T) {
	const pressure = "some avg10=41.50 avg60=3.45 avg300=5.51 total=2009672387\nfull avg10=99.47 avg60=0.91 avg300=0.99 total=549181683\n"
	for name, c := range map[string]struct {
		average, pressure string
		load              Load
		want              string
	}{
		"quiet":             {"0.10 8.10 8.11 2/149 27304\n", "some avg10=0.00 avg60=3.45", Load{200, 40}, ""},
		"at the limit":      {"4.00 8.10", "some avg10=40.00 avg60=3", Load{200, 40}, ""},
		"many processes":    {"4.01 0.10", "", Load{200, 40}, "load average of 4.01 with 2 CPUs"},
		"waiting for disks": {"0.10 0.10", pressure, Load{200, 40}, "wait for disks 41.50 %"},
		"no limits":         {"99.0 0.10", pressure, Load{}, ""},
		"not there":         {"", "", Load{200, 40}, ""},
		"something else":    {"x y", "some\nsome avg10=\nx", Load{200, 40}, ""},
	} {
		got := c.load.exceeded(c.average, c.pressure, 2)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// As on a disk without a free inode: what is known is enough to make room.
func TestRecordThatTakesNothingMoreDoesNotStopTheCleanUp(t *testing.T) {
	h := newHost(t, 90)
	if err := os.Mkdir(filepath.Join(h.dir, "begun"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := h.cycle(t)
	if r.removed() != "0 1 2 3 4" || len(r.Failed) != 1 || !strings.HasPrefix(r.Failed[0].Error(), "record of image use: ") {
		t.Errorf("removed %q, failed: %v", r.removed(), r.Failed)
	}
}

func TestSilentDiskIsNotTakenForOneWithRoom(t *testing.T) {
	h := newHost(t, 90)
	silent := []storage.Room{{Places: []storage.Place{{Path: "/d", Use: storage.Layers}}, Err: &storage.SilentError{Path: "/d"}}}
	looks := 0
	h.Rooms = func(ctx context.Context) []storage.Room {
		if looks++; looks > 1 {
			return silent
		}
		return h.rooms(ctx)
	}
	r := h.cycle(t)
	if r.removed() != "0" || r.Left.None() || !h.record.Begun() || len(r.Failed) != 1 || !strings.Contains(r.Ended, "nobody knows how full the disk is: /d (layers): ") {
		t.Errorf("%+v", r)
	}
	if r, err := Run(t.Context(), h.Options, h.record); err == nil || !strings.Contains(err.Error(), "nobody knows") || !h.record.Begun() {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestClockThatWasSetBackKeepsNothingForLong(t *testing.T) {
	h := newHost(t, 90)
	h.tagged[id(1)] = time.Now().Add(10000 * time.Hour)
	h.used(t, id(0), -10000*time.Hour)
	if err := h.record.SetUnanswered(); err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(10000 * time.Hour)
	if err := os.Chtimes(filepath.Join(h.dir, "unanswered"), future, future); err != nil {
		t.Fatal(err)
	}
	if r := h.cycle(t); len(r.Done) > 0 || r.Ended == "" {
		t.Errorf("at once: %+v", r.Done)
	}
	h.Now = func() time.Time { return time.Now().Add(h.Rules.MinAge) }
	h.Rules.Cycle = 90
	if r := h.cycle(t); !strings.HasPrefix(r.removed(), "1 2 3 4 5 6 7") {
		t.Errorf("when the time is over: %q, %q", r.removed(), r.Ended)
	}
	if uses, _, err := imageuse.Read(h.dir); err != nil || uses[id(0)].After(time.Now()) {
		t.Errorf("used %s, %v", uses[id(0)], err)
	}
}

// Images that the engine never lets go must not take the turns of all others.
func TestRefusedImagesLetTheOthersGoFirst(t *testing.T) {
	h := newHost(t, 95)
	for n := range h.Rules.Cycle {
		h.fail[id(n)] = refused(engine.ErrConflict)
	}
	h.fail[id(6)] = refused(errors.New("device or resource busy"))
	for _, want := range []string{"", "5 7 8 9", "a b c d e"} {
		if r := h.cycle(t); r.removed() != want || len(r.Done) != 5 {
			t.Errorf("%q, want %q: %+v", r.removed(), want, r)
		}
	}
}

// It says nothing of the images.
func TestDaemonThatRemovesNothingIsAskedForTheSameAgain(t *testing.T) {
	h := newHost(t, 90)
	for n := range 90 {
		h.fail[id(n)] = refused(errors.New("layer store is read-only"))
	}
	if r := h.cycle(t); len(r.Done) != 5 {
		t.Errorf("%+v", r)
	}
	clear(h.fail)
	if r := h.cycle(t); r.removed() != "0 1 2 3 4" {
		t.Errorf("%q", r.removed())
	}
}

// Docker writes down which names are left before it removes anything.
func TestDaemonThatHasNoRoomToRemoveIsAskedOnce(t *testing.T) {
	h := newHost(t, 90)
	h.fail[id(0)] = refused(&engine.DaemonError{Status: 500, Message: "open /d/image/overlay2/.tmp-repositories.json1: no space left on device"})
	if r := h.cycle(t); len(r.Done) != 1 || !strings.Contains(r.Ended, "by hand") {
		t.Errorf("%+v", r)
	}
	clear(h.fail)
	if r := h.cycle(t); r.removed() != "0 1 2 3 4" {
		t.Errorf("%q", r.removed())
	}
}

func TestEngineThatIsGoneEndsTheCycle(t *testing.T) {
	h := newHost(t, 90)
	h.fail[id(0)] = refused(&net.OpError{Op: "dial", Err: errors.New("connection refused")})
	if r := h.cycle(t); len(r.Done) != 1 || r.Done[0].Err == nil || r.Ended == "" {
		t.Errorf("%+v", r)
	}
	delete(h.fail, id(0))
	if r := h.cycle(t); r.removed() != "0 1 2 3 4" {
		t.Errorf("%q", r.removed())
	}
}

func TestRefusedNameIsNotLost(t *testing.T) {
	h := newHost(t, 90)
	h.Rules.Cycle = 1
	h.images[0].Names = []string{"a:1", "a:2", "b:1"}
	h.fail["a:2"] = refused(engine.ErrConflict)
	if r := h.cycle(t); len(r.Done) != 1 || !slices.Equal(r.Done[0].Names, []string{"a:1"}) || r.Done[0].Removed {
		t.Errorf("%+v", r.Done)
	}
}

func TestRunThatIsToldToStopDuringARemovalHasNotFailed(t *testing.T) {
	h := newHost(t, 90)
	ctx, cancel := context.WithCancel(t.Context())
	h.Engine.RemoveImage = func(ctx context.Context, _ string) error {
		cancel()
		return &engine.CallError{Call: "image remove", Outcome: engine.Unknown, Err: ctx.Err()}
	}
	r, err := Run(ctx, h.Options, h.record)
	if err != nil || len(r.Done) != 1 || r.Done[0].Err != nil || r.Done[0].Why == "" || r.Ended != Stopped || !h.record.Unanswered().IsZero() {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestPeopleHearOfEachRemoval(t *testing.T) {
	h := newHost(t, 90)
	h.Rules.Cycle = 2
	var told []string
	h.Tell = func(line string) { told = append(told, line) }
	h.cycle(t)
	if want := []string{"removing image app0:1 (1 of 2 at most)", "removing image app1:1 (2 of 2 at most)"}; !slices.Equal(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
}
