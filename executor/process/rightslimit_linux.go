package process

import (
	"fmt"
	"slices"
	"strings"

	"github.com/syndtr/gocapability/capability"
)

// RightsLimit is what was decided that a container may do. The zero value allows no capability and no namespace of the host's,
// and demands nothing else.
type RightsLimit struct {
	// Capabilities are the names, as in "CAP_CHOWN", of those that it may have. Any other spelling allows nothing.
	Capabilities []string

	NoNewPrivs bool // no_new_privs is demanded
	Seccomp    bool // a seccomp filter is demanded, or the strict mode
	NonRoot    bool // it must not be root

	// HostNamespaces are the kinds of namespaces that may be the host's, see [Rights.Shared]. Of all the others it must have its
	// own. An engine without userns-remap gives no container its own "user", and on a host with cgroup v1 none its own
	// "cgroup" unless it is asked to.
	HostNamespaces []string
}

// Exceeds compares the rights with what was decided, and returns a sentence about each thing that is more; none when all is
// well. Fewer rights are fine, as a program may give them up itself. Groups and the Label are not compared.
//
// A user namespace of the engine's making changes nothing: the capabilities are compared, although they hold in it only, and its
// root counts as root. Those that a program has in a user namespace of its own making ([Rights.OwnUserNamespace])
// are not compared: they are no rights outside of it.
func (r Rights) Exceeds(limit RightsLimit) []string {
	var more []string
	if !r.OwnUserNamespace {
		more = r.capabilitiesBeyond(limit.Capabilities)
	}
	if limit.NoNewPrivs && !r.NoNewPrivs {
		more = append(more, "The container can gain rights by set-user-ID programs and file capabilities (no_new_privs is not set), which was ruled out.")
	}
	if limit.Seccomp && r.Seccomp == 0 {
		more = append(more, "The container runs without a seccomp filter, though it was to have one.")
	}
	if limit.NonRoot {
		more = append(more, r.rootBeyond()...)
	}
	for _, kind := range r.Shared {
		if !slices.Contains(limit.HostNamespaces, kind) {
			more = append(more, fmt.Sprintf("The container is in the host's %s namespace, though it was to have its own.", namespaceName(kind)))
		}
	}
	return more
}

func (r Rights) rootBeyond() []string {
	switch {
	case slices.Contains(r.UIDs[:], 0), slices.Contains(r.UIDs[:], r.RootUID):
		return []string{fmt.Sprintf("The container runs as root (its real, effective, saved and filesystem user ids are %v on the host), which was ruled out.", r.UIDs)}
	case r.OwnUserNamespace && r.RootUID < 0:
		return []string{"It cannot be told whether the container runs as root, which was ruled out: " +
			"its program has made a user namespace within the one that the engine had made (userns-remap)."}
	}
	return nil
}

// capabilitiesBeyond makes a sentence about all the capabilities that are in the same sets.
func (r Rights) capabilitiesBeyond(allowed []string) []string {
	var limit uint64
	for _, c := range capability.List() {
		if slices.Contains(allowed, capabilityName(int(c))) {
			limit |= 1 << c
		}
	}
	var (
		holders []string // in the order of their first capability
		held    = map[string][]string{}
	)
	for n := range 64 {
		if limit>>n&1 == 1 {
			continue
		}
		sets := r.setsWith(n)
		if len(sets) == 0 {
			continue
		}
		holder := strings.Join(sets, ", ")
		if held[holder] == nil {
			holders = append(holders, holder)
		}
		held[holder] = append(held[holder], capabilityName(n))
	}
	var more []string
	for _, holder := range holders {
		more = append(more, fmt.Sprintf("The container has more capabilities than it was to have: %s (%s).", strings.Join(held[holder], ", "), holder))
	}
	return more
}

// setsWith names the sets that hold the capability. Each matters: what is in one that is not effective can be
// made so by the program itself, or by a file that it executes.
func (r Rights) setsWith(n int) (names []string) {
	for _, set := range []struct {
		name string
		bits uint64
	}{
		{"effective", r.Effective}, {"permitted", r.Permitted}, {"inheritable", r.Inheritable}, {"bounding", r.Bounding}, {"ambient", r.Ambient},
	} {
		if set.bits>>n&1 == 1 {
			names = append(names, set.name)
		}
	}
	return names
}

// capabilityName is "CAP_CHOWN" for 0, and "capability 63" for one that the library does not know.
func capabilityName(n int) string {
	if known := capability.Cap(n); slices.Contains(capability.List(), known) {
		return "CAP_" + strings.ToUpper(known.String())
	}
	return fmt.Sprintf("capability %d", n)
}

// namespaceName is the kind as people call it.
func namespaceName(kind string) string {
	switch kind {
	case "mnt":
		return "mount"
	case "net":
		return "network"
	case "cgroup", "user":
		return kind
	}
	return strings.ToUpper(kind)
}
