package task

import (
	"errors"
	"fmt"
	"slices"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/security"
)

// Mode is how the agent launched the executor. It decides where the command comes from.
type Mode string

const (
	// DropIn: the agent's Docker containerizer runs the executor; the command is TaskInfo.command.
	DropIn Mode = "drop-in"
	// Custom: a framework names the executor; the command is in TaskInfo.data, in Inputs.Words or in the image.
	Custom Mode = "custom"
)

// DefaultMappedDirectory is where the sandbox appears in the container (agent flag --sandbox_directory's default).
const DefaultMappedDirectory = "/mnt/mesos/sandbox"

// Inputs is what a Plan depends on beside the TaskInfo. All of it comes from the operator's side.
type Inputs struct {
	Mode        Mode
	ContainerID string // Mesos container id
	// ContainerName is the name for Docker; the task sees it as MESOS_CONTAINER_NAME.
	ContainerName string
	// Sandbox is the host path of the sandbox, as the framework knows it.
	Sandbox string
	// SandboxSource is what Docker mounts for the sandbox: a path that the operator's side controls. Bind mounts are
	// allowed from it and from below it.
	SandboxSource string
	// MappedDirectory is where the sandbox appears in the container; "" means DefaultMappedDirectory.
	MappedDirectory string
	// WorkDir is the agent's --work_dir, below which persistent volumes are; used in custom mode.
	WorkDir string
	// HostMemory is the memory of the host in bytes, 0 if it is not known; see TaskInfo.limits.
	HostMemory int64
	// DefaultDNS is what containers get that name no DNS settings themselves.
	DefaultDNS []DNS
	// EnforceCFS turns `cpus` into a CPU quota beside the shares.
	EnforceCFS bool
	// TaskEnvironment holds the variables of the agent's hook; they win over the framework's.
	TaskEnvironment map[string]string
	// Words is a command line, used in custom mode when TaskInfo.data is empty: a program (or, if the image has an
	// entrypoint, its first argument) and its arguments.
	Words []string
	// Principal of the framework, and whether the agent that says so and that says the resources' role is the one that started
	// the executor; see [security.Identity].
	Principal string
	Trusted   bool
	// Classes are the host's class IDs; nil means that nothing is known of any, and nothing said.
	Classes Classes
}

// Policies holds the policy for each identity; a [security.Policy] holds itself for all.
type Policies interface {
	// For returns an error, for people, if the identity asks for what there is not: a [*security.ProfileError].
	For(security.Identity) (security.Policy, error)
}

// Decision is either a Plan or a Refusal, and everything that was found on the way.
type Decision struct {
	// Plan is nil when the task was refused.
	Plan *Plan
	// Findings are those of the translation, then those of the policy, each in the order of the fields.
	Findings []security.Finding
	// Refusal is nil when the task was accepted.
	Refusal *Refusal
}

// Plan is the complete description of the container to create.
type Plan struct {
	TaskID string
	// Spec is reviewed: what it holds is what goes to Docker.
	Spec      security.Spec
	ForcePull bool
	// SandboxDirs are the folders, relative to the sandbox, that are mounted: they must exist before create, and
	// nothing in them may lead out of the sandbox.
	SandboxDirs []string
	// HostBinds are the mounts of the Spec that come from paths of the host: what they lead to has to be made sure of before
	// create.
	HostBinds []security.HostBind
	// Granted is what the task has by the cluster's decision, for the review of the image.
	Granted security.Grants
	// Networks are the task's network_infos, whose labels go into its status with the addresses.
	Networks []mesos.NetworkInfo
	// KillGrace is kill_policy.grace_period; nil if the task has none.
	KillGrace *time.Duration
	// MaxCompletion is how long the task may run; 0 is for ever.
	MaxCompletion time.Duration
	// Policy is the one that decided, and that decides over the image.
	Policy security.Policy
	// Class is the task's network class; its ID is 0 if it has none.
	Class classes.Class
	// ClassPreferred says that the task runs without its class where that cannot be given to it.
	ClassPreferred bool
	// Notes are for the log and the STARTING message: what the container gets otherwise than written. Joined by "; " they
	// have at most 16 KiB.
	Notes []string
}

