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
		words := forced
		if size > 0 { // in audit mode there may be none
			words = append(words, fmt.Sprintf("size=%d", size))
		}
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

// maxTmpfsWords bounds the options of one tmpfs; there are fewer than 20 different ones.
const maxTmpfsWords = 100

// parseTmpfs reads options as tmpfs(5) has them, of which a task may set those that bound it or concern only itself. Of two
// values for one thing the kernel would take the last; here they are refused.
func (r *review) parseTmpfs(field, options string) (o tmpfsOptions, ok bool) {
	if strings.Count(options, ",") >= maxTmpfsWords {
		r.reject(field, "", "mounts.tmpfs", "Tmpfs options of more than %d words are refused; write each one once.", maxTmpfsWords)
		return o, false
	}
	said := map[string]string{}
	for word := range strings.SplitSeq(options, ",") {
		if word == "" {
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		before, again := said[tmpfsSubject(name)]
		said[tmpfsSubject(name)] = word
		bad := ""
		switch {
		case again && before == word:
			continue
		case again:
			bad = fmt.Sprintf("it contradicts %q, and the last of the two would win; keep one of them", Shorten(before))
		default:
			bad = o.add(word, name, value)
		}
		if bad != "" {
			r.reject(field, word, "mounts.tmpfs", "Tmpfs option %q is refused: %s.", Shorten(word), bad)
			return o, false
		}
	}
	return o, true
}

// tmpfsSubject names what an option decides about, of which there can be one answer.
func tmpfsSubject(name string) string {
	switch name {
	case "rw":
		return "ro"
	case "async":
		return "sync"
	case "relatime", "strictatime":
		return "noatime"
	case "exec", "suid", "dev":
		return "no" + name
	}
	return name
}

// add takes one option, and says what keeps it from being one: "it ...".
func (o *tmpfsOptions) add(word, name, value string) (bad string) {
	switch name {
	case "ro", "rw", "noatime", "nodiratime", "relatime", "strictatime", "sync", "async":
		o.flags = append(o.flags, word)
		if word != name {
			return "it takes no value"
		}
	case "noexec", "nosuid", "nodev", "exec", "suid", "dev":
		o.names = append(o.names, word)
		if word != name {
			return "it takes no value"
		}
	case "size":
		size, ok := parseSize(value)
		if o.size = size; !ok {
			return "it must be a number of bytes above 0, or one followed by k, m or g"
		}
	case "mode":
		if o.mode = value; !isTmpfsMode(value) {
			return "it must be an octal number up to 7777"
		}
	case "uid", "gid", "nr_inodes":
		o.flags = append(o.flags, word)
		if n, err := strconv.ParseUint(value, 10, 31); err != nil || name == "nr_inodes" && n == 0 {
			return "it must be a number; for nr_inodes above 0"
		}
	case "":
		return "it has no name"
	default:
		return "the policy does not know it"
	}
	return ""
}

// tmpfsSize bounds a size in bytes; without one the kernel would take half of the host's memory.
func (r *review) tmpfsSize(field string, asked int64) int64 {
	most := r.rules.Mounts.TmpfsSize
	switch {
	case most <= 0:
		r.deny(field, "tmpfs", "mounts.tmpfs", "A tmpfs is refused: the policy allows none; use a folder of the sandbox.")
	case asked == 0:
		r.found(Force, field, "tmpfs size "+Bytes(most), "mounts.tmpfs", "A tmpfs without a size gets the policy's, %s.", Bytes(most))
		if r.acts() {
			return most
		}
	case asked > most:
		r.lowered(field, "tmpfs size "+Bytes(asked), Bytes(most), "mounts.tmpfs",
			"A tmpfs of %s is above the policy's maximum; it gets %s.", Bytes(asked), Bytes(most))
		if r.acts() {
			return most
		}
	}
	return asked
}

// tmpfsNames returns the policy's options and those of a task, sorted, unless one of the task's contradicts another.
func (r *review) tmpfsNames(field string, asked []string) (names []string, ok bool) {
	has := map[string]bool{}
	for _, name := range []string{"nodev", "noexec", "nosuid"} {
		if slices.Contains(r.rules.Mounts.TmpfsOptions, name) {
			has[name] = true
		}
	}
	for _, name := range asked {
		contrary := "no" + name
		if positive, found := strings.CutPrefix(name, "no"); found {
			contrary = positive
		}
		if has[contrary] {
			const refused = "Tmpfs option %q is refused: it contradicts %s; remove it."
			if slices.Contains(asked, contrary) {
				r.reject(field, name, "mounts.tmpfs", refused, name, contrary)
				return nil, false
			}
			denied := r.deny(field, name, "mounts.tmpfs", refused, name, contrary)
			if r.at("mounts.tmpfs_options"); denied {
				return nil, false
			}
			delete(has, contrary)
		}
		has[name] = true
	}
	return slices.Sorted(maps.Keys(has)), true
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
			break
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
