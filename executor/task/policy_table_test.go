package task

import (
	"cmp"
	cmdline "flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

var update = cmdline.Bool("update", false, "write the generated tables into docs/policy-table.md")

// placedPolicy is the built-in policy, each of whose findings says as its place by which key of a policy file it could be changed:
// there is none for what no policy can change.
func placedPolicy() security.Policy {
	places := map[string]string{}
	var walk func(reflect.Type, string)
	walk = func(section reflect.Type, prefix string) {
		for f := range section.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Type.Kind() == reflect.Struct && name != "break_glass" {
				walk(f.Type, prefix+name+".")
				continue
			}
			places[prefix+name] = prefix + name
		}
	}
	walk(reflect.TypeFor[security.Rules](), "")
	for name := range security.BuiltInRules().Ulimits {
		places["ulimits."+name] = "ulimits" // a file can write each of them
	}
	return security.FromFile("x", "", security.BuiltInRules(), places)
}

// liftingPolicy lifts what break_glass can lift.
func liftingPolicy() security.Policy {
	rules := security.BuiltInRules()
	rules.BreakGlass = security.BreakGlass{
		HostNamespaces: []string{"ipc", "pid", "userns"},
		Unconfined:     []string{"apparmor", "seccomp", "selinux", "systempaths"},
		Propagation:    []string{"rshared", "rslave", "shared", "slave"},
	}
	for _, path := range []string{"/etc", "/var/run", "/data", "/srv"} {
		rules.BreakGlass.Paths = append(rules.BreakGlass.Paths, security.HostPath{Path: path, Writable: true})
	}
	return security.New("lifting", rules)
}

// decided is what the built-in policy makes of one thing that a task asks for.
type decided struct {
	action, rule, key string
}

// decide returns the worst of what becomes of what the findings are about; what is forced on a task is none of that.
func decide(raw []byte, in Inputs, about func(security.Finding) bool) decided {
	worst := security.Finding{}
	severity := func(f security.Finding) int {
		return slices.Index([]security.Action{"", security.Allow, security.Trim, security.Reject}, f.Action)
	}
	for _, f := range Decide(raw, in, placedPolicy()).Findings {
		if about(f) && severity(f) > severity(worst) {
			worst = f
		}
	}
	d := decided{action: cmp.Or(string(worst.Action), "allow"), rule: worst.Rule, key: worst.Place}
	switch {
	case worst.Rule == ruleTaskInfo:
		return decided{action: "not supported"}
	case d.key != "fixed":
		return d
	}
	d.key = ""
	for _, f := range Decide(raw, in, liftingPolicy()).Findings {
		if about(f) && f.Action == security.Lift {
			d.key = f.Rule
		}
	}
	return d
}

func (d decided) cells() []string {
	code := func(s string) string {
		if s == "" {
			return "-"
		}
		return "`" + s + "`"
	}
	return []string{d.action, code(d.rule), code(d.key)}
}

// decidedParameter is what becomes of a parameter.
func decidedParameter(t *testing.T, e effect) decided {
	t.Helper()
	origin := fmt.Sprintf("%s[%d]", parametersPath, len(e.given))
	return decide(taskWith(t, e), testInputs(), func(f security.Finding) bool { return strings.Contains(f.Origin, origin) })
}

func parameterRows(t *testing.T) [][]string {
	t.Helper()
	var rows [][]string
	seen := map[string]bool{}
	list := typicalParameters()
	slices.SortStableFunc(list, func(a, b effect) int { return cmp.Compare(longName(a), longName(b)) })
	for _, e := range list {
		_, value, _ := strings.Cut(e.parameter, " ")
		d := decidedParameter(t, e)
		// One row for each outcome of a flag: of values that come to the same the first.
		if again := fmt.Sprint(longName(e), d); seen[again] {
			continue
		} else {
			seen[again] = true
		}
		name := "`" + longName(e) + "`"
		if slices.ContainsFunc(rows, func(r []string) bool { return r[0] == name }) {
			name = ""
		}
		shown := "empty"
		if value != "" {
			shown = "`" + value + "`"
		}
		if len(e.given) > 0 {
			shown += ", with `" + strings.Join(e.given, "`, `") + "`"
		}
		rows = append(rows, append([]string{name, shown}, d.cells()...))
	}
	for name, f := range flagTable() {
		if !slices.ContainsFunc(rows, func(r []string) bool { return r[0] == "`"+f.name+"`" }) {
			t.Errorf("no row for --%s (%s)", name, f.name)
		}
	}
	return rows
}

func longName(e effect) string {
	key, _, _ := strings.Cut(e.parameter, " ")
	if f := flagTable()[key]; f != nil {
		return f.name
	}
	return key
}

// fieldRows has a row for each field of a TaskInfo, with what becomes of the tasks by which its effect, or its refusal, is tested.
func fieldRows(t *testing.T) [][]string {
	t.Helper()
	all := map[string]bool{}
	fieldsOf(reflect.TypeFor[mesos.TaskInfo](), all)
	var rows [][]string
	add := func(fields, name string, d decided) {
		for field := range strings.FieldsSeq(fields) {
			rows = append(rows, append([]string{"`" + field + "`", name}, d.cells()...))
		}
	}
	for _, e := range fieldEffects() {
		if e.fields != "" {
			add(e.fields, e.name, decidedTask(t, e.custom, e.change))
		}
	}
	for _, r := range refusals() {
		if r.fields != "" {
			add(r.fields, r.name, decidedTask(t, false, r.change))
		}
	}
	for field, why := range elsewhere {
		why, _, _ = strings.Cut(why, ": ") // the name of a test follows
		rows = append(rows, []string{"`" + field + "`", why, "no effect on the container", "-", "-"})
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1])) })
	for i := len(rows) - 1; i > 0; i-- {
		if rows[i][0] == rows[i-1][0] {
			rows[i][0] = ""
		}
	}
	return rows
}

// decidedTask is the worst that becomes of a task by what it has more than the plain one.
func decidedTask(t *testing.T, custom bool, change func(*mesos.TaskInfo)) decided {
	t.Helper()
	in := testInputs()
	in.WorkDir, in.HostMemory = "/work", 1<<30
	task := fixtureTask(t, "hello")
	if custom {
		in.Mode, task.Command = Custom, nil
	}
	same := func(f security.Finding) string { return fmt.Sprint(f.Field, f.Value, f.Origin) }
	plain := map[string]bool{}
	for _, f := range Decide(marshal(t, fixtureTask(t, "hello")), testInputs(), security.BuiltIn()).Findings {
		plain[same(f)] = true
	}
	change(&task)
	return decide(marshal(t, task), in, func(f security.Finding) bool { return !plain[same(f)] })
}

// table writes Markdown.
func table(head string, rows [][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.ReplaceAll(head, ",", " |"), strings.Repeat("---|", strings.Count(head, ",")+1))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

// TestTablesOfThePolicyPage: what the page says is what comes out. To renew it: make docs
func TestTablesOfThePolicyPage(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "policy-table.md")
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for name, want := range map[string]string{
		"parameters": table("parameter, for example, the built-in policy, rule, key of policy.yaml", parameterRows(t)),
		"fields":     table("field, for example, the built-in policy, rule, key of policy.yaml", fieldRows(t)),
	} {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		before, rest, ok := strings.Cut(text, begin)
		got, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("the page has no lines %s and %s", begin, end)
		}
		if got != want && !*update {
			t.Errorf("the table of %s is behind; run `make docs`. It is to be\n%s", name, want)
		}
		text = before + begin + want + end + after
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
