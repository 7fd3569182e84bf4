package security

import (
	"maps"
	"path"
	"slices"

	"github.com/docker/docker/api/types/mount"
)

// nestedTargets refuses targets that lie in what others can write to at the same time: a path of the host, or a volume, both of which
// other tasks may have. The container runtime walks to such a target, and makes it if it is missing, as root and on the host; who swaps
// symbolic links there meanwhile has led it out of the container before (CVE-2021-30465, CVE-2024-45310). The sandbox, and what the
// cluster grants to it alone, is the task's own: nothing of it runs yet that could do so. A device's node is made in the same way.
func (r *review) nestedTargets() {
	shared := sharedTargets(r.out.Host.Mounts, Grants{Roots: r.bindRoots, Binds: r.grantedBinds})
	for _, m := range r.out.Host.Mounts {
		r.nestedTarget("Host.Mounts["+m.Target+"]", m.Target, shared)
	}
	for _, target := range slices.Sorted(maps.Keys(r.out.Host.Tmpfs)) {
		r.nestedTarget("Host.Tmpfs["+target+"]", target, shared)
	}
	for _, target := range slices.Sorted(maps.Keys(r.out.Config.Volumes)) {
		r.nestedTarget("Config.Volumes["+target+"]", target, shared)
	}
	for _, d := range r.out.Host.Devices {
		r.nestedTarget("Host.Devices["+d.PathInContainer+"]", d.PathInContainer, shared)
	}
}

func (r *review) nestedTarget(field, target string, shared map[string]string) {
	if outer, source := outerOf(target, shared); outer != "" {
		r.reject(field, target, "mounts.targets",
			"Target %q is refused: it lies in %q, where %q is mounted, which others can change meanwhile; choose a path outside.",
			Shorten(target), Shorten(outer), Shorten(source))
	}
}

// sharedTargets returns what others can write to: the sources by their targets. own is what is the task's.
func sharedTargets(mounts []mount.Mount, own Grants) map[string]string {
	own.Binds = slices.DeleteFunc(slices.Clone(own.Binds), func(b Bind) bool { return b.Shared })
	shared := map[string]string{}
	for _, m := range mounts {
		if m.Type == mount.TypeVolume && m.Source != "" || m.Type == mount.TypeBind && !own.covers(m) {
			shared[m.Target] = m.Source
		}
	}
	return shared
}

// outerOf returns the shared target that a clean path lies in, and its source; "" if it lies in none.
func outerOf(target string, shared map[string]string) (outer, source string) {
	if len(shared) == 0 {
		return "", ""
	}
	for outer = path.Dir(target); outer != "/"; outer = path.Dir(outer) {
		if source, ok := shared[outer]; ok {
			return outer, source
		}
	}
	return "", ""
}
