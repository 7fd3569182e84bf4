package storage

import (
	"fmt"
	"strings"
)

// loopFile returns the file of a devicemapper pool that is on loop files, and the key that names it. The keys are those of moby's
// daemon/graphdriver/devmapper/driver.go; Docker itself warns of the first only.
func loopFile(e Engine) (key, file string) {
	if e.driver() != "devicemapper" {
		return "", ""
	}
	for _, key := range []string{"Data loop file", "Metadata loop file"} {
		if file := e.status(key); file != "" {
			return key, file
		}
	}
	for _, key := range []string{"Data file", "Metadata file"} {
		if file := e.status(key); strings.HasPrefix(file, "/dev/loop") {
			return key, file
		}
	}
	return "", ""
}

// addLoop refuses whatever the rules say: each write goes through two filesystems, space that is given back is not, and the pool's
// files may outgrow the disk below them.
func addLoop(v *Verdict, key, file string) {
	v.add(Refuse, fmt.Sprintf("devicemapper keeps its pool on a loop file (%s: %s), which no configuration allows", key, file),
		"use overlay2; a thin pool on a disk of its own (dm.thinpooldev) would still have to be accepted in storage.tolerated_drivers of config.yaml")
}

func judgeDevicemapper(e Engine, v *Verdict) {
	if strings.EqualFold(e.status("Udev Sync Supported"), "false") {
		v.add(Refuse, "devicemapper is not synchronized with udev and may lose data", "use a dockerd that is linked dynamically")
	}
	if strings.EqualFold(e.status("Deferred Removal Enabled"), "false") {
		v.add(Warn, "devicemapper removes devices at once, which fails while another mount namespace holds them", "set dm.use_deferred_removal=true in /etc/docker/daemon.json")
	}
}

// judgeZFS goes by the states of zpoolconcepts(7). The driver says "not available" if it cannot read what zpool prints.
func judgeZFS(e Engine, v *Verdict) {
	switch health := e.status("Zpool Health"); strings.ToUpper(health) {
	case "", "ONLINE", "NOT AVAILABLE":
	case "DEGRADED":
		v.add(Warn, "the engine's zpool is DEGRADED", "see zpool status")
	default:
		v.add(Refuse, fmt.Sprintf("the engine's zpool is %s", health), "see zpool status")
	}
}
