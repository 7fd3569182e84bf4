package task

import (
	"fmt"
	"strconv"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

const parametersPath = "container.docker.parameters"

// maxParameter is the longest parameter, key and value, in bytes: the kernel takes no longer word of a command line
// (include/uapi/linux/binfmts.h, MAX_ARG_STRLEN, with "--", "=" and a NUL), so no docker run ever had one.
const maxParameter = 128<<10 - 4

// maxOptions is how many options, separated by commas, one parameter may hold. No flag knows a quarter as many, and what is
// found about a task is to grow with its bytes.
const maxOptions = 100

// maxSearches is for how many unknown keys a similar name is looked for: all that anybody reads.
const maxSearches = 20

// parameter is one of container.docker.parameters: the flag --key=value of docker run in the stock executor
// (src/docker/docker.cpp, Docker::run).
type parameter struct {
	key, value string
	field      string // "container.docker.parameters[3]"
	secret     bool   // no message shows the value
}

// origin names the parameter as its author knows it.
func (p parameter) origin() string { return p.field + " `" + security.Printable(p.key) + "`" }

// dockerRun is the command line of docker run that the parameters of one task make.
//
// Every flag has the meaning that it has for the docker command 28: it sets the same fields of the Docker API, and whether
// it may is for the policy to say. What that command would do itself, in the client, is refused, as is what cannot be read.
// Flags that take one value must not contradict each other, and no flag contradicts a field of the TaskInfo: in the stock
// executor the last of them would silently win.
type dockerRun struct {
	*translation
	once    map[string]parameter // what each flag that counts once was given, by its documented name
	places  map[string]string    // what is mounted, by target: where it came from
	hosts   map[string][]publication
	unknown int                       // keys that are no flag
	ports   int                       // container ports that the parameters publish and expose
	env     map[string]int            // variables by name: where each is in Config.Env, see variables
	options map[string]securityOption // by name
	driver  string                    // of volumes, by the parameter volume-driver
}

// parameters translates all of them. Each flag acts in its phase; the findings are in the order of the parameters.
func (t *translation) parameters(list []mesos.Parameter) {
	r := &dockerRun{translation: t, once: map[string]parameter{}}
	found := make([][]security.Finding, len(list))
	watch := func(i int, act func()) {
		before := len(t.findings)
		act()
		found[i] = append(found[i], t.findings[before:]...)
		t.findings = t.findings[:before]
	}

	flags, given := make([]*flag, len(list)), make([]parameter, len(list))
	for i, raw := range list {
		given[i] = parameter{key: raw.Key, value: raw.Value, field: fmt.Sprintf("%s[%d]", parametersPath, i)}
		watch(i, func() { flags[i] = r.find(&given[i]) })
	}
	for _, now := range []phase{early, normally, late} {
		for i, f := range flags {
			if f != nil && f.when == now {
				watch(i, func() { f.set(r, given[i]) })
			}
		}
	}
	for _, findings := range found {
		t.findings = append(t.findings, findings...)
	}
}

// find returns the flag to set, or nil when the parameter is refused or asks for nothing more.
func (r *dockerRun) find(p *parameter) *flag {
	name := flagName(p.key)
	if looksPrivileged(name) {
		if on, err := strconv.ParseBool(p.value); p.key == "privileged" && err == nil && !on {
			return nil
		}
		return flagTable()["privileged"]
	}
	if name != p.key { // what follows the name may be a secret
		r.invalid(p.field, name, "The key holds '=' after %s, which docker run would read as flag and value; write the flag's name as key and the rest as value.", quote(name))
		return nil
	}
	if length := len(p.key) + len(p.value); length > maxParameter {
		r.invalid(p.origin(), "", "The parameter has %d bytes, and no command line takes more than %d; shorten it.", length, maxParameter)
		return nil
	}
	f := flagTable()[name]
	if f == nil {
		r.invalid(p.origin(), p.key, "%s is not a flag of docker run; %s", quote(p.key), insteadOf(p.key, r.unknown < maxSearches))
		r.unknown++
		return nil
	}

	p.secret = f.secret
	value := p.value
	if f.kind == onOff {
		on, ok := r.boolean(*p)
		if !ok || f.set == nil && on == f.usual {
			return nil
		}
		value = strconv.FormatBool(on)
	}
	if f.set == nil {
		r.reject(ruleParameters, p.origin(), p.key, "The docker run flag --%s is not allowed: %s.", f.name, f.refusal)
		return nil
	}
	if f.kind != repeated {
		if before, again := r.once[f.name]; again {
			if before.value != value {
				r.contradictsOrigin(*p, before.origin(), before.value)
			}
			return nil
		}
		r.once[f.name] = parameter{key: p.key, value: value, field: p.field}
	}
	return f
}
