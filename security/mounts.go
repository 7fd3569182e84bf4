package security

import (
	"path"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/docker/docker/api/types/mount"
)

// mounts allows bind mounts from the folders that the caller named, onto targets that hide nothing of the kernel's.
//
// Sources and targets are compared by their text; nothing is looked up. That nothing below a source is a symbolic link to
// somewhere else is for the owner of the folder to see to, when the folder exists. A target is resolved by the container
// runtime inside the image's file system, within which a link of the image
// (/data -> /sys) can lead it elsewhere. The rules for targets therefore bind the author of the task, not of the image.
func (r *review) mounts() {
	targets := map[string]bool{}
	for _, m := range take(&r.left.Host.Mounts) {
		if targets[m.Target] {
			r.reject("Host.Mounts["+m.Target+"]", m.Target, "mounts.targets",
				"Two mounts have the target %q; give each a path of its own.", Shorten(m.Target))
			continue
		}
		targets[m.Target] = true
		if accepted, ok := r.mount(m); ok {
			r.out.Host.Mounts = append(r.out.Host.Mounts, accepted)
		}
	}
}

func (r *review) mount(m mount.Mount) (mount.Mount, bool) {
	before := len(r.findings)
	field := "Host.Mounts[" + m.Target + "]"
	kind, source, target, readOnly := take(&m.Type), take(&m.Source), take(&m.Target), take(&m.ReadOnly)

	if kind != mount.TypeBind {
		r.reject(field, string(kind), "mounts.types", "A mount of type %q is refused; only bind mounts are allowed.", Shorten(string(kind)))
	} else if !slices.ContainsFunc(r.bindRoots, func(root string) bool { return isBelow(source, root) }) {
		r.reject(field, source, "mounts.sources",
			"Mounting %q is refused: bind mounts may only come from the sandbox; write a host_path relative to it.", Shorten(source))
	}
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
	if o := take(&m.BindOptions); o != nil {
		if propagation := take(&o.Propagation); propagation != "" && propagation != mount.PropagationRPrivate {
			r.reject(field, string(propagation), "mounts.propagation",
				"Mount propagation %q is refused; leave it out, mounts are rprivate.", Shorten(string(propagation)))
		}
		r.unknown(field+".BindOptions", reflect.ValueOf(*o))
	}
	r.unknown(field, reflect.ValueOf(m))
	if len(r.findings) > before {
		return mount.Mount{}, false
	}

	r.allow(field, source, "mounts.sources")
	return mount.Mount{
		Type:     mount.TypeBind,
		Source:   source,
		Target:   target,
		ReadOnly: readOnly,
		// Docker's own default for binds, said explicitly.
		BindOptions: &mount.BindOptions{Propagation: mount.PropagationRPrivate},
	}, true
}

func isCleanAbsolute(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

// isBelow reports whether the clean absolute path p is root or lies below it.
func isBelow(p, root string) bool {
	return isCleanAbsolute(p) && (p == root || strings.HasPrefix(p, root+"/"))
}

// kernelPath reports whether p names a place, or one below, where Docker mounts the kernel's own file systems.
func kernelPath(p string) bool {
	return isBelow(p, "/proc") || isBelow(p, "/sys") || isBelow(p, "/dev")
}
