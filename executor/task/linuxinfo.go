package task

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-units"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/syndtr/gocapability/capability"
)

// linuxInfo translates ContainerInfo.linux_info, which the stock Docker executor ignores, to what it means for a
// container of the Mesos containerizer (docs/linux_capabilities.md, docs/isolators/namespaces-*.md).
func (t *translation) linuxInfo(info *mesos.LinuxInfo) {
	const field = "container.linux_info"
	if info == nil {
		return
	}
	t.capabilities(info)
	host := &t.spec.Host
	if info.GetSharePIDNamespace() {
		// Without a parent container it is the agent's namespace that is shared: the host's.
		host.PidMode = "host"
		t.origin("Host.PidMode", field+".share_pid_namespace")
	}
	switch info.GetIPCMode() {
	case mesos.LinuxInfo_PRIVATE:
		host.IpcMode = container.IPCModePrivate
		t.origin("Host.IpcMode", field+".ipc_mode")
	case mesos.LinuxInfo_SHARE_PARENT: // as above
		host.IpcMode = container.IPCModeHost
		t.origin("Host.IpcMode", field+".ipc_mode")
	}
	if info.SHMSize != nil {
		t.shmSize(field+".shm_size", info)
	}
	if info.ShareCgroups != nil && *info.ShareCgroups { // its default is true
		t.invalid(field+".share_cgroups", "true", "There is no parent container to share cgroups with; set it to false, or leave it out.")
	}
	if s := info.Seccomp; s != nil {
		t.seccomp(field+".seccomp", s)
	}
}

// shmSize is in MiB, and by the master's rules only for an IPC namespace of one's own.
func (t *translation) shmSize(field string, info *mesos.LinuxInfo) {
	if info.GetIPCMode() == mesos.LinuxInfo_SHARE_PARENT {
		t.invalid(field, "", "A shared IPC namespace has a /dev/shm already; leave the size out, or set `ipc_mode` to PRIVATE.")
		return
	}
	if info.GetSHMSize() == 0 {
		t.invalid(field, "0", "A /dev/shm of 0 MiB cannot be made; write 1 or more, or leave it out.")
		return
	}
	t.spec.Host.ShmSize = int64(info.GetSHMSize()) * bytesPerMiB
	t.origin("Host.ShmSize", field)
}

// seccomp: profiles by name are files of the agent's, which the engine does not have.
func (t *translation) seccomp(field string, s *mesos.SeccompInfo) {
	switch {
	case s.GetProfileName() != "":
		t.unsupported(field+".profile_name", "remove it; the engine's own profile holds")
	case s.GetUnconfined():
		const option = "seccomp=unconfined"
		t.spec.Host.SecurityOpt = append(t.spec.Host.SecurityOpt, option)
		t.origin("Host.SecurityOpt["+option+"]", field+".unconfined")
	}
}

// capabilities: the effective ones replace what a container has by default, the bounding ones cap it. Docker has one list
// for both, so the effective ones become drop ALL and add each, and the bounding ones drop all others.
func (t *translation) capabilities(info *mesos.LinuxInfo) {
	const field = "container.linux_info"
	effective, effectiveField := info.EffectiveCapabilities, field+".effective_capabilities"
	if old := info.CapabilityInfo; old != nil {
		if effective != nil {
			t.invalid(field+".capability_info", "", "The field is the former name of `effective_capabilities`, which is set as well; remove it.")
			return
		}
		effective, effectiveField = old, field+".capability_info"
	}
	var allowed []string
	if bounding := info.BoundingCapabilities; bounding != nil {
		at := field + ".bounding_capabilities"
		allowed = t.capabilityNames(at, bounding)
		for _, name := range everyCapability() {
			if !slices.Contains(allowed, name) {
				t.dropCapability(name, at)
			}
		}
	}
	if effective == nil {
		return
	}
	t.dropCapability("ALL", effectiveField)
	for _, name := range t.capabilityNames(effectiveField, effective) {
		if info.BoundingCapabilities != nil && !slices.Contains(allowed, name) {
			t.invalid(effectiveField, name, "Capability %s is not among the bounding capabilities; add it there, or remove it here.", name)
			continue
		}
		t.spec.Host.CapAdd = append(t.spec.Host.CapAdd, name)
		t.origin("Host.CapAdd["+name+"]", effectiveField)
	}
}

