package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
	"mesos-docker-executor/security/policyfile"
)

const layeredPolicy = `version: 1
defaults: {pids_limit: 100}
profiles: {big: {pids_limit: 3000}}
identities:
  - match: {roles: [web]}
    rules: {pids_limit: 200}
    profiles: [big]
  - match: {principals: [ops]}
    rules: {pids_limit: 300}
`

func TestExplainGoesByThePolicyAndTheIdentity(t *testing.T) {
	in := folder(t, map[string]string{"p.yaml": layeredPolicy})
	task := filepath.Join("..", "testdata", "tasks", "hello.json") // of the role demo
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"pids limit    4096\n", "policy: built-in, sha256 ", "for role demo\n"}},
		{[]string{"--policy", "built-in"}, []string{"pids limit    4096\n"}},
		{[]string{"--policy", in("p.yaml")}, []string{"pids limit    100\n", "policy: p.yaml, sha256 " + sha256Of(layeredPolicy) + ", for role demo, by no entry of identities\n"}},
		{[]string{"--policy", in("p.yaml"), "--role", "web"}, []string{"pids limit    200\n", "for role web, by identities[0] (p.yaml:5)\n"}},
		{[]string{"--policy", in("p.yaml"), "--principal", "ops"}, []string{"pids limit    300\n", "for principal ops, role demo, by identities[1] (p.yaml:8)\n"}},
		{[]string{"--policy", in("p.yaml"), "--role", "web", "--principal", "ops"}, []string{"pids limit    200\n", "for principal ops, role web, by identities[0] (p.yaml:5)\n"}},
	} {
		out, status, complaint := commanded(nil, append([]string{"explain", task}, tc.args...)...)
		if status != exitOK || complaint != "" {
			t.Errorf("%q: %d %s", tc.args, status, complaint)
		}
		for _, want := range tc.want {
			if !strings.Contains(out, want) {
				t.Errorf("%q: no %q in\n%s", tc.args, want, out)
			}
		}
	}
	// A flag before the command counts as well, and a policy can come by a pipe.
	if out, status, _ := commanded(nil, "--policy", in("p.yaml"), "explain", task); status != exitOK || !strings.Contains(out, "p.yaml") {
		t.Errorf("%d\n%s", status, out)
	}
	if out, status, _ := commanded(strings.NewReader(layeredPolicy), "explain", "--policy", "-", task); status != exitOK || !strings.Contains(out, "policy: stdin, ") {
		t.Errorf("%d\n%s", status, out)
	}
}

func TestExplainReadsTheTaskFromStdin(t *testing.T) {
	task, err := os.ReadFile("../testdata/tasks/hello.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		stdin  string
		args   []string
		status int
		want   string
	}{
		{string(task), []string{"-"}, exitOK, "accepted\n"},
		{string(task), []string{"-", "--policy", "built-in", "--json"}, exitOK, `"accepted": true`},
		{"{}", []string{"-"}, exitUsage, "stdin: "},
		{"", []string{"-"}, exitUsage, "stdin: not a TaskInfo: The text is not JSON"},
		{`{"frob": 1}`, []string{"-"}, exitUsage, "\nstdin: name: "},
		{string(task), []string{"-", "--policy", "-"}, exitUsage, "explain: only one of TASK, --policy and --classes can be stdin"},
	} {
		out, status, complaint := commanded(strings.NewReader(tc.stdin), append([]string{"explain"}, tc.args...)...)
		if status != tc.status || !strings.Contains(out+complaint, tc.want) {
			t.Errorf("%q: %d %s\n%s", tc.args, status, complaint, out)
		}
	}
}

// What is only audited is told from what is done; what would be forced on every task has one line.
func TestExplainSaysWhatAuditModeWouldDo(t *testing.T) {
	out, status, _ := commanded(strings.NewReader("version: 1\nmode: audit\n"), "explain", "--policy", "-", "../testdata/tasks/demo-trimmed.json")
	if status != exitOK || !strings.Contains(out, "\naudit, would trim: CAP_NET_ADMIN is not among") || strings.Count(out, "would force") != 1 ||
		!strings.Contains(out, "\nnote: audit: would force ") || strings.Contains(out, "[rule memory_swap") {
		t.Errorf("%d\n%s", status, out)
	}
}

