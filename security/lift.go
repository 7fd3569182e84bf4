package security

import (
	"cmp"
	"slices"
	"strings"
)

// Rules of the findings that say that [BreakGlass] was used: "break_glass." and the key of what lifts.
const (
	liftNamespaces  = "break_glass.host_namespaces"
	liftPaths       = "break_glass.paths"
	liftConfinement = "break_glass.unconfined"
	liftPropagation = "break_glass.propagation"
)

// lifted reports whether one of the lists of BreakGlass has this entry, and makes the finding if so.
func (r *review) lifted(list []string, entry, field, value, rule string) bool {
	if !slices.Contains(list, entry) {
		return false
	}
	r.lift(field, value, rule)
	return true
}

func (r *review) lift(field, value, rule string) {
	b := r.rules.BreakGlass
	reason := strings.TrimRight(Printable(b.Reason), ".")
	r.found(Lift, field, value, rule, "%s %q is refused to all others, and lifted by break_glass until %s: %s.",
		Printable(field), Shorten(value), cmp.Or(Printable(b.Expires), "it is taken out"), cmp.Or(reason, "no reason is given"))
	r.exceptions++
}

// liftedPath reports whether BreakGlass opens a source in this mode, and makes the finding if so.
func (r *review) liftedPath(field, source string, readOnly bool) bool {
	open := r.rules.BreakGlass.liftsPath(source, readOnly)
	if open {
		r.lift(field, source, liftPaths)
	}
	return open
}

// opens reports whether a source is the path or lies below it.
func (p HostPath) opens(source string) bool {
	return p.Path != "/" && isCleanAbsolute(p.Path) && isBelow(source, p.Path)
}

// Expired is an entry of [BreakGlass] that lifts nothing any more. It is there to be named to those whom it served.
type Expired struct {
	Name string     // "break_glass[0], policy.yaml:9"
	Was  BreakGlass // what it lifted until its Expires
}

// WithExpired returns the policy with exceptions that have ended. They change what messages say, and nothing else.
func (p Policy) WithExpired(expired []Expired) Policy {
	p.expired = clone(expired)
	return p
}

// endedWith completes the rejection that was found last, if one of the exceptions that have ended lifted it.
func (r *review) endedWith(lifted func(BreakGlass) bool) {
	at := slices.IndexFunc(r.policy.expired, func(e Expired) bool { return lifted(e.Was) })
	last := &r.findings[len(r.findings)-1]
	if at >= 0 && last.Action == Reject {
		ended := r.policy.expired[at]
		last.Message += " (" + ended.Name + ", lifted this until " + ended.Was.Expires + ".)"
	}
}

// endedPath does the same for a source of a mount.
func (r *review) endedPath(source string, readOnly bool) {
	r.endedWith(func(b BreakGlass) bool { return b.liftsPath(source, readOnly) })
}

func (b BreakGlass) liftsPath(source string, readOnly bool) bool {
	return slices.ContainsFunc(b.Paths, func(p HostPath) bool { return p.opens(source) && (p.Writable || readOnly) })
}
