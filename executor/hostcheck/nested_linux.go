package hostcheck

import (
	"errors"
	"io/fs"
	"os"

	"mesos-docker-executor/cgroupnet"
)

// lookAtNestedLeaf looks for the cgroup of the first agent that could run the executor in custom mode.
func lookAtNestedLeaf(agents Agents) NestedLeaf {
	var n NestedLeaf
	for _, a := range agents.Agents {
		if a.Custom() {
			n.Root = a.CgroupsRoot()
			break
		}
	}
	if n.Root == "" { // nobody asks for it
		return n
	}
	hierarchies, err := cgroupnet.Hierarchies()
	if err != nil && !errors.Is(err, cgroupnet.ErrNoHierarchy) {
		n.Err = err
		return n
	}
	for _, h := range hierarchies {
		if h.Unified || !h.Has("freezer") {
			continue
		}
		n.Freezer = h.Dir
		info, err := os.Stat(h.Folder("/" + n.Root))
		switch {
		case err == nil:
			n.Found = info.IsDir()
		case !errors.Is(err, fs.ErrNotExist):
			n.Err = err
		}
	}
	return n
}
