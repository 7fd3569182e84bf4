package cgroupnet

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Hierarchy is one mounted cgroup hierarchy.
type Hierarchy struct {
	// Dir is where it is mounted, for example /sys/fs/cgroup/freezer.
	Dir string

	// Controllers are the kernel's names ("freezer", "cpu", "cpuacct"), and
	// "name=systemd" for a named hierarchy without controllers. Empty for the
	// cgroup v2 hierarchy of a host whose controllers are all in v1 ("hybrid").
	Controllers []string

	// Unified says that this is the cgroup v2 hierarchy.
	Unified bool
}

// Has reports whether the controller belongs to the hierarchy.
func (h Hierarchy) Has(controller string) bool {
	return slices.Contains(h.Controllers, controller)
}

// Folder returns the folder of a cgroup in the hierarchy.
func (h Hierarchy) Folder(cgroup string) string {
	return filepath.Join(h.Dir, filepath.FromSlash(cgroup))
}

// ownCgroup returns the calling process's own cgroup in the hierarchy, given the
// text of /proc/self/cgroup. Each line is "id:controllers:path"; cgroup v2 has the
// line "0::path" (cgroups(7)).
func (h Hierarchy) ownCgroup(self string) (string, bool) {
	for line := range strings.Lines(self) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		if h.Unified {
			if fields[0] == "0" && fields[1] == "" {
				return fields[2], true
			}
			continue
		}
		if len(h.Controllers) > 0 && slices.Contains(strings.Split(fields[1], ","), h.Controllers[0]) {
			return fields[2], true
		}
	}
	return "", false
}

// SelfFreezer returns the path of the calling process's cgroup in the v1 freezer
// hierarchy, "" when the host has none (cgroup v2 only).
//
// The path is relative to the root of the caller's cgroup namespace
// (cgroup_namespaces(7)), whereas Docker takes a CgroupParent as relative to the
// root of its own. An agent starts executors in its own namespace, the host's. In any
// other one the path would begin with "/.." or be short of its first elements; the
// former is an error here, the latter fails the comparison with the container id in
// [Place] or, at the latest, leaves the container's processes unseen in the leaf.
func SelfFreezer() (string, error) {
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", fmt.Errorf("find own freezer cgroup: %w", err)
	}
	p, ok := Hierarchy{Controllers: []string{"freezer"}}.ownCgroup(string(self))
	if !ok {
		return "", nil
	}
	if strings.HasPrefix(p, "/..") {
		return "", fmt.Errorf("own freezer cgroup %s is outside of the cgroup namespace: start the executor in the agent's cgroup namespace", p)
	}
	return p, nil
}
