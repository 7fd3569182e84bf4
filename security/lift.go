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
	open := slices.ContainsFunc(r.rules.BreakGlass.Paths, func(p HostPath) bool {
		return p.opens(source) && (p.Writable || readOnly)
	})
	if open {
		r.lift(field, source, liftPaths)
	}
	return open
}

// opens reports whether a source is the path or lies below it.
func (p HostPath) opens(source string) bool {
	return p.Path != "/" && isCleanAbsolute(p.Path) && isBelow(source, p.Path)
}
