package supervise

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/storage"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func knownAt(at time.Time, driver string) storage.Known {
	return storage.Known{Engine: storage.Engine{Driver: driver, DockerRootDir: "/var/lib/docker"}, At: at}
}

func TestUnfitStorageIsNamedFirst(t *testing.T) {
	unfit := &UnfitStorageError{Reasons: "/var/lib/docker (data root) has 1GiB of 100GiB free (1 %)", Waited: 30 * time.Second}
	for name, test := range map[string]struct {
		before []Message
		last   Message
		want   string
	}{
		"pull":   {[]Message{Launched{TaskID: taskID}, EngineProbed{}}, ImageReady{Err: fmt.Errorf("pull: %w", unfit)}, "storage unfit: pull: /var/lib/docker (data root) has 1GiB"},
		"create": {toCreate, Created{Err: unfit}, "storage unfit: /var/lib/docker (data root) has 1GiB of 100GiB free (1 %); this launch waited 30s"},
		"layers": {[]Message{Launched{TaskID: taskID}, EngineProbed{}}, ImageReady{Err: &UnfitStorageError{Reasons: "too much", Cancelled: true}}, "storage unfit: too much; the pull was cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, task.Plan{})
			s.tell(test.before...)
			s.tell(test.last)
			if got := s.last(); !strings.HasPrefix(got, test.want) {
				t.Errorf("message %q, want %q...", got, test.want)
			}
		})
	}
}

func TestNewerAnswerThatCountsIsTaken(t *testing.T) {
	var none storage.Known
	old, older := knownAt(noon.Add(-2*time.Minute), "old"), knownAt(noon.Add(-9*time.Minute), "older")
	tooOld, future := knownAt(noon.Add(-11*time.Minute), "too old"), knownAt(noon.Add(time.Minute), "future")
	bad := knownAt(noon, "")
	for _, test := range []struct {
		own, others storage.Known
		want        string // "": none counts
	}{
		{none, none, ""},
		{old, none, "old"}, {none, old, "old"},
		{old, older, "old"}, {older, old, "old"},
		{older, tooOld, "older"}, {tooOld, older, "older"}, {tooOld, tooOld, ""},
		{older, future, "older"}, {future, older, "older"}, {future, none, ""},
		{older, bad, "older"}, {bad, older, "older"},
	} {
		got, usable := latest(test.own, test.others, noon)
		if usable != (test.want != "") || usable && got.Engine.Driver != test.want {
			t.Errorf("of %q and %q: %q, %v; want %q", test.own.Engine.Driver, test.others.Engine.Driver, got.Engine.Driver, usable, test.want)
		}
	}
}

func TestOthersAnswerIsReplacedWhenThatIsWorthIt(t *testing.T) {
	k := knownAt(noon, "overlay2")
	encode := func(k storage.Known) string {
		text, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, test := range map[string]struct {
		before   string
		replaced bool
	}{
		"none":             {"", true},
		"a moment old":     {encode(knownAt(noon.Add(-50*time.Second), "overlay2")), false},
		"older":            {encode(knownAt(noon.Add(-70*time.Second), "overlay2")), true},
		"another driver":   {encode(knownAt(noon.Add(-time.Second), "vfs")), true},
		"clock was set":    {encode(knownAt(noon.Add(time.Hour), "overlay2")), true},
		"another version":  {`{"version": 2}`, false},
		"damaged":          {`{"version": 1, "dri`, false},
		"somebody's notes": {"don't touch", false},
	} {
		var before []byte
		if test.before != "" {
			before = []byte(test.before)
		}
		after := keepKnown(before, k)
		if (after != nil) != test.replaced {
			t.Errorf("%s: %s", name, after)
		}
		if after == nil {
			continue
		}
		if back, err := storage.DecodeKnown(after); err != nil || cmp.Diff(k, back) != "" {
			t.Errorf("%s: %v\n%s", name, err, cmp.Diff(k, back))
		}
	}
}

func TestNeedIsAskedForWhenItGrows(t *testing.T) {
	const mib = 1 << 20
	var p pullRoom
	for _, step := range []struct {
		engine.Progress
		want storage.Need
		grow bool
	}{
		{engine.Progress{Layer: "v1", Status: "Pulling from team/app"}, storage.Need{}, false},
		{engine.Progress{Layer: "a", Status: "Pulling fs layer"}, storage.Need{}, false},
		{engine.Progress{Layer: "b", Status: "Pulling fs layer"}, storage.Need{}, false},
		{engine.Progress{Layer: "a", Status: "Downloading", Current: mib, Total: 10 * mib}, storage.Need{Download: 9 * mib, Extract: 20 * mib}, true},
		{engine.Progress{Layer: "a", Status: "Downloading", Current: 2 * mib, Total: 10 * mib}, storage.Need{}, false},
		{engine.Progress{Layer: "b", Status: "Downloading", Current: 0, Total: mib}, storage.Need{Download: 9 * mib, Extract: 22 * mib}, true},
		{engine.Progress{Layer: "a", Status: "Download complete"}, storage.Need{}, false},
		{engine.Progress{Layer: "a", Status: "Extracting", Current: mib, Total: 10 * mib}, storage.Need{}, false},
		{engine.Progress{Layer: "c", Status: "Downloading", Current: 5}, storage.Need{}, false}, // a registry that doesn't tell
	} {
		need, grown := p.step(step.Progress)
		if need != step.want || grown != step.grow {
			t.Errorf("%+v: %+v, %v; want %+v, %v", step.Progress, need, grown, step.want, step.grow)
		}
	}
	p.again()
	if need, grown := p.step(engine.Progress{Layer: "a", Status: "Downloading", Total: mib}); !grown || need != (storage.Need{Download: mib, Extract: 2 * mib}) {
		t.Errorf("another try: %+v, %v", need, grown)
	}
}

func TestEnginesWordsReachTheVerdict(t *testing.T) {
	info := engine.Info{Driver: "overlay2", DriverStatus: [][2]string{{"Supports d_type", "false"}}, DockerRootDir: "/d", KernelVersion: "6.1", Warnings: []string{"w"}}
	verdict, err := storage.DefaultRules().Judge(info.Storage())
	if err != nil || verdict.Decision() != storage.Refuse || !strings.Contains(verdict.Reasons(storage.Refuse), "d_type") {
		t.Errorf("%+v, %v", verdict, err)
	}
	var bad *storage.BadAnswerError
	if err := (engine.Info{DockerRootDir: "/d"}).Storage().Check(); !errors.As(err, &bad) || bad.Field != "Driver" {
		t.Error(err)
	}
}
