package security

import (
	"fmt"

	"github.com/docker/docker/api/types/blkiodev"
)

// cpu lets shares and a quota through. A quota of -1 is none: shares still hold, so no other task loses by it.
func (r *review) cpu() {
	host := &r.left.Host
	shares, period, quota := take(&host.CPUShares), take(&host.CPUPeriod), take(&host.CPUQuota)

	// 2 to 262144 is the kernel's range for cpu.shares (kernel/sched/sched.h, MIN_SHARES and MAX_SHARES).
	if shares < 2 || shares > 1<<18 {
		r.reject("Host.CPUShares", fmt.Sprint(shares), "cpu", "CPU shares of %d are outside 2 to 262144; change the task's `cpus` resource.", shares)
	}
	// 1 ms to 1 s and at least 1 ms are the kernel's bounds for the CFS bandwidth controller, in microseconds.
	badPeriod := (period != 0 || quota > 0) && (period < 1000 || period > 1_000_000)
	badQuota := quota < -1 || quota >= 0 && quota < 1000 && (quota != 0 || period != 0)
	if badPeriod || badQuota {
		r.reject("Host.CPUQuota", fmt.Sprintf("%d/%d", quota, period), "cpu",
			"A CPU quota of %d us in a period of %d us is out of range; change the task's `cpus` resource.", quota, period)
	}
	r.out.Host.CPUShares, r.out.Host.CPUPeriod, r.out.Host.CPUQuota = shares, period, quota
}

// pids bounds processes and threads. A task may ask for fewer than the policy allows, and for no more.
func (r *review) pids() {
	limit := r.rules.PidsLimit
	if limit <= 0 {
		r.found(Reject, "Host.PidsLimit", fmt.Sprint(limit), "pids_limit",
			"The policy has no pids limit, without which a task could stop the host; the operator has to set one.")
	}
	asked := take(&r.left.Host.PidsLimit)
	switch {
	case asked == nil:
		// In audit mode too: it protects the host from every task, and this one asks for nothing else.
		r.found(Force, "Host.PidsLimit", fmt.Sprintf("pids limit %d", limit), "pids_limit",
			"The container may hold at most %d processes and threads.", limit)
	case *asked <= 0 || *asked > limit: // to Docker 0 and -1 are unlimited
		r.lowered("Host.PidsLimit", fmt.Sprintf("pids limit %d", *asked), fmt.Sprint(limit), "pids_limit",
			"A pids limit of %d is above the policy's; the container may hold at most %d processes and threads.", *asked, limit)
		if !r.acts() {
			limit = *asked
		}
	default:
		limit = *asked
		r.allow("Host.PidsLimit", fmt.Sprint(limit), "pids_limit")
	}
	r.out.Host.PidsLimit = &limit
}

// otherResources rejects what would move limits away from the task's resources, or past its neighbours.
func (r *review) otherResources() {
	host := &r.left.Host
	const cpus = "request `cpus` instead"
	refuse(r, "Host.NanoCPUs", &host.NanoCPUs, "cpu.nano_cpus", cpus)
	refuse(r, "Host.CPURealtimePeriod", &host.CPURealtimePeriod, "cpu.realtime", cpus)
	refuse(r, "Host.CPURealtimeRuntime", &host.CPURealtimeRuntime, "cpu.realtime", cpus)
	refuse(r, "Host.CpusetCpus", &host.CpusetCpus, "cpu.set", cpus)
	refuse(r, "Host.CpusetMems", &host.CpusetMems, "cpu.set", cpus)
	refuse(r, "Host.KernelMemory", &host.KernelMemory, "memory.kernel", "request `mem` instead")
	if swappiness := take(&host.MemorySwappiness); swappiness != nil {
		r.reject("Host.MemorySwappiness", fmt.Sprint(*swappiness), "memory.swappiness", refusedField,
			"Host.MemorySwappiness", "remove it, the policy decides on swap")
	}
	const io = "remove it, disks are shared by all tasks alike"
	refuse(r, "Host.BlkioWeight", &host.BlkioWeight, "blkio", io)
	for _, d := range take(&host.BlkioWeightDevice) {
		path := ""
		if d != nil {
			path = d.Path
		}
		r.reject("Host.BlkioWeightDevice["+path+"]", "", "blkio", refusedField, "Host.BlkioWeightDevice", io)
	}
	r.throttles("Host.BlkioDeviceReadBps", take(&host.BlkioDeviceReadBps), io)
	r.throttles("Host.BlkioDeviceWriteBps", take(&host.BlkioDeviceWriteBps), io)
	r.throttles("Host.BlkioDeviceReadIOps", take(&host.BlkioDeviceReadIOps), io)
	r.throttles("Host.BlkioDeviceWriteIOps", take(&host.BlkioDeviceWriteIOps), io)

	const windows = "remove it, it is for Windows"
	refuse(r, "Host.CPUCount", &host.CPUCount, "windows", windows)
	refuse(r, "Host.CPUPercent", &host.CPUPercent, "windows", windows)
	refuse(r, "Host.IOMaximumIOps", &host.IOMaximumIOps, "windows", windows)
	refuse(r, "Host.IOMaximumBandwidth", &host.IOMaximumBandwidth, "windows", windows)
}

func (r *review) throttles(field string, list []*blkiodev.ThrottleDevice, remedy string) {
	for _, d := range list {
		path := ""
		if d != nil {
			path = d.Path
		}
		r.reject(field+"["+path+"]", "", "blkio", refusedField, field, remedy)
	}
}

const refusedField = "%s is not a task's to set, and no policy can allow it; %s."

// refuse rejects a plain value that is set, which no policy can allow.
func refuse[T comparable](r *review, field string, value *T, rule, remedy string) {
	var unset T
	if v := take(value); v != unset {
		r.reject(field, fmt.Sprint(v), rule, refusedField, field, remedy)
	}
}
