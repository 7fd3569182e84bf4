package cgroupnet

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// CheckFor reports whether the placement is one that [Place] can have made for the container, whatever the root: one that was
// read from a file must not lead to another container's leaf, or to a cgroup that is no leaf.
func (p Placement) CheckFor(containerID string) error {
	if err := CheckContainerID(containerID); err != nil {
		return err
	}
	if err := checkPath(p.Path); err != nil {
		return err
	}
	above := path.Dir(p.Path)
	switch {
	case p.Systemd:
		if base, ok := strings.CutSuffix(path.Base(p.Keep), ".slice"); ok {
			class := strings.TrimSuffix(path.Base(above), ".slice")
			task := class + "-" + escape(containerID) + ".slice"
			if isClass(strings.TrimPrefix(class, base+"-")) && p == (Placement{
				Parent: task, Path: path.Join("/", base+".slice", class+".slice", task), Keep: "/" + base + ".slice", Systemd: true,
			}) {
				return nil
			}
		}
	case path.Base(p.Path) == containerID && isClass(path.Base(above)) && containerID != "task": // which could be a nested one
		if root := path.Dir(above); root != "/" && p == (Placement{Parent: p.Path, Path: p.Path, Keep: root}) {
			return nil
		}
	case p.NestedIn(containerID):
		if p == (Placement{Parent: p.Path, Path: p.Path, Keep: path.Dir(above)}) {
			return nil
		}
	}
	return fmt.Errorf("%q, kept below %q, is not a leaf of container %s", p.Path, p.Keep, containerID)
}

// NestedIn reports whether the leaf is below the cgroup that the agent's launcher made for the container, and removes.
func (p Placement) NestedIn(containerID string) bool {
	return !p.Systemd && path.Base(p.Path) == "task" && path.Base(path.Dir(p.Path)) == containerID
}

// Leaf is what the path of a leaf says.
type Leaf struct {
	ContainerID string // of Mesos
	Class       uint32 // that the leaf was made for; 0: none, or Nested
	Nested      bool   // below the cgroup that the agent's launcher made: the path has no class
}

// LeafOf recognizes a leaf that [Place] can have made below a root ([PlaceInput.Root]), and a nested one below any cgroup. Of the latter
// the container ID has to be a UUID, as those are that agents make.
func LeafOf(cgroup, root string) (Leaf, bool) {
	last, above := path.Base(cgroup), path.Dir(cgroup)
	if last == "task" && isUUID(path.Base(above)) {
		return Leaf{ContainerID: path.Base(above), Nested: true}, true
	}
	id, class := last, path.Base(above)
	switch base := escape(path.Base(root)); path.Dir(above) {
	case root:
	case "/" + base + ".slice":
		task, isSlice := strings.CutSuffix(last, ".slice")
		slice := strings.TrimSuffix(class, ".slice")
		escaped, isBelow := strings.CutPrefix(task, slice+"-")
		if !isSlice || !isBelow || class == slice {
			return Leaf{}, false
		}
		id, class = unescape(escaped), strings.TrimPrefix(slice, base+"-")
	default:
		return Leaf{}, false
	}
	number, err := strconv.ParseUint(class, 16, 32)
	if err != nil || !isClass(class) {
		return Leaf{}, false
	}
	return Leaf{ContainerID: id, Class: uint32(number)}, true
}

// isUUID recognizes what agents make container IDs of.
func isUUID(s string) bool {
	return len(s) == 36 && strings.Count(s, "-") == 4 && strings.Trim(s, "0123456789abcdef-") == ""
}

// isClass recognizes a class as it is in the path of a leaf.
func isClass(name string) bool { return len(name) == 8 && strings.Trim(name, "0123456789abcdef") == "" }

// Find returns the leaves of a container below root in any class and any of the hierarchies. Nested ones and slices are not found.
func Find(hs []Hierarchy, root, containerID string) ([]Placement, error) {
	if err := CheckContainerID(containerID); err != nil {
		return nil, err
	}
	if err := checkPath(root); err != nil {
		return nil, fmt.Errorf("cgroup root: %w", err)
	}
	var found []Placement
	for _, h := range hs {
		classes, err := os.ReadDir(h.Folder(root))
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		for _, class := range classes {
			leaf := path.Join(root, class.Name(), containerID)
			st, err := os.Lstat(filepath.Join(h.Dir, leaf))
			if !isClass(class.Name()) || err != nil || !st.IsDir() {
				continue
			}
			if p := (Placement{Parent: leaf, Path: leaf, Keep: root}); !slices.Contains(found, p) {
				found = append(found, p)
			}
		}
	}
	return found, nil
}
