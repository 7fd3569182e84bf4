package security

import (
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/docker/docker/api/types/mount"
)

// mounts decides over everything that is mounted into the container: bind mounts, volumes and tmpfs, onto targets that
// hide nothing of the kernel's.
//
// Sources and targets are compared by their text; nothing is looked up. Where the text of a source leads is for those to see
// to who open it, when the folder exists; see [HostBind]. A target is resolved by the container runtime inside the image's
// file system, within which a link of the image (/data -> /sys) can lead it elsewhere. The rules for targets therefore
// bind the author of the task, not of the image.
func (r *review) mounts() {
	taken := map[string]bool{}
	for _, m := range take(&r.left.Host.Mounts) {
		field := "Host.Mounts[" + m.Target + "]"
		if r.freeTarget(field, m.Target, taken) {
			if accepted, ok := r.mount(field, m); ok {
				r.out.Host.Mounts = append(r.out.Host.Mounts, accepted)
			}
		}
	}
	r.tmpfsMap(taken)
	r.anonymousVolumes(taken)

	refuseEach(r, "Host.Binds", take(&r.left.Host.Binds), "mounts.binds",
		"A mount in the form source:target:options is refused, as its parts can be confused; write it as a volume of the task.")
	refuseEach(r, "Host.VolumesFrom", take(&r.left.Host.VolumesFrom), "mounts.volumes_from",
		"The volumes of another container are refused, and no policy can allow them; remove it.")
}

// freeTarget rejects a second mount with one target. What happened to the first one does not matter.
func (r *review) freeTarget(field, target string, taken map[string]bool) bool {
	if taken[target] {
		r.reject(field, target, "mounts.targets", "Two mounts have the target %q; give each a path of its own.", Shorten(target))
		return false
	}
	taken[target] = true
	return true
}

// mount decides over one mount. Each kind takes its own options; options of another kind are left, and so rejected.
func (r *review) mount(field string, m mount.Mount) (mount.Mount, bool) {
	before := len(r.findings)
	out := mount.Mount{Type: take(&m.Type), Source: take(&m.Source), Target: take(&m.Target), ReadOnly: take(&m.ReadOnly)}
	r.target(field, out.Target)
	var value, rule string
	ours := false
	switch out.Type {
	case mount.TypeBind:
		value, rule = out.Source, "mounts.sources"
		ours = r.bind(field, &out, take(&m.BindOptions))
	case mount.TypeVolume:
		value, rule = out.Source, "mounts.volumes"
		r.volume(field, &out, take(&m.VolumeOptions))
	case mount.TypeTmpfs:
		value, rule = "tmpfs", "mounts.tmpfs"
		r.tmpfs(field, &out, take(&m.TmpfsOptions))
	default:
		r.reject(field, string(out.Type), "mounts.types",
			"A mount of type %q is refused, and no policy can allow it; use bind, volume or tmpfs.", Shorten(string(out.Type)))
	}
	switch consistency := take(&m.Consistency); consistency {
	case "":
	case mount.ConsistencyFull, mount.ConsistencyCached, mount.ConsistencyDelegated, mount.ConsistencyDefault:
		r.found(Allow, field+".Consistency", string(consistency), "mounts.options", "Mount consistency %q has no effect on Linux, and is not sent.", string(consistency))
	default:
		r.reject(field, string(consistency), "mounts.options", "Mount consistency %q is unknown; remove it.", Shorten(string(consistency)))
	}
	r.unknown(field, reflect.ValueOf(m))
	if r.rejectedSince(before) {
		return mount.Mount{}, false
	}
	allowed := len(r.findings)
	if r.allow(field, value, rule); ours && len(r.findings) > allowed {
		r.fixed()
	}
	return out, true
}

func (r *review) target(field, target string) {
	if !isCleanAbsolute(target) {
		r.reject(field, target, "mounts.targets",
			"Target %q is refused; write an absolute path without \".\" or \"..\".", Shorten(target))
	} else if strings.ContainsFunc(target, unicode.IsControl) {
		r.reject(field, target, "mounts.targets",
			"Target %q is refused: it holds a control character; choose another path.", Shorten(target))
	} else if kernelPath(target) || target == "/" {
		r.reject(field, target, "mounts.targets",
			"Target %q is refused: a mount may not have the target /, /proc, /sys or /dev, nor one in those three; choose another path.", Shorten(target))
	}
}

func (r *review) anonymousVolumes(taken map[string]bool) {
	volumes := take(&r.left.Config.Volumes)
	for _, target := range slices.Sorted(maps.Keys(volumes)) {
		field, before := "Config.Volumes["+target+"]", len(r.findings)
		if !r.rules.Mounts.AnonymousVolumes {
			r.deny(field, target, "mounts.anonymous", anonymousRefused)
		}
		r.target(field, target)
		if !r.freeTarget(field, target, taken) || r.rejectedSince(before) {
			continue
		}
		r.allow(field, target, "mounts.anonymous")
		if r.out.Config.Volumes == nil {
			r.out.Config.Volumes = map[string]struct{}{}
		}
		r.out.Config.Volumes[target] = struct{}{}
	}
	// The driver of volumes without a name; a volume with a name has its own beside it.
	if driver := take(&r.left.Host.VolumeDriver); driver != "" && driver != localDriver {
		r.reject("Host.VolumeDriver", driver, "mounts.volumes",
			"Volume driver %q is refused for volumes without a name; give each volume a name and its driver.", Shorten(driver))
	}
}

const anonymousRefused = "A volume without a name is refused: it takes space on the engine's disk without a limit; use a folder of the sandbox."

func isCleanAbsolute(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

// isBelow reports whether the clean absolute path p is root or lies below it.
func isBelow(p, root string) bool {
	return isCleanAbsolute(p) && (p == root || strings.HasPrefix(p, root+"/"))
}

// kernelPath reports whether p names a place, or one below, where Docker mounts the kernel's own file systems.
func kernelPath(p string) bool {
	return isBelow(p, "/proc") || isBelow(p, "/sys") || isBelow(p, "/dev")
}
