package task

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/security"
)

// expectedFinding is one line of hostile/expected.yaml: what has to be found in a task, by which rule, and where.
type expectedFinding struct {
	Reject string `yaml:"reject"` // the rule, of one of the two actions
	Trim   string `yaml:"trim"`
	Field  string `yaml:"field"`
	Value  string `yaml:"value"`
	// Says is what the message has in place of the value: "64 GiB" for 68719476736.
	Says string `yaml:"says"`
	Only Mode   `yaml:"only"` // the launch mode in which it is found; "" is both
}

func (e expectedFinding) action() (security.Action, string) {
	if e.Trim != "" {
		return security.Trim, e.Trim
	}
	return security.Reject, e.Reject
}

// expectedFindings reads hostile/expected.yaml.
func expectedFindings(t *testing.T) map[string][]expectedFinding {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tasksDir, "hostile", "expected.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string][]expectedFinding
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&expected); err != nil {
		t.Fatal(err)
	}
	return expected
}

// inMode returns the task as an agent would send it in a launch mode, and the inputs of that mode. In custom mode the command is
// in TaskInfo.data.
func inMode(t testing.TB, mode Mode, task mesos.TaskInfo) (raw []byte, in Inputs) {
	t.Helper()
	in = testInputs()
	if in.Mode = mode; mode == Custom {
		in.WorkDir = "/var/lib/mesos"
		if task.Command != nil {
			data, err := task.Command.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			task.Data, task.Command = data, nil
		}
	}
	return marshal(t, task), in
}

// fieldIn returns a field of the TaskInfo as it is named in a launch mode.
func fieldIn(mode Mode, field string) string {
	if rest, ok := strings.CutPrefix(field, "command"); ok && mode == Custom {
		return "data" + rest
	}
	return field
}

func TestEveryHostileTaskHasAnExpectation(t *testing.T) {
	expected := expectedFindings(t)
	names := fixtureNames(t, "hostile")
	for _, name := range names {
		if len(expected[filepath.Base(name)]) == 0 {
			t.Errorf("%s.json has no line in expected.yaml", name)
		}
	}
	for name, findings := range expected {
		if !slices.Contains(names, filepath.Join("hostile", name)) {
			t.Errorf("expected.yaml has a line for %s, of which there is no file", name)
		}
		for _, f := range findings {
			if (f.Reject == "") == (f.Trim == "") || f.Field == "" || f.Only != "" && f.Only != DropIn && f.Only != Custom {
				t.Errorf("%s: %+v says not what to expect", name, f)
			}
		}
	}
}

// TestEveryFlagIsInAHostileOrAnOrdinaryTask: each flag of docker run has a task that shows what becomes of it, and so has each
// letter.
func TestEveryFlagIsInAHostileOrAnOrdinaryTask(t *testing.T) {
	used := map[string]bool{}
	for _, name := range slices.Concat(fixtureNames(t, "hostile"), fixtureNames(t, "ordinary")) {
		task := fixtureTask(t, name)
		for _, p := range task.GetContainer().GetDocker().GetParameters() {
			used[p.Key] = true
		}
	}
	for name, f := range flagTable() {
		if !used[name] && !slices.Contains(f.aliases, name) {
			t.Errorf("no task has the parameter %s", name)
		}
	}
}

// TestHostileTasksAreDecidedAsExpected decides each task in both launch modes: what is found is what has to be found, and
// nothing else.
func TestHostileTasksAreDecidedAsExpected(t *testing.T) {
	for name, findings := range expectedFindings(t) {
		for _, mode := range []Mode{DropIn, Custom} {
			expected := slices.DeleteFunc(slices.Clone(findings), func(f expectedFinding) bool { return f.Only != "" && f.Only != mode })
			if len(expected) == 0 {
				continue
			}
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				raw, in := inMode(t, mode, fixtureTask(t, filepath.Join("hostile", name)))
				checkDecision(t, Decide(raw, in, security.BuiltIn()), mode, expected)
			})
		}
	}
}

