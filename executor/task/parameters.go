package task

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/docker/go-units"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

const parametersPath = "container.docker.parameters"

// supportedParameters are the keys that have a handler in [translation.parameter].
const supportedParameters = "cap-add, cap-drop, hostname, init, label, read-only, ulimit, user and workdir"

// parameter is one of container.docker.parameters: the flag --key=value of docker run in the stock executor.
type parameter struct {
	key, value string
	field      string // "container.docker.parameters[3]"
}

// origin names the parameter as its author knows it.
func (p parameter) origin() string { return p.field + " `" + security.Printable(p.key) + "`" }

// parameters translates the docker run flags that are known to be safe or that the policy can judge, and refuses
// every other by name. Values of refused ones are not shown: they may be secrets.
func (t *translation) parameters(list []mesos.Parameter) {
	first := map[string]parameter{}
	for i, raw := range list {
		p := parameter{key: raw.Key, value: raw.Value, field: fmt.Sprintf("%s[%d]", parametersPath, i)}
		if isScalar(p.key) {
			if before, again := first[p.key]; again && before.value != p.value {
				t.invalid(p.origin(), "", "The parameter contradicts %s; keep one of them.", before.field)
				continue
			}
			first[p.key] = p
		}
		t.parameter(p)
	}
}

// isScalar tells the flags that take one value from those that may be repeated.
func isScalar(key string) bool {
	return slices.Contains([]string{"hostname", "init", "read-only", "user", "workdir"}, key)
}

func (t *translation) parameter(p parameter) {
	if flag := flagName(p.key); strings.EqualFold(strings.Trim(flag, "- \t"), "privileged") {
		t.privileged(p.field + " `privileged`")
		return
	} else if flag != p.key {
		t.invalid(p.field, flag, "The key holds '=' after %s, which docker run would read as flag and value; write the flag's name as key and the rest as value.", quote(flag))
		return
	}
	switch p.key {
	case "cap-add":
		t.spec.Host.CapAdd = append(t.spec.Host.CapAdd, p.value)
		t.origin("Host.CapAdd["+p.value+"]", p.origin())
	case "cap-drop":
		t.spec.Host.CapDrop = append(t.spec.Host.CapDrop, p.value)
		t.origin("Host.CapDrop["+p.value+"]", p.origin())
	case "label":
		t.label(p)
	case "ulimit":
		t.ulimit(p)
	case "hostname":
		if err := security.CheckHostname(p.value); err != nil {
			t.invalid(p.origin(), p.value, "Hostname %s cannot be used: it %v.", quote(p.value), err)
			return
		}
		t.spec.Config.Hostname = p.value
		t.origin("Config.Hostname", p.origin())
	case "user":
		if err := security.CheckUser(p.value); err != nil {
			t.invalid(p.origin(), p.value, "User %s cannot be used: it %v.", quote(p.value), err)
			return
		}
		t.spec.Config.User = p.value
		t.origin("Config.User", p.origin())
	case "workdir":
		if !path.IsAbs(p.value) {
			t.invalid(p.origin(), p.value, "Working directory %s is not absolute; write a path that starts with a slash.", quote(p.value))
			return
		}
		t.spec.Config.WorkingDir = path.Clean(p.value)
		t.origin("Config.WorkingDir", p.origin())
	case "init":
		if on, ok := t.boolean(p); ok {
			t.spec.Host.Init = &on
			t.origin("Host.Init", p.origin())
		}
	case "read-only":
		if on, ok := t.boolean(p); ok {
			t.spec.Host.ReadonlyRootfs = on
			t.origin("Host.ReadonlyRootfs", p.origin())
		}
	default:
		t.refuseFlag(p)
	}
}

// flagName is what docker run would take for the flag: its flag library ends the name at the first '='.
func flagName(key string) string {
	name, _, _ := strings.Cut(key, "=")
	return name
}

func (t *translation) label(p parameter) {
	key, value, _ := strings.Cut(p.value, "=")
	if strings.TrimSpace(key) == "" {
		t.invalid(p.origin(), "", "The label has no name; write name=value.")
		return
	}
	if strings.ContainsFunc(key, unicode.IsControl) {
		t.invalid(p.origin(), key, "The label's name %s holds a control character; remove it.", quote(key))
		return
	}
	if t.spec.Config.Labels == nil {
		t.spec.Config.Labels = map[string]string{}
	}
	t.spec.Config.Labels[key] = value // of several, docker run takes the last
	t.origin("Config.Labels["+key+"]", p.origin())
}

func (t *translation) ulimit(p parameter) {
	u, err := units.ParseUlimit(p.value)
	if err != nil || u.Soft < -1 || u.Hard < -1 {
		t.invalid(p.origin(), p.value, "%s is not a ulimit; write name=soft[:hard], for example nofile=4096:8192, soft not above hard, -1 for unlimited.", quote(p.value))
		return
	}
	for _, before := range t.spec.Host.Ulimits {
		if before.Name == u.Name {
			if *before != *u {
				t.invalid(p.origin(), p.value, "Ulimit %s contradicts %s before it; keep one of them.", u, before)
			}
			return
		}
	}
	t.spec.Host.Ulimits = append(t.spec.Host.Ulimits, u)
	t.origin("Host.Ulimits["+u.Name+"]", p.origin())
}

// boolean takes what docker run takes. An empty value is an error there too.
func (t *translation) boolean(p parameter) (value, ok bool) {
	value, err := strconv.ParseBool(p.value)
	if err != nil {
		t.invalid(p.origin(), p.value, "%s is neither true nor false; write one of the two.", quote(p.value))
		return false, false
	}
	return value, true
}

func (t *translation) refuseFlag(p parameter) {
	if !isDockerRunFlag(p.key) {
		t.invalid(p.origin(), p.key, "%s is not a flag of docker run (write long names, without dashes); supported are %s.", quote(p.key), supportedParameters)
		return
	}
	remedy := insteadOf(p.key)
	if remedy == "" {
		remedy = "remove it"
	}
	t.reject(ruleParameters, p.origin(), p.key,
		"The docker run flag --%s is not allowed by this version; %s (supported are %s).", p.key, remedy, supportedParameters)
}