func (t *translation) dropCapability(name, origin string) {
	t.spec.Host.CapDrop = append(t.spec.Host.CapDrop, name)
	t.origin("Host.CapDrop["+name+"]", origin)
}

func (t *translation) capabilityNames(field string, info *mesos.CapabilityInfo) []string {
	var names []string
	for i, c := range info.Capabilities {
		if c == mesos.CapabilityInfo_UNKNOWN {
			t.invalid(fmt.Sprintf("%s.capabilities[%d]", field, i), "UNKNOWN", "UNKNOWN is not a capability; name one, or remove it.")
			continue
		}
		if name := c.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// everyCapability lists what Linux has, which is more than the protocol names. It is the library's fixed list, not what
// this host's kernel has: a decision must not depend on the host.
func everyCapability() []string {
	var names []string
	for _, c := range capability.List() {
		names = append(names, strings.ToUpper(c.String()))
	}
	return names
}

// rlimits translates ContainerInfo.rlimit_info by the rules of the master (src/common/validation.cpp and
// include/mesos/mesos.proto): soft and hard together, or neither for no limit; each type once.
func (t *translation) rlimits(info *mesos.RLimitInfo) {
	for i, r := range info.GetRlimits() {
		field := fmt.Sprintf("container.rlimit_info.rlimits[%d]", i)
		name, ok := strings.CutPrefix(r.Type.String(), "RLMT_")
		if !ok {
			t.invalid(field+".type", r.Type.String(), "The limit has no type; set one, such as RLMT_NOFILE.")
			continue
		}
		u := &units.Ulimit{Name: strings.ToLower(name), Soft: -1, Hard: -1}
		if (r.Soft == nil) != (r.Hard == nil) {
			t.invalid(field, "", "The limit %s has only one of `soft` and `hard`; set both, or neither for no limit.", r.Type)
			continue
		}
		if r.Soft != nil {
			soft, softOK := rlimitValue(*r.Soft)
			hard, hardOK := rlimitValue(*r.Hard)
			if !softOK || !hardOK || *r.Soft > *r.Hard {
				t.invalid(field, "", "The limit %s of %d:%d is out of range; the soft one is at most the hard one, and that at most %d.",
					r.Type, *r.Soft, *r.Hard, int64(math.MaxInt64))
				continue
			}
			u.Soft, u.Hard = soft, hard
		}
		if slices.ContainsFunc(t.spec.Host.Ulimits, func(before *units.Ulimit) bool { return before.Name == u.Name }) {
			t.invalid(field, r.Type.String(), "The limit %s is there twice; keep one of them.", r.Type)
			continue
		}
		t.spec.Host.Ulimits = append(t.spec.Host.Ulimits, u)
		t.origin("Host.Ulimits["+u.Name+"]", field)
	}
}

// rlimitValue maps RLIM_INFINITY (getrlimit(2)) to the engine's -1.
func rlimitValue(v uint64) (int64, bool) {
	if v == math.MaxUint64 {
		return -1, true
	}
	return int64(v), v <= math.MaxInt64
}

// tty: the stream of a terminal is one, so that everything goes to stdout.
func (t *translation) tty(info *mesos.TTYInfo) {
	if info == nil {
		return
	}
	if info.WindowSize != nil {
		t.unsupported("container.tty_info.window_size", "leave it out; the terminal has the engine's size until the program sets another")
	}
	t.spec.Config.Tty = true
	t.origin("Config.Tty", "container.tty_info")
}
