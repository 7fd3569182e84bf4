package storage

import (
	"errors"
	"fmt"
	"io/fs"
)

// Need is what a container's image is yet to take. The zero value is for a container whose image is there: a container
// itself takes 33 inodes and hardly any bytes, which the thresholds cover many times.
type Need struct {
	Download uint64 // bytes where downloads are kept
	Extract  uint64 // bytes where the layers are
}

// Judge is the verdict over the head-room of a host. A sandbox alone never refuses a container.
func (t Thresholds) Judge(rooms []Room, need Need) Verdict {
	var v Verdict
	needs := need.spread(rooms)
	for i, r := range rooms {
		if r.Err != nil {
			judgeSilence(r, &v)
			continue
		}
		t.judgeBytes(r, needs[i], &v)
		t.judgeInodes(r, &v)
	}
	return v
}

// spread says how much of the need each room has to give. A folder that was not there when the rooms were looked at will be made
// in the data root.
func (n Need) spread(rooms []Room) []uint64 {
	needs := make([]uint64, len(rooms))
	give := func(bytes uint64, uses ...Use) {
		for _, u := range uses {
			for i, r := range rooms {
				if r.Err == nil && r.Uses(u) {
					needs[i] += bytes
					return
				}
			}
		}
	}
	give(n.Download, Downloads, DataRoot)
	give(n.Extract, PoolData, Layers, DataRoot)
	return needs
}

// judgeSilence is about a filesystem of which nothing is known. If a folder is not there, the engine may see
// another tree than we do, and nobody would be helped if the host took no task any more; a filesystem that hangs or fails is another
// matter, as the engine hangs and fails with it.
func judgeSilence(r Room, v *Verdict) {
	reason := fmt.Sprintf("nobody knows whether there is room in %s: %v", r.name(), r.Err)
	switch {
	case errors.Is(r.Err, fs.ErrNotExist) && !r.Uses(DataRoot):
		v.add(Warn, reason, "name the root of the host's containerd in storage.containerd_root of config.yaml")
	case errors.Is(r.Err, fs.ErrNotExist):
		v.add(Warn, reason, "see whether dockerd runs in a mount namespace of its own")
	case !r.ours():
		v.add(Warn, reason, "see what is wrong with the filesystem")
	case silent(r.Err):
		v.add(Refuse, reason, "see what is wrong with the filesystem; the engine hangs with it")
	case r.Uses(PoolData) || r.Uses(PoolMetadata):
		v.add(Refuse, reason, "see what docker info says")
	default:
		v.add(Refuse, reason, "see what is wrong with the filesystem")
	}
}

func (t Thresholds) judgeBytes(r Room, need uint64, v *Verdict) {
	least, free := t.minBytes(r), r.Bytes.Free
	figures := r.byteFigures()
	short := fmt.Sprintf("%s, and %s have to be (%s)", figures, size(least.amount), least)
	switch {
	case least.amount > r.Bytes.Total:
		t.refuse(r, short, "it is too small as a whole: lower storage.min_free_bytes of config.yaml, or use a larger filesystem", v)
	case free < least.amount:
		t.refuse(r, short, r.remedy(), v)
	case need > free-least.amount:
		reason := fmt.Sprintf("the image needs %s more while it is pulled and extracted: %s", size(need), figures)
		if least.amount != 0 {
			reason += fmt.Sprintf(", of which %s have to stay free (%s)", size(least.amount), least)
		}
		t.refuse(r, reason, r.remedy(), v)
	case free < share(r.Bytes, t.WarnBytesPercent).amount:
		v.add(Warn, fmt.Sprintf("%s, less than %d %%", figures, t.WarnBytesPercent), r.remedy())
	}
}

func (t Thresholds) judgeInodes(r Room, v *Verdict) {
	if r.Inodes.Total == 0 {
		return
	}
	least, free := t.minInodes(r), r.Inodes.Free
	figures := fmt.Sprintf("%s has %d of %d inodes free (%d %%)", r.name(), free, r.Inodes.Total, r.Inodes.percent())
	short := fmt.Sprintf("%s, and %d have to be (%s)", figures, least.amount, least)
	switch {
	case least.amount > r.Inodes.Total:
		t.refuse(r, short, "it is too small as a whole: lower storage.min_free_inodes of config.yaml, or use a filesystem with more inodes", v)
	case free < least.amount:
		t.refuse(r, short, r.remedy(), v)
	case free < share(r.Inodes, t.WarnInodesPercent).amount:
		v.add(Warn, fmt.Sprintf("%s, less than %d %%", figures, t.WarnInodesPercent), r.remedy())
	}
}

// refuse only warns of a filesystem that has nothing but a sandbox on it.
func (t Thresholds) refuse(r Room, reason, remedy string, v *Verdict) {
	if r.ours() {
		v.add(Refuse, reason, remedy)
	} else {
		v.add(Warn, reason, remedy)
	}
}

func (r Room) remedy() string {
	switch {
	case !r.ours():
		return "see what fills the sandboxes: the agent removes old ones by --gc_delay and --gc_disk_headroom"
	case r.Uses(PoolData) || r.Uses(PoolMetadata):
		return "remove images that nobody needs (mesos-docker-executor gc), or extend the pool (lvextend)"
	case r.only(Containers):
		return "see what fills it: no images are there, and the log driver's max-size bounds the containers' logs"
	}
	return "remove images that nobody needs (mesos-docker-executor gc) and what else fills it"
}
