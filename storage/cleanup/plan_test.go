package cleanup

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/storage"
)

const (
	gib = 1 << 30
	day = 24 * time.Hour
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// image was used so long ago.
func image(name string, ago time.Duration) Image {
	return Image{ID: "sha256:" + name, Names: []string{name + ":1"}, Size: gib, Used: now.Add(-ago)}
}

func with(i Image, change func(*Image)) Image {
	change(&i)
	return i
}

// outline is the plan in short: "remove old, keep new".
func outline(p Plan) string {
	var rows []string
	for _, r := range p.Rows {
		rows = append(rows, fmt.Sprintf("%s %s", r.Action, strings.TrimPrefix(r.Image.ID, "sha256:")))
	}
	return strings.Join(rows, ", ")
}

func TestLeastRecentlyUsedGoFirst(t *testing.T) {
	images := []Image{image("b", 2*day), image("new", time.Hour), image("d", 4*day), image("a", day), image("c", 3*day)}
	rules := DefaultRules()
	rules.Cycle = 3
	for name, c := range map[string]struct {
		goal Goal
		want string
	}{
		"nothing":             {Goal{}, "keep d, keep c, keep b, keep a, keep new"},
		"a byte":              {Goal{Bytes: 1}, "remove d, spare c, spare b, later a, keep new"},
		"one of them":         {Goal{Bytes: gib}, "remove d, spare c, spare b, later a, keep new"},
		"more than one":       {Goal{Bytes: gib + 1}, "remove d, remove c, spare b, later a, keep new"},
		"more than there are": {Goal{Bytes: 100 * gib}, "remove d, remove c, remove b, later a, keep new"},
		"inodes":              {Goal{Inodes: 1}, "remove d, remove c, remove b, later a, keep new"},
		"both":                {Goal{Bytes: 1, Inodes: 1}, "remove d, remove c, remove b, later a, keep new"},
	} {
		plan := rules.Plan(now, c.goal, images)
		if got := outline(plan); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
		slices.Reverse(images)
		if diff := cmp.Diff(plan, rules.Plan(now, c.goal, images)); diff != "" {
			t.Errorf("%s: the order of the images matters:\n%s", name, diff)
		}
	}
}

func TestImagesThatStay(t *testing.T) {
	rules := DefaultRules()
	rules.Keep = []string{"registry.example.com:5000/base/*", "pause:3.9", "tools"}
	named := func(names ...string) Image {
		return with(image("x", 9*day), func(i *Image) { i.Names = names })
	}
	for name, c := range map[string]struct {
		image Image
		why   string // "": it goes
	}{
		"old":                      {image("x", 9*day), ""},
		"with a container":         {with(image("x", 9*day), func(i *Image) { i.Containers = 1 }), "containers: 1"},
		"of unknown use":           {with(image("x", 9*day), func(i *Image) { i.Containers = -1 }), "nobody knows whether it has containers"},
		"with children":            {with(image("x", 9*day), func(i *Image) { i.Children = true }), "other images are built on it"},
		"used just now":            {image("x", time.Minute), "used about a minute ago, less than 2h0m0s"},
		"used in the future":       {image("x", -time.Minute), "the clock was set"},
		"at the age":               {image("x", 2*time.Hour), ""},
		"tagged just now":          {with(image("x", 9*day), func(i *Image) { i.Tagged = now.Add(-time.Minute) }), "used about a minute ago"},
		"never seen":               {Image{ID: "sha256:x", Tagged: now.Add(-9 * day)}, "seen for the first time; may go in 2h0m0s"},
		"never seen, without tag":  {Image{ID: "sha256:x"}, "seen for the first time"},
		"seen just now":            {Image{ID: "sha256:x", Used: now.Add(-time.Minute)}, "used about a minute ago"},
		"seen long ago":            {Image{ID: "sha256:x", Used: now.Add(-time.Hour * 3)}, ""},
		"on the keep list":         {named("registry.example.com:5000/base/java:11"), "the keep list has registry.example.com:5000/base/*"},
		"below the keep list":      {named("registry.example.com:5000/base/java/x:11"), ""},
		"with a kept tag":          {named("other:1", "pause:3.9"), "the keep list has pause:3.9"},
		"with another tag":         {named("pause:3.8"), ""},
		"kept with any tag":        {named("tools:7"), "the keep list has tools"},
		"kept by its digest":       {with(named(), func(i *Image) { i.Digests = []string{"tools@sha256:1"} }), "the keep list has tools"},
		"without a name and a use": {named(), ""},
	} {
		row := rules.Plan(now, Goal{Bytes: 1}, []Image{c.image}).Rows[0]
		if (row.Action == Remove) != (c.why == "") || !strings.Contains(row.Why, c.why) {
			t.Errorf("%s: %s, %q", name, row.Action, row.Why)
		}
	}
}

func TestReferencesThatTheDaemonRemovesWithoutForce(t *testing.T) {
	for name, c := range map[string]struct {
		names, digests []string
		want           []string
	}{
		"no name":             {nil, nil, []string{"sha256:x"}},
		"one name":            {[]string{"a:1"}, []string{"a@sha256:1"}, []string{"sha256:x"}},
		"a digest":            {nil, []string{"a@sha256:1"}, []string{"sha256:x"}},
		"two tags":            {[]string{"a:1", "a:2"}, []string{"a@sha256:1"}, []string{"a:1", "a:2"}},
		"two repositories":    {[]string{"a:1", "h:5000/a:1"}, nil, []string{"a:1", "h:5000/a:1"}},
		"a foreign digest":    {[]string{"a:1"}, []string{"b@sha256:1"}, []string{"a:1", "b@sha256:1"}},
		"a port and a digest": {[]string{"h:5000/a:1"}, []string{"h:5000/a@sha256:1"}, []string{"sha256:x"}},
	} {
		if got := (Image{ID: "sha256:x", Names: c.names, Digests: c.digests}).References(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func room(free, total uint64, inodes storage.Amount, uses ...storage.Use) storage.Room {
	r := storage.Room{Bytes: storage.Amount{Free: free, Total: total}, Inodes: inodes}
	for _, u := range uses {
		r.Places = append(r.Places, storage.Place{Path: "/d", Use: u})
	}
	return r
}

func TestGoalLeadsBelowTheMark(t *testing.T) {
	layers := storage.Layers
	plenty := storage.Amount{Free: 900_000, Total: 1_000_000}
	lax := storage.Thresholds{}
	for name, c := range map[string]struct {
		rooms []storage.Room
		t     storage.Thresholds
		want  Goal
	}{
		"nothing":                      {nil, lax, Goal{}},
		"at the mark":                  {[]storage.Room{room(15000, 100000, plenty, layers)}, lax, Goal{}},
		"above the mark":               {[]storage.Room{room(14999, 100000, plenty, layers)}, lax, Goal{Bytes: 5001}},
		"full":                         {[]storage.Room{room(0, 100000, plenty, layers)}, lax, Goal{Bytes: 20000}},
		"few inodes":                   {[]storage.Room{room(90000, 100000, storage.Amount{Free: 100_000, Total: 1_000_000}, layers)}, lax, Goal{Inodes: 100_000}},
		"no inodes at all":             {[]storage.Room{room(90000, 100000, storage.Amount{}, layers)}, lax, Goal{}},
		"another disk":                 {[]storage.Room{room(0, 100000, plenty, storage.DataRoot, storage.Sandbox)}, lax, Goal{}},
		"each lacks something else":    {[]storage.Room{room(14000, 100000, plenty, layers), room(90000, 100000, storage.Amount{Free: 100_000, Total: 1_000_000}, storage.PoolData)}, lax, Goal{Bytes: 6000, Inodes: 100_000}},
		"the fuller of two":            {[]storage.Room{room(14000, 100000, plenty, layers), room(12000, 100000, plenty, storage.PoolData)}, lax, Goal{Bytes: 8000}},
		"below what containers need":   {[]storage.Room{room(39000, 100000, plenty, layers)}, storage.Thresholds{MinBytes: 40000}, Goal{Bytes: 45000 - 39000}},
		"more than there is is needed": {[]storage.Room{room(39000, 100000, plenty, layers)}, storage.Thresholds{MinBytes: 200000}, Goal{Bytes: 61000}},
		"a disk that hangs":            {[]storage.Room{{Places: []storage.Place{{Use: layers}}, Err: errors.New("silent")}}, lax, Goal{}},
	} {
		got := DefaultRules().Goal(c.rooms, c.t)
		if got.None() != (got.Why == "") {
			t.Errorf("%s: %+v", name, got)
		}
		got.Why = ""
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestGoalOnceReachedIsNone(t *testing.T) {
	rules := DefaultRules()
	for free := uint64(0); free <= 100000; free += 1000 {
		r := room(free, 100000, storage.Amount{}, storage.Layers)
		goal := rules.Goal([]storage.Room{r}, storage.Thresholds{MinBytesPercent: 30})
		r.Bytes.Free += goal.Bytes
		if again := rules.Goal([]storage.Room{r}, storage.Thresholds{MinBytesPercent: 30}); !again.None() {
			t.Errorf("%d free: %+v, and then %+v", free, goal, again)
		}
	}
}

func TestTableSaysWhatAndWhy(t *testing.T) {
	rules := DefaultRules()
	goal := rules.Goal([]storage.Room{room(10*gib, 100*gib, storage.Amount{Free: 900_000, Total: 1_000_000}, storage.Layers)}, storage.DefaultThresholds())
	images := []Image{
		with(image("old", 9*day), func(i *Image) { i.ID, i.Size = "sha256:0123456789abcdef", 12*gib }), image("other", 8*day), image("new", time.Minute),
		{ID: "sha256:short", Containers: 2},
	}
	var b strings.Builder
	if err := rules.Plan(now, goal, images).Table(&b); err != nil {
		t.Fatal(err)
	}
	want := `ACTION  IMAGE    ID            SIZE   WHY
remove  old:1    0123456789ab  12GiB  not used for 9 days
spare   other:1  other         1GiB   not used for 8 days
keep    <none>   short         0B     containers: 2
keep    new:1    new           1GiB   used about a minute ago, less than 2h0m0s
Wanted: 10GiB and 0 inodes more. /d (layers) has 10GiB of 100GiB free (10 %) and 900000 of 1000000 inodes (90 %).
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	if err := rules.Plan(now, Goal{}, images).Table(&b); err != nil || !strings.HasSuffix(b.String(), "Nothing has to be removed.\n") || strings.Contains(b.String(), "remove ") {
		t.Errorf("%v\n%s", err, &b)
	}
}

func TestRulesAreChecked(t *testing.T) {
	if err := DefaultRules().Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Rules){
		"begins at 0":        func(r *Rules) { r.Begin = 0 },
		"begins above 100":   func(r *Rules) { r.Begin = 101 },
		"until above begin":  func(r *Rules) { r.Until = 86 },
		"until below 0":      func(r *Rules) { r.Until = -1 },
		"none at a time":     func(r *Rules) { r.Cycle = 0 },
		"no age":             func(r *Rules) { r.MinAge = 0 },
		"a pattern of words": func(r *Rules) { r.Keep = []string{"["} },
		"an empty pattern":   func(r *Rules) { r.Keep = []string{""} },
	} {
		r := DefaultRules()
		change(&r)
		if r.Check() == nil {
			t.Errorf("%s: passes", name)
		}
	}
}

func TestPatternThatKeepsLessThanItSeemsToIsRefused(t *testing.T) {
	for _, pattern := range []string{
		"busybox", "busybox:1.36", "registry.example.com:5000/base/*", "*/base/java-?_[0-9]", "tools@sha256:*", `a\*`, "base/[^x]*", "*",
	} {
		if err := CheckPattern(pattern); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	for pattern, want := range map[string]string{
		"registry.example.com/base/**": "one pattern for each level", "**/java": "one pattern for each level",
		"registry.example.com/base/": "is no pattern", "/base": "is no pattern", "https://registry.example.com/base": "is no pattern",
		"re:^base$": "is no pattern", "base/(a|b)": "is no pattern", "!base": "is no pattern", "base/[a": "is no pattern", "båse": "is no pattern",
	} {
		if err := CheckPattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pattern, err, want)
		}
	}
}

func TestCleanUpThatHasBegunGoesOnBetweenTheMarks(t *testing.T) {
	rules, thresholds := DefaultRules(), storage.Thresholds{}
	for free, want := range map[uint64][2]uint64{10: {10, 10}, 14: {6, 6}, 15: {0, 5}, 19: {0, 1}, 20: {0, 0}, 50: {0, 0}} {
		rooms := []storage.Room{{Places: []storage.Place{{Path: "/d", Use: storage.Layers}}, Bytes: storage.Amount{Free: free, Total: 100}}}
		got := [2]uint64{rules.Goal(rooms, thresholds).Bytes, rules.Rest(rooms, thresholds).Bytes}
		if got != want {
			t.Errorf("%d %% free: to begin with %d, to go on with %d; want %d", free, got[0], got[1], want)
		}
	}
}

func TestRoomOfWhichNothingIsKnownIsNoRoom(t *testing.T) {
	silent := storage.Room{Places: []storage.Place{{Path: "/d", Use: storage.Layers}}, Err: &storage.SilentError{Path: "/d", Waited: time.Second}}
	far := storage.Room{Places: []storage.Place{{Path: "/s", Use: storage.Sandbox}}, Err: errors.New("silent")}
	fine := room(1, 2, storage.Amount{}, storage.Layers)
	for name, c := range map[string]struct {
		rooms []storage.Room
		want  string
	}{
		"known":              {[]storage.Room{fine}, ""},
		"another is silent":  {[]storage.Room{far, fine}, ""},
		"silent":             {[]storage.Room{fine, silent}, "/d (layers): the filesystem of /d does not answer within 1s"},
		"on no host of ours": {[]storage.Room{room(1, 2, storage.Amount{}, storage.DataRoot)}, "is the engine on this host?"},
	} {
		err := Known(c.rooms)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestGoalNamesTheDiskThatLacksBytesAndTheOneThatLacksInodes(t *testing.T) {
	bytes := room(10*gib, 100*gib, storage.Amount{Free: 9, Total: 10}, storage.Layers)
	inodes := room(90*gib, 100*gib, storage.Amount{Free: 10_000, Total: 1_000_000}, storage.PoolData)
	for _, c := range []struct {
		rooms []storage.Room
		want  string
	}{
		{[]storage.Room{bytes, inodes}, bytes.String() + "; " + inodes.String()},
		{[]storage.Room{bytes}, bytes.String()},
		{[]storage.Room{inodes}, inodes.String()},
	} {
		if got := DefaultRules().Goal(c.rooms, storage.DefaultThresholds()).Why; got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
