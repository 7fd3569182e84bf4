package task

import (
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/strslice"

	"mesos-docker-executor/security"
)

// processFlags say what runs in the container, as whom, where, and how it is ended and started again.
func processFlags() []flag {
	return []flag{
		{name: "domainname", kind: single, set: setText("Config.Domainname", func(s *security.Spec) *string { return &s.Config.Domainname }, nil)},
		{name: "entrypoint", kind: single, set: (*dockerRun).setEntrypoint},
		{name: "env", short: "e", kind: repeated, secret: true, set: (*dockerRun).addVariable},
		{name: "hostname", short: "h", kind: single, set: (*dockerRun).setHostname},
		{name: "init", kind: onOff, set: (*dockerRun).setInit},
		{name: "label", short: "l", kind: repeated, secret: true, set: (*dockerRun).addLabel},
		{name: "log-driver", kind: single, set: setText("Host.LogConfig.Type", func(s *security.Spec) *string { return &s.Host.LogConfig.Type }, nil)},
		{name: "log-opt", kind: repeated, when: late, secret: true, set: (*dockerRun).addLogOption},
		{name: "read-only", kind: onOff, set: setOn("Host.ReadonlyRootfs", func(s *security.Spec) *bool { return &s.Host.ReadonlyRootfs })},
		{name: "restart", kind: single, set: (*dockerRun).setRestart},
		{name: "stop-signal", kind: single, set: setText("Config.StopSignal", func(s *security.Spec) *string { return &s.Config.StopSignal }, nil)},
		{name: "stop-timeout", kind: single, set: (*dockerRun).setStopTimeout},
		{name: "tty", short: "t", kind: onOff, set: (*dockerRun).setTTY},
		{name: "ulimit", kind: repeated, set: (*dockerRun).addUlimit},
		{name: "user", short: "u", kind: single, set: (*dockerRun).setUser},
		{name: "workdir", short: "w", kind: single, set: (*dockerRun).setWorkdir},
	}
}

// setOn makes the translation of a flag that switches on what is off without it.
func setOn(field string, at func(*security.Spec) *bool) func(*dockerRun, parameter) {
	return func(r *dockerRun, p parameter) {
		if on, ok := r.boolean(p); ok {
			settle(r, p, field, at(&r.spec), on)
		}
	}
}

func (r *dockerRun) setHostname(p parameter) {
	if err := security.CheckHostname(p.value); err != nil {
		r.invalid(p.origin(), p.value, "Hostname %s cannot be used: it %v.", quote(p.value), err)
		return
	}
	settle(r, p, "Config.Hostname", &r.spec.Config.Hostname, p.value)
}

func (r *dockerRun) setUser(p parameter) {
	if err := security.CheckUser(p.value); err != nil {
		r.invalid(p.origin(), p.value, "User %s cannot be used: it %v.", quote(p.value), err)
		return
	}
	settle(r, p, "Config.User", &r.spec.Config.User, p.value)
}

func (r *dockerRun) setWorkdir(p parameter) {
	if !path.IsAbs(p.value) {
		r.invalid(p.origin(), p.value, "Working directory %s is not absolute; write a path that starts with a slash.", quote(p.value))
		return
	}
	settle(r, p, "Config.WorkingDir", &r.spec.Config.WorkingDir, path.Clean(p.value))
}

// setEntrypoint replaces the image's entrypoint; an empty value removes it. A shell command has one already.
func (r *dockerRun) setEntrypoint(p parameter) {
	const field = "Config.Entrypoint"
	switch before := r.spec.Config.Entrypoint; {
	case before == nil:
		r.spec.Config.Entrypoint = strslice.StrSlice{p.value}
		r.origin(field, p.origin())
	case len(before) != 1 || before[0] != p.value:
		r.contradicts(p, field, "")
	}
}

func (r *dockerRun) setInit(p parameter) {
	if on, ok := r.boolean(p); ok {
		settlePointer(r, p, "Host.Init", &r.spec.Host.Init, on)
	}
}

// setTTY follows container.tty_info: a task that has it gets a terminal.
func (r *dockerRun) setTTY(p parameter) {
	on, ok := r.boolean(p)
	switch {
	case !ok:
	case !on && r.task.GetContainer().GetTTYInfo() != nil:
		r.contradictsOrigin(p, "container.tty_info", "")
	case on:
		settle(r, p, "Config.Tty", &r.spec.Config.Tty, true)
	}
}

// addLabel lets the last of several labels with one name win, as docker run does: Marathon adds labels of its own to a
// task's.
func (r *dockerRun) addLabel(p parameter) {
	key, value, _ := strings.Cut(p.value, "=")
	if strings.TrimSpace(key) == "" {
		r.invalid(p.origin(), "", "The label has no name; write name=value.")
		return
	}
	if strings.ContainsFunc(key, unicode.IsControl) {
		r.invalid(p.origin(), key, "The label's name %s holds a control character; remove it.", quote(key))
		return
	}
	if r.spec.Config.Labels == nil {
		r.spec.Config.Labels = map[string]string{}
	}
	r.spec.Config.Labels[key] = value
	r.origin("Config.Labels["+key+"]", p.origin())
}

// setRestart reads NAME[:MAXIMUM]. "no" is what a container has anyway.
func (r *dockerRun) setRestart(p parameter) {
	name, retries, counted := strings.Cut(p.value, ":")
	policy := container.RestartPolicy{Name: container.RestartPolicyMode(name)}
	if counted {
		n, ok := r.whole(parameter{key: p.key, value: retries, field: p.field}, 0, 1<<31-1, "write on-failure:5, say")
		if !ok {
			return
		}
		policy.MaximumRetryCount = int(n)
	}
	switch policy.Name {
	case "", container.RestartPolicyDisabled:
		if counted {
			r.malformed(p, "write no, always, unless-stopped or on-failure[:retries]")
		}
	case container.RestartPolicyAlways, container.RestartPolicyUnlessStopped, container.RestartPolicyOnFailure:
		settle(r, p, "Host.RestartPolicy", &r.spec.Host.RestartPolicy, policy)
	default:
		r.malformed(p, "write no, always, unless-stopped or on-failure[:retries]")
	}
}

// setStopTimeout takes whole seconds. The kill policy says the same thing, and what it says is what is done.
func (r *dockerRun) setStopTimeout(p parameter) {
	seconds, ok := r.whole(p, -1, 1<<31-1, "write a number of seconds")
	if !ok {
		return
	}
	if d := r.task.GetKillPolicy().GetGracePeriod(); d != nil && time.Duration(d.Nanoseconds) != time.Duration(seconds)*time.Second {
		r.contradictsOrigin(p, "kill_policy.grace_period", time.Duration(d.Nanoseconds).String())
		return
	}
	settlePointer(r, p, "Config.StopTimeout", &r.spec.Config.StopTimeout, int(seconds))
}

// addLogOption keeps to itself what it was given: a log driver's options are where its credentials are.
func (r *dockerRun) addLogOption(p parameter) {
	config := &r.spec.Host.LogConfig
	if config.Type == "none" {
		r.invalid(p.origin(), "", "The log driver none has no options; remove the parameter.")
		return
	}
	name, value, ok := strings.Cut(p.value, "=")
	if !ok || name == "" {
		r.malformed(p, "write name=value")
		return
	}
	settleKey(r, p, "Host.LogConfig.Config", &config.Config, name, value)
}
