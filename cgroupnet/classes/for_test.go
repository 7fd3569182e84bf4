package classes

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// parse reads a file that is right.
func parse(t *testing.T, text string) *Registry {
	t.Helper()
	r, err := Parse("/etc/classes.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return r
}

// twoTeams are the rules of the tests below, from line 1 on; head makes it a file.
const twoTeams = `version: 1
cluster: here
principals: {proxy: {app_id_trusted: true}, other: {app_id_trusted: false}}
clusters:
  there:
    teams:
      web: {major: 0x0001, apps: {/web/shop: 1:100, far: 1:101}}
    identities:
      - {match: {roles: ["*"]}, team: web, app: far}
  here:
    teams:
      web:
        major: 0x0010
        apps:
          /web/shop: 0x00100100
          /web/cart: 0x00100101
          batch: 0x00100102
        retired: {/web/old: 0x00100107}
      data:
        major: 0x0011
        apps: {kafka: 0x00110100}
    identities:
      - {match: {principals: [proxy], app_ids: [/web/jobs/**]}, team: web, app: batch}
      - {match: {principals: [proxy, other], roles: [web]}, team: web}
      - {match: {principals: [kafka], roles: ["data/*"]}, team: data, app: kafka}
      - {match: {roles: [data/late]}, team: data}
`

func with(unknown, more string) string {
	return strings.Replace(twoTeams, "cluster: here", "cluster: here\nclass_ids: preferred\nunknown: "+unknown, 1) + more
}

var (
	proxy   = Identity{Principal: "proxy", Role: "web", Trusted: true}
	nobody  = Identity{Principal: "proxy", Role: "web", AppID: "/web/shop"}
	foreign = Identity{Principal: "x", Role: "y", Trusted: true}
)

// of is the identity with an app ID.
func (id Identity) of(app string) Identity { id.AppID = app; return id }

func TestKnownTasksGetTheirClass(t *testing.T) {
	r := parse(t, twoTeams)
	for _, c := range []struct {
		id   Identity
		want Class
	}{
		{proxy.of("/web/shop"), Class{0x00100100, Known, "here", "web", "/web/shop", "classes.yaml:15", ""}},
		{proxy.of("/web/cart"), Class{0x00100101, Known, "here", "web", "/web/cart", "classes.yaml:16", ""}},
		{proxy.of("/web/jobs/nightly"), Class{0x00100102, Known, "here", "web", "batch", "classes.yaml:17", ""}},
		{Identity{Principal: "kafka", Role: "data/kafka", Trusted: true}, Class{0x00110100, Known, "here", "data", "kafka", "classes.yaml:21", ""}},
		// The app that an entry names is the app, whatever the task's ID.
		{Identity{Principal: "kafka", Role: "data/kafka", AppID: "/web/shop", Trusted: true}, Class{0x00110100, Known, "here", "data", "kafka", "classes.yaml:21", ""}},
	} {
		if got, err := r.For(c.id); err != nil || got != c.want {
			t.Errorf("%v: %+v, %v; want %+v", c.id, got, err, c.want)
		}
	}
}

func TestUnknownTasksAreRefusedWithWhatToAdd(t *testing.T) {
	r := parse(t, twoTeams)
	for _, c := range []struct {
		name       string
		id         Identity
		team, want string
	}{
		{"app without a line", proxy.of("/web/new"), "web",
			"team web has no app \"/web/new\"; the network team adds the line `/web/new: 0x00100108` (classes.yaml:14, clusters.here.teams.web.apps)."},
		{"retired app", proxy.of("/web/old"), "web", "team web has no app \"/web/old\" any more (it is retired, classes.yaml:18); the network team adds the line `/web/old: 0x00100108`"},
		{"name that is no app ID", proxy.of("batch"), "web", "team web has no app \"batch\"; the network team adds `app: APP` to the entry of identities that matches principal \"proxy\""},
		{"app ID that none is", proxy.of("/Web"), "web", `team web has no app "/Web"; app "/Web" is no app ID of Marathon`},
		{"no app ID", proxy, "web",
			"nothing says which app of team web the task is of; the network team adds `app: APP` to the entry of identities that matches principal \"proxy\", role \"web\" (classes.yaml:24)."},
		{"app ID that is not believed", Identity{Principal: "other", Role: "web", AppID: "/web/shop", Trusted: true}, "web",
			"team web has no app \"/web/shop\" by an identity that is believed: app IDs of principal \"other\" can be anybody's; the network team adds `app: APP` to the entry"},
		{"entry without an app", Identity{Principal: "x", Role: "data/late", Trusted: true}, "data", "nothing says which app of team data the task is of"},
		{"no team, by app ID", Identity{Principal: "proxy", Role: "y", AppID: "/mail/smtp", Trusted: true}, "",
			"no entry of identities matches principal \"proxy\", role \"y\", app ID \"/mail/smtp\"; the network team adds an entry such as `- {match: {principals: [proxy], app_ids: [/mail/smtp]}, team: TEAM}` (classes.yaml:22, clusters.here.identities)."},
		{"no team, by role", foreign, "", "no entry of identities matches principal \"x\", role \"y\"; the network team adds an entry such as `- {match: {roles: [y]}, team: TEAM, app: APP}` (classes.yaml:22, clusters.here.identities)."},
		{"no team, by a role with odd letters", Identity{Role: "a/b: c", Trusted: true}, "", "`- {match: {roles: [\"a/b: c\"]}, team: TEAM, app: APP}`"},
		{"no team, by principal", Identity{Principal: "x", Role: "*", Trusted: true}, "", "an entry such as `- {match: {principals: [x]}, team: TEAM, app: APP}`"},
		{"no team, by a role that is a pattern", Identity{Principal: "x", Role: "a*", Trusted: true}, "", "an entry such as `- {match: {principals: [x]}, team: TEAM, app: APP}`"},
		{"no team, by names that are patterns", Identity{Principal: "*", Role: "**", Trusted: true}, "", `no entry of identities matches principal "*", role "**"; give the framework a principal or a role`},
		{"no team, by an app ID that is a pattern", Identity{Principal: "proxy", Role: "y", AppID: "/**", Trusted: true}, "", "an entry such as `- {match: {roles: [y]}, team: TEAM, app: APP}`"},
		{"neither principal nor role", Identity{Trusted: true}, "", "no entry of identities matches a task without principal and role; give the framework a principal or a role"},
		{"nobody vouches", nobody, "", "no entry of identities matches a task whose principal and role nobody vouches for; start the executor by an agent that vouches for them"},
	} {
		class, err := r.For(c.id)
		var denied *DeniedError
		if !errors.As(err, &denied) || class != (Class{}) {
			t.Errorf("%s: %+v, %v", c.name, class, err)
			continue
		}
		if !regexp.MustCompile(`\(classes\.yaml:[0-9]+[,)]`).MatchString(err.Error()) {
			t.Errorf("%s: no line: %v", c.name, err)
		}
		if denied.Team != c.team || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: team %q, %v\nwant %s", c.name, denied.Team, err, c.want)
		}
	}
}

