package storage

import (
	"fmt"
	"slices"
	"strings"
)

// Rules say which storage drivers containers may run on. A driver in neither list is refused, known or not. No
// rule allows devicemapper on loop files.
type Rules struct {
	Allowed   []string // without further ado
	Tolerated []string // with a warning
}

// DefaultRules allow overlay2 and its successor in containerd, and tolerate btrfs and zfs.
func DefaultRules() Rules {
	return Rules{Allowed: []string{"overlay2", "overlayfs"}, Tolerated: []string{"btrfs", "zfs"}}
}

// Check returns an error that names the driver if a name is empty or in both lists.
func (r Rules) Check() error {
	for _, name := range slices.Concat(r.Allowed, r.Tolerated) {
		if name == "" || name != strings.ToLower(strings.TrimSpace(name)) {
			return fmt.Errorf("%q is not the name of a storage driver: write it as docker info does, in lower case", name)
		}
	}
	for _, name := range r.Tolerated {
		if slices.Contains(r.Allowed, name) {
			return fmt.Errorf("the storage driver %s is both allowed and tolerated: name it once", name)
		}
	}
	return nil
}

// Judge is the verdict over an engine's storage driver. The error is a [*BadAnswerError].
func (r Rules) Judge(e Engine) (Verdict, error) {
	if err := e.Check(); err != nil {
		return Verdict{}, err
	}
	var v Verdict
	if key, file := loopFile(e); file != "" {
		addLoop(&v, key, file) // whatever else is wrong with it doesn't matter
		return v, nil
	}
	r.judgeName(e, &v)
	switch e.driver() {
	case "overlay2", "overlayfs", "overlay":
		judgeOverlay(e, &v)
	case "devicemapper":
		judgeDevicemapper(e, &v)
	case "zfs":
		judgeZFS(e, &v)
	}
	if v.Decision() < Refuse {
		addWarnings(e, &v)
	}
	return v, nil
}

func (r Rules) judgeName(e Engine, v *Verdict) {
	name := e.driver()
	decision := Refuse
	switch {
	case slices.Contains(r.Allowed, name):
		return
	case slices.Contains(r.Tolerated, name):
		decision = Warn
	}
	better := "overlay2"
	if e.containerd() {
		better = "overlayfs"
	}
	remedy := fmt.Sprintf(`set "storage-driver": %q in /etc/docker/daemon.json (its images and containers have to be made anew)`, better)
	switch {
	case name == better:
		remedy = "name it in storage.allowed_drivers of config.yaml"
	case decision == Refuse:
		remedy += ", or accept it in storage.tolerated_drivers of config.yaml"
	}
	v.add(decision, fmt.Sprintf("the storage driver %s %s", name, objection(name)), remedy)
}

// objection says what is wrong with a driver that is not allowed outright.
func objection(driver string) string {
	switch driver {
	case "overlay2", "overlayfs":
		return "is not among the allowed ones of config.yaml"
	case "overlay":
		return "uses up the disk's inodes, with a hard link for each file in each layer, and is gone from Docker 24.0 on"
	case "aufs":
		return "is no part of the kernel and gone from Docker 24.0 on"
	case "devicemapper":
		return "can fill up its pool while the disk looks empty, and is gone from Docker 25.0 on"
	case "vfs", "native": // native is containerd's vfs
		return "copies the whole image for each container"
	case "fuse-overlayfs":
		return "makes every container depend on a process of its own that may die"
	case "btrfs", "zfs":
		return "is seldom used, and its free space is hard to tell"
	}
	return "is not known to this program"
}

// addWarnings passes on what the engine itself says against its storage; it warns of many other things, too.
func addWarnings(e Engine, v *Verdict) {
	for _, text := range e.Warnings {
		text = strings.Join(strings.Fields(strings.TrimPrefix(text, "WARNING:")), " ")
		lower := strings.ToLower(text)
		for _, word := range []string{"storage-driver", "storage driver", "loopback", "d_type", "extended file attributes"} {
			if strings.Contains(lower, word) {
				v.add(Warn, "the engine warns: "+text, "follow its advice")
				break
			}
		}
	}
}
