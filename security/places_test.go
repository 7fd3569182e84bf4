package security

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// TestEveryRuleHasItsPlace: each name of a rule in the source of this package says which keys of the rules it goes by, or that
// none can change it; and each key of the rules is gone by.
func TestEveryRuleHasItsPlace(t *testing.T) {
	used := rulesInSource(t)
	for _, rule := range decidedBy {
		used[strings.Trim(rule, "()")] = true
	}
	if len(used) < 90 {
		t.Errorf("only %d rules were found", len(used))
	}
	// They say how findings come about, and what is written into them.
	goneBy := map[string]bool{"mode": true, "break_glass.reason": true, "break_glass.expires": true}
	all := keysOfRules("", reflect.TypeFor[Rules]())
	for rule := range used {
		keys, known := keysOf(rule)
		if !known {
			t.Errorf("rule %s: say in keysOf which keys of the rules it goes by", rule)
			continue
		}
		for _, key := range strings.Fields(keys) {
			if goneBy[key] = true; !slices.Contains(all, key) {
				t.Errorf("rule %s goes by %s, which is no key of the rules", rule, key)
			}
		}
	}
	for _, key := range all {
		if !goneBy[key] {
			t.Errorf("no rule goes by the key %s", key)
		}
	}
}

// keysOfRules returns the JSON names of all fields, with dots between them; a list of structs is one key.
func keysOfRules(prefix string, t reflect.Type) (keys []string) {
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if t.Field(i).Type.Kind() == reflect.Struct {
			keys = append(keys, keysOfRules(prefix+name+".", t.Field(i).Type)...)
		} else {
			keys = append(keys, prefix+name)
		}
	}
	return keys
}