// What no policy of this host opens is closed here as in `run`: the agent's work directory, the executors' folder, the engine's socket.
func TestExplainAndDiffKnowThePlacesOfTheHost(t *testing.T) {
	for _, source := range []string{explainWorkDir + "/shared", "/srv/host/run", "/srv/host"} {
		opening := "version: 1\ndefaults: {mounts: {host_paths: [{path: " + source + "}]}}\n"
		in := folder(t, map[string]string{
			"config.yaml": "version: 1\nrun_directory: /srv/host/run\nengine: {host: \"unix:///srv/host/docker.sock\"}\n",
			"open.yaml":   opening,
			"lifted.yaml": opening + "break_glass:\n  - {match: {roles: [batch]}, reason: a test, expires: " + time.Now().UTC().Format(time.DateOnly) +
				", allow: {paths: [{path: " + source + "}]}}\n",
		})
		tasks := recorded(t, nil)
		text, err := os.ReadFile(tasks("plain.json"))
		if err != nil {
			t.Fatal(err)
		}
		mounting := strings.Replace(string(text), `"container": {`, `"container": {"volumes": [{"container_path": "/x", "host_path": "`+source+`", "mode": "RO"}], `, 1)
		if err := os.WriteFile(tasks("mounts.json"), []byte(mounting), 0o600); err != nil {
			t.Fatal(err)
		}
		for policy, want := range map[string]int{"open.yaml": exitFail, "lifted.yaml": exitOK} {
			out, status, complaint := commanded(nil, "explain", "--config", in("config.yaml"), "--policy", in(policy), tasks("mounts.json"))
			if status != want || complaint != "" || status == exitFail && !strings.Contains(out, "it would show ") {
				t.Errorf("%s by %s: %d %s\n%s", source, policy, status, complaint, out)
			}
		}
		out, status, _ := commanded(nil, "policy", "diff", "--config", in("config.yaml"), "built-in", in("open.yaml"), "--tasks", tasks("."))
		if status != exitFail || !strings.Contains(out, ": refused for other reasons\n") {
			t.Errorf("%s: %d\n%s", source, status, out)
		}
	}
}

// The notes tell of all modes in the file; which of them holds for the task is said, too.
func TestExplainSaysWhichModeHolds(t *testing.T) {
	const policy = "version: 1\nmode: audit\nidentities: [{match: {roles: [web]}, mode: enforce}]\n"
	for args, want := range map[string]string{"": ", for role demo, by no entry of identities, in audit mode\n", "--role=web": ", for role web, by identities[0] (stdin:3)\n"} {
		args := append([]string{"explain", "--policy=-"}, strings.Fields(args)...)
		out, _, _ := commanded(strings.NewReader(policy), append(args, "../testdata/tasks/hello.json")...)
		if !strings.Contains(out, want) {
			t.Errorf("%q: no %q in\n%s", args, want, out)
		}
		mode := map[bool]string{true: "audit", false: "enforce"}[strings.Contains(want, "audit")]
		out, _, _ = commanded(strings.NewReader(policy), append(args, "--json", "../testdata/tasks/hello.json")...)
		if !strings.Contains(out, `"mode": "`+mode+`"`) {
			t.Errorf("%q: no mode %s in\n%s", args, mode, out)
		}
	}
}

