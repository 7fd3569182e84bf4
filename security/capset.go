package security

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/syndtr/gocapability/capability"
)

// allCapabilities is the word that Docker takes for every capability, in any case but without the CAP_ prefix.
const allCapabilities = "ALL"

const capabilityPrefix = "CAP_"

// capabilityNames are all that the library knows, as CAP_NAME. It is the library's fixed list and not its CAP_LAST_CAP variable,
// which the library reads from /proc when it is loaded: a review must not depend on the host that it runs on. What the host
// cannot give is found out there (package process, HostCapabilities).
func capabilityNames() []string {
	var names []string
	for _, c := range capability.List() {
		names = append(names, capabilityPrefix+strings.ToUpper(c.String()))
	}
	return names
}

// engineAll is what ALL is to every engine: those up to CAP_AUDIT_READ. Docker 20.10 refuses the later ones by name, where it would
// take ALL; who needs one of them names it.
func engineAll() []string {
	names := capabilityNames()
	return names[:slices.Index(names, capabilityPrefix+"AUDIT_READ")+1]
}

// ParseCapability returns the name of a capability as Docker writes it, CAP_CHOWN, or ALL: it takes any case, and names with and
// without CAP_. Blanks are not trimmed, as Docker does not trim them either.
//
// Only ASCII letters have another case here. In Unicode, "\u017fys_admin" is SYS_ADMIN in upper case, and whoever reads the task
// need not see that.
func ParseCapability(written string) (name string, ok bool) {
	if strings.ContainsFunc(written, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return "", false
	}
	name = strings.ToUpper(written)
	if name == allCapabilities {
		return name, true
	}
	if !strings.HasPrefix(name, capabilityPrefix) {
		name = capabilityPrefix + name
	}
	return name, slices.ContainsFunc(capability.List(), func(c capability.Cap) bool {
		return strings.EqualFold(name[len(capabilityPrefix):], c.String())
	})
}

// effectiveCapabilities is what a container gets: the base less the dropped ones, plus the added ones, within what is
// allowed. All names are normalised.
//
// It keeps Docker's order of precedence: a name that is both dropped and added is present; dropping ALL empties the
// base; adding ALL means everything that is allowed except what is dropped by name.
func effectiveCapabilities(base, allowed, add, drop []string) []string {
	effective := map[string]bool{}
	if !slices.Contains(drop, allCapabilities) {
		include(effective, base)
	}
	if slices.Contains(add, allCapabilities) {
		include(effective, allowed)
	}
	for _, name := range drop {
		delete(effective, name)
	}
	include(effective, add)
	delete(effective, allCapabilities)
	maps.DeleteFunc(effective, func(name string, _ bool) bool { return !slices.Contains(allowed, name) })
	return slices.Sorted(maps.Keys(effective))
}

func include(set map[string]bool, names []string) {
	for _, name := range names {
		set[name] = true
	}
}