// rulesInSource returns what is written as the rule in the calls that make findings, and what is assigned to anything called
// rule or that begins with lift or rule.
func rulesInSource(t *testing.T) map[string]bool {
	t.Helper()
	// The place of the rule among the arguments.
	at := map[string]int{"found": 3, "lowered": 3, "allow": 2, "reject": 2, "deny": 2, "lift": 2, "lifted": 4, "unconfined": 3, "wellFormed": 3,
		"hostname": 1, "refuse": 3, "refuseEach": 3, "refuseKeys": 3, "refuseTogether": 3, "hostNamespace": 5, "liftedNamespace": 5, "deniesPath": 2}
	used := map[string]bool{}
	use := func(e ast.Expr) {
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				used[text] = true
			}
		}
	}
	isRule := func(name string) bool {
		return name == "rule" || strings.HasPrefix(name, "rule") && token.IsExported(name[4:]) || strings.HasPrefix(name, "lift") && token.IsExported(name[4:])
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if i, makes := at[calledName(n)]; makes && i < len(n.Args) {
					use(n.Args[i])
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if id, ok := left.(*ast.Ident); ok && isRule(id.Name) && len(n.Rhs) == len(n.Lhs) {
						use(n.Rhs[i])
					}
				}
			case *ast.ValueSpec:
				for i, id := range n.Names {
					if isRule(id.Name) && i < len(n.Values) {
						use(n.Values[i])
					}
				}
			case *ast.KeyValueExpr:
				if id, ok := n.Key.(*ast.Ident); ok && id.Name == "Rule" {
					use(n.Value)
				}
			}
			return true
		})
	}
	return used
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func TestFindingsSayWhereThePolicySaysSo(t *testing.T) {
	file := func(places map[string]string) Policy { return FromFile("policy.yaml", "0", BuiltInRules(), places) }
	host := func(s *Spec) { s.Host.NetworkMode = "host" }
	team := func(s *Spec) { s.Host.NetworkMode = "team-a" }
	plain := func(*Spec) {}
	tests := []struct {
		name   string
		policy Policy
		change func(*Spec)
		field  string
		want   string
	}{
		{"built-in policy", BuiltIn(), host, "Host.NetworkMode", "built-in"},
		{"rules of a name", New("test", BuiltInRules()), host, "Host.NetworkMode", "test"},
		{"a key of a file", file(map[string]string{"network.modes": "policy.yaml:7", "network": "policy.yaml:6"}), host, "Host.NetworkMode", "policy.yaml:7"},
		{"its section", file(map[string]string{"network": "policy.yaml:6"}), host, "Host.NetworkMode", "policy.yaml:6"},
		{"another section", file(map[string]string{"mounts": "policy.yaml:6"}), host, "Host.NetworkMode", "built-in"},
		{"an empty file", file(nil), host, "Host.NetworkMode", "built-in"},
		{"the key that counts", file(map[string]string{"network.modes": "policy.yaml:7", "network.names": "policy.yaml:8"}), team, "Host.NetworkMode", "policy.yaml:8"},
		{"no policy's", file(map[string]string{"network.modes": "policy.yaml:7"}), func(s *Spec) { s.Host.NetworkMode = "container:x" }, "Host.NetworkMode", "fixed"},
		{"a fixed rule", file(nil), func(s *Spec) { s.Host.Privileged = true }, "Host.Privileged", "fixed"},
		{"allowed", file(map[string]string{"network.modes": "policy.yaml:7"}), plain, "Host.NetworkMode", "policy.yaml:7"},
		{"forced", file(map[string]string{"pids_limit": "policy.yaml:9"}), plain, "Host.PidsLimit", "policy.yaml:9"},
		{"forced by the second key", file(map[string]string{"ulimits": "policy.yaml:9"}), plain, "Host.Ulimits[core]", "built-in"},
		{"forced by the executor", file(nil), plain, "Config.Healthcheck", "fixed"},
		{"trimmed", file(map[string]string{"shm_size": "policy.yaml:3"}), func(s *Spec) { s.Host.Memory, s.Host.ShmSize = 1<<40, 1<<39 }, "Host.ShmSize", "policy.yaml:3"},
		{"trimmed by the memory limit", file(map[string]string{"shm_size": "policy.yaml:3"}), func(s *Spec) { s.Host.ShmSize = 1 << 29 }, "Host.ShmSize", "fixed"},
		{"a denied path", FromFile("policy.yaml", "0", Rules{PidsLimit: 1, Mounts: MountRules{DeniedPaths: []string{"/srv"}}}, map[string]string{"mounts.denied_paths": "policy.yaml:5", "mounts.host_paths": "policy.yaml:4"}),
			mounting(mount.Mount{Type: mount.TypeBind, Source: "/srv/a"}), "Host.Mounts[/x]", "policy.yaml:5"},
		{"the sandbox", file(map[string]string{"mounts.host_paths": "policy.yaml:4"}), mounting(mount.Mount{Type: mount.TypeBind, Source: "/lease/1/a"}), "Host.Mounts[/x]", "fixed"},
		{"a path of the host", file(map[string]string{"mounts.host_paths": "policy.yaml:4"}), mounting(mount.Mount{Type: mount.TypeBind, Source: "/srv/a"}), "Host.Mounts[/x]", "policy.yaml:4"},
	}
	limit := func(name string) func(*Spec) {
		return func(s *Spec) { s.Host.Ulimits = []*container.Ulimit{{Name: name, Soft: 1 << 40, Hard: 1 << 40}} }
	}
	merged := file(map[string]string{"ulimits": "policy.yaml:9", "ulimits.nofile": "policy.yaml:5"})
	tests = append(tests, []struct {
		name   string
		policy Policy
		change func(*Spec)
		field  string
		want   string
	}{
		{"an entry of a map", merged, limit("nofile"), "Host.Ulimits[nofile]", "policy.yaml:5"},
		{"an entry that is inherited", merged, limit("nproc"), "Host.Ulimits[nproc]", "built-in"},
		{"an entry of rules of a name", New("test", BuiltInRules()), limit("nproc"), "Host.Ulimits[nproc]", "test"},
		{"an entry that there is not", merged, limit("x"), "Host.Ulimits[x]", "policy.yaml:9"},
	}...)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := goodSpec()
			test.change(&spec)
			d := test.policy.Review(spec, testRoots)
			at := slices.IndexFunc(d.Findings, func(f Finding) bool { return f.Field == test.field })
			if at < 0 || d.Findings[at].Place != test.want {
				t.Errorf("%+v", d.Findings)
			}
			for _, f := range d.Findings {
				if f.Place == "" {
					t.Errorf("no place: %+v", f)
				}
			}
		})
	}
}
