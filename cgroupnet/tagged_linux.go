package cgroupnet

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ListTagged returns what has a network class on this host, by path; it only reads. A cgroup has a row when its class is another one than that of the
// cgroup above. If there are roots ([PlaceInput.Root]), each leaf that [LeafOf] recognizes by one has a row, whatever its class, none included.
// The classes of cgroups that come and go meanwhile may be in the list or not.
func ListTagged(s Support, roots ...string) ([]Tagged, error) {
	if err := s.problem(); err != nil {
		return nil, err
	}
	for _, r := range roots {
		if err := checkPath(r); err != nil {
			return nil, fmt.Errorf("cgroup root: %w", err)
		}
	}
	root, err := openHierarchy(*s.NetCLS)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	l := tagged{root: root, roots: roots, rows: []Tagged{{}}}
	if err := l.add("/", 0); err != nil {
		return nil, fmt.Errorf("list network classes: %w", err)
	}
	for _, row := range l.rows {
		slices.Sort(row.PIDs)
	}
	return l.rows[1:], nil
}

// tagged is one call of [ListTagged].
type tagged struct {
	root  *os.Root
	roots []string
	rows  []Tagged // the first one is that of all that has no class
}

// add lists a cgroup, and those below it. above is the index of the row of the cgroup above.
func (l *tagged) add(cgroup string, above int) error {
	row := above
	err := l.addOne(cgroup, &row)
	var below []string
	if err == nil {
		below, err = children(l.root, cgroup)
	}
	if gone(err) {
		return nil
	} else if err != nil {
		return err
	}
	for _, name := range below {
		if err := l.add(path.Join(cgroup, name), row); err != nil {
			return err
		}
	}
	return nil
}

// addOne adds the processes of a cgroup to the row, or to a new one.
func (l *tagged) addOne(cgroup string, row *int) error {
	class, err := classOf(l.root, cgroup)
	if err != nil {
		return err
	}
	if class != l.rows[*row].Class || l.isLeaf(cgroup) {
		*row = len(l.rows)
		l.rows = append(l.rows, Tagged{Path: cgroup, Class: class})
	}
	if *row == 0 {
		return nil
	}
	text, err := l.root.ReadFile(path.Join(".", relative(cgroup), "cgroup.procs"))
	for field := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 0 { // 0 is one of another pid namespace
			l.rows[*row].PIDs = append(l.rows[*row].PIDs, pid)
		}
	}
	return err
}

func (l *tagged) isLeaf(cgroup string) bool {
	return slices.ContainsFunc(l.roots, func(root string) bool {
		_, ok := LeafOf(cgroup, root)
		return ok
	})
}
