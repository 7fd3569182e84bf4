package task

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// Bounds of what is said about a task in one status update: agent and master store it and show it in their pages.
const (
	maxMessage = 16 << 10 // bytes; of a refusal, and of all notes joined by "; "
	maxLines   = 100      // problems in a refusal
	maxTrims   = 50       // notes about trims
	maxForced  = 1 << 10  // bytes of the note about what was forced
	// messageRoom is what is left for everything but the lines that a task can make many of.
	messageRoom = 2 << 10
)

// Refuse returns the refusal for findings that hold a rejection, else nil. A TaskInfo that is invalid is reported as that,
// with the policy's rejections beside its problems.
func Refuse(findings []security.Finding, policyHash string) *Refusal {
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
			line += " [rule " + f.Rule + "; " + f.Place + "]"
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

func enumerate(lines []string) string {
	shown := fitting(lines, maxLines)
	if len(lines) == 1 && len(shown) == 1 {
		return ": " + lines[0]
	}
	var b strings.Builder
	fmt.Fprintf(&b, ", %d problems:", len(lines))
	for i, line := range shown {
		fmt.Fprintf(&b, " (%d) %s", i+1, line)
	}
	if more := len(lines) - len(shown); more > 0 {
		fmt.Fprintf(&b, " ... and %d more", more)
	}
	return b.String()
}

// notesOf writes the policy's changes and exceptions for people: one line for each, but one for everything that was forced.
func notesOf(changes []security.Finding) []string {
	var single, forced, spared []string
	for _, c := range changes {
		switch {
		case c.Action == security.Force:
			forced = append(forced, c.Value)
		case c.Action == security.Lift:
			single = append(single, "break glass: "+strings.TrimSuffix(c.Message, "."))
		case c.Would == security.Force:
			spared = append(spared, c.Value)
		case c.Action == security.Audited:
			single = append(single, "audit: would "+string(c.Would)+" "+changed(c))
		default:
			single = append(single, "trimmed "+changed(c))
		}
	}
	notes := fitting(single, maxTrims)
	if more := len(single) - len(notes); more > 0 {
		notes = append(notes, fmt.Sprintf("and %d more", more))
	}
	return append(append(notes, oneNote("audit: would force ", spared)...), oneNote("forced ", forced)...)
}

// changed names the value of a finding, what it becomes and who asked for it.
func changed(c security.Finding) string {
	text := cmp.Or(c.Value, c.Field)
	if c.Now != "" {
		text += " to " + c.Now
	}
	if c.Origin != "" {
		text += " (" + shortOrigin(c.Origin) + ")"
	}
	return text
}

// oneNote is one line for everything that was forced. Most of it is forced on every task and short; what a task has
// forced many times, such as the size of each of its tmpfs, is named once.
func oneNote(begin string, forced []string) []string {
	if len(forced) == 0 {
		return nil
	}
	var text strings.Builder
	var named []string
	more := 0
	for _, value := range forced {
		switch {
		case slices.Contains(named, value):
		case text.Len()+len(value) > maxForced:
			more++
		default:
			text.WriteString(map[bool]string{true: begin, false: ", "}[len(named) == 0] + value)
			named = append(named, value)
		}
	}
	if more > 0 {
		fmt.Fprintf(&text, " and %d more", more)
	}
	return []string{text.String()}
}

// fitting returns the first lines, at most so many, that fit into a message together with their numbers or separators.
func fitting(lines []string, limit int) []string {
	const around = len(" (100) ")
	size := 0
	for i, line := range lines {
		size += len(line) + around
		if i == limit || size > maxMessage-messageRoom {
			return lines[:i:i]
		}
	}
	return lines
}

// shortOrigin turns "container.docker.parameters[3] `cap-add`" into "parameter 3 `cap-add`".
func shortOrigin(origin string) string {
	if rest, ok := strings.CutPrefix(origin, parametersPath+"["); ok {
		return "parameter " + strings.Replace(rest, "]", "", 1)
	}
	return origin
}
