package security

import (
	"maps"
	"slices"
	"strings"

	"github.com/syndtr/gocapability/capability"
)

// allCapabilities is the word that Docker takes for every capability, in any case but without the CAP_ prefix.
const allCapabilities = "ALL"

// knownCapabilities returns every capability that the library knows, as CAP_NAME. It uses the library's fixed list and
// not its CAP_LAST_CAP variable, which the library reads from /proc when it is loaded: a review must not depend on the
// host that it runs on.
func knownCapabilities() map[string]bool {
	known := map[string]bool{}
	for _, c := range capability.List() {
		known["CAP_"+strings.ToUpper(c.String())] = true
	}
	return known
}

// normalizeCapability writes a name the way Docker does: upper case, with CAP_ before it. Blanks are not trimmed, as
// Docker does not trim them either.
func normalizeCapability(name string) string {
	name = strings.ToUpper(name)
	if name == allCapabilities || strings.HasPrefix(name, "CAP_") {
		return name
	}
	return "CAP_" + name
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
