package security

import (
	"cmp"
	"path"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/docker/docker/api/types/mount"
)

// Grants are bind mounts that a task has by somebody else's decision than the policy's. The caller answers for it that no
// symbolic link in them leads elsewhere.
type Grants struct {
	// Roots are folders that bind mounts may come from, themselves included: absolute, without "." or "..", and not "/".
	// Others are ignored, so no mistake of a caller opens the whole host.
	Roots []string
	// Binds are single mounts: of the very folder, not of anything below it, at the target and in the mode given. The places
	// that no path of a policy opens are not opened by them either.
	Binds []Bind
}

// Bind is one bind mount.
type Bind struct {
	Source   string // on the host
	Target   string // in the container
	ReadOnly bool
	// Inside is a folder of the operator's that Source lies in, such as the agent's work directory, which opens the places
	// that it lies in itself; "" opens none.
	Inside string
	// Shared: other tasks may have the folder at the same time.
	Shared bool
}

// bind decides over a folder or file of the host: one of the caller's, or one that the policy allows. ours says that it is the
// caller's, so that no policy has a say.
func (r *review) bind(field string, m *mount.Mount, options *mount.BindOptions) (ours bool) {
	granted := slices.IndexFunc(r.grantedBinds, func(b Bind) bool {
		return b.Source == m.Source && b.Target == m.Target && b.ReadOnly == m.ReadOnly
	})
	switch {
	case slices.ContainsFunc(r.bindRoots, func(root string) bool { return isBelow(m.Source, root) }):
		ours = true
	case granted >= 0:
		ours = true
		r.grantedBind(field, r.grantedBinds[granted])
	default:
		before := len(r.findings)
		r.hostPath(field, m.Source, m.Target, m.ReadOnly)
		if len(r.findings) > before {
			r.endedPath(m.Source, m.ReadOnly)
		}
	}
	m.BindOptions = r.bindOptions(field, m.ReadOnly, options)
	return ours
}

// hostPath decides over a source outside the caller's roots.
func (r *review) hostPath(field, source, target string, readOnly bool) {
	covered, open, writable := r.opened(source)
	switch allowed := open && (writable || readOnly); {
	case strings.ContainsFunc(source, unicode.IsControl):
		r.reject(field, source, "mounts.sources", "Mounting %q is refused: the path holds a control character; rename it.", Shorten(source))
	case allowed || r.liftedPath(field, source, readOnly):
	case open:
		r.deny(field, source, "mounts.modes", "Mounting %q for writing is refused: the policy allows it read-only; set the mode to RO.", Shorten(source))
	case covered:
		r.deniesPath(field, source, "mounts.denied",
			"Mounting %q is refused: it would show %s, which none of the policy's paths opens; mount another folder.",
			Shorten(source), r.deniedFor(source, "/"))
	case r.deniedFor(source, "/") != "":
		r.deniesPath(field, source, "mounts.sources",
			"Mounting %q is refused: it would show %s, which is closed to tasks, and bind mounts may only come from %s; remove it.",
			Shorten(source), r.deniedFor(source, "/"), r.allowedSources())
	default:
		r.deniesPath(field, source, "mounts.sources",
			"Mounting %q is refused: bind mounts may only come from %s; for a folder of the sandbox write %s.",
			Shorten(source), r.allowedSources(), sandboxFolder(r.origins.Of(field), source, target))
	}
}

// opened reports what the policy's own paths do for a source: whether one covers it, whether one opens it, and for writing.
func (r *review) opened(source string) (covered, open, writable bool) {
	for _, p := range r.rules.Mounts.HostPaths {
		if !p.opens(source) {
			continue
		}
		covered = true
		if r.deniedFor(source, p.Path) == "" {
			open, writable = true, writable || p.Writable
		}
	}
	return covered, open, writable
}

// deniesPath refuses in audit mode too what shows a denied place: trying a policy out gives nobody the host's secrets.
func (r *review) deniesPath(field, source, rule, format string, args ...any) {
	if place := r.deniedPath(source); place != "" {
		r.found(Reject, field, source, rule, format, args...)
		r.at("mounts.denied_paths")
		return
	}
	switch {
	case !isCleanAbsolute(source) || r.deniedFor(source, source) != "":
		r.reject(field, source, rule, format, args...)
	case r.deniedFor(source, "/") != "": // only a path of its own opens it
		r.found(Reject, field, source, rule, format, args...)
	default:
		r.deny(field, source, rule, format, args...)
	}
}

// grantedBind keeps even a folder that the cluster grants out of the places that no policy opens: a disk's root comes from
// the agent's configuration, and from whoever writes a task file.
func (r *review) grantedBind(field string, b Bind) {
	closed := deniedFolders()
	if isCleanAbsolute(b.Inside) && isBelow(b.Source, b.Inside) && b.Source != b.Inside {
		closed = slices.DeleteFunc(closed, func(place string) bool { return isBelow(b.Inside, place) })
	}
	place := cmp.Or(shownOf(b.Source, neverMounted()), shownOf(b.Source, closed))
	if !isCleanAbsolute(b.Source) || place != "" {
		r.reject(field, b.Source, "mounts.denied",
			"Mounting %q is refused: it would show %s, which no volume can be; use another disk.", Shorten(b.Source), cmp.Or(place, "what is not a clean path"))
	}
}

