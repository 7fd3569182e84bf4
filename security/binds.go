package security

import (
	"path"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/docker/docker/api/types/mount"
)

// bind decides over a folder or file of the host: one of the caller's roots, or one that the policy allows.
func (r *review) bind(field string, m *mount.Mount, options *mount.BindOptions) {
	if !slices.ContainsFunc(r.bindRoots, func(root string) bool { return isBelow(m.Source, root) }) {
		r.hostPath(field, m.Source, m.ReadOnly)
	}
	m.BindOptions = r.bindOptions(field, m.ReadOnly, options)
}

// hostPath decides over a source outside the caller's roots.
func (r *review) hostPath(field, source string, readOnly bool) {
	opens := func(p HostPath) bool { return p.Path != "/" && isCleanAbsolute(p.Path) && isBelow(source, p.Path) }
	var covered, open, writable bool
	for _, p := range r.rules.Mounts.HostPaths {
		if !opens(p) {
			continue
		}
		covered = true
		if r.deniedFor(source, p.Path) == "" {
			open, writable = true, writable || p.Writable
		}
	}
	switch {
	case !covered:
		r.reject(field, source, "mounts.sources",
			"Mounting %q is refused: bind mounts may only come from %s; write a host_path relative to the sandbox.",
			Shorten(source), r.allowedSources())
	case strings.ContainsFunc(source, unicode.IsControl):
		r.reject(field, source, "mounts.sources", "Mounting %q is refused: the path holds a control character; rename it.", Shorten(source))
	case !open:
		r.reject(field, source, "mounts.denied",
			"Mounting %q is refused: it would show %s, which none of the policy's paths opens; mount another folder.",
			Shorten(source), r.deniedFor(source, "/"))
	case !writable && !readOnly:
		r.reject(field, source, "mounts.modes", "Mounting %q for writing is refused: the policy allows it read-only; set the mode to RO.", Shorten(source))
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
	shows := func(place string) bool { return isBelow(source, place) || isBelow(place, source) || source == "/" }
	for _, place := range r.rules.Mounts.DeniedPaths {
		// What cannot be a place on a host denies everything: a mistake in a denial must not allow.
		if place = path.Clean(place); !path.IsAbs(place) || place == "/" || shows(place) {
			return place
		}
	}
	for _, place := range neverMounted() {
		if shows(place) {
			return place
		}
	}
	for _, place := range deniedFolders() {
		if shows(place) && (allowed == place || !isBelow(allowed, place)) {
			return place
		}
	}
	return ""
}

// neverMounted are the sockets and the run-time state of the engine, by which anybody becomes root on the host, and the
// executor's own folders.
func neverMounted() []string {
	var places []string
	for _, run := range []string{"/run", "/var/run"} { // one is a link to the other
		for _, name := range []string{"docker.sock", "docker", "containerd", "mesos-docker-executor"} {
			places = append(places, run+"/"+name)
		}
	}
	return append(places, "/etc/mesos-docker-executor", "/var/lib/mesos-docker-executor")
}

// deniedFolders hold secrets, other users' files, or what makes a reader or writer of it root on the host. Mounting them
// read-only does not help.
func deniedFolders() []string {
	return []string{
		"/boot", "/dev", "/etc", "/home", "/lib/modules", "/proc", "/root", "/run", "/sys", "/usr/lib/modules",
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
	if propagation := take(&o.Propagation); propagation != "" && propagation != mount.PropagationRPrivate {
		r.reject(field, string(propagation), "mounts.propagation",
			"Mount propagation %q is refused, and no policy can allow it; leave it out, mounts are rprivate.", Shorten(string(propagation)))
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
