package classes

import (
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
