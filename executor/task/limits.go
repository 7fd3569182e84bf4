package task

import (
	"fmt"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Bounds of what a task may ask for. They are far above what a container can use, and keep the time for a decision short:
// it is made by the goroutine that also has to hear a KILL.
const (
	maxEntries   = 1000   // of each list without a bound of its own
	maxVariables = 10_000 // environment variables
	maxArguments = 10_000

	// The kernel's, with its NUL (limits.h: PATH_MAX 4096, NAME_MAX 255).
	maxPath      = 4095
	maxComponent = 255
	maxDepth     = 64 // folders; no limit of the kernel's
)

// tooMany refuses a list that is longer than its limit.
func (t *translation) tooMany(field string, count, limit int) bool {
	if count <= limit {
		return false
	}
	t.invalid(field, fmt.Sprint(count), "There are %d entries, and at most %d are supported; remove some.", count, limit)
	return true
}

// counts checks the lists that the translation walks, before it does. It reports whether all are short enough.
func (t *translation) counts() bool {
	ranges := 0
	for _, r := range t.task.Resources {
		ranges += len(r.GetRanges().GetRange())
	}
	networkPorts, addresses := 0, 0
	for _, n := range t.task.GetContainer().GetNetworkInfos() {
		networkPorts += len(n.PortMappings)
		addresses += len(n.IPAddresses)
	}
	linux := t.task.GetContainer().GetLinuxInfo()
	capabilities := len(linux.GetCapabilityInfo().GetCapabilities()) + len(linux.GetEffectiveCapabilities().GetCapabilities()) +
		len(linux.GetBoundingCapabilities().GetCapabilities())
	docker := t.task.GetContainer().GetDocker()
	lists := []struct {
		field string
		count int
	}{
		{"resources", len(t.task.Resources)},
		{"resources.ranges", ranges},
		{"executor.resources", len(t.task.GetExecutor().GetResources())},
		{"limits", len(t.task.Limits)},
		{"container.volumes", len(t.task.GetContainer().GetVolumes())},
		{"container.network_infos", len(t.task.GetContainer().GetNetworkInfos())},
		{"container.network_infos.port_mappings", networkPorts},
		{"container.network_infos.ip_addresses", addresses},
		{"container.rlimit_info.rlimits", len(t.task.GetContainer().GetRlimitInfo().GetRlimits())},
		{"container.linux_info.capabilities", capabilities},
		{"container.docker.port_mappings", len(docker.GetPortMappings())},
		{parametersPath, len(docker.GetParameters())},
	}
	short := true
	for _, list := range lists {
		short = !t.tooMany(list.field, list.count, maxEntries) && short
	}
	return short
}

// commandCounts does the same for a CommandInfo.
func (t *translation) commandCounts(field string, command *mesos.CommandInfo) bool {
	variables := len(command.GetEnvironment().GetVariables())
	longEnvironment := t.tooMany(join(field, "environment.variables"), variables, maxVariables)
	longArguments := t.tooMany(join(field, "arguments"), len(command.GetArguments()), maxArguments)
	return !longEnvironment && !longArguments
}

// pathProblem says what keeps a path from being used on any host; "" if nothing does.
func pathProblem(p string) string {
	if len(p) > maxPath {
		return fmt.Sprintf("it has %d bytes, and the kernel takes %d", len(p), maxPath)
	}
	depth := 0
	for name := range strings.SplitSeq(p, "/") {
		if name == "" || name == "." {
			continue
		}
		if depth++; depth > maxDepth {
			return fmt.Sprintf("it is more than %d folders deep", maxDepth)
		}
		if len(name) > maxComponent {
			return fmt.Sprintf("the name %s has %d bytes, and the kernel takes %d", quote(name), len(name), maxComponent)
		}
	}
	return ""
}