// Refusal is what the framework is told about a task that is not started.
type Refusal struct {
	// State is TASK_ERROR: trying again without a change is pointless. TASK_FAILED is for what another host may accept.
	State mesos.TaskState
	// Reason is REASON_CONTAINER_LAUNCH_FAILED with TASK_FAILED. With TASK_ERROR it is REASON_TASK_INVALID if the TaskInfo is malformed,
	// contradictory or asks for what this version does not support, else REASON_TASK_UNAUTHORIZED.
	Reason mesos.TaskStatus_Reason
	// Message names every problem with field, value and remedy, or every rejection with its rule and place and the policy's hash, or why
	// the task can have no class ID here; the first of them, and how many more there are, if it would have more than 16 KiB.
	Message string
}

// Rules of the findings that are made here. All others are the policy's.
const (
	ruleProfile      = "profile"          // a profile of the policy that the task may not pick
	ruleTaskInfo     = "task_info"        // malformed, contradictory or not supported
	ruleParameters   = "parameters.allow" // a docker run flag that is not on the list
	ruleNetwork      = "network.modes"
	ruleMountSources = "mounts.sources" // a relative path that leaves the sandbox
)

// Decide translates a TaskInfo, as the protobuf bytes that the agent sent, and has the policy for its identity review the
// result. It never fails otherwise than by a Refusal.
func Decide(raw []byte, in Inputs, policies Policies) Decision {
	t := translation{in: in, spec: security.Spec{Origins: security.Origins{}}}
	encoding := checkWire(raw, taskInfoSchema())
	for _, problem := range encoding.list {
		t.invalid(problem.path, "", "%s", problem.message)
	}
	if encoding.broken || decode(raw, &t.task) != nil {
		if len(t.findings) == 0 {
			t.invalid("", "", "The bytes cannot be decoded.")
		}
		return t.refused(policies)
	}
	if !t.counts() {
		return t.refused(policies)
	}

	plan := t.translate()
	who := t.who()
	p, err := policies.For(who)
	if err != nil {
		t.reject(ruleProfile, labelField, who.Profile, "%v", err)
		if refused := (*security.ProfileError)(nil); errors.As(err, &refused) {
			t.findings[len(t.findings)-1].Place = refused.Place
		}
		who.Profile = "" // what else is wrong is said too
		if p, err = policies.For(who); err != nil {
			return t.refused(policies)
		}
	}
	granted := security.Grants{Roots: []string{in.SandboxSource}, Binds: t.granted}
	review := p.Review(t.spec, granted)
	d := Decision{Findings: append(t.findings, withoutConsequences(review.Findings, len(t.findings) > 0)...)}
	if d.Refusal = Refuse(d.Findings, review.PolicyHash); d.Refusal != nil {
		return d
	}
	plan.Spec, plan.Policy = review.Spec, p
	plan.HostBinds, plan.Granted = p.HostBinds(review.Spec, granted), granted
	plan.Notes = append(append(notesOf(review.Changes()), plan.Notes...), "policy "+p.String())
	if d.Refusal = t.class(&plan); d.Refusal != nil {
		return d
	}
	d.Plan = &plan
	return d
}

// refused is the decision over a task whose policy could not be asked. The one of nobody names the file all the same.
func (t *translation) refused(policies Policies) Decision {
	p, _ := policies.For(security.Identity{})
	return Decision{Findings: t.findings, Refusal: Refuse(t.findings, p.Hash())}
}

// decode fills m from bytes that checkWire let through. The generated decoders of mesos-go were made before gogo/protobuf
// 1.3.2 and index out of range on some hostile lengths (CVE-2021-3121); checkWire refuses those, and should it ever miss
// one, the task is refused instead of the executor ended.
func decode(raw []byte, m interface{ Unmarshal([]byte) error }) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decoder failed: %v", r)
		}
	}()
	return m.Unmarshal(raw)
}

// withoutConsequences leaves out, for a task that could not be translated in full, the rejections of values that are not
// the task's: an image that cannot be read is one problem, and the empty image in the Spec is not a second.
func withoutConsequences(findings []security.Finding, incomplete bool) []security.Finding {
	return slices.DeleteFunc(findings, func(f security.Finding) bool {
		return incomplete && f.Action == security.Reject && f.Origin == ""
	})
}