func (r *review) allowedSources() string {
	allowed := []string{"the sandbox"}
	for _, p := range r.rules.Mounts.HostPaths {
		allowed = append(allowed, p.Path)
	}
	return strings.Join(allowed, ", ")
}

// deniedFor returns the place that a mount of source would show and that an allowed path does not open, or "".
func (r *review) deniedFor(source, allowed string) string {
	return cmp.Or(r.deniedPath(source), shownOf(source, neverMounted()), shownOf(source, closedTo(allowed)))
}

// deniedPath returns the one of the policy's denied paths that a mount of source would show, or "".
func (r *review) deniedPath(source string) string {
	for _, place := range r.rules.Mounts.DeniedPaths {
		// What cannot be a place on a host denies everything: a mistake in a denial must not allow.
		if place = path.Clean(place); !path.IsAbs(place) || place == "/" || shows(source, place) {
			return place
		}
	}
	return ""
}

// shows reports whether a mount of source has the place, or a part of it, in it.
func shows(source, place string) bool {
	return isBelow(source, place) || isBelow(place, source) || source == "/"
}

// shownOf returns the first of the places that a mount of source would show, or "".
func shownOf(source string, places []string) string {
	for _, place := range places {
		if shows(source, place) {
			return place
		}
	}
	return ""
}

// closedTo returns the denied folders that an allowed path does not open by lying below them.
func closedTo(allowed string) []string {
	return slices.DeleteFunc(deniedFolders(), func(place string) bool { return allowed != place && isBelow(allowed, place) })
}

// neverMounted are the sockets and the run-time state of the engine, by which anybody becomes root on the host, the
// executor's own folders, /proc, whose links lead to all of them, and the cgroups, which say what a container may use.
func neverMounted() []string {
	var places []string
	for _, run := range []string{"/run", "/var/run"} { // one is a link to the other
		for _, name := range []string{"docker.sock", "docker", "containerd", "mesos-docker-executor"} {
			places = append(places, run+"/"+name)
		}
	}
	return append(places, "/etc/mesos-docker-executor", "/proc", "/sys/fs/cgroup", "/var/lib/mesos-docker-executor")
}

// deniedFolders hold secrets, other users' files, or what makes a reader or writer of it root on the host. Mounting them
// read-only does not help.
func deniedFolders() []string {
	return []string{
		"/boot", "/dev", "/etc", "/home", "/lib/modules", "/root", "/run", "/sys", "/usr/lib/modules",
		"/var/lib/containerd", "/var/lib/docker", "/var/lib/kubelet", "/var/lib/mesos", "/var/run",
	}
}

// bindOptions forces Docker's own default propagation, and takes options that take something away from the task.
func (r *review) bindOptions(field string, readOnly bool, asked *mount.BindOptions) *mount.BindOptions {
	out := &mount.BindOptions{Propagation: mount.PropagationRPrivate}
	if asked == nil {
		return out
	}
	o := *asked
	switch propagation := take(&o.Propagation); {
	case propagation == "" || propagation == mount.PropagationRPrivate:
	case isLiftablePropagation(propagation) && r.lifted(r.rules.BreakGlass.Propagation, string(propagation), field, string(propagation), liftPropagation):
		out.Propagation = propagation
	default:
		r.reject(field, string(propagation), "mounts.propagation",
			"Mount propagation %q is refused, and only break_glass can lift that; leave it out, mounts are rprivate.", Shorten(string(propagation)))
		r.endedWith(func(b BreakGlass) bool {
			return isLiftablePropagation(propagation) && slices.Contains(b.Propagation, string(propagation))
		})
	}
	if take(&o.CreateMountpoint) {
		r.reject(field+".BindOptions.CreateMountpoint", "true", "mounts.options",
			"Having the engine make a missing folder on the host is refused; mount one that exists.")
	}
	if take(&o.ReadOnlyNonRecursive) {
		r.reject(field+".BindOptions.ReadOnlyNonRecursive", "true", "mounts.options",
			"A read-only mount whose own mounts are writable is refused; leave the option out.")
	}
	if out.ReadOnlyForceRecursive = take(&o.ReadOnlyForceRecursive); out.ReadOnlyForceRecursive && !readOnly {
		r.reject(field+".BindOptions.ReadOnlyForceRecursive", "true", "mounts.options",
			"The option is for read-only mounts; set the mode to RO, or leave it out.")
	}
	out.NonRecursive = take(&o.NonRecursive)
	r.unknown(field+".BindOptions", reflect.ValueOf(o))
	return out
}

// isLiftablePropagation reports whether a mount of this propagation shows later mounts of the host, or shows its own to it.
func isLiftablePropagation(p mount.Propagation) bool {
	return slices.Contains([]mount.Propagation{mount.PropagationRShared, mount.PropagationRSlave, mount.PropagationShared, mount.PropagationSlave}, p)
}
