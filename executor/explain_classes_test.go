package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mesos-docker-executor/cgroupnet/classes"
)

// marathonClasses has a class for hello.json's role, and for apps of Marathon.
const marathonClasses = `version: 1
class_ids: preferred
unknown: untagged
principals: {marathon: {app_id_trusted: true}}
clusters:
  gra1:
    teams:
      web: {major: 0x0010, apps: {/web/front: 0x00100100}}
      demo: {major: 0x0011, apps: {hello: 0x00110100}}
    identities:
      - {match: {principals: [marathon], app_ids: ["/web/**"]}, team: web}
      - {match: {roles: [demo]}, team: demo, app: hello}
`

func TestExplainTellsTheClassID(t *testing.T) {
	required := strings.Replace(strings.Replace(marathonClasses, "class_ids: preferred\n", "", 1), "unknown: untagged\n", "", 1)
	text, err := os.ReadFile("../testdata/tasks/hello.json")
	if err != nil {
		t.Fatal(err)
	}
	in := folder(t, map[string]string{
		"preferred.yaml": marathonClasses, "required.yaml": required, "default.yaml": strings.Replace(required, "version: 1\n", "version: 1\nunknown: default\n", 1),
		"off.yaml": strings.Replace(required, "version: 1\n", "version: 1\nclass_ids: off\n", 1),
		"hello":    string(text),
		"front":    strings.Replace(string(text), `"hello.1"`, `"web_front.instance-0c0ffee0-0000-4000-8000-000000000000._app.1"`, 1),
		"new":      strings.Replace(string(text), `"hello.1"`, `"web_new.instance-0c0ffee0-0000-4000-8000-000000000000._app.1"`, 1),
	})
	for _, tc := range []struct {
		classes, task, args string
		status              int
		want                string
	}{
		{"required.yaml", "hello", "", exitOK, "class: 0x00110100 (tc 11:100), app hello of team demo in cluster gra1 (required.yaml:7)\n"},
		{"preferred.yaml", "hello", "", exitOK, "class: 0x00110100 (tc 11:100), app hello of team demo in cluster gra1 (preferred.yaml:9), preferred: the task runs untagged where it cannot be given\n"},
		{"required.yaml", "front", "--principal marathon", exitOK, "class: 0x00100100 (tc 10:100), app /web/front of team web in cluster gra1 (required.yaml:6)\n"},
		// Whose principal it is makes the difference: an app ID is its author's word.
		{"required.yaml", "front", "--principal other", exitOK, "class: 0x00110100 (tc 11:100), app hello"},
		{"required.yaml", "new", "--principal marathon", exitFail, "refused: TASK_FAILED, REASON_CONTAINER_LAUNCH_FAILED: class ID: team web has no app \"/web/new\"; the network team adds the line `/web/new: 0x00100101` (required.yaml:6, clusters.gra1.teams.web.apps).\n"},
		{"default.yaml", "new", "--principal marathon", exitOK, "class: 0x00100001 (tc 10:1), the default class of team web in cluster gra1 (default.yaml:2): Default class of team web: team web has no app \"/web/new\".\n"},
		{"preferred.yaml", "hello", "--role other", exitOK, "class: none: Untagged: no entry of identities matches role \"other\".\n"},
		{"required.yaml", "hello", "--role other", exitFail, "refused: TASK_FAILED, REASON_CONTAINER_LAUNCH_FAILED: class ID: no entry of identities matches role \"other\"; "},
		{"off.yaml", "hello", "", exitOK, "class: none: Class IDs are off (off.yaml:2).\n"},
	} {
		args := append([]string{"explain", "--policy=built-in", "--classes", in(tc.classes), in(tc.task)}, strings.Fields(tc.args)...)
		out, status, complaint := commanded(nil, args...)
		if status != tc.status || complaint != "" || !strings.Contains(out, tc.want) {
			t.Errorf("%s %s %s: %d %s\nno %s in\n%s", tc.classes, tc.task, tc.args, status, complaint, tc.want, out)
		}
		if !strings.Contains(out, "\nclasses: "+tc.classes+", sha256 ") || strings.Contains(out, "note: class ID") || strings.Contains(out, "note: Class IDs") || strings.Contains(out, "note: Untagged") {
			t.Errorf("%s %s %s:\n%s", tc.classes, tc.task, tc.args, out)
		}
	}
}

func TestExplainPrintsTheClassIDAsJSON(t *testing.T) {
	explained := func(args ...string) explanation {
		t.Helper()
		out, _, complaint := commanded(strings.NewReader(marathonClasses), append([]string{"explain", "--json", "--policy=built-in", "../testdata/tasks/hello.json"}, args...)...)
		var e explanation
		if err := json.Unmarshal([]byte(out), &e); err != nil {
			t.Fatalf("%v %s\n%s", err, complaint, out)
		}
		return e
	}
	e := explained("--classes", "-")
	want := classShown{classes.Class{ID: 0x00110100, Outcome: classes.Known, Cluster: "gra1", Team: "demo", App: "hello", Place: "stdin:9"}, "11:100", true}
	if e.Class == nil || *e.Class != want || e.Classes.SHA256 != sha256Of(marathonClasses) || e.Classes.ClassIDs != "preferred" || e.Classes.Unknown != "untagged" {
		t.Errorf("%+v of %+v", e.Class, e.Classes)
	}
	// A refused task has none, and the message says why.
	e = explained("--classes", twoClusters)
	if e.Accepted || e.Class != nil || e.State != "TASK_FAILED" || !strings.HasPrefix(e.Message, "class ID: ") {
		t.Errorf("%+v", e)
	}
	// This host has no file.
	e = explained()
	if e.Class == nil || e.Class.Outcome != classes.NoClass || e.Class.ID != 0 || e.Classes.SHA256 != "" || e.Classes.ClassIDs != "off" {
		t.Errorf("%+v of %+v", e.Class, e.Classes)
	}
}

func TestExplainOfClassesThatCannotBeRead(t *testing.T) {
	in := folder(t, map[string]string{"bad": badClasses, "open": marathonClasses})
	if err := os.Chmod(in("open"), 0o666); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		in("bad"):     in("bad") + ":4: clusters.gra1.teams.web.major: ",
		in("missing"): in("missing") + ": cannot be opened: no such file or directory",
		"":            "--classes: the path is empty",
	} {
		out, status, complaint := commanded(nil, "explain", "--classes="+file, "../testdata/tasks/hello.json")
		if out != "" || status != exitUsage || !strings.HasPrefix(complaint, want) {
			t.Errorf("%s: %d %s\n%s", file, status, complaint, out)
		}
	}
	out, status, _ := commanded(nil, "explain", "--classes", in("open"), "../testdata/tasks/hello.json")
	if status != exitOK || !strings.Contains(out, "\nwarning: an executor would not read these classes: may be written by its group or others") {
		t.Errorf("%d\n%s", status, out)
	}
	for _, args := range []string{"- --classes -", "--policy - --classes -"} {
		args := append(strings.Fields("explain "+args), filepath.Join("..", "testdata", "tasks", "hello.json"))
		if args[1] == "-" {
			args = args[:len(args)-1]
		}
		if out, status, complaint := commanded(strings.NewReader(marathonClasses), args...); status != exitUsage || complaint != "explain: only one of TASK, --policy and --classes can be stdin" {
			t.Errorf("%q: %d %s\n%s", args, status, complaint, out)
		}
	}
}
