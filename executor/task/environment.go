package task

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// environment builds the container's environment as the stock executor does (src/docker/docker.cpp,
// RunOptions::create): the hook's variables beat the framework's, and three of the executor's own beat all. Of several
// variables with one name the last wins.
func (t *translation) environment(command *mesos.CommandInfo, role string) {
	field := "command.environment.variables"
	if t.in.Mode == Custom {
		field = "data.environment.variables"
	}
	env := environment{}
	for i, v := range command.GetEnvironment().GetVariables() {
		if t.variable(fmt.Sprintf("%s[%d]", field, i), v) {
			env.set(v.Name, v.GetValue())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.in.TaskEnvironment)) {
		value := t.in.TaskEnvironment[name]
		if problem := variableProblem(name, value); problem != "" {
			t.invalid("--task_environment", "", "Variable %s of the agent's hook is malformed: %s.", quote(name), problem)
			continue
		}
		env.set(name, value)
	}
	env.set("MESOS_SANDBOX", t.mapped)
	env.set("MESOS_CONTAINER_NAME", t.in.ContainerName)
	env.set("MESOS_ALLOCATION_ROLE", role) // also when empty, so that no task can pretend to have one
	t.spec.Config.Env = env.list()
	t.origin("Config.Env", strings.TrimSuffix(field, ".variables"))
}

// variable checks one variable by the rules of the master (src/common/validation.cpp, validateEnvironment).
func (t *translation) variable(field string, v mesos.Environment_Variable) bool {
	before := len(t.findings)
	switch {
	case v.GetType() == mesos.Environment_Variable_SECRET:
		t.invalid(field, v.Name, "Variable %s is a secret, which this version cannot resolve; pass a value, or fetch the secret in the task.", quote(v.Name))
	case v.GetType() != mesos.Environment_Variable_VALUE:
		t.invalid(field, v.Name, "Variable %s has no type; set the type to VALUE.", quote(v.Name))
	case v.Secret != nil:
		t.invalid(field, v.Name, "Variable %s is of type VALUE and has a secret; remove one of the two.", quote(v.Name))
	case v.Value == nil:
		t.invalid(field, v.Name, "Variable %s has no value; set `value`, it may be empty.", quote(v.Name))
	}
	if problem := variableProblem(v.Name, v.GetValue()); problem != "" {
		t.invalid(field, v.Name, "Variable %s is malformed: %s.", quote(v.Name), problem)
	}
	return len(t.findings) == before
}

func variableProblem(name, value string) string {
	switch {
	case name == "":
		return "it has no name"
	case strings.ContainsAny(name, "=\x00"):
		return "a name cannot hold '=' or a NUL character"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "a name cannot hold control characters"
	case strings.ContainsRune(value, 0):
		return "a value cannot hold a NUL character"
	}
	return ""
}

// environment keeps the order in which names first came.
type environment struct {
	names  []string
	values map[string]string
}

func (e *environment) set(name, value string) {
	if e.values == nil {
		e.values = map[string]string{}
	}
	if _, there := e.values[name]; !there {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

func (e *environment) list() []string {
	var list []string
	for _, name := range e.names {
		list = append(list, name+"="+e.values[name])
	}
	return list
}
