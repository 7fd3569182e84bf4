package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mesos-docker-executor/security"
)

const stricterPolicy = `version: 1
defaults:
  capabilities:
    allow: [CHOWN]
    on_violation: reject
  pids_limit: 100
identities:
  - match: {roles: [web]}
    rules: {network: {modes: [none]}}
`

// recorded makes a folder of tasks that a change of policy concerns in different ways: all but "plain" ask for something.
func recorded(t *testing.T, more map[string]string) func(string) string {
	t.Helper()
	files := map[string]string{}
	for name, parameters := range map[string]string{
		"plain": "", "asks": `{"key": "cap-add", "value": "SETUID"}`, "greedy": `{"key": "cap-add", "value": "SYS_ADMIN"}`,
		"worse": `{"key": "privileged", "value": "true"}`,
	} {
		files[name+".json"] = `{"name": "` + name + `", "task_id": {"value": "` + name + `.1"}, "command": {"value": "true"},
			"resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}, "allocation_info": {"role": "batch"}},
				{"name": "mem", "type": "SCALAR", "scalar": {"value": 64}, "allocation_info": {"role": "batch"}}],
			"container": {"type": "DOCKER", "docker": {"image": "busybox", "network": "BRIDGE", "parameters": [` + parameters + `]}}}`
	}
	for name, text := range more {
		files[name] = text
	}
	return folder(t, files)
}

func TestDiffOfThePolicyWithItself(t *testing.T) {
	in := folder(t, map[string]string{"p.yaml": stricterPolicy})
	tasks := recorded(t, nil)
	for _, words := range [][]string{{"built-in", "built-in"}, {in("p.yaml"), in("p.yaml")}} {
		out, status, complaint := commanded(nil, append([]string{"policy", "diff", "--tasks", tasks(".")}, words...)...)
		if status != exitOK || complaint != "" || !strings.Contains(out, "\n\n4 tasks, 4 without a change\n") || strings.Contains(out, "rules that differ") {
			t.Errorf("%s: %d %s\n%s", words, status, complaint, out)
		}
	}
}

