package security

import (
	"cmp"
	"path"
	"slices"

	"github.com/docker/docker/api/types/mount"
)

// HostBind is a bind mount that a task has of a path of the host, by the policy and not by the cluster's [Grants].
//
// The review compared the path's text. Who opens the path has to see to it that the text means what it says: that no symbolic
// link and no other mount on the way leads into one of the Closed places.
type HostBind struct {
	Source string // on the host
	Target string // in the container
	Origin string // where the task's author wrote it
	// Inside is the policy's path that opens Source, which is the same or lies below it: the longest there is. It is Source where
	// none opens it, in audit mode.
	Inside   string
	ReadOnly bool
	// Recursive mounts show what the host has mounted below Source, too.
	Recursive   bool
	Propagation mount.Propagation
	// Lifted says that [BreakGlass] opens it: then it may be a socket, or of a file system of the kernel.
	Lifted bool
	// Open are the denied places that Source shows by its text, all the same. All others are Closed.
	Open, Closed []string
}

// HostBinds returns those of a Spec that the policy has let pass, in the order of its mounts. granted is what the review was given.
func (p Policy) HostBinds(spec Spec, granted Grants) []HostBind {
	var binds []HostBind
	for _, m := range spec.Host.Mounts {
		if m.Type != mount.TypeBind || granted.covers(m) {
			continue
		}
		b := HostBind{
			Source:    m.Source,
			Target:    m.Target,
			Origin:    spec.Origins.Of("Host.Mounts[" + m.Target + "]"),
			ReadOnly:  m.ReadOnly,
			Recursive: true,
		}
		if m.BindOptions != nil {
			b.Recursive, b.Propagation = !m.BindOptions.NonRecursive, m.BindOptions.Propagation
		}
		lifted := openedBy(m, p.rules.BreakGlass.Paths)
		_, open, writable := (&review{rules: p.rules}).opened(m.Source)
		b.Lifted = lifted != "" && !(open && (writable || m.ReadOnly))
		b.Inside = cmp.Or(longer(openedBy(m, p.rules.Mounts.HostPaths), lifted), m.Source)
		for _, place := range slices.Concat(p.rules.Mounts.DeniedPaths, neverMounted(), deniedFolders()) {
			if shows(m.Source, path.Clean(place)) {
				b.Open = append(b.Open, path.Clean(place))
			} else {
				b.Closed = append(b.Closed, path.Clean(place))
			}
		}
		binds = append(binds, b)
	}
	return binds
}

// Closing returns the bind with one more closed place, which the policy did not know of. As with those that it knows, a path
// that lies below the place opens it, and so does [BreakGlass].
func (b HostBind) Closing(place string) HostBind {
	place = path.Clean(place)
	if shows(b.Source, place) && (b.Lifted || b.Inside != place && isBelow(b.Inside, place)) {
		b.Open = append(slices.Clip(b.Open), place)
	} else {
		b.Closed = append(slices.Clip(b.Closed), place)
	}
	return b
}

// covers reports whether a bind mount is the caller's own.
func (g Grants) covers(m mount.Mount) bool {
	return slices.ContainsFunc(g.Roots, func(root string) bool { return isCleanAbsolute(root) && root != "/" && isBelow(m.Source, root) }) ||
		slices.ContainsFunc(g.Binds, func(b Bind) bool {
			return b.Source == m.Source && b.Target == m.Target && b.ReadOnly == m.ReadOnly
		})
}

// openedBy returns the longest of the paths that opens the source for such a mount, or "".
func openedBy(m mount.Mount, paths []HostPath) (longest string) {
	for _, p := range paths {
		if p.opens(m.Source) && (p.Writable || m.ReadOnly) {
			longest = longer(longest, p.Path)
		}
	}
	return longest
}

func longer(a, b string) string {
	if len(b) > len(a) {
		return b
	}
	return a
}

// Denying returns the policy with more [MountRules].DeniedPaths: places that its author cannot know, such as the agent's work
// directory. They are no part of the policy's digest. Only [BreakGlass] opens them. What is never mounted anyway is not added, so that
// [BreakGlass] can still open it; nor is "", a place that is not known.
func (p Policy) Denying(paths ...string) Policy {
	denied := slices.Clone(p.rules.Mounts.DeniedPaths)
	for _, place := range paths {
		never := slices.ContainsFunc(neverMounted(), func(n string) bool { return isBelow(place, n) })
		if place != "" && !never {
			denied = append(denied, place)
		}
	}
	p.rules.Mounts.DeniedPaths = denied
	return p
}