// What a refusal says is to be added lets the task run.
func TestRemedyOfARefusalHelps(t *testing.T) {
	_, err := parse(t, twoTeams).For(proxy.of("/web/new"))
	var denied *DeniedError
	if !errors.As(err, &denied) {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(denied.Remedy, "`")
	line, _, _ := strings.Cut(rest, "`")
	r := parse(t, strings.Replace(twoTeams, "        apps:\n", "        apps:\n          "+line+"\n", 1))
	if class, err := r.For(proxy.of("/web/new")); err != nil || class.ID != 0x00100108 || class.Outcome != Known {
		t.Errorf("%+v, %v", class, err)
	}
}

func TestUnknownTasksGetTheDefaultClass(t *testing.T) {
	for _, c := range []struct {
		name string
		id   Identity
		want Class
	}{
		{"of the team", proxy.of("/web/new"), Class{0x00100001, ByDefault, "here", "web", "", "classes.yaml:4", `Default class of team web: team web has no app "/web/new".`}},
		{"of the team, without an app", proxy, Class{0x00100001, ByDefault, "here", "web", "", "classes.yaml:4", "Default class of team web: nothing says which app of team web the task is of."}},
		{"of the default team", foreign, Class{0x00110001, ByDefault, "here", "data", "", "classes.yaml:4", `Default class of team data: no entry of identities matches principal "x", role "y".`}},
		{"nobody vouches", nobody, Class{0x00110001, ByDefault, "here", "data", "", "classes.yaml:4", "Default class of team data: no entry of identities matches a task whose principal and role nobody vouches for."}},
	} {
		r := parse(t, with("default", "    default_team: data\n"))
		if got, err := r.For(c.id); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	r := parse(t, with("default", ""))
	if got, err := r.For(proxy); err != nil || got.ID != 0x00100001 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := r.For(foreign); err == nil || !strings.Contains(err.Error(), "no entry of identities matches principal") {
		t.Errorf("no default team: %v", err)
	}
	if notes := strings.Join(r.Notes(), "\n"); !strings.Contains(notes, "classes.yaml:4: tasks of no team are refused, since cluster here has no default_team.") {
		t.Errorf("notes: %s", notes)
	}
}

func TestUnknownTasksRunUntagged(t *testing.T) {
	r := parse(t, with("untagged", ""))
	for id, reason := range map[Identity]string{
		proxy.of("/web/new"): `Untagged: team web has no app "/web/new".`,
		foreign:              `Untagged: no entry of identities matches principal "x", role "y".`,
	} {
		if got, err := r.For(id); err != nil || got != (Class{Outcome: NoClass, Place: "classes.yaml:4", Reason: reason}) {
			t.Errorf("%v: %+v, %v", id, got, err)
		}
	}
	if got, err := r.For(proxy.of("/web/shop")); err != nil || got.ID != 0x00100100 || got.Outcome != Known {
		t.Errorf("known: %+v, %v", got, err)
	}
}

func TestEveryTaskIsUntaggedWhileClassIDsAreOff(t *testing.T) {
	r := parse(t, strings.Replace(twoTeams, "version: 1", "version: 1\nclass_ids: off", 1))
	for _, id := range []Identity{proxy.of("/web/shop"), foreign, nobody, {}} {
		got, err := r.For(id)
		if err != nil || got != (Class{Outcome: NoClass, Place: "classes.yaml:2", Reason: "Class IDs are off (classes.yaml:2)."}) {
			t.Errorf("%v: %+v, %v", id, got, err)
		}
	}
	if r.UsesIdentity() || r.Mode() != Off {
		t.Errorf("%v, %v", r.UsesIdentity(), r.Mode())
	}
	if o := r.Lookup(0x00100100); o.App != "/web/shop" {
		t.Errorf("lookup: %+v", o)
	}
}

func TestIdentityMatches(t *testing.T) {
	r := parse(t, head+`clusters:
  c:
    teams: {t: {major: 0x10, apps: {a: 10:101, b: 10:102, c: 10:103, d: 10:104, e: 10:105}}}
    identities:
      - {match: {principals: [m], roles: [x], app_ids: [/a/*]}, team: t, app: a}
      - {match: {principals: [m], app_ids: [/b/**]}, team: t, app: b}
      - {match: {roles: ["infra/**"]}, team: t, app: c}
      - {match: {principals: ["ci-*"]}, team: t, app: d}
      - {match: {roles: ["*"]}, team: t, app: e}
`)
	for _, c := range []struct {
		principal, role, appID, want string
	}{
		{"m", "x", "/a/1", "a"},
		{"m", "x", "/a/1/2", "e"},
		{"m", "y/z", "/a/1", ""},
		{"n", "x", "/a/1", "e"}, // not trusted with app IDs
		{"m", "x", "/b/1/2", "b"},
		{"m", "x", "/b", "e"},
		{"n", "infra/a/b", "", "c"},
		{"n", "infra", "", "e"},
		{"ci-1", "a/b", "", "d"},
		{"ci-1/2", "a/b", "", ""},
		{"", "x", "", "e"},
		{"", "", "/b/1", ""},
	} {
		got, err := r.For(Identity{Principal: c.principal, Role: c.role, AppID: c.appID, Trusted: true})
		if got.App != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
		if got, err := r.For(Identity{Principal: c.principal, Role: c.role, AppID: c.appID}); err == nil {
			t.Errorf("%+v: without trust it gets %+v", c, got)
		}
	}
}

func TestNotesNameLinesWithoutEffect(t *testing.T) {
	text := `version: 1
class_ids: preferred
unknown: untagged
principals: {m: {app_id_trusted: true}}
clusters:
  c:
    teams:
      web:
        major: 0x0010
        apps: {/web/a: 10:101, named: 10:102, lost: 10:103, /other: 10:104}
      idle: {major: 0x0011}
    identities:
      - {match: {principals: [m], app_ids: [/web/**]}, team: web}
      - {match: {roles: [r]}, team: web, app: named}
      - {match: {principals: [m, n], roles: [r]}, team: web, app: named}
      - {match: {principals: [m], app_ids: [/web/x/*]}, team: web, app: named}
`
	want := []string{
		"classes.yaml:2: class IDs are preferred: a task whose class cannot be given to it runs untagged.",
		"classes.yaml:3: tasks without a line in the file run untagged.",
		"classes.yaml:15: the entry of identities (principals m, n; roles r) is never reached: the first match wins, and the one on line 14 (roles r) matches all of it.",
		"classes.yaml:16: the entry of identities (principals m; app_ids /web/x/*) is never reached: the first match wins, and the one on line 13 (principals m; app_ids /web/**) matches all of it.",
		"classes.yaml:10: no entry of identities gives a task of team web in cluster c the class of lost, /other.",
		"classes.yaml:11: team idle in cluster c is in no entry of identities, so no task gets a class of it.",
	}
	r := parse(t, text)
	if got := r.Notes(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got  %s", strings.Join(got, "\n     "))
	}
	if got := r.Summary(); strings.Join(got, "\n") != strings.Join(want[:2], "\n") {
		t.Errorf("summary: %q", got)
	}
	if got := parse(t, "version: 1\nclass_ids: off\n").Notes(); len(got) != 1 || got[0] != "classes.yaml:2: class IDs are off." {
		t.Errorf("off: %q", got)
	}
	if got := parse(t, clusterText("teams: {}")).Notes(); len(got) != 1 || got[0] != "classes.yaml:4: cluster c has no identities, so that every task is of no team." {
		t.Errorf("empty cluster: %q", got)
	}
}

// The work of notes is bounded: a team with more entries by app ID than comparedEntries gets none about apps, rather than wrong ones.
func TestNotesOfManyEntriesAreBounded(t *testing.T) {
	var apps, entries strings.Builder
	for i := range comparedEntries + 1 {
		fmt.Fprintf(&apps, "          /t/a%d: 0x%08x\n", i, 0x00100100+i)
		fmt.Fprintf(&entries, "      - {match: {app_ids: [/x/y%d]}, team: t}\n", i)
	}
	r := parse(t, teamText("apps:")+apps.String()+"    identities:\n"+entries.String())
	if notes := r.Notes(); len(notes) > 0 {
		t.Errorf("%.300q", notes)
	}
}

func TestModeAndDigestOfAFile(t *testing.T) {
	r := parse(t, twoTeams)
	if r.Mode() != Required || r.Unknown() != Deny || r.Name() != "classes.yaml" || r.Cluster() != "here" || !r.UsesIdentity() {
		t.Errorf("%v, %v, %v, %v, %v", r.Mode(), r.Unknown(), r.Name(), r.Cluster(), r.UsesIdentity())
	}
	if again := parse(t, twoTeams+"\n"); again.Digest() == r.Digest() || len(r.Digest()) != 64 {
		t.Errorf("digests %s and %s", r.Digest(), again.Digest())
	}
	if r := parse(t, with("untagged", "")); r.Mode() != Preferred || r.Unknown() != Untagged {
		t.Errorf("%v, %v", r.Mode(), r.Unknown())
	}
}

// A registry that is loaded, asked once and dropped leaves only the answer in memory.
func TestLittleStaysInMemoryAfterOneLookup(t *testing.T) {
	text := largeFile()
	load := func() (class Class, rest string, refusal error) {
		r, err := Parse("classes.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		if class, err = r.For(lastOfLarge); err != nil {
			t.Fatal(err)
		}
		_, refusal = r.For(Identity{Principal: "marathon-proxy", AppID: "/team-29/new", Trusted: true})
		return class, r.Digest() + r.Lookup(class.ID).Team + r.Teams()[59].Name, refusal
	}
	load() // what the libraries keep
	before := liveHeap()
	class, rest, refusal := load()
	if class.ID != 0x002d01a6 || refusal == nil {
		t.Errorf("%+v, %v", class, refusal)
	}
	stays := liveHeap() - before
	t.Logf("%d bytes stay of a file of %d", stays, len(text))
	if stays > 64<<10 {
		t.Errorf("%d bytes stay in memory of a file of %d", stays, len(text))
	}
	runtime.KeepAlive(rest)
	runtime.KeepAlive(refusal)
	runtime.KeepAlive(class)
	runtime.KeepAlive(text)
}