// What is lifted for others, or no more, is said of no task but those that it was for.
func TestExplainTellsOfTheExceptionsForTheTask(t *testing.T) {
	const policy = `version: 1
identities: [{match: {roles: [web]}}]
break_glass:
- {match: {roles: [web]}, reason: x, expires: 2020-01-31, allow: {host_namespaces: [pid]}}
`
	text, err := os.ReadFile(recorded(t, nil)("asks.json"))
	if err != nil {
		t.Fatal(err)
	}
	in := folder(t, map[string]string{"p.yaml": policy, "task.json": strings.Replace(string(text), `"cap-add", "value": "SETUID"`, `"pid", "value": "host"`, 1)})
	for role, said := range map[string]bool{"web": true, "batch": false} {
		out, status, complaint := commanded(nil, "explain", "--policy", in("p.yaml"), "--role", role, in("task.json"))
		if status != exitFail || complaint != "" || strings.Contains(out, "note: policy: p.yaml:4: break_glass[0]") != said ||
			strings.Contains(out, "(break_glass[0], p.yaml:4, lifted this until 2020-01-31.)") != said {
			t.Errorf("%s: %d %s\n%s", role, status, complaint, out)
		}
	}
	out, _, _ := commanded(nil, "explain", "--policy", in("p.yaml"), "--role", "web", "--json", in("task.json"))
	var e struct{ Choice policyfile.Choice }
	if err := json.Unmarshal([]byte(out), &e); err != nil || e.Choice.Entry == nil || *e.Choice.Entry != (policyfile.Entry{Index: 0, Place: "p.yaml:2"}) || e.Choice.Among != 1 {
		t.Errorf("%v: %+v\n%s", err, e, out)
	}
}

func TestEveryProblemOfATaskFileNamesTheFile(t *testing.T) {
	in := folder(t, map[string]string{"t.json": `{"nme": "a", "task_id": "b"}`})
	_, status, complaint := commanded(nil, "explain", in("t.json"))
	if lines := strings.Split(complaint, "\n"); status != exitUsage || len(lines) < 3 || slices.ContainsFunc(lines, func(l string) bool { return !strings.HasPrefix(l, in("t.json")+": ") }) {
		t.Errorf("%d %s", status, complaint)
	}
	out, _, _ := commanded(nil, "policy", "diff", "built-in", "built-in", "--tasks", in("."))
	if strings.Count(out, "\n"+in("t.json")+": not compared: ") != strings.Count(complaint, "\n")+1 {
		t.Error(out)
	}
}

