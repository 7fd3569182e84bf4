package task

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/distribution/reference"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// translation is one TaskInfo on its way into a Spec. Nothing stops it: every problem becomes a finding.
type translation struct {
	in       Inputs
	task     mesos.TaskInfo
	spec     security.Spec
	findings []security.Finding

	mapped       string            // the sandbox inside the container
	targets      map[string]string // what is mounted where, by whom
	volumeDriver string            // the one of the task's volumes
	granted      []security.Bind   // persistent volumes
	sandboxDirs  []string
	madeDirs     map[string]bool // the sandboxDirs
	asPrivileged int             // how often the task asks for it
	notes        []string
}

// invalid records that the TaskInfo is malformed, contradictory or not supported.
func (t *translation) invalid(field, value, format string, args ...any) {
	t.reject(ruleTaskInfo, field, value, format, args...)
}

func (t *translation) reject(rule, field, value, format string, args ...any) {
	t.findings = append(t.findings, security.Finding{
		Action:  security.Reject,
		Field:   security.Printable(field),
		Value:   security.Printable(value),
		Rule:    rule,
		Place:   security.Fixed,
		Origin:  security.Printable(field),
		Message: fmt.Sprintf(format, args...),
	})
}

// unsupported refuses a field that has an effect elsewhere and none here.
func (t *translation) unsupported(field, remedy string) {
	t.invalid(field, "", "The field is not supported by this version; %s.", remedy)
}

func (t *translation) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

func (t *translation) origin(field, origin string) { t.spec.Origins[field] = origin }

func (t *translation) translate() Plan {
	t.mapped = t.in.MappedDirectory
	if t.mapped == "" {
		t.mapped = DefaultMappedDirectory
	}
	t.mapped = path.Clean(t.mapped)
	t.spec.Name = t.in.ContainerName

	t.identity()
	t.oneProfile()
	role := t.role()
	t.resources()
	t.executor()
	command := t.command()
	t.environment(command, role)
	t.container()
	t.checks()

	plan := Plan{
		TaskID:      t.task.TaskID.Value,
		ForcePull:   t.task.GetContainer().GetDocker().GetForcePullImage(),
		SandboxDirs: t.sandboxDirs,
		Networks:    t.task.GetContainer().GetNetworkInfos(),
	}
	if d := t.task.GetKillPolicy().GetGracePeriod(); d != nil {
		grace := t.duration("kill_policy.grace_period", d)
		plan.KillGrace = &grace
	}
	if d := t.task.GetMaxCompletionTime(); d != nil {
		plan.MaxCompletion = t.duration("max_completion_time", d)
	}
	plan.Notes = t.notes
	return plan
}

// identity checks the task id by the rules that Mesos has for ids (src/common/validation.cpp, validateID).
func (t *translation) identity() {
	const longest = 255 // NAME_MAX: agents make folders of ids
	id := t.task.TaskID.Value
	odd := func(c rune) bool { return c < 0x20 || c == 0x7f || c == '/' || c == '\\' }
	if id == "" || len(id) > longest || id == "." || id == ".." || strings.ContainsFunc(id, odd) {
		t.invalid("task_id.value", id, "%s is not a task id; use 1 to %d characters without slashes and control characters.", quote(id), longest)
	}
}

func (t *translation) duration(field string, d *mesos.DurationInfo) time.Duration {
	if d.Nanoseconds < 0 {
		t.invalid(field, fmt.Sprint(d.Nanoseconds), "The duration of %d ns is negative; write 0 or more.", d.Nanoseconds)
	}
	return time.Duration(d.Nanoseconds)
}

// executor checks that TaskInfo.executor says nothing about the container to create. What it says about the executor
// itself (its command, resources, labels) has had its effect when this process runs.
func (t *translation) executor() {
	e := t.task.Executor
	if e == nil {
		return
	}
	if t.in.Mode == DropIn {
		t.invalid("executor", "", "An executor is named, but the agent runs this one for a task without; use `command` or `executor`, not both.")
	}
	if e.Type == mesos.ExecutorInfo_DEFAULT {
		t.invalid("executor.type", "DEFAULT", "This is not the default executor; set the type to CUSTOM.")
	}
	if !isEmpty(e.Container) {
		t.unsupported("executor.container", "describe the task's container in `container`, and leave this out, or the agent runs the executor inside it")
	}
}

func (t *translation) container() {
	c := t.task.Container
	if c == nil {
		t.invalid("container", "", "The task has no container; add one of type DOCKER with an image.")
		return
	}
	if c.GetType() != mesos.ContainerInfo_DOCKER {
		t.invalid("container.type", c.GetType().String(), "Only containers of type DOCKER can be run; change the type.")
	}
	if !isEmpty(c.Mesos) {
		t.invalid("container.mesos", "", "The field is for the Mesos containerizer; remove it and use `container.docker`.")
	}
	t.linuxInfo(c.LinuxInfo)
	t.rlimits(c.RlimitInfo)
	t.tty(c.TTYInfo)

	docker := c.Docker
	if docker == nil {
		t.invalid("container.docker", "", "The container has no Docker section; add one with an image.")
		return
	}
	t.image(docker.Image)
	if docker.GetPrivileged() {
		t.privileged("container.docker.privileged")
	}
	t.network(c, docker)
	t.hostname(c.GetHostname())
	t.oneDriver("container.docker.volume_driver", docker.GetVolumeDriver())
	t.volumes(c.Volumes, docker.GetVolumeDriver())
	t.parameters(docker.Parameters)
	t.portsNeedNetwork(docker.PortMappings)
	t.defaultDNS(docker.Parameters)
}

func (t *translation) hostname(name string) {
	const field = "container.hostname"
	if name == "" {
		return
	}
	if err := security.CheckHostname(name); err != nil {
		t.invalid(field, name, "Hostname %s cannot be used: it %v.", quote(name), err)
		return
	}
	t.spec.Config.Hostname = name
	t.origin("Config.Hostname", field)
}

func (t *translation) image(image string) {
	const field = "container.docker.image"
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		const remedy = "is not an image reference; write [registry/]repository[:tag] in lower case."
		if user, _, ok := strings.Cut(image, "@"); ok && strings.Contains(user, ":") {
			t.invalid(field, "", "What may hold a password %s", remedy) // as in https://user:password@registry
			return
		}
		t.invalid(field, image, "%s "+remedy, quote(image))
		return
	}
	t.spec.Image = reference.FamiliarString(reference.TagNameOnly(named))
	t.spec.Config.Image = t.spec.Image
	t.origin("Image", field)
}

// privileged passes the wish on: it is the policy that refuses it. A task may spell it more than once; the first three
// are named.
func (t *translation) privileged(origin string) {
	const named = 3
	t.spec.Host.Privileged = true
	t.asPrivileged++
	switch before := t.spec.Origins["Host.Privileged"]; {
	case t.asPrivileged == 1:
		t.origin("Host.Privileged", origin)
	case t.asPrivileged <= named:
		t.origin("Host.Privileged", before+", "+origin)
	default:
		before, _, _ = strings.Cut(before, " and ")
		t.origin("Host.Privileged", fmt.Sprintf("%s and %d more", before, t.asPrivileged-named))
	}
}

func (t *translation) checks() {
	if t.task.Check != nil {
		t.unsupported("check", "remove it")
	}
	if t.task.HealthCheck != nil {
		t.note("health check not performed")
	}
}

// isEmpty reports whether an optional message is missing or says nothing.
func isEmpty[M any, P interface {
	*M
	Size() int
}](m P) bool {
	return m == nil || m.Size() == 0
}
