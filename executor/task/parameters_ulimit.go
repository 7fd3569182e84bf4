package task

import (
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
)

// ulimitNames are the limits of setrlimit(2) that Docker takes (go-units, ulimit.go).
func ulimitNames() []string {
	return []string{"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"}
}

// isUlimitOfBytes tells the limits that count bytes (setrlimit(2)).
func isUlimitOfBytes(name string) bool {
	return slices.Contains([]string{"core", "data", "fsize", "memlock", "msgqueue", "rss", "stack"}, name)
}

func (r *dockerRun) addUlimit(p parameter) {
	u, err := units.ParseUlimit(p.value)
	if err != nil || u.Soft < -1 || u.Hard < -1 {
		r.invalid(p.origin(), p.value, "%s is not a ulimit; %s.", quote(p.value), ulimitRemedy(p.value))
		return
	}
	field := "Host.Ulimits[" + u.Name + "]"
	for _, before := range r.spec.Host.Ulimits {
		if before.Name == u.Name {
			if *before != *u {
				r.contradicts(p, field, strings.TrimPrefix(before.String(), u.Name+"="))
			}
			return
		}
	}
	r.spec.Host.Ulimits = append(r.spec.Host.Ulimits, u)
	r.origin(field, p.origin())
}

// ulimitRemedy says what to write for what is none.
func ulimitRemedy(value string) string {
	const remedy = "write name=soft[:hard], for example nofile=4096:8192, soft not above hard, -1 for unlimited"
	name, limits, given := strings.Cut(value, "=")
	switch {
	case !given:
		return remedy
	case !slices.Contains(ulimitNames(), name):
		return "the name is unknown, and those that there are are " + strings.Join(ulimitNames(), ", ")
	case isUlimitOfBytes(name):
		if plain, ok := inBytes(limits); ok {
			return "its numbers are bytes without a unit; write " + name + "=" + plain
		}
	}
	return remedy
}

// inBytes writes sizes with units as plain numbers, if they are some.
func inBytes(limits string) (plain string, ok bool) {
	parts := strings.Split(limits, ":")
	if len(parts) > 2 || strings.ContainsFunc(limits, func(c rune) bool { return c == '.' || c == ' ' }) {
		return "", false
	}
	for i, part := range parts {
		n, isSize := sizeOf(part)
		if part == "-1" {
			n, isSize = -1, true
		}
		if !isSize {
			return "", false
		}
		parts[i] = strconv.FormatInt(n, 10)
	}
	plain = strings.Join(parts, ":")
	_, err := units.ParseUlimit("memlock=" + plain)
	return plain, err == nil && plain != limits
}
