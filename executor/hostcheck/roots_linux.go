package hostcheck

import "slices"

// CgroupsRoots are the cgroups below which the agents that run on the host have their containers, "/mesos" by default, as they are in proc,
// which is /proc. An agent of another user than root is none of ours.
func CgroupsRoots(proc string) []string {
	var roots []string
	for _, a := range lookAtAgents(proc).Agents {
		if root := "/" + a.CgroupsRoot(); a.User == 0 && root != "/" && !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	return roots
}
