package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
	"mesos-docker-executor/security/policyfile"
)

// explanation is what explain prints. Create is nil when the task is refused.
type explanation struct {
	Accepted bool               `json:"accepted"`
	Policy   policyShown        `json:"policy"`
	Identity identityShown      `json:"identity"`
	Choice   policyfile.Choice  `json:"choice"`
	Mode     security.Mode      `json:"mode,omitempty"` // that holds for the identity; empty if there is no policy for it
	Classes  classesShown       `json:"classes"`
	Class    *classShown        `json:"class,omitempty"` // of an accepted task
	State    string             `json:"state,omitempty"`
	Reason   string             `json:"reason,omitempty"`
	Message  string             `json:"message,omitempty"`
	Notes    []string           `json:"notes,omitempty"`
	Findings []security.Finding `json:"findings,omitempty"`
	Create   *createRequest     `json:"create,omitempty"`

	decisions bool // Findings has those as well of which people need not know
}

func newExplanation(d task.Decision, decisions bool) explanation {
	e := explanation{Accepted: d.Refusal == nil, decisions: decisions}
	for _, f := range d.Findings {
		if decisions || worthSaying(f) {
			e.Findings = append(e.Findings, f)
		}
	}
	if d.Refusal != nil {
		e.State, e.Reason, e.Message = d.Refusal.State.String(), d.Refusal.Reason.String(), d.Refusal.Message
		return e
	}
	e.Notes = d.Plan.Notes
	e.Class = newClassShown(d.Plan)
	e.Create = newCreateRequest(d.Plan.Spec)
	return e
}

// untold is the message of a refusal for which there is no finding: that of a class ID.
func (e explanation) untold() string {
	if slices.ContainsFunc(e.Findings, func(f security.Finding) bool { return f.Action == security.Reject }) {
		return ""
	}
	return e.Message
}

// worthSaying is false for what was asked for and allowed, and for what is, or would be, forced on every task, which is in the notes.
func worthSaying(f security.Finding) bool {
	return f.Action != security.Allow && f.Action != security.Force && f.Would != security.Force
}

// actionOf is what was done, and of what is only audited what would have been.
func actionOf(f security.Finding) string {
	if f.Would != "" {
		return fmt.Sprintf("%s, would %s", f.Action, f.Would)
	}
	return string(f.Action)
}

// print shows it as text, with the path sandbox called so, and each trim once: as a finding, which has its rule.
func (e explanation) print(w io.Writer, sandbox string) {
	if !e.Accepted {
		fmt.Fprintf(w, "refused: %s, %s%s\n", e.State, e.Reason, prefixed(": ", e.untold()))
	} else {
		fmt.Fprintln(w, "accepted")
		e.Create.print(w, sandbox)
	}
	audited := map[bool]string{true: ", in audit mode"}[e.Mode == security.Audit]
	fmt.Fprintf(w, "policy: %s, sha256 %s, for %s%s%s\n", e.Policy.Name, e.Policy.SHA256, e.Identity, prefixed(", ", e.Choice.String()), audited)
	for _, text := range e.Policy.Warnings {
		fmt.Fprintln(w, "warning: an executor would not read this policy:", text)
	}
	for _, text := range e.Policy.Notes {
		fmt.Fprintln(w, "note: policy:", text)
	}
	if e.Classes.SHA256 != "" { // else the next line says so
		e.Classes.print(w)
	}
	if e.Class != nil {
		fmt.Fprintln(w, "class:", e.Class)
	}
	for _, note := range e.Notes {
		if isFinding(note) || strings.HasPrefix(note, "policy ") || e.Class.isNote(note) { // which is said above, with all of its digits
			continue
		}
		fmt.Fprintln(w, "note:", note)
	}
	if e.decisions {
		printDecisions(w, e.Findings, sandbox)
	}
	for _, f := range e.Findings {
		if worthSaying(f) {
			fmt.Fprintf(w, "%s: %s [rule %s%s%s]\n", actionOf(f), f.Message, f.Rule, prefixed("; ", f.Place), prefixed("; ", f.Origin))
		}
	}
}

// printDecisions prints a table; --json has what is too wide for it.
func printDecisions(out io.Writer, findings []security.Finding, sandbox string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "decisions\n  action\tfield\tvalue\trule\tpolicy\ttask")
	for _, f := range findings {
		value := short(shortSource(f.Value, sandbox))
		if f.Now != "" {
			value += " -> " + short(f.Now)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\n", actionOf(f), f.Field, cmp.Or(value, "-"), f.Rule, cmp.Or(f.Place, "-"), cmp.Or(f.Origin, "-"))
	}
	_ = w.Flush() // the writer keeps the error
}

// short cuts what would make a column too wide to read.
func short(value string) string {
	const wide = 48
	if runes := []rune(value); len(runes) > wide {
		return string(runes[:wide-3]) + "..."
	}
	return value
}

// isFinding tells the notes that say what findings say from the others (task.Plan.Notes).
func isFinding(note string) bool {
	begins := func(p string) bool { return strings.HasPrefix(note, p) }
	return slices.ContainsFunc([]string{"trimmed ", "break glass: ", "audit: "}, begins) && !begins("audit: would force ") ||
		begins("and ") && strings.HasSuffix(note, " more")
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}
