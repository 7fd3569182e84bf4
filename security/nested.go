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
// cluster grants, is the task's own: it can only trick itself.
func (r *review) nestedTargets() {
	own := Grants{Roots: r.bindRoots, Binds: r.grantedBinds}
	shared := map[string]string{} // source by target
	for _, m := range r.out.Host.Mounts {
		if m.Type == mount.TypeVolume && m.Source != "" || m.Type == mount.TypeBind && !own.covers(m) {
			shared[m.Target] = m.Source
		}
	}
	if len(shared) == 0 {
		return
	}
	for _, m := range r.out.Host.Mounts {
		r.nestedTarget("Host.Mounts["+m.Target+"]", m.Target, shared)
	}
	for _, target := range slices.Sorted(maps.Keys(r.out.Host.Tmpfs)) {
		r.nestedTarget("Host.Tmpfs["+target+"]", target, shared)
	}
	for _, target := range slices.Sorted(maps.Keys(r.out.Config.Volumes)) {
		r.nestedTarget("Config.Volumes["+target+"]", target, shared)
	}
}

func (r *review) nestedTarget(field, target string, shared map[string]string) {
	for outer := path.Dir(target); outer != "/"; outer = path.Dir(outer) {
		if source, ok := shared[outer]; ok {
			r.reject(field, target, "mounts.targets",
				"Target %q is refused: it lies in %q, where %q is mounted, which others can change meanwhile; choose a path outside.",
				Shorten(target), Shorten(outer), Shorten(source))
			return
		}
	}
}
