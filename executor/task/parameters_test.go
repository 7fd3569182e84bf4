package task

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// translated returns the Spec of a task before its review, and what the translation found. The task is hello.json without a
// network, a command and a hostname, with the ports 31000 to 31999 and the parameters, each written "key value".
func translated(t testing.TB, change func(*mesos.TaskInfo), parameters ...string) (security.Spec, []security.Finding) {
	t.Helper()
	task := fixtureTask(t, "hello")
	task.Command = &mesos.CommandInfo{Shell: ptr(false)}
	task.Container.Docker.Network = nil
	task.Resources = append(task.Resources, portsResource(task))
	task.Container.Docker.Parameters = parametersOf(parameters...)
	if change != nil {
		change(&task)
	}
	in := testInputs()
	in.TaskEnvironment = map[string]string{"HOOK": "hook"}
	return translatedIn(in, task)
}

func portsResource(task mesos.TaskInfo) mesos.Resource {
	return mesos.Resource{
		Name: "ports", Type: mesos.RANGES.Enum(), AllocationInfo: task.Resources[0].AllocationInfo,
		Ranges: &mesos.Value_Ranges{Range: []mesos.Value_Range{{Begin: 31000, End: 31999}}},
	}
}

func translatedIn(in Inputs, task mesos.TaskInfo) (security.Spec, []security.Finding) {
	t := translation{in: in, task: task, spec: security.Spec{Origins: security.Origins{}}}
	t.translate()
	return t.spec, t.findings
}

func parametersOf(written ...string) []mesos.Parameter {
	var list []mesos.Parameter
	for _, w := range written {
		key, value, _ := strings.Cut(w, " ")
		list = append(list, mesos.Parameter{Key: key, Value: value})
	}
	return list
}

// effect is what one parameter does to the Spec: change, nothing else, and an origin at each of the paths.
type effect struct {
	parameter string
	change    func(*security.Spec)
	origins   []string
	given     []string // parameters beside it
}

// sets makes an effect on one field.
func sets[T any](parameter, path string, at func(*security.Spec) *T, value T) effect {
	return effect{parameter: parameter, change: func(s *security.Spec) { *at(s) = value }, origins: []string{path}}
}

func with(e effect, given ...string) effect { e.given = given; return e }

func TestEveryFlagHasTheEffectOfDockerRun(t *testing.T) {
	for _, e := range effects() {
		t.Run(strings.ReplaceAll(e.parameter, "/", ":"), func(t *testing.T) {
			want, found := translated(t, nil, e.given...)
			if len(found) > 0 {
				t.Fatalf("without it: %v", found)
			}
			e.change(&want)
			got, found := translated(t, nil, append(e.given[:len(e.given):len(e.given)], e.parameter)...)
			if len(found) > 0 {
				t.Fatalf("%v", found)
			}
			origins := got.Origins
			got.Origins, want.Origins = nil, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			key, _, _ := strings.Cut(e.parameter, " ")
			origin := fmt.Sprintf("container.docker.parameters[%d] `%s`", len(e.given), key)
			for _, path := range e.origins {
				if origins[path] != origin {
					t.Errorf("%s came from %q, want %q of %v", path, origins[path], origin, origins)
				}
			}
		})
	}
}

func TestFlagsThatSayWhatIsSoAnywayAskForNothing(t *testing.T) {
	want, _ := translated(t, nil)
	for _, parameter := range []string{
		"rm false", "detach 0", "d F", "interactive false", "i false", "quiet false", "q false", "help false", "use-api-socket false",
		"sig-proxy true", "disable-content-trust true", "privileged false", "privileged 0", "publish-all false", "P false",
		"oom-kill-disable false", "no-healthcheck false", "tty false", "t 0", "read-only false", "restart no", "restart",
		"memory-swappiness -1", "blkio-weight 0", "oom-score-adj 0", "health-interval 0", "health-cmd", "shm-size 0", "pid", "memory-swap 0",
	} {
		got, found := translated(t, nil, parameter)
		if diff := cmp.Diff(want, got); diff != "" || len(found) > 0 {
			t.Errorf("%s: %v %s", parameter, found, diff)
		}
	}
}