// What was not tried on any task is said, and sizes are as in a file.
func TestDiffNamesTheEntriesThatNoTaskGoesBy(t *testing.T) {
	in := folder(t, map[string]string{"p.yaml": "version: 1\nmode: audit\ndefaults: {shm_size: 5MiB, ulimits: {memlock: 3MiB}}\n" +
		"identities:\n- match: {roles: [batch]}\n- match: {roles: [web]}\n  rules: {init: true}\n"})
	tasks := recorded(t, nil)
	words := []string{"policy", "diff", "built-in", in("p.yaml"), "--tasks", tasks(".")}
	out, _, _ := commanded(nil, words...)
	for _, want := range []string{"\nnot compared: what identities[1] (p.yaml:6) of new says, as it is for none of the tasks\n", "  mode: enforce -> audit\n",
		"  shm_size: 1GiB -> 5MiB\n", "  ulimits.memlock: 64MiB -> 3MiB\n"} {
		if strings.Count(out, want) != 1 {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "identities[0] (p.yaml:5)") {
		t.Error(out)
	}
	if out, _, _ := commanded(nil, append(words, "--json")...); !strings.Contains(out, `"place": "p.yaml:6"`) || !strings.Contains(out, `"file": "`+in("p.yaml")+`"`) {
		t.Error(out)
	}
}

// A capability that both policies trim is no change, although nobody heard of it while the task was refused.
func TestDiffOfATaskThatIsAcceptedLeavesOutWhatWasTrimmedBefore(t *testing.T) {
	in := folder(t, map[string]string{"old.yaml": "version: 1\ndefaults: {network: {modes: [none]}}\n"})
	out, _, _ := commanded(nil, "policy", "diff", in("old.yaml"), "built-in", "--tasks", recorded(t, nil)("."))
	if !strings.Contains(out, "3 would be accepted, ") || strings.Contains(out, "trim") || strings.Contains(out, "by rule") {
		t.Error(out)
	}
}

func TestDiffSaysWhatAPolicyWouldChange(t *testing.T) {
	in := folder(t, map[string]string{"p.yaml": stricterPolicy})
	tasks := recorded(t, nil)
	out, status, complaint := commanded(nil, "policy", "diff", "built-in", in("p.yaml"), "--tasks", tasks("."))
	if status != exitFail || complaint != "" {
		t.Fatalf("%d %s\n%s", status, complaint, out)
	}
	for _, want := range []string{
		"old: built-in, sha256 ", "new: " + in("p.yaml") + ", sha256 " + sha256Of(stricterPolicy) + "\n",
		"rules that differ for tasks that no identity matches\n  capabilities.allow: - CAP_AUDIT_WRITE, ",
		"  capabilities.on_violation: trim -> reject\n", "  pids_limit: 4096 -> 100\n",
		tasks("plain.json") + " (role batch): accepted, but gets something else\n",
		"    host_config.CapAdd: - CAP_AUDIT_WRITE, ", "    host_config.PidsLimit: 4096 -> 100\n",
		tasks("asks.json") + " (role batch): refused\n", "  + reject: CAP_SETUID is refused: the policy allows only CAP_CHOWN",
		tasks("greedy.json") + " (role batch): refused\n", "  - trim: CAP_SYS_ADMIN is not among the capabilities",
		"\n4 tasks, 1 without a change, 2 would be refused, 1 would be treated otherwise\n  by rule capabilities.allow: 2 tasks\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "network.modes") || strings.Contains(out, "worse.json") {
		t.Errorf("the rules for others are shown, or what does not change:\n%s", out)
	}

	// The other way round what was refused is accepted.
	out, status, _ = commanded(nil, "policy", "diff", in("p.yaml"), "built-in", "--tasks", tasks("."))
	if status != exitFail || !strings.Contains(out, tasks("asks.json")+" (role batch): accepted\n  - reject: CAP_SETUID") ||
		!strings.Contains(out, "\n4 tasks, 1 without a change, 2 would be accepted, 1 would be treated otherwise\n") {
		t.Errorf("%d\n%s", status, out)
	}
}

func TestDiffGoesByTheIdentity(t *testing.T) {
	in := folder(t, map[string]string{"p.yaml": stricterPolicy})
	tasks := recorded(t, nil)
	out, status, _ := commanded(nil, "policy", "diff", "built-in", in("p.yaml"), "--tasks", tasks("."), "--role", "web", "--principal", "p")
	for _, want := range []string{
		"rules that differ for principal p, role web\n", "  network.modes: - bridge\n",
		tasks("plain.json") + " (principal p, role web): refused\n", "  + reject: Network \"bridge\" is refused",
		"\n4 tasks, 0 without a change, 3 would be refused, 1 would be treated otherwise\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if status != exitFail {
		t.Errorf("%d", status)
	}
}

// What an image says is not known before the pull, and is not passed over in silence.
func TestDiffSaysWhatTheImageHasASayIn(t *testing.T) {
	in := folder(t, map[string]string{
		"non-root.yaml": "version: 1\ndefaults: {run_as_non_root: true, mounts: {image_volumes: false}}\n",
		"audit.yaml":    "version: 1\nmode: audit\ndefaults: {run_as_non_root: true, images: {require_digest: true}}\n",
		"enforce.yaml":  "version: 1\ndefaults: {run_as_non_root: true, images: {require_digest: true}}\n",
	})
	tasks := recorded(t, nil)
	for _, tc := range []struct{ old, new, want string }{
		{"built-in", in("non-root.yaml"), "mounts.image_volumes, run_as_non_root"},
		{in("non-root.yaml"), in("enforce.yaml"), "images.require_digest, mounts.image_volumes"},
		{in("audit.yaml"), in("enforce.yaml"), "mode"},
	} {
		out, _, _ := commanded(nil, "policy", "diff", tc.old, tc.new, "--tasks", tasks("."))
		if strings.Contains(out, "nothing") { // of the mode, which is to enforce where none is written
			t.Error(out)
		}
		if want := "\nnot compared: what images come to by " + tc.want + ", as they are judged after the pull\n"; !strings.HasSuffix(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// A task that may pick its profile by one of the policies only has no rules by the other.
func TestDiffOfRulesLeavesOutWhoHasNone(t *testing.T) {
	const own = "version: 1\nprofiles: {big: {pids_limit: 3000}}\nidentities: [{match: {roles: [batch]}, rules: {gpus: true}"
	in := folder(t, map[string]string{"old.yaml": own + "}]\n", "new.yaml": own + ", profiles: [big]}]\n"})
	tasks := recorded(t, nil)
	text, err := os.ReadFile(tasks("plain.json"))
	if err != nil {
		t.Fatal(err)
	}
	picking := strings.Replace(string(text), `{"name"`, `{"labels": {"labels": [{"key": "`+security.ProfileLabel+`", "value": "big"}]}, "name"`, 1)
	if err := os.WriteFile(tasks("picks.json"), []byte(picking), 0o600); err != nil {
		t.Fatal(err)
	}
	out, status, _ := commanded(nil, "policy", "diff", in("old.yaml"), in("new.yaml"), "--tasks", tasks("."))
	if status != exitFail || !strings.Contains(out, "picks.json (role batch, profile big): accepted\n") || strings.Contains(out, "rules that differ") {
		t.Errorf("%d\n%s", status, out)
	}
}

func TestDiffNamesTasksThatAreNone(t *testing.T) {
	tasks := recorded(t, map[string]string{"app.json": `{"id": "/web", "cmd": "x"}`, "half.json": `{"name": `, "notes.txt": "", "huge.json": strings.Repeat(" ", largestFile+1)})
	if err := errors.Join(syscall.Mkfifo(tasks("fifo.json"), 0o600), os.Mkdir(tasks("more.json"), 0o700)); err != nil {
		t.Fatal(err)
	}
	out, status, complaint := commanded(nil, "policy", "diff", "built-in", "built-in", "--tasks", tasks("."))
	for _, want := range []string{
		tasks("app.json") + ": not compared: not a TaskInfo", tasks("half.json") + ": not compared: not a TaskInfo",
		tasks("huge.json") + ": not compared: has more than 4 MiB", tasks("fifo.json") + ": not compared: cannot be opened: it is not a regular file",
		"\n4 tasks, 4 without a change\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if status != exitUsage || complaint != "" || strings.Contains(out, "more.json") || strings.Contains(out, "notes.txt") {
		t.Errorf("%d %s\n%s", status, complaint, out)
	}
}

func TestDiffOfWhatCannotBeCompared(t *testing.T) {
	in := folder(t, map[string]string{"good": goodPolicy, "bad": badPolicy, "worse": "version: 2\n", "huge": strings.Repeat("#", largestFile+1)})
	if err := errors.Join(syscall.Mkfifo(in("fifo"), 0o600), os.Mkdir(in("empty"), 0o700)); err != nil {
		t.Fatal(err)
	}
	tasks := recorded(t, nil)(".")
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"it takes two policies, OLD and NEW, and not 0; see --help"}},
		{[]string{"built-in", "--tasks", tasks}, []string{"and not 1"}},
		{[]string{"built-in", "built-in", "built-in", "--tasks", tasks}, []string{"and not 3"}},
		{[]string{"built-in", "built-in"}, []string{"--tasks is missing: the folder with the recorded tasks"}},
		{[]string{"-", "-", "--tasks", tasks}, []string{"only one of OLD and NEW can be stdin"}},
		{[]string{"built-in", "built-in", "--tasks", in("empty")}, []string{"--tasks: there is no file *.json in the folder " + in("empty")}},
		{[]string{"built-in", "built-in", "--tasks", in("good")}, []string{"--tasks: ", in("good"), "not a directory"}},
		{[]string{"built-in", "built-in", "--tasks", in("missing")}, []string{"--tasks: ", in("missing"), "no such file"}},
		{[]string{"built-in", "built-in", "--tasks", tasks, "--mode", "both"}, []string{`--mode: "both" is neither`}},
		{[]string{in("bad"), in("worse"), "--tasks", in("empty")}, []string{in("bad") + ":3: defaults.pids_limit: ", in("worse") + ":1: version: ", "there is no file *.json"}},
		{[]string{in("missing"), in("fifo"), "--tasks", tasks}, []string{in("missing") + ": cannot be opened: no such file", in("fifo") + ": cannot be opened: it is not a regular file"}},
		{[]string{in("empty"), in("huge"), "--tasks", tasks}, []string{in("empty") + ": cannot be opened: it is a folder", in("huge") + ": has more than 4 MiB"}},
		{[]string{"built-in", "built-in", "--taks", tasks}, []string{"flag provided but not defined: --taks"}},
	} {
		out, status, complaint := commanded(nil, append([]string{"policy", "diff"}, tc.args...)...)
		if out != "" || status != exitUsage || !strings.HasPrefix(complaint, "policy diff: ") {
			t.Errorf("%q: %d %s\n%s", tc.args, status, complaint, out)
		}
		for _, want := range tc.want {
			if !strings.Contains(complaint, want) {
				t.Errorf("%q: no %q in %s", tc.args, want, complaint)
			}
		}
	}
	for args, want := range map[string]string{
		"policy":           "policy: it needs a command: default, diff; each has --help",
		"policy deflaut":   `policy: "deflaut" is none of its commands: default, diff; each has --help`,
		"policy default x": `policy default: it takes nothing, and "x" is there; see --help`,
	} {
		if out, status, complaint := commanded(nil, strings.Fields(args)...); out != "" || status != exitUsage || complaint != want {
			t.Errorf("%s: %d %s\n%s", args, status, complaint, out)
		}
	}
}

func TestDiffTakesOnePolicyFromStdinAndSeveralFolders(t *testing.T) {
	tasks, others := recorded(t, nil), recorded(t, nil) // the same tasks twice
	out, status, complaint := commanded(strings.NewReader(stricterPolicy), "policy", "diff", "--tasks", tasks("."), "built-in", "-", "--tasks", others("."))
	if status != exitFail || complaint != "" || !strings.Contains(out, "new: stdin, sha256 "+sha256Of(stricterPolicy)) ||
		!strings.Contains(out, tasks("plain.json")+" (role batch) and 1 more: accepted, but") || strings.Contains(out, others("plain.json")) || !strings.HasPrefix(out[strings.LastIndex(out, "\n8 tasks"):], "\n8 tasks, 2 without") {
		t.Errorf("%d %s\n%s", status, complaint, out)
	}
}

func TestDiffPrintsOneJSONObject(t *testing.T) {
	in := folder(t, map[string]string{"p.yaml": stricterPolicy})
	tasks := recorded(t, map[string]string{"half.json": "{"})
	out, status, complaint := commanded(nil, "policy", "diff", "--json", "built-in", in("p.yaml"), "--tasks", tasks("."))
	var got policyChange
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil || status != exitUsage {
		t.Fatalf("%v, %d %s\n%s", err, status, complaint, out)
	}
	if got.Old.Name != "built-in" || got.New.Name != "p.yaml" || got.New.SHA256 != sha256Of(stricterPolicy) || len(got.Rules) != 1 || len(got.Unread) != 1 ||
		got.Summary != (changeSummary{Tasks: 4, Unchanged: 1, Refused: 2, Otherwise: 1}) || len(got.Tasks) != 3 {
		t.Fatalf("%+v", got)
	}
	asks, plain := got.Tasks[0], got.Tasks[2]
	if filepath.Base(asks.File) != "asks.json" || asks.Becomes != "refused" || asks.Identity.Role != "batch" || len(asks.Create) != 0 ||
		!slices.ContainsFunc(asks.Come, func(f security.Finding) bool { return f.Rule == "capabilities.allow" && f.Message != "" }) {
		t.Errorf("%+v", asks)
	}
	if plain.Becomes != getsOtherwise || !slices.ContainsFunc(plain.Create, func(c change) bool { return c.Path == "host_config.CapAdd" && len(c.Removed) == 11 && c.Added == nil }) {
		t.Errorf("%+v", plain)
	}
	// What is empty is there as an empty list.
	out, _, _ = commanded(nil, "policy", "diff", "--json", "built-in", "built-in", "--tasks", tasks("."))
	if !strings.Contains(out, `"rules": [],`) || !strings.Contains(out, `"tasks": [],`) {
		t.Error(out)
	}
}

func TestChangesOfJSONValues(t *testing.T) {
	type inner struct {
		List []string          `json:"list,omitempty"`
		Map  map[string]int    `json:"map,omitempty"`
		Any  any               `json:"any,omitempty"`
		Text map[string]string `json:"text,omitempty"`
	}
	profile := strings.Repeat("profile ", 250)
	for _, tc := range []struct {
		old, new inner
		want     string
	}{
		{inner{}, inner{}, ""},
		{inner{List: []string{"a", "b"}}, inner{List: []string{"b", "c", "c"}}, "list: - a, + c, + c"},
		{inner{List: []string{"a", "b"}}, inner{List: []string{"b", "a"}}, `list: ["a","b"] -> ["b","a"]`},
		{inner{}, inner{List: []string{"a<b"}}, "list: + a<b"},
		{inner{Map: map[string]int{"a": 1, "b": 2}}, inner{Map: map[string]int{"b": 3}}, "map.a: 1 -> nothing; map.b: 2 -> 3"},
		{inner{}, inner{Map: map[string]int{"b": 1 << 60}}, "map.b: nothing -> 1152921504606846976"},
		{inner{Any: []string{"a"}}, inner{Any: "a"}, `any: ["a"] -> a`},
		{inner{Text: map[string]string{"a": "x\x1b[1m"}}, inner{}, `text.a: x\x1b[1m -> nothing`},
		{inner{Text: map[string]string{"a": profile}}, inner{}, "text.a: " + profile[:45] + "... (2000 bytes, sha256 " + sha256Of(profile) + ") -> nothing"},
	} {
		list, err := changesBetween(tc.old, tc.new)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range list {
			got = append(got, c.String())
		}
		if text := strings.Join(got, "; "); text != tc.want {
			t.Errorf("%+v, %+v: %s, want %s", tc.old, tc.new, text, tc.want)
		}
	}
}