func checkDecision(t *testing.T, d Decision, mode Mode, expected []expectedFinding) {
	t.Helper()
	showsNoSecret(t, d)
	found := slices.DeleteFunc(slices.Clone(d.Findings), func(f security.Finding) bool {
		return f.Action == security.Allow || f.Action == security.Force
	})
	type line struct {
		Action             security.Action
		Rule, Field, Value string
	}
	var got, want []line
	for _, f := range found {
		got = append(got, line{f.Action, f.Rule, f.Field, f.Value})
	}
	for _, e := range expected {
		action, rule := e.action()
		want = append(want, line{action, rule, fieldIn(mode, e.Field), e.Value})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	for i, f := range found {
		checkMessage(t, f, expected[i].Says)
	}
	if slices.ContainsFunc(found, func(f security.Finding) bool { return f.Action == security.Reject }) {
		checkRefusal(t, d, found)
		return
	}
	if d.Plan == nil || d.Refusal != nil {
		t.Fatalf("the task was refused: %+v", d.Refusal)
	}
	for _, f := range found {
		if notes := strings.Join(d.Plan.Notes, "; "); !strings.Contains(notes, "trimmed "+f.Value) {
			t.Errorf("no note says that %s was trimmed: %s", f.Value, notes)
		}
	}
}

// remedy is how a message goes on when it says what to write instead, or what a value has to be.
var remedy = regexp.MustCompile(`[;:.,?] ?(and |or |for a folder of the sandbox(, which is always there,)? )?` +
	`(add|ask|change|choose|describe|did|fetch|give|it has to|keep|launch|leave|list|make|map|mount|name|pass|publish|put|remove|rename|request|set|shorten|start|use|write)\b` +
	`|instead|\b(it must|cannot hold|needs one|can be used|there are are|the types are|have one role|at most the hard one|is reserved to|has no name|does not know it)\b`)

// checkMessage: a message names the value, part by part or in the words of says, and a rejection what to write instead.
func checkMessage(t *testing.T, f security.Finding, says string) {
	t.Helper()
	parts := strings.FieldsFunc(f.Value, func(c rune) bool { return c == ':' })
	if says != "" {
		parts = []string{says}
	}
	message := strings.ToLower(strings.ReplaceAll(f.Message, `\\`, `\`))
	for _, part := range parts {
		if !strings.Contains(message, strings.ToLower(security.Shorten(part))) && !strings.Contains(message, strings.ToLower(part)) {
			t.Errorf("the message does not name %q: %s", part, f.Message)
		}
	}
	if f.Action == security.Reject && !remedy.MatchString(message) {
		t.Errorf("the message has no remedy: %s", f.Message)
	}
}

// checkRefusal: nothing is there to create, and the framework is told of every rejection: where, what and by which rule.
func checkRefusal(t *testing.T, d Decision, found []security.Finding) {
	t.Helper()
	if d.Plan != nil || d.Refusal == nil {
		t.Fatalf("the task was accepted: %+v", d)
	}
	reason := mesos.REASON_TASK_UNAUTHORIZED
	for _, f := range found {
		if f.Action != security.Reject {
			continue
		}
		said := f.Origin
		if said == "" {
			said = f.Field
		}
		if said += ": " + f.Message; f.Rule == ruleTaskInfo {
			reason = mesos.REASON_TASK_INVALID
		} else {
			said += " [rule " + f.Rule + "; " + f.Place + "]"
		}
		if !strings.Contains(d.Refusal.Message, said) {
			t.Errorf("the refusal has no %q: %s", said, d.Refusal.Message)
		}
	}
	if d.Refusal.State != mesos.TASK_ERROR || d.Refusal.Reason != reason {
		t.Errorf("got %v %v, want TASK_ERROR %v", d.Refusal.State, d.Refusal.Reason, reason)
	}
	if !strings.Contains(d.Refusal.Message, security.BuiltIn().Hash()) {
		t.Errorf("the refusal does not name the policy: %s", d.Refusal.Message)
	}
}

// showsNoSecret: what stands for secrets in the task files ("never-shown", its form in base64, and "never-told" in arguments and labels,
// which explain shows to their author) is in nothing that leaves the executor.
func showsNoSecret(t *testing.T, d Decision) {
	t.Helper()
	said := []any{d.Findings, d.Refusal}
	if d.Plan != nil {
		said = append(said, d.Plan.Notes)
	}
	text, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"never-shown", "bmV2ZXItc2hvd24", "never-told"} {
		if at := bytes.Index(text, []byte(secret)); at >= 0 {
			t.Errorf("a secret is shown: ...%s", text[max(0, at-100):min(len(text), at+50)])
		}
	}
}
