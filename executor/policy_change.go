package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
	"mesos-docker-executor/security/policyfile"
)

// What a change of policy can make of a task.
const (
	becomesRefused  = "refused"
	becomesAccepted = "accepted"
	staysRefused    = "refused for other reasons"
	getsOtherwise   = "accepted, but gets something else"
)

// taskChange is what a change of policy makes of a task.
type taskChange struct {
	File     string             `json:"file"`
	Identity identityShown      `json:"identity"`
	Becomes  string             `json:"becomes"` // empty: nothing changes
	Gone     []security.Finding `json:"gone,omitempty"`
	Come     []security.Finding `json:"come,omitempty"`
	// Create are the differences between the containers, if there is one before and after.
	Create []change `json:"create,omitempty"`
}

func newTaskChange(file string, who identityShown, old, new task.Decision) (taskChange, error) {
	t := taskChange{File: nameOf(file), Identity: who, Gone: beyond(telling(old), new.Findings), Come: beyond(telling(new), old.Findings)}
	wasRefused, isRefused := old.Refusal != nil, new.Refusal != nil
	switch {
	case !wasRefused && isRefused:
		t.Becomes = becomesRefused
	case wasRefused && !isRefused:
		t.Becomes = becomesAccepted
	case !wasRefused:
		var err error
		if t.Create, err = changesBetween(newCreateRequest(old.Plan.Spec), newCreateRequest(new.Plan.Spec)); err != nil {
			return t, err
		}
		if len(t.Gone)+len(t.Come)+len(t.Create) > 0 {
			t.Becomes = getsOtherwise
		}
	case len(t.Gone)+len(t.Come) > 0:
		t.Becomes = staysRefused
	}
	return t, nil
}

// newRules returns the rules that reject or trim what passed before, or would if they were not only audited.
func (t taskChange) newRules() []string {
	var rules []string
	for _, f := range t.Come {
		if f.Action != security.Lift && !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	return rules
}

// telling returns the findings that say what becomes of a task: of a refused one the rejections, of another what it does not get
// and by which exception it gets something. What is forced is in its container.
func telling(d task.Decision) []security.Finding {
	return slices.DeleteFunc(slices.Clone(d.Findings), func(f security.Finding) bool {
		return f.Action != security.Reject && (d.Refusal != nil || !worthSaying(f))
	})
}

// beyond returns the findings that the other list has not. Where a policy says so, and in which words, makes no difference.
func beyond(list, other []security.Finding) []security.Finding {
	bare := func(f security.Finding) security.Finding {
		f.Place, f.Message = "", ""
		return f
	}
	return slices.DeleteFunc(slices.Clone(list), func(f security.Finding) bool {
		return slices.ContainsFunc(other, func(o security.Finding) bool { return bare(o) == bare(f) })
	})
}

func (p policyChange) print(w io.Writer) {
	p.Old.print(w, "old")
	p.New.print(w, "new")
	for _, r := range p.Rules {
		fmt.Fprintf(w, "\nrules that differ for %s\n", r.For)
		for _, c := range r.Changes {
			fmt.Fprintf(w, "  %s\n", c.inUnits())
		}
	}
	p.printTasks(w)
	if len(p.Unread) > 0 {
		fmt.Fprintln(w)
	}
	for _, u := range p.Unread {
		fmt.Fprintf(w, "%s: not compared: %s\n", u.Key, strings.ReplaceAll(u.Text, "\n", "\n"+u.Key+": not compared: "))
	}
	fmt.Fprintf(w, "\n%s\n", p.Summary)
	for _, rule := range slices.SortedFunc(maps.Keys(p.NewByRule), func(a, b string) int {
		return cmp.Or(p.NewByRule[b]-p.NewByRule[a], strings.Compare(a, b))
	}) {
		fmt.Fprintf(w, "  by rule %s: %s\n", rule, counted(p.NewByRule[rule], "task"))
	}
	for _, e := range p.Unmatched {
		fmt.Fprintf(w, "not compared: what %s of new says, as it is for none of the tasks\n", e)
	}
	if len(p.AfterPull) > 0 {
		fmt.Fprintf(w, "not compared: what images come to by %s, as they are judged after the pull\n", strings.Join(p.AfterPull, ", "))
	}
}

// printTasks prints what becomes of the tasks; of those to which the same happens it names the first.
func (p policyChange) printTasks(w io.Writer) {
	alike := map[string]int{}
	for _, t := range p.Tasks {
		alike[t.story()]++
	}
	for _, t := range p.Tasks {
		story := t.story()
		more := alike[story] - 1
		delete(alike, story)
		switch {
		case more > 0:
			fmt.Fprintf(w, "\n%s (%s) and %d more: %s", t.File, t.Identity, more, story)
		case more == 0:
			fmt.Fprintf(w, "\n%s (%s): %s", t.File, t.Identity, story)
		}
	}
}

// story is what happens to a task.
func (t taskChange) story() string {
	var b strings.Builder
	fmt.Fprintln(&b, t.Becomes)
	printFindings(&b, "-", t.Gone)
	printFindings(&b, "+", t.Come)
	for _, c := range t.Create {
		fmt.Fprintf(&b, "    %s\n", c)
	}
	return b.String()
}

func (p policyShown) print(w io.Writer, which string) {
	fmt.Fprintf(w, "%s: %s, sha256 %s\n", which, p.File, p.SHA256)
	for _, text := range p.Warnings {
		fmt.Fprintf(w, "%s: warning: an executor would not read it: %s\n", which, text)
	}
	for _, text := range p.Notes {
		fmt.Fprintf(w, "%s: note: %s\n", which, text)
	}
}

// inUnits is a change of the rules with sizes as a policy file has them.
func (c change) inUnits() change {
	units := func(v any) any {
		if n, ok := v.(json.Number); ok {
			if whole, err := n.Int64(); err == nil {
				return policyfile.Number(c.Path, whole)
			}
		}
		return v
	}
	c.Old, c.New = units(c.Old), units(c.New)
	return c
}

func printFindings(w io.Writer, sign string, list []security.Finding) {
	for _, f := range list {
		fmt.Fprintf(w, "  %s %s: %s [rule %s%s%s]\n", sign, actionOf(f), f.Message, f.Rule, prefixed("; ", f.Place), prefixed("; ", f.Origin))
	}
}

func (s changeSummary) String() string {
	text := fmt.Sprintf("%s, %d without a change", counted(s.Tasks, "task"), s.Unchanged)
	for _, part := range []struct {
		count int
		what  string
	}{{s.Refused, "would be refused"}, {s.Accepted, "would be accepted"}, {s.Otherwise, "would be treated otherwise"}} {
		if part.count > 0 {
			text += fmt.Sprintf(", %d %s", part.count, part.what)
		}
	}
	return text
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// showProgress returns what shows on a terminal how far a comparison is; elsewhere, and of few tasks, it shows nothing.
func showProgress(to *os.File) func(done, of int) {
	const many = 500
	if !term.IsTerminal(int(to.Fd())) {
		return func(int, int) {}
	}
	return func(done, of int) {
		switch {
		case of < many:
		case done == of:
			fmt.Fprint(to, "\r\x1b[K")
		case done%100 == 0:
			fmt.Fprintf(to, "\r%d of %d tasks", done, of)
		}
	}
}
