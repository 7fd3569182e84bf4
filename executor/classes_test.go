package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mesos-docker-executor/cgroupnet/classes"
)

const twoClusters = "../docs/classes/two-clusters.yaml"

// lesson runs a command and holds it against what it has to print, or a part of its complaint.
type lesson struct {
	args   string
	status int
	want   []string // parts of the output, or of the complaint
}

func (l lesson) check(t *testing.T, stdin string) {
	t.Helper()
	out, status, complaint := commanded(strings.NewReader(stdin), strings.Fields(l.args)...)
	if status != l.status || complaint != "" && (out != "" || strings.Contains(complaint, "\n")) {
		t.Errorf("%s: %d %q, want %d\n%s", l.args, status, complaint, l.status, out)
	}
	for _, want := range l.want {
		if !strings.Contains(out+complaint, want) {
			t.Errorf("%s: no %q in\n%s%s", l.args, want, out, complaint)
		}
	}
}

func TestShowHasALineForEachClass(t *testing.T) {
	out, status, complaint := commanded(nil, "classes", "show", "--classes", twoClusters)
	if status != exitOK {
		t.Fatal(complaint)
	}
	text, err := os.ReadFile(twoClusters)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if want := "classes: two-clusters.yaml, sha256 " + sha256Of(string(text)) + ", class_ids required, unknown deny, cluster gra1"; lines[0] != want {
		t.Errorf("%s\nwant %s", lines[0], want)
	}
	var got []string
	for _, line := range lines[2:] {
		fields := strings.Fields(line)
		got = append(got, strings.Join(fields[:len(fields)-1], " "))
		// The line of the file is the one that says it.
		var number int
		fmt.Sscan(fields[len(fields)-1], &number)
		said := strings.Split(string(text), "\n")[number-1]
		if id := fields[0]; !strings.Contains(said, id[:6]) || fields[4] != "-" && !strings.Contains(said, fields[4]+": "+id) {
			t.Errorf("%s\nis said to be of the line %s", line, said)
		}
	}
	want := []string{
		"0x00100001 10:1 gra1 web - default", "0x00100100 10:100 gra1 web /web/front app", "0x00100101 10:101 gra1 web /web/shop app",
		"0x00100102 10:102 gra1 web /web/cart retired", "0x00100103 10:103 gra1 web /web/shop/search app", "0x00100104 10:104 gra1 web previews app",
		"0x00110001 11:1 gra1 data - default", "0x00110100 11:100 gra1 data kafka app", "0x00110101 11:101 gra1 data spark app",
		"0x0012 12: gra1 mail - retired team", "0x00200001 20:1 sbg1 web - default", "0x00200100 20:100 sbg1 web /web/front app",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestShowOfATeamOrACluster(t *testing.T) {
	for args, want := range map[string]string{
		"":                               "web data mail web",
		"--team web":                     "web web",
		"--team web --cluster sbg1":      "web",
		"--team=sbg1/web":                "web",
		"--team gra1/web --cluster=gra1": "web",
		"--cluster gra1":                 "web data mail",
		"--team mail":                    "mail",
	} {
		out, status, complaint := commanded(nil, append([]string{"classes", "show", "--json", "--classes", twoClusters}, strings.Fields(args)...)...)
		var table classTable
		if err := json.Unmarshal([]byte(out), &table); err != nil || status != exitOK {
			t.Fatalf("%s: %v %s", args, err, complaint)
		}
		var teams []string
		for _, row := range table.IDs {
			teams = append(teams, row.Cluster+row.Team)
		}
		teams = slices.Compact(teams)
		for i, name := range teams {
			teams[i] = name[4:]
		}
		if got := strings.Join(teams, " "); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
		if table.Classes.ClassIDs != "required" || table.Classes.Unknown != "deny" || len(table.Classes.SHA256) != 64 {
			t.Errorf("%+v", table.Classes)
		}
	}
}

func TestLookupTellsWhoseAClassIs(t *testing.T) {
	for _, tc := range []lesson{
		{"0x00100100", exitOK, []string{"0x00100100 (tc 10:100): app /web/front of team web in cluster gra1 (two-clusters.yaml:18)\n"}},
		{"1048832 10:100 0010:0100 0x100100", exitOK, []string{strings.Repeat("0x00100100 (tc 10:100): app /web/front of team web in cluster gra1 (two-clusters.yaml:18)\n", 4)}},
		{"10:1", exitOK, []string{"0x00100001 (tc 10:1): default class of team web"}},
		{"0x0010", exitOK, []string{"0x0010 (tc 10:): the major of team web in cluster gra1 (two-clusters.yaml:16)\n"}},
		{"20: --json", exitOK, []string{`"id": "0x0020"`, `"kind": "team"`, `"current": true`, `"cluster": "sbg1"`, `"team": "web"`, `"line": 47`}},
		{"10:102", exitFail, []string{"0x00100102 (tc 10:102): retired, was app /web/cart of team web in cluster gra1 (two-clusters.yaml:23); it is never given away again\n"}},
		{"12:", exitFail, []string{"0x0012 (tc 12:): retired, was the major of team mail in cluster gra1 (two-clusters.yaml:42)"}},
		{"12:100", exitFail, []string{"retired, was a class of team mail"}},
		{"10:200", exitFail, []string{"given to no app, and of the major of team web"}},
		{"0x00130100", exitFail, []string{"0x00130100 (tc 13:100): given to nobody\n"}},
		{"0x13", exitFail, []string{"0x0013 (tc 13:): given to no team\n"}},
		{"10:100 0", exitFail, []string{"app /web/front", "0x00000000 (tc 0:0): no class at all: what the host's own processes and containers without a class send, "}},
		{"0x0000", exitFail, []string{"0x00000000 (tc 0:0): no class at all"}},
		{"16", exitFail, []string{"of the major 0, which is none; the major of a team is written 0x0010\n"}},
		{"0xffffffff", exitFail, []string{"TC_H_ROOT"}},
		{"0xffff", exitFail, []string{"0x0000ffff (tc 0:ffff): of the major 0, which is none\n"}},
		{"ffff:", exitUsage, []string{"is a qdisc to tc, not a class; write both halves"}},
		{"", exitUsage, []string{"classes lookup: it needs a class ID; see --help"}},
		{"00100100", exitUsage, []string{`classes lookup: "00100100" begins with 0, which is octal to some programs; if it is hexadecimal, write 0x00100100`}},
		{"10:100 web", exitUsage, []string{`classes lookup: "web" is no number`}},
		{"0x10:", exitUsage, []string{"classes lookup: ", "0x beside a colon"}},
		{"0x100000000", exitUsage, []string{"more than the 32 bits"}},
		{"10:1 --wide", exitUsage, []string{"classes lookup: flag provided but not defined: --wide; see --help"}},
	} {
		tc.args = "classes lookup --classes " + twoClusters + " " + tc.args
		tc.check(t, "")
	}
}

func TestLookupOfAnEmptyWord(t *testing.T) {
	if out, status, complaint := commanded(nil, "classes", "lookup", "--classes", twoClusters, "10:1", ""); status != exitUsage || out != "" || complaint != "classes lookup: an ID is empty; see --help for the spellings" {
		t.Errorf("%d %q\n%s", status, complaint, out)
	}
}

func TestAllocateWritesTheNextLine(t *testing.T) {
	const small = "version: 1\nclusters:\n  gra1:\n    teams:\n      web:\n        major: 0x0010\n    identities: [{match: {roles: [web]}, team: web}]\n"
	for _, tc := range []lesson{
		{twoClusters + " --team web --app /web/new", exitOK, []string{"/web/new: 0x00100105\ngoes into two-clusters.yaml below line 21, under clusters.gra1.teams.web.apps\n"}},
		{twoClusters + " --team web --cluster sbg1 --app /web/shop", exitOK, []string{"/web/shop: 0x00200101\n", "below line 49, under clusters.sbg1.teams.web.apps\n"}},
		{twoClusters + " --team sbg1/web --app /web/shop", exitOK, []string{"/web/shop: 0x00200101\n"}},
		{twoClusters + " --team data --app flink --json", exitOK, []string{`"id": "0x00110102"`, `"tc": "11:102"`, `"text": "flink: 0x00110102"`, `"after": 28`, `"key": "clusters.gra1.teams.data.apps"`, `"file": "two-clusters.yaml"`}},
		{"- --team web --app shop", exitOK, []string{"shop: 0x00100100\ngoes into stdin below line 5, under clusters.gra1.teams.web.apps, a key to add if it is not there\n"}},
		{twoClusters + " --team web --app /web/shop", exitFail, []string{"classes allocate: app /web/shop of team web has the class ID 0x00100101 already (two-clusters.yaml:19)"}},
		{twoClusters + " --team web --app /web/Shop", exitUsage, []string{`classes allocate: app "/web/Shop" is no app ID of Marathon; write one such as /web/shop`}},
		{twoClusters + " --team wbe --app /web/shop", exitUsage, []string{`classes allocate: --team: there is no team "wbe" in two-clusters.yaml; known are data, mail, web`}},
		{twoClusters + " --team data --cluster sbg1 --app x", exitUsage, []string{`--team: there is no team "data" in two-clusters.yaml; known are web`}},
		{twoClusters + " --team mail --app x", exitUsage, []string{`--team: there is no team "mail" in cluster gra1 of two-clusters.yaml; known are data, web`}},
		{twoClusters + " --team web --cluster gra --app x", exitUsage, []string{`--cluster: there is no cluster with teams "gra" in two-clusters.yaml; known are gra1, sbg1`}},
		{twoClusters + " --team sbg1/web --cluster gra1 --app x", exitUsage, []string{`--team: "sbg1/web" is of another cluster than --cluster, "gra1"; name one`}},
		{twoClusters + " --app x", exitUsage, []string{"classes allocate: --team is missing: "}},
		{twoClusters + " --team web", exitUsage, []string{"classes allocate: --app is missing: "}},
		{twoClusters + " --team /web --app x", exitUsage, []string{`classes allocate: --team: "/web" lacks a name beside its slash; write TEAM or CLUSTER/TEAM`}},
		{twoClusters + " --team gra1/ --app x", exitUsage, []string{`--team: "gra1/" lacks a name beside its slash`}},
		{twoClusters + " --team= --app x", exitUsage, []string{"--team: it is empty; write a name, or leave the flag out"}},
		{twoClusters + " --team web --app x y", exitUsage, []string{`classes allocate: it takes flags only, and "y" is there; see --help`}},
	} {
		tc.args = "classes allocate --classes " + tc.args
		tc.check(t, small)
	}
}

// The name of a team of the past may be anything, and is shown like others that are known.
func TestNamesThatAreKnownAreShownOnOneLine(t *testing.T) {
	const file = "version: 1\nclusters:\n  c:\n    teams: {web: {major: 0x0010}}\n    retired: {\"evil\\u202eteam\": 0x0011}\n    identities: [{match: {roles: [w]}, team: web}]\n"
	lesson{"classes show --classes - --team wbe", exitUsage, []string{`--team: there is no team "wbe" in stdin; known are evil\u202eteam, web`}}.check(t, file)
}

// A line that was printed makes a file that is right, and the next one another.
func TestAllocatedLinesAreTaken(t *testing.T) {
	in := folder(t, map[string]string{"c.yaml": "version: 1\nclusters:\n  gra1:\n    teams:\n      web:\n        major: 0x0010\n        apps:\n"})
	var text []byte
	for n, want := range []string{"0x00100100", "0x00100101", "0x00100102"} {
		text, _ = os.ReadFile(in("c.yaml"))
		if n == 0 { // an app is needed for the file to be right
			text = append(text, "          a0: 0x00100100\n"...)
		} else {
			out, status, complaint := commanded(strings.NewReader(string(text)), "classes", "allocate", "--classes=-", "--team=web", fmt.Sprintf("--app=a%d", n))
			line, _, _ := strings.Cut(out, "\n")
			if status != exitOK || line != fmt.Sprintf("a%d: %s", n, want) {
				t.Fatalf("%d %s\n%s", status, complaint, out)
			}
			text = append(text, "          "+line+"\n"...)
		}
		if err := os.WriteFile(in("c.yaml"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lesson{"check " + in("c.yaml"), exitOK, []string{": ok (classes, "}}.check(t, "")
}

func TestAllocateOfATeamThatHasAllItsClasses(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\nclusters:\n c:\n  teams:\n   web:\n    major: 0x0010\n    apps:\n")
	for minor := 0x100; minor < 0xffff; minor++ {
		if minor == 0x8000 {
			b.WriteString("    retired:\n")
		}
		fmt.Fprintf(&b, "     a%x: 10:%x\n", minor, minor)
	}
	lesson{"classes allocate --classes - --team web --app new", exitFail, []string{"classes allocate: team web has no free class ID: give it a second team"}}.check(t, b.String())
}

func TestClassesOfWhatCannotBeRead(t *testing.T) {
	in := folder(t, map[string]string{"bad.yaml": "version: 1\nclusters: {gra1: {teams: {web: {major: 10}}}}\n"})
	if err := os.Mkdir(in("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"show", "lookup 10:1", "allocate --team web --app x", "ps"} {
		for file, want := range map[string]string{
			in("bad.yaml"): in("bad.yaml") + `:2: clusters.gra1.teams.web.major: "10" can be decimal or tc's hexadecimal; write 0x000a or 0x0010`,
			in("missing"):  in("missing") + ": cannot be opened: no such file or directory",
			in("folder"):   in("folder") + ": cannot be opened: it is a folder; name a file in it",
			"":             "--classes: the path is empty",
		} {
			lesson{"classes " + command + " --classes=" + file, exitUsage, []string{want}}.check(t, "")
		}
	}
}

// A laptop, or a host of which nobody has thought yet.
func TestClassesWithoutAFile(t *testing.T) {
	if !missing(classes.DefaultPath) {
		t.Fatalf("this host has a %s; remove it for this test", classes.DefaultPath)
	}
	for _, command := range []string{"show", "lookup 10:1", "allocate --team web --app x"} {
		name, _, _ := strings.Cut(command, " ")
		lesson{"classes " + command, exitFail, []string{
			"classes " + name + ": class IDs are off: there is no /etc/mesos-docker-executor/classes.yaml; write one, for which docs/classes.md has examples, or name another file with --classes",
		}}.check(t, "")
	}
}

func TestClassesNeedsACommand(t *testing.T) {
	lesson{"classes", exitUsage, []string{"classes: it needs a command: show, lookup, allocate, "}}.check(t, "")
	lesson{"classes list", exitUsage, []string{`classes: "list" is none of its commands: show, lookup, `}}.check(t, "")
	lesson{"classes show --wide", exitUsage, []string{"flag provided but not defined: --wide; see --help"}}.check(t, "")
	lesson{"classes show web", exitUsage, []string{`classes show: it takes flags only, and "web" is there; see --help`}}.check(t, "")
}

// Who may write to a file is said, and its content is shown.
func TestShowWarnsOfAFileThatNoExecutorWouldRead(t *testing.T) {
	text, err := os.ReadFile(twoClusters)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	lesson{"classes show --classes " + path, exitOK, []string{"\nwarning: an executor would not read these classes: may be written by its group or others (mode 0666)", "0x00100100"}}.check(t, "")
	lesson{"classes allocate --json --team web --app /x --classes " + path, exitOK, []string{"\"warnings\": [\n    \"may be written by its group or others (mode 0666)", "/x: 0x00100105"}}.check(t, "")
	lesson{"check " + path, exitOK, []string{": warning: no executor would read it: may be written by its group or others (mode 0666)"}}.check(t, "")
}

func TestWhatIsWrongWithAClassIsSaid(t *testing.T) {
	r, err := chooseClasses(twoClusters, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path  string
		class classes.ID
		want  string
	}{
		{"/r/00100100/x", 0x00100100, ""},
		{"/r/00100001/x", 0x00100001, ""},
		{"/r/00000000/x", 0, ""},
		{"/foreign", 0x00100100, ""},
		{"/r/00100100/x", 0, "it has no class, and its path says 0x00100100"},
		{"/r/00100100/x", 0x00100101, "its path says 0x00100100"},
		{"/r/00000000/x", 0x00100101, "its path says 0x00000000"},
		{"/r/00100100/x/docker", 0x00100100, ""}, // its task's own has another
		{"/r/00100100/x/docker", 0, "it has no class, and its path says 0x00100100"},
		{"/r/00100100/x/docker/y", 0x00100101, "its path says 0x00100100"},
		{"/mesos/" + explainContainerID + "/task", 0x00100101, ""},
		{"/mesos/" + explainContainerID + "/task", 0, ""},
		{"/mesos/" + explainContainerID + "/task/docker", 0x00100101, "the task's cgroup above has another class"},
		{"/r/00100200/x", 0x00100200, "not in two-clusters.yaml: given to no app, and of the major of team web in cluster gra1 (two-clusters.yaml:16)"},
		{"/foreign", 0x00770001, "not in two-clusters.yaml: given to nobody"},
		{"/foreign", 0x00100000, "not in two-clusters.yaml: the qdisc 10: itself to tc, not a class of it"},
		{"/r/00100102/x", 0x00100102, "retired (two-clusters.yaml:23)"},
	} {
		if row := newClassedRow(tc.path, tc.class, "/r", r); row.Wrong != tc.want {
			t.Errorf("%s %s: %q, want %q", tc.path, tc.class, row.Wrong, tc.want)
		}
	}
	// Without a file a class is as good as another.
	if row := newClassedRow("/foreign", 0x00770001, "/r", readClasses{Registry: classes.None(classes.DefaultPath)}); row.Wrong != "" || row.TC != "77:1" {
		t.Errorf("%+v", row)
	}
}
