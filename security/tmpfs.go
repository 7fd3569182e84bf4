package security

import (
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/mount"
)

// tmpfsOptions is what a task wants of a tmpfs.
type tmpfsOptions struct {
	size  int64    // bytes; 0 = not said
	flags []string // "ro", "noatime" and others without a value, and with one as name=value; without size and mode
	mode  string   // octal, or ""
	names []string // of noexec, nosuid, nodev and their contraries
}

// tmpfsMap decides over HostConfig.Tmpfs: options by target, as for mount(8).
func (r *review) tmpfsMap(taken map[string]bool) {
	asked := take(&r.left.Host.Tmpfs)
	for _, target := range slices.Sorted(maps.Keys(asked)) {
		field, before := "Host.Tmpfs["+target+"]", len(r.findings)
		if !r.freeTarget(field, target, taken) {
			continue
		}
		r.target(field, target)
		o, ok := r.parseTmpfs(field, asked[target])
		size := r.tmpfsSize(field, o.size)
		forced, allowed := r.tmpfsNames(field, o.names)
		if !ok || !allowed || r.rejectedSince(before) {
			continue
		}
		words := append(forced, fmt.Sprintf("size=%d", size))
		if o.mode != "" {
			words = append(words, "mode="+o.mode)
		}
		if r.out.Host.Tmpfs == nil {
			r.out.Host.Tmpfs = map[string]string{}
		}
		r.out.Host.Tmpfs[target] = strings.Join(append(words, o.flags...), ",")
		r.allow(field, r.out.Host.Tmpfs[target], "mounts.tmpfs")
	}
}

// parseTmpfs reads options as tmpfs(5) has them, of which a task may set those that bound it or concern only itself.
func (r *review) parseTmpfs(field, options string) (o tmpfsOptions, ok bool) {
	for word := range strings.SplitSeq(options, ",") {
		name, value, _ := strings.Cut(word, "=")
		bad := ""
		switch name {
		case "":
			if word != "" {
				bad = "it has no name"
			}
		case "ro", "rw", "noatime", "nodiratime", "relatime", "strictatime", "sync", "async":
			o.flags = append(o.flags, word)
			if word != name {
				bad = "it takes no value"
			}
		case "noexec", "nosuid", "nodev", "exec", "suid", "dev":
			o.names = append(o.names, word)
			if word != name {
				bad = "it takes no value"
			}
		case "size":
			if o.size, ok = parseSize(value); !ok {
				bad = "it must be a number of bytes above 0, or one followed by k, m or g"
			}
		case "mode":
			if o.mode = value; !isTmpfsMode(value) {
				bad = "it must be an octal number up to 7777"
			}
		case "uid", "gid", "nr_inodes":
			o.flags = append(o.flags, word)
			if n, err := strconv.ParseUint(value, 10, 31); err != nil || name == "nr_inodes" && n == 0 {
				bad = "it must be a number; for nr_inodes above 0"
			}
		default:
			bad = "the policy does not know it"
		}
		if bad != "" {
			r.reject(field, word, "mounts.tmpfs", "Tmpfs option %q is refused: %s.", Shorten(word), bad)
			return o, false
		}
	}
	return o, true
}

// tmpfsSize bounds a size in bytes; without one the kernel would take half of the host's memory.
func (r *review) tmpfsSize(field string, asked int64) int64 {
	most := r.rules.Mounts.TmpfsSize
	switch {
	case most <= 0:
		r.reject(field, "tmpfs", "mounts.tmpfs", "A tmpfs is refused: the policy allows none; use a folder of the sandbox.")
	case asked == 0:
		r.found(Force, field, fmt.Sprintf("tmpfs size %d", most), "mounts.tmpfs", "A tmpfs without a size gets the policy's, %d bytes.", most)
	case asked > most:
		r.found(Trim, field, fmt.Sprintf("tmpfs size %d", asked), "mounts.tmpfs",
			"A tmpfs of %d bytes is above the policy's maximum; it gets %d bytes.", asked, most)
	default:
		return asked
	}
	return most
}

// tmpfsNames returns the policy's options and those of a task that do not contradict them, sorted.
func (r *review) tmpfsNames(field string, asked []string) (names []string, ok bool) {
	ok = true
	for _, name := range []string{"nodev", "noexec", "nosuid"} {
		if slices.Contains(r.rules.Mounts.TmpfsOptions, name) {
			names = append(names, name)
		}
	}
	for _, name := range asked {
		contrary := "no" + name
		if positive, found := strings.CutPrefix(name, "no"); found {
			contrary = positive
		}
		if slices.Contains(names, contrary) {
			r.reject(field, name, "mounts.tmpfs", "Tmpfs option %q is refused: it contradicts %s; remove it.", name, contrary)
			ok = false
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), ok
}

// tmpfs decides over the same in a mount of its own, for which the engine sets noexec, nosuid and nodev unless told
// otherwise, and can be told otherwise of noexec only (volume/mounts/linux_parser.go, validTmpfsOptions).
func (r *review) tmpfs(field string, m *mount.Mount, options *mount.TmpfsOptions) {
	var o mount.TmpfsOptions
	if options != nil {
		o = *options
	}
	if m.Source != "" {
		r.reject(field, m.Source, "mounts.tmpfs", "A tmpfs has no source; remove %q.", Shorten(m.Source))
	}
	if o.SizeBytes < 0 || o.Mode > 0o7777 {
		r.reject(field, fmt.Sprintf("size=%d,mode=%o", o.SizeBytes, o.Mode), "mounts.tmpfs",
			"A tmpfs of %d bytes with mode %o is refused; write a size above 0 and an octal mode up to 7777.", o.SizeBytes, o.Mode)
	}
	out := mount.TmpfsOptions{SizeBytes: r.tmpfsSize(field, max(o.SizeBytes, 0)), Mode: o.Mode}
	var names []string
	for _, option := range o.Options {
		word := strings.Join(option, "=")
		if word != "exec" && word != "noexec" {
			r.reject(field, word, "mounts.tmpfs", "Tmpfs option %q is refused: a mount takes exec and noexec only; remove it.", Shorten(word))
			continue
		}
		names = append(names, word)
	}
	if _, ok := r.tmpfsNames(field, names); ok && slices.Contains(names, "exec") {
		out.Options = [][]string{{"exec"}}
	}
	m.TmpfsOptions = &out
}

// parseSize reads a size as the kernel does (lib/cmdline.c, memparse), without its percentages and larger units.
func parseSize(s string) (int64, bool) {
	shift := 0
	for i, unit := range []string{"k", "m", "g"} {
		if number, found := strings.CutSuffix(strings.ToLower(s), unit); found {
			s, shift = number, 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n == 0 || n > math.MaxInt64>>shift {
		return 0, false
	}
	return int64(n) << shift, true
}

func isTmpfsMode(s string) bool {
	mode, err := strconv.ParseUint(s, 8, 32)
	return err == nil && fs.FileMode(mode) <= 0o7777
}
