package task

import (
	"fmt"
	"slices"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

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
	// EnforceCFS turns `cpus` into a CPU quota beside the shares.
	EnforceCFS bool
	// TaskEnvironment holds the variables of the agent's hook; they win over the framework's.
	TaskEnvironment map[string]string
	// Words is a command line, used in custom mode when TaskInfo.data is empty: a program (or, if the image has an
	// entrypoint, its first argument) and its arguments.
	Words []string
}

// Decision is either a Plan or a Refusal, and everything that was found on the way.
type Decision struct {
	// TaskID is "" when not even that could be read.
	TaskID string
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
	Name   string // TaskInfo.name
	// Role is the one allocation role of the task's resources, "" if the agent named none.
	Role string
	// Spec is reviewed: what it holds is what goes to Docker.
	Spec      security.Spec
	ForcePull bool
	// SandboxDirs are the folders, relative to the sandbox, that are mounted: they must exist before create, and
	// nothing in them may lead out of the sandbox.
	SandboxDirs []string
	// KillGrace is kill_policy.grace_period; nil if the task has none.
	KillGrace *time.Duration
	// MaxCompletion is how long the task may run; 0 is for ever.
	MaxCompletion time.Duration
	// HealthCheck: the task has a health check, which this version does not perform.
	HealthCheck bool
	// Notes are for the log and the STARTING message: what the container gets otherwise than written.
	Notes []string
}

// Refusal is what the framework is told about a task that is not started.
type Refusal struct {
	// State is always TASK_ERROR: trying again without a change is pointless.
	State mesos.TaskState
	// Reason is REASON_TASK_INVALID if the TaskInfo is malformed, contradictory or asks for what this version does not
	// support, else REASON_TASK_UNAUTHORIZED.
	Reason mesos.TaskStatus_Reason
	// Message names every problem with field, value and remedy, or every rejection with its rule and the policy's hash.
	Message string
}

// Rules of the findings that are made here. All others are the policy's.
const (
	ruleTaskInfo   = "task_info"        // malformed, contradictory or not supported
	ruleParameters = "parameters.allow" // a docker run flag that is not on the list
	ruleNetwork    = "network.modes"
)

// Decide translates a TaskInfo, as the protobuf bytes that the agent sent, and has the policy review the result. It
// never fails otherwise than by a Refusal.
func Decide(raw []byte, in Inputs, p security.Policy) Decision {
	t := translation{in: in, spec: security.Spec{Origins: security.Origins{}}}
	encoding := checkWire(raw, taskInfoSchema())
	for _, problem := range encoding.list {
		t.invalid(problem.path, "", "%s", problem.message)
	}
	d := Decision{TaskID: readTaskID(raw), Findings: t.findings}
	if encoding.broken || t.task.Unmarshal(raw) != nil {
		if len(d.Findings) == 0 {
			t.invalid("", "", "The bytes cannot be decoded.")
			d.Findings = t.findings
		}
		d.Refusal = refuse(d.Findings, p.Hash())
		return d
	}

	plan := t.translate()
	review := p.Review(t.spec, []string{in.SandboxSource})
	d.Findings = append(t.findings, withoutConsequences(review.Findings, len(t.findings) > 0)...)
	if d.Refusal = refuse(d.Findings, review.PolicyHash); d.Refusal != nil {
		return d
	}
	plan.Spec = review.Spec
	plan.Notes = append(notesOf(review.Changes()), plan.Notes...)
	d.Plan = &plan
	return d
}

// withoutConsequences leaves out, for a task that could not be translated in full, the rejections of values that are not
// the task's: an image that cannot be read is one problem, and the empty image in the Spec is not a second.
func withoutConsequences(findings []security.Finding, incomplete bool) []security.Finding {
	return slices.DeleteFunc(findings, func(f security.Finding) bool {
		return incomplete && f.Action == security.Reject && f.Origin == ""
	})
}

// refuse returns nil if nothing was rejected. A TaskInfo that is invalid is reported as that, with the policy's
// rejections beside its problems.
func refuse(findings []security.Finding, policyHash string) *Refusal {
	r := Refusal{State: mesos.TASK_ERROR, Reason: mesos.REASON_TASK_UNAUTHORIZED}
	var lines []string
	for _, f := range findings {
		if f.Action != security.Reject {
			continue
		}
		where := f.Origin
		if where == "" {
			where = f.Field
		}
		line := strings.TrimPrefix(where+": ", ": ") + f.Message
		if f.Rule == ruleTaskInfo {
			r.Reason = mesos.REASON_TASK_INVALID
		} else {
			line += " [rule " + f.Rule + "]"
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil
	}
	r.Message = "The security policy (" + policyHash + ") refuses the task"
	if r.Reason == mesos.REASON_TASK_INVALID {
		r.Message = "The TaskInfo is not valid (policy " + policyHash + ")"
	}
	r.Message += enumerate(lines)
	return &r
}

// enumerate bounds the message: it is stored by agent and master and shown in their pages.
func enumerate(lines []string) string {
	if len(lines) == 1 {
		return ": " + lines[0]
	}
	const limit = 100
	var b strings.Builder
	fmt.Fprintf(&b, ", %d problems:", len(lines))
	for i, line := range lines {
		if i == limit {
			fmt.Fprintf(&b, " ... and %d more", len(lines)-limit)
			break
		}
		fmt.Fprintf(&b, " (%d) %s", i+1, line)
	}
	return b.String()
}

// notesOf writes the policy's changes for people: one line per trim, one for everything that was forced.
func notesOf(changes []security.Finding) []string {
	var notes, forced []string
	for _, c := range changes {
		if c.Action == security.Force {
			forced = append(forced, c.Value)
			continue
		}
		note := "trimmed " + c.Value
		if c.Origin != "" {
			note += " (" + shortOrigin(c.Origin) + ")"
		}
		notes = append(notes, note)
	}
	if len(forced) > 0 {
		notes = append(notes, "forced "+strings.Join(forced, ", "))
	}
	return notes
}

// shortOrigin turns "container.docker.parameters[3] `cap-add`" into "parameter 3 `cap-add`".
func shortOrigin(origin string) string {
	if rest, ok := strings.CutPrefix(origin, parametersPath+"["); ok {
		return "parameter " + strings.Replace(rest, "]", "", 1)
	}
	return origin
}
