package classes

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mesos-docker-executor/internal/rulefile"
)

const withPast = `version: 1
cluster: b
clusters:
  a:
    teams:
      web:
        major: 0x0010
        apps: {/web/shop: 0x00100101, front: 0x00100100}
        retired: {/web/cart: 0x00100180, "/web/cart (2)": 0x00100181}
    retired: {mail: 0x0012}
  b:
    teams:
      web: {major: 0x0020}
      full: {major: 0x0021, apps: {low: 21:100, high: 21:fffe}, retired: {x: 21:102}}
`

func TestWhoHasAClass(t *testing.T) {
	r := parse(t, withPast)
	for id, want := range map[ID]struct {
		owner Owner
		text  string
	}{
		0x00100101: {Owner{Kind: OwnerApp, Cluster: "a", Team: "web", App: "/web/shop", Place: "classes.yaml:8"}, "0x00100101 (tc 10:101): app /web/shop of team web in cluster a (classes.yaml:8)"},
		0x00100001: {Owner{Kind: OwnerDefault, Cluster: "a", Team: "web", Place: "classes.yaml:7"}, "0x00100001 (tc 10:1): default class of team web in cluster a (classes.yaml:7)"},
		0x00100180: {Owner{Kind: OwnerRetired, Cluster: "a", Team: "web", App: "/web/cart", Place: "classes.yaml:9"}, "0x00100180 (tc 10:180): retired, was app /web/cart of team web in cluster a (classes.yaml:9)"},
		0x00100102: {Owner{Kind: OwnerTeam, Cluster: "a", Team: "web", Place: "classes.yaml:7"}, "0x00100102 (tc 10:102): given to no app, and of the major of team web in cluster a (classes.yaml:7)"},
		0x00120100: {Owner{Kind: OwnerRetiredTeam, Cluster: "a", Team: "mail", Place: "classes.yaml:10"}, "0x00120100 (tc 12:100): retired, was a class of team mail in cluster a (classes.yaml:10)"},
		0x00200001: {Owner{Kind: OwnerDefault, Cluster: "b", Team: "web", Place: "classes.yaml:13"}, "0x00200001 (tc 20:1): default class of team web in cluster b (classes.yaml:13)"},
		0x00300100: {Owner{Kind: OwnerNone}, "0x00300100 (tc 30:100): given to nobody"},
		0:          {Owner{Kind: OwnerSpecial}, "0x00000000 (tc 0:0): no class at all"},
		0x00100000: {Owner{Kind: OwnerSpecial}, "0x00100000 (tc 10:0): the qdisc 10: itself to tc, not a class of it"},
	} {
		want.owner.ID = id
		if _, line, found := strings.Cut(want.owner.Place, ":"); found {
			want.owner.Line, _ = strconv.Atoi(line)
		}
		if got := r.Lookup(id); got != want.owner || got.String() != want.text {
			t.Errorf("%s: %+v, %s\nwant %+v, %s", id, got, got, want.owner, want.text)
		}
	}
}

func TestTeamsHaveTheirAppsInOrder(t *testing.T) {
	r := parse(t, withPast)
	teams := r.Teams()
	if len(teams) != 3 {
		t.Fatalf("%+v", teams)
	}
	web := teams[0]
	if web.Cluster != "a" || web.Name != "web" || web.Line != 6 || web.Major != 0x10 || web.Default != 0x00100001 || len(web.Retired) != 2 ||
		len(web.Apps) != 2 || web.Apps[0] != (App{"front", 0x00100100, 8}) || web.Apps[1] != (App{"/web/shop", 0x00100101, 8}) {
		t.Errorf("%+v", web)
	}
	web.Apps[0].Name = "changed"
	if r.Teams()[0].Apps[0].Name != "front" {
		t.Error("the caller changed the registry")
	}
}

func TestTeamsOfThePast(t *testing.T) {
	got := parse(t, withPast).RetiredTeams()
	if len(got) != 1 || got[0] != (RetiredTeam{Cluster: "a", Name: "mail", Line: 10, Major: 0x12}) {
		t.Errorf("%+v", got)
	}
	if got := None("/x").RetiredTeams(); len(got) != 0 {
		t.Errorf("no file: %+v", got)
	}
}

