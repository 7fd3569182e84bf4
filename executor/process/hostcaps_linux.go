package process

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/syndtr/gocapability/capability"
)

// CheckCapabilities returns an error for people if a container on this host cannot have all the wanted capabilities (names as
// in "CAP_CHOWN"). It reads at most two files of /proc.
//
// A capability that the kernel does not have, runc leaves out with no more than a warning in its own log (since its 1.0), so that
// a container would have less than was decided. One that is not in the bounding set of the engine's processes makes it fail
// with "operation not permitted", when the image is there and the container created. Which names the daemon knows is not
// asked: it says so when the container is created.
//
// The bounding set that counts is that of the engine's processes, which are not asked for; process 1 stands for them, from which the
// host's services descend: a process's bounding set goes to its children and never grows (capabilities(7)). It is looked at only if
// this process, too, lacks what is wanted.
func CheckCapabilities(wanted []string) error {
	own, err := boundingSet(0)
	if err != nil {
		return err
	}
	host := hostCapabilities{last: capability.CAP_LAST_CAP, bounding: own}
	if len(host.missing(wanted)) > 0 {
		if host.bounding, err = boundingSet(1); err != nil {
			return err
		}
	}
	return host.check(wanted)
}

func boundingSet(pid int) (uint64, error) {
	set, err := capability.NewPid2(pid)
	if err == nil {
		err = set.Load()
	}
	if err != nil {
		return 0, fmt.Errorf("read the capabilities of process %d: %w", pid, err)
	}
	var bits uint64
	for _, c := range capability.List() {
		if set.Get(capability.BOUNDING, c) {
			bits |= 1 << c
		}
	}
	return bits, nil
}

// hostCapabilities are what containers of a host can have at most.
type hostCapabilities struct {
	last     capability.Cap // the kernel's last one (/proc/sys/kernel/cap_last_cap)
	bounding uint64         // a bit for each, by its number
}

func (h hostCapabilities) check(wanted []string) error {
	var problems []error
	if unknown := h.unknown(wanted); len(unknown) > 0 {
		problems = append(problems, fmt.Errorf("this host's kernel does not have %s, and the container would run without: "+
			"remove it from the task (or from capabilities.base of the policy), or launch it on a host with a newer kernel", strings.Join(unknown, ", ")))
	}
	if missing := h.missing(wanted); len(missing) > 0 {
		problems = append(problems, fmt.Errorf("no container of this host can have %s: not in the bounding set of process 1 (CapBnd in /proc/1/status), so "+
			"that its start would fail; remove it from the task (or from capabilities.base of the policy), or start the engine with it",
			strings.Join(missing, ", ")))
	}
	return errors.Join(problems...)
}

// unknown are those that the kernel does not have, in the order of the wanted ones, or that nobody has.
func (h hostCapabilities) unknown(wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(name string) bool {
		c, ok := capabilityNumber(name)
		return ok && c <= h.last
	})
}

// missing are those that the kernel has and a container of this host cannot have.
func (h hostCapabilities) missing(wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(name string) bool {
		c, ok := capabilityNumber(name)
		return !ok || c > h.last || h.bounding>>c&1 == 1
	})
}

func capabilityNumber(name string) (capability.Cap, bool) {
	for _, c := range capability.List() {
		if name == capabilityName(int(c)) {
			return c, true
		}
	}
	return 0, false
}
