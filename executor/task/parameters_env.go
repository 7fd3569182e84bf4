package task

import "strings"

// addVariable adds NAME=VALUE to the container's environment. It never replaces one: neither the executor's own variables
// nor those of the agent's hook are the task's to set, and of two values that the task gives neither is meant more.
func (r *dockerRun) addVariable(p parameter) {
	name, value, ok := strings.Cut(p.value, "=")
	if !ok {
		r.malformed(p, "write NAME=VALUE (without a value, docker run would take the variable of its own environment)")
		return
	}
	if problem := variableProblem(name, value); problem != "" {
		r.invalid(p.origin(), name, "Variable %s is malformed: %s.", quote(name), problem)
		return
	}
	at, there := r.variables()[name]
	switch {
	case !there:
		at = len(r.spec.Config.Env)
		r.env[name] = at
		r.spec.Config.Env = append(r.spec.Config.Env, p.value)
		r.origin("Config.Env["+name+"]", p.origin())
	case r.spec.Config.Env[at] != p.value:
		r.invalid(p.origin(), name, "Variable %s has another value from %s; remove the parameter or write the same value.", quote(name), r.variableOrigin(name))
	}
}

// variables returns where each variable is in the Spec.
func (r *dockerRun) variables() map[string]int {
	if r.env == nil {
		r.env = map[string]int{}
		for i, entry := range r.spec.Config.Env {
			name, _, _ := strings.Cut(entry, "=")
			r.env[name] = i
		}
	}
	return r.env
}

func (r *dockerRun) variableOrigin(name string) string {
	switch name {
	case "MESOS_SANDBOX", "MESOS_CONTAINER_NAME", "MESOS_ALLOCATION_ROLE":
		return "the executor, which sets it for every task"
	}
	if _, hook := r.in.TaskEnvironment[name]; hook {
		return "--task_environment of the agent"
	}
	return r.spec.Origins.Of("Config.Env[" + name + "]")
}