// Lookup of each class that is listed is what the list says.
func TestAllClassesAreListedInTheOrderOfLines(t *testing.T) {
	r := parse(t, withPast)
	var got []string
	for _, o := range r.Classes() {
		if o != r.Lookup(o.ID) {
			t.Errorf("%+v, and the lookup says %+v", o, r.Lookup(o.ID))
		}
		got = append(got, fmt.Sprintf("%d %s %s %s", o.Line, o.ID, o.Kind, o.Name()))
	}
	want := []string{
		"7 0x00100001 default a/web", "8 0x00100101 app a/web:/web/shop", "8 0x00100100 app a/web:front",
		"9 0x00100180 retired a/web:/web/cart", "9 0x00100181 retired a/web:/web/cart (2)",
		"13 0x00200001 default b/web", "14 0x00210001 default b/full", "14 0x00210100 app b/full:low", "14 0x0021fffe app b/full:high", "14 0x00210102 retired b/full:x",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := None("/x").Classes(); len(got) != 0 {
		t.Errorf("no file: %+v", got)
	}
}

func TestNamesOfOwners(t *testing.T) {
	r := parse(t, clusterText("teams: {t: {major: 0x0010, retired: {\"\\u202e\": 0x00100100}}}\nretired: {\"a\\u2066b\": 0x0011}"))
	for id, want := range map[ID]string{
		0:          "",
		0x00100001: "c/t",
		0x00100100: `c/t:\u202e`,
		0x00100200: "c/t",
		0x00110100: `c/a\u2066b`,
		0x00120100: "",
	} {
		if got := r.Lookup(id).Name(); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	for class, want := range map[Class]string{
		{}:                 "untagged",
		{Outcome: NoClass}: "untagged",
		{ID: 0x00100101, Cluster: "gra1", Team: "web", App: "/web/shop"}: "0x00100101 gra1/web:/web/shop",
		{ID: 0x00100001, Cluster: "gra1", Team: "web"}:                   "0x00100001 gra1/web",
	} {
		if got := class.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestOwnersAndClassesAsJSON(t *testing.T) {
	r := parse(t, withPast)
	for want, v := range map[string]any{
		`{"id":"0x00100101","kind":"app","cluster":"a","team":"web","app":"/web/shop","line":8,"place":"classes.yaml:8"}`: r.Lookup(0x00100101),
		`{"id":"0x00000000","kind":"special"}`:                                                                        r.Lookup(0),
		`{"cluster":"b","team":"web","line":13,"default":"0x00200001","apps":[],"retired":[]}`:                        r.Teams()[1],
		`{"id":"0x00100101","outcome":"known","cluster":"a","team":"web","app":"/web/shop","place":"classes.yaml:8"}`: r.class(Known, 0x00100101, r.clusters[0].teams[0], "/web/shop", 8, ""),
	} {
		got, err := json.Marshal(v)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	var o Owner
	if err := json.Unmarshal([]byte(`{"id":"10:101"}`), &o); err != nil || o.ID != 0x00100101 {
		t.Errorf("%+v, %v", o, err)
	}
	if err := json.Unmarshal([]byte(`{"id":"00100101"}`), &o); err == nil {
		t.Errorf("%+v", o)
	}
}

func TestNextFreeLine(t *testing.T) {
	r := parse(t, withPast)
	for _, c := range []struct {
		team, app string
		want      Line
		refused   string
	}{
		{"a/web", "/web/new", Line{0x00100182, "/web/new: 0x00100182", "clusters.a.teams.web.apps", 8}, ""},
		{"web", "first", Line{0x00200100, "first: 0x00200100", "clusters.b.teams.web.apps", 13}, ""},
		{"full", "hole", Line{0x00210101, "hole: 0x00210101", "clusters.b.teams.full.apps", 14}, ""},
		{"a/web", "front", Line{}, "app front of team web has the class ID 0x00100100 already (classes.yaml:8)"},
		{"wbe", "x", Line{}, `there is no team "wbe" in cluster b; did you mean "web"?; known are full, web`},
		{"c/web", "x", Line{}, `there is no cluster "c" in classes.yaml`},
		{"a/full", "x", Line{}, `there is no team "full" in cluster a; known are web`},
		{"web", "", Line{}, `app "" is no name`},
		{"web", "/Web", Line{}, `app "/Web" is no app ID of Marathon`},
		{"web", "a: 1\nb", Line{}, `app "a: 1\nb" is no name`},
		{"web", "null", Line{}, `app "null" is no name`},
	} {
		got, err := r.NextFree(c.team, c.app)
		if got != c.want || (err != nil) != (c.refused != "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s, %s: %+v, %v", c.team, c.app, got, err)
		}
	}
	if _, err := None("/x").NextFree("web", "a"); err == nil || err.Error() != "x has no teams" {
		t.Errorf("no file: %v", err)
	}
}

// Lines that are added one after the other are all different, until there are none.
func TestNextFreeUntilTheTeamIsFull(t *testing.T) {
	full := &team{cluster: "c", name: "t", major: 0x10, apps: make([]App, 0, 0x10000)}
	r := &Registry{name: "classes.yaml", clusters: []*cluster{{name: "c", teams: []*team{full}}}}
	used := map[ID]bool{}
	for minor := leastMinor + 1; minor <= mostNumber; minor++ {
		full.apps = append(full.apps, App{Name: "x", ID: makeID(0x10, uint16(minor))})
		used[makeID(0x10, uint16(minor))] = true
	}
	line, err := r.nextLine(full, "a")
	if err != nil || line.ID != 0x00100100 || used[line.ID] {
		t.Errorf("%+v, %v", line, err)
	}
	full.retired = append(full.retired, App{Name: "old", ID: line.ID})
	if _, err := r.nextLine(full, "b"); err == nil || !strings.Contains(err.Error(), "team t has no free class ID: give it a second team with a major of its own") {
		t.Errorf("%v", err)
	}
	r.own, r.unknown, r.mode = r.clusters[0], Deny, Required
	r.appIDTrusted = map[string]bool{"m": true}
	r.own.identities = []identity{{match: rulefile.Match{Principals: []string{"m"}}, team: full}}
	if _, err := r.For(Identity{Principal: "m", AppID: "/new", Trusted: true}); err == nil || !strings.Contains(err.Error(), "has no free class ID") {
		t.Errorf("%v", err)
	}
}