func TestFlagsOfTheClientAndOfResourcesAreRefusedByName(t *testing.T) {
	for parameter, remedy := range map[string]string{
		"annotation never-shown": "`label`", "attach stdout": "sandbox", "a stdout": "sandbox", "cidfile /x": "file of the host",
		"detach true": "remove it", "d 1": "remove it", "detach-keys x": "remove it", "disable-content-trust false": "digest",
		"env-file /x": "`command.environment`", "gpus all": "no GPUs", "help true": "remove it", "interactive true": "no input",
		"i true": "no input", "label-file /x": "`label`", "name x": "the executor names", "platform linux/arm64": "digest",
		"pull always": "`container.docker.force_pull_image`", "quiet true": "remove it", "q true": "remove it",
		"rm true": "the executor removes", "sig-proxy false": "`kill_policy`", "use-api-socket true": "root on the host",
		"cpu-period 1000": "`cpus`", "cpu-quota 1000": "`cpus`", "cpu-shares 2": "`cpus`", "c 2": "`cpus`", "cpus 2": "`cpus`",
		"memory 1g": "`mem`", "m 1g": "`mem`", "memory-reservation 1g": "`mem`",
		"cpu-count 1": "Windows", "cpu-percent 1": "Windows", "io-maxbandwidth 1": "Windows", "io-maxiops 1": "Windows", "isolation default": "Windows",
	} {
		t.Run(strings.ReplaceAll(parameter, "/", ":"), func(t *testing.T) {
			key, _, _ := strings.Cut(parameter, " ")
			refused(t, helloTask(t, func(task *mesos.TaskInfo) { task.Container.Docker.Parameters = parametersOf(parameter) }), testInputs(),
				mesos.REASON_TASK_UNAUTHORIZED, "container.docker.parameters[0] `"+key+"`: ", "is not allowed: ", remedy, "[rule parameters.allow; fixed]")
		})
	}
}

// TestTheTableIsThatOfDockerRun compares it with a list of its flags, and the tests above with the table.
func TestTheTableIsThatOfDockerRun(t *testing.T) {
	raw, err := os.ReadFile("../../testdata/docker/run-flags.txt")
	if err != nil {
		t.Fatal(err)
	}
	table, listed := flagTable(), map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var name, short, kind string
		if n, err := fmt.Sscan(line, &name, &short, &kind); n != 3 {
			t.Fatalf("%q: %v", line, err)
		}
		f := table[name]
		if f == nil {
			t.Errorf("--%s is not in the table", name)
			continue
		}
		listed[name] = true
		if short != "-" {
			listed[short] = true
			if table[short] != f {
				t.Errorf("-%s is not --%s", short, name)
			}
		}
		want := map[string]flagKind{"bool": onOff, "list": repeated, "map": repeated, "mount": repeated, "ulimit": repeated, "gpu-request": repeated}[kind]
		if want == "" {
			want = single // of the network, too: see setNetwork
		}
		if f.kind != want {
			t.Errorf("--%s is %s, not %s", name, f.kind, want)
		}
		if (f.set == nil) == (f.refusal == "") {
			t.Errorf("--%s is both translated and refused, or neither", name)
		}
	}
	tested := map[string]bool{}
	for _, e := range effects() {
		key, _, _ := strings.Cut(e.parameter, " ")
		tested[key] = true
	}
	for name, f := range table {
		if !listed[name] {
			t.Errorf("%s is no flag of docker run", name)
		}
		if f.set != nil && !tested[name] {
			t.Errorf("the effect of %s has no test", name)
		}
	}
}

// TestNothingIsLostInReview: what a parameter asked for is allowed, changed or refused under its name, whatever the policy.
func TestNothingIsLostInReview(t *testing.T) {
	for _, e := range effects() {
		spec, _ := translated(t, nil, append(e.given[:len(e.given):len(e.given)], e.parameter)...)
		d := security.BuiltIn().Review(spec, security.Grants{Roots: []string{testInputs().SandboxSource}})
		before, _ := translated(t, nil, e.given...)
		before.Origins = nil
		plain := spec
		plain.Origins = nil
		key, _, _ := strings.Cut(e.parameter, " ")
		if cmp.Equal(before, plain) || slices.Contains([]string{"env", "e", "entrypoint", "read-only", "tty", "t"}, key) {
			continue // nothing is asked for, or what is let through without a word
		}
		named := false
		for _, f := range d.Findings {
			named = named || strings.Contains(f.Origin, fmt.Sprintf("parameters[%d]", len(e.given)))
		}
		if !named {
			t.Errorf("%s: no finding names it: %v", e.parameter, d.Findings)
		}
	}
}
