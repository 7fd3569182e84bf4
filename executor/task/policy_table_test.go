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
	"mesos-docker-executor/security/policyfile"
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
	return decide(withMemory(t, taskWith(t, e)), testInputs(), func(f security.Finding) bool { return strings.Contains(f.Origin, origin) })
}

// withMemory gives a task so much that no decision is made by the lack of it.
func withMemory(t *testing.T, raw []byte) []byte {
	t.Helper()
	var task mesos.TaskInfo
	if err := task.Unmarshal(raw); err != nil {
		t.Fatal(err)
	}
	for i := range task.Resources {
		if task.Resources[i].Name == "mem" {
			task.Resources[i].Scalar = &mesos.Value_Scalar{Value: 8192}
		}
	}
	return marshal(t, task)
}

// tellingParameters are values of which the tables of policy.md say the same as of others, and which people look for.
func tellingParameters() []effect {
	return []effect{{parameter: "network host"}, {parameter: "volume /srv/shared:/data:ro"}, {parameter: "mount type=bind,src=/srv/shared,dst=/data,readonly"}}
}

// quiet are decisions of the built-in policy that a key can change although no finding about the flag or field goes by it: the rule is
// about what is forced, or has nothing to say yet.
func quiet() []quietRule {
	return []quietRule{
		{"read-only", "T", []string{"readonly_rootfs"}, func(r *security.Rules) { r.ReadonlyRootfs = true }},
		{"memory-swap", "0", []string{"no_swap"}, func(r *security.Rules) { r.NoSwap = false }},
		{"user", "nobody", []string{"run_as_non_root"}, func(r *security.Rules) { r.RunAsNonRoot = true }},
		{"CommandInfo.user", "", []string{"run_as_non_root"}, func(r *security.Rules) { r.RunAsNonRoot = true }},
		{"DockerInfo.image", "", []string{"images.allow", "images.require_digest"}, func(r *security.Rules) { r.Images.RequireDigest = true }},
	}
}

type quietRule struct {
	name, value string // of the flag, or of the field and ""
	keys        []string
	change      func(*security.Rules)
}

// quietKeys are the keys of a flag or field of which no finding says one.
func quietKeys(name, value string) []string {
	for _, q := range quiet() {
		if q.name == name && (q.value == value || q.value == "") {
			return q.keys
		}
	}
	return nil
}

func parameterRows(t *testing.T) [][]string {
	t.Helper()
	var rows [][]string
	seen := map[string]bool{}
	list := append(typicalParameters(), tellingParameters()...)
	slices.SortStableFunc(list, func(a, b effect) int { return cmp.Compare(longName(a), longName(b)) })
	for _, e := range list {
		_, value, _ := strings.Cut(e.parameter, " ")
		d := decidedParameter(t, e)
		if d.key == "" {
			d.key = strings.Join(quietKeys(longName(e), value), "`, `")
		}
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
			d := d
			if d.key == "" {
				d.key = strings.Join(quietKeys(field, ""), "`, `")
			}
			rows = append(rows, append([]string{"`" + field + "`", name}, d.cells()...))
		}
	}
	for _, e := range append(fieldEffects(), tellingFields()...) {
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
	rows = append(rows, profileRow(t))
	slices.SortStableFunc(rows, func(a, b []string) int { return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1])) })
	for i := len(rows) - 1; i > 0; i-- {
		if rows[i][0] == rows[i-1][0] {
			rows[i][0] = ""
		}
	}
	return rows
}

// tellingFields are values of fields that people look for.
func tellingFields() []fieldEffect {
	return []fieldEffect{
		{fields: "TaskInfo.task_id", name: "`web_front.1`", change: func(t *mesos.TaskInfo) { t.TaskID.Value = "web_front.1" }},
		{fields: "ContainerInfo.type", name: "`DOCKER`", change: func(*mesos.TaskInfo) {}},
		{fields: "DockerInfo.network", name: "the host's network", change: func(t *mesos.TaskInfo) { docker(t).Network = mesos.ContainerInfo_DockerInfo_HOST.Enum() }},
		{fields: "Volume.host_path", name: "path of the host, `/srv/shared`", change: withVolume(mesos.Volume{HostPath: ptr("/srv/shared")})},
		{fields: "HostPath.path", name: "path of the host, `/srv/shared`", change: withSource(mesos.Volume_Source{
			Type: mesos.Volume_Source_HOST_PATH, HostPath: &mesos.Volume_Source_HostPath{Path: "/srv/shared"}})},
	}
}

// profileRow is about the one label that is not only shown: without a policy file there is no profile to pick.
func profileRow(t *testing.T) []string {
	t.Helper()
	task := fixtureTask(t, "hello")
	task.Labels = &mesos.Labels{Labels: []mesos.Label{{Key: security.ProfileLabel, Value: ptr("x")}}}
	for _, f := range Decide(marshal(t, task), testInputs(), policyfile.BuiltIn()).Findings {
		if f.Action == security.Reject {
			return append([]string{"`TaskInfo.labels`", "`" + security.ProfileLabel + "`"}, decided{string(f.Action), f.Rule, "identities[].profiles"}.cells()...)
		}
	}
	t.Error("no profile is refused")
	return make([]string, 5)
}

// TestQuietKeysMatter: with another value of the key, something else comes out.
func TestQuietKeysMatter(t *testing.T) {
	for _, q := range quiet() {
		raw := taskWith(t, effect{parameter: q.name + " " + q.value})
		switch {
		case q.name == "read-only": // which the key forces on those that do not ask
			raw = taskWith(t, effect{parameter: "read-only false"})
		case q.value == "":
			raw = helloTask(t, func(task *mesos.TaskInfo) { task.Command.User = ptr("nobody") })
		}
		rules := security.BuiltInRules()
		q.change(&rules)
		outcome := func(p security.Policy) string {
			d := Decide(raw, testInputs(), p)
			var lines []string
			for _, f := range d.Findings {
				lines = append(lines, string(f.Action)+" "+f.Rule)
			}
			return strings.Join(lines, "\n")
		}
		if was, is := outcome(security.BuiltIn()), outcome(security.New("x", rules)); was == is {
			t.Errorf("%s: %q makes no difference:\n%s", q.name, q.keys, was)
		}
	}
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
