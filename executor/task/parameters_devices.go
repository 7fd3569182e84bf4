package task

import (
	"path"
	"strconv"
	"strings"
	"unicode"

	"github.com/docker/docker/api/types/blkiodev"
	"github.com/docker/docker/api/types/container"

	"mesos-docker-executor/security"
)

// deviceFlags limit the use of block devices.
func deviceFlags() []flag {
	type throttles = *[]*blkiodev.ThrottleDevice
	of := func(at func(*container.Resources) throttles) func(*security.Spec) throttles {
		return func(s *security.Spec) throttles { return at(&s.Host.Resources) }
	}
	return []flag{
		{name: "blkio-weight", kind: single, set: (*dockerRun).setWeight},
		{name: "blkio-weight-device", kind: repeated, set: (*dockerRun).addWeight},
		{name: "device-read-bps", kind: repeated, set: addThrottle("Host.BlkioDeviceReadBps", of(func(h *container.Resources) throttles { return &h.BlkioDeviceReadBps }), true)},
		{name: "device-read-iops", kind: repeated, set: addThrottle("Host.BlkioDeviceReadIOps", of(func(h *container.Resources) throttles { return &h.BlkioDeviceReadIOps }), false)},
		{name: "device-write-bps", kind: repeated, set: addThrottle("Host.BlkioDeviceWriteBps", of(func(h *container.Resources) throttles { return &h.BlkioDeviceWriteBps }), true)},
		{name: "device-write-iops", kind: repeated, set: addThrottle("Host.BlkioDeviceWriteIOps", of(func(h *container.Resources) throttles { return &h.BlkioDeviceWriteIOps }), false)},
	}
}

// Of the kernel (block/blk-cgroup.c); 0 is none.
const (
	minBlkioWeight = 10
	maxBlkioWeight = 1000
)

func isBlkioWeight(n uint64) bool { return n == 0 || minBlkioWeight <= n && n <= maxBlkioWeight }

func (r *dockerRun) setWeight(p parameter) {
	weight, err := strconv.ParseUint(p.value, 0, 16)
	if err != nil || !isBlkioWeight(weight) {
		r.malformed(p, "write a weight from 10 to 1000")
		return
	}
	settle(r, p, "Host.BlkioWeight", &r.spec.Host.BlkioWeight, uint16(weight))
}

func (r *dockerRun) addWeight(p parameter) {
	device, value, ok := blockDevice(p.value)
	weight, err := strconv.ParseUint(value, 10, 16)
	if !ok || err != nil || !isBlkioWeight(weight) {
		r.malformed(p, "write /dev/NAME:WEIGHT, with a weight from 10 to 1000")
		return
	}
	addElement(r, p, "Host.BlkioWeightDevice", &r.spec.Host.BlkioWeightDevice, device,
		&blkiodev.WeightDevice{Path: device, Weight: uint16(weight)})
}

// addThrottle makes the translation of /dev/NAME:RATE, in bytes with a unit or in operations per second.
func addThrottle(field string, at func(*security.Spec) *[]*blkiodev.ThrottleDevice, inBytes bool) func(*dockerRun, parameter) {
	return func(r *dockerRun, p parameter) {
		const remedy = "write /dev/NAME:RATE per second, for example /dev/sda:10mb for bytes or /dev/sda:100 for operations"
		device, value, ok := blockDevice(p.value)
		if !ok {
			r.malformed(p, remedy)
			return
		}
		var rate uint64
		if inBytes {
			n, ok := r.size(p, value, remedy)
			if !ok {
				return
			}
			rate = uint64(n)
		} else if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			rate = n
		} else {
			r.malformed(p, remedy)
			return
		}
		addElement(r, p, field, at(&r.spec), device, &blkiodev.ThrottleDevice{Path: device, Rate: rate})
	}
}

// blockDevice splits /dev/NAME:VALUE. Nothing but a readable path is one.
func blockDevice(s string) (device, value string, ok bool) {
	device, value, ok = strings.Cut(s, ":")
	readable := !strings.ContainsFunc(device, unicode.IsControl) && pathProblem(device) == ""
	return device, value, ok && readable && strings.HasPrefix(device, "/dev/") && path.Clean(device) == device
}
