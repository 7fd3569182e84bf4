package hostcheck

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"mesos-docker-executor/cgroupnet"
)

// lookAtNestedLeaves looks for the cgroup of each agent that could run the executor in custom mode. It makes none.
func lookAtNestedLeaves(agents Agents) NestedLeaves {
	var n NestedLeaves
	for _, a := range agents.Agents {
		if a.Custom() {
			n.Leaves = append(n.Leaves, NestedLeaf{Root: a.CgroupsRoot()})
		}
	}
	if len(n.Leaves) == 0 { // nobody asks for it
		return n
	}
	hierarchies, err := cgroupnet.Hierarchies()
	if err != nil && !errors.Is(err, cgroupnet.ErrNoHierarchy) {
		n.Err = err
		return n
	}
	for _, h := range hierarchies {
		if !h.Unified && h.Has("freezer") {
			n.Freezer = h.Dir
		}
	}
	if n.Freezer == "" {
		return n
	}
	for i := range n.Leaves {
		leaf := &n.Leaves[i]
		info, err := os.Stat(filepath.Join(n.Freezer, leaf.Root))
		switch {
		case err == nil:
			leaf.Found = info.IsDir()
		case !errors.Is(err, fs.ErrNotExist):
			leaf.Err = err
		}
	}
	return n
}