func TestExplainShowsNoWholeSeccompProfile(t *testing.T) {
	profile := `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW", "names": ["read"` + strings.Repeat(`, "write"`, 200) + "]}]}"
	in := folder(t, map[string]string{"web.json": profile})
	policy := "version: 1\ndefaults: {seccomp_profiles: {web: " + in("web.json") + "}}\n"
	if err := os.WriteFile(in("p.yaml"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(recorded(t, nil)("asks.json"))
	if err != nil {
		t.Fatal(err)
	}
	asking := strings.Replace(string(text), `"cap-add", "value": "SETUID"`, `"security-opt", "value": "seccomp=web"`, 1)
	if err := os.WriteFile(in("task.json"), []byte(asking), 0o600); err != nil {
		t.Fatal(err)
	}
	out, status, complaint := commanded(nil, "explain", "--policy", in("p.yaml"), in("task.json"))
	want := "  security      no-new-privileges seccomp=" + profile[:45] + "... (" + strconv.Itoa(len(profile)) + " bytes, sha256 " + sha256Of(profile) + ")\n"
	if status != exitOK || complaint != "" || !strings.Contains(out, want) {
		t.Errorf("%d %s\nno %s in\n%s", status, complaint, want, out)
	}
}

func TestExplainWarnsOfAPolicyThatNoExecutorWouldRead(t *testing.T) {
	in := folder(t, map[string]string{"p.yaml": goodPolicy})
	if err := os.Chmod(in("p.yaml"), 0o666); err != nil {
		t.Fatal(err)
	}
	out, status, _ := commanded(nil, "explain", "--policy", in("p.yaml"), "../testdata/tasks/hello.json")
	if status != exitOK || !strings.Contains(out, "warning: an executor would not read this policy: may be written by its group or others") ||
		!strings.Contains(out, "note: policy: p.yaml:2: the mode is audit") {
		t.Errorf("%d\n%s", status, out)
	}
}

func TestExplainOfWhatCannotBeRead(t *testing.T) {
	in := folder(t, map[string]string{"bad": badPolicy})
	if err := os.Mkdir(in("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ policy, want string }{
		{in("bad"), in("bad") + ":3: defaults.pids_limit: "},
		{in("folder"), in("folder") + ": cannot be opened: it is a folder"},
		{in("missing"), in("missing") + ": cannot be opened: no such file or directory"},
		{"", "--policy: the path is empty"},
	} {
		out, status, complaint := commanded(nil, "explain", "--policy="+tc.policy, "../testdata/tasks/hello.json")
		if out != "" || status != exitUsage || !strings.HasPrefix(complaint, tc.want) {
			t.Errorf("%s: %d %s\n%s", tc.policy, status, complaint, out)
		}
	}
}

func TestDecisionsHaveALineEach(t *testing.T) {
	text, _, _ := commanded(nil, "explain", "--policy", "built-in", "--decisions", "../testdata/tasks/demo-trimmed.json")
	_, table, _ := strings.Cut(text, "decisions\n")
	lines := strings.Split(table, "\n")
	column := strings.Index(lines[0], "rule")
	var got []string
	for _, line := range lines[1:] {
		if !strings.HasPrefix(line, "  ") {
			break
		}
		got = append(got, strings.Fields(line)[0]+" "+strings.Fields(line[column:])[0])
	}
	out, _, _ := commanded(nil, "explain", "--policy", "built-in", "--decisions", "--json", "../testdata/tasks/demo-trimmed.json")
	var e struct {
		Policy   policyShown
		Identity identityShown
		Choice   policyfile.Choice
		Findings []security.Finding
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range e.Findings {
		want = append(want, string(f.Action)+" "+f.Rule)
	}
	if !slices.Equal(got, want) || len(want) < 10 || !slices.Contains(want, "trim capabilities.allow") || !slices.Contains(want, "allow network.modes") {
		t.Errorf("%q\n%s\nof %q", got, text, want)
	}
	if e.Policy.Name != "built-in" || len(e.Policy.SHA256) != 64 || e.Identity.Role != "demo" || e.Choice != (policyfile.Choice{}) {
		t.Errorf("%+v", e)
	}
	if strings.Contains(table, "/leases/") {
		t.Error("the lease is shown:\n" + table)
	}
}

func TestIdentityIsWhatTheTaskSays(t *testing.T) {
	info, err := taskFromFile("../testdata/tasks/web.json", "drop-in")
	if err != nil {
		t.Fatal(err)
	}
	info.TaskID.Value = "web_shop.instance-0c0ffee0-0000-4000-8000-000000000000._app.1"
	profile := "big"
	info.Labels = &mesos.Labels{Labels: []mesos.Label{{Key: security.ProfileLabel, Value: &profile}}}
	if got, want := identify(&info, "p", ""), (identityShown{"p", "web", "/web/shop", "big"}); got != want {
		t.Errorf("%+v", got)
	}
	if got, want := identify(&info, "", "other").String(), "role other, app /web/shop, profile big"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, r := range info.Resources {
		if r.GetAllocationInfo().GetRole() != "other" {
			t.Errorf("%+v", r)
		}
	}
	if text := (identityShown{}).String(); text != "nobody in particular" {
		t.Error(text)
	}
}

// TestExplainShowsNoSecrets: options of log and volume drivers hold tokens and passwords, as variables do.
func TestExplainShowsNoSecrets(t *testing.T) {
	dir := t.TempDir()
	policy, task := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "task.json")
	for path, text := range map[string]string{
		policy: `version: 1
defaults:
  log_drivers: [{name: splunk, options: [splunk-token]}]
  mounts:
    volumes: [{driver: nfs, names: [data], options: [password]}]
`,
		task: `{"name": "s", "task_id": {"value": "s.1"}, "agent_id": {"value": "a"},
			"resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": 64}}],
			"command": {"shell": true, "value": "true"},
			"container": {"type": "DOCKER", "docker": {"image": "busybox", "network": "BRIDGE", "parameters": [
				{"key": "log-driver", "value": "splunk"}, {"key": "log-opt", "value": "splunk-token=canary"}, {"key": "env", "value": "A=canary"},
				{"key": "mount", "value": "type=volume,source=data,target=/data,volume-driver=nfs,volume-opt=password=canary"}]}}}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, flags := range [][]string{{"--decisions"}, {"--json", "--decisions"}, nil} {
		out := explained(t, append(flags, "--policy", policy, task)...)
		if !strings.Contains(out, "splunk-token") || !strings.Contains(out, "password") || strings.Contains(out, "canary") {
			t.Errorf("%v: %s", flags, out)
		}
	}
}
