package task

import (
	"fmt"
	"maps"
	"math"
	"slices"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// Bounds of the stock Docker executor (src/slave/constants.hpp, src/docker/docker.cpp).
const (
	minCPUShares    = 2
	cpuSharesPerCPU = 1024
	cfsPeriod       = 100_000 // microseconds
	minCFSQuota     = 1_000   // microseconds
	minMemoryMiB    = 32
	maxCPUShares    = 1 << 18 // the kernel's (kernel/sched/sched.h, MAX_SHARES); runc fails above it
	maxCPUs         = 1 << 16 // more is a mistake
	maxMemoryMiB    = 1 << 30 // 1 PiB; more is a mistake
	bytesPerMiB     = 1 << 20
	scalarsPerUnit  = 1000 // Mesos keeps scalars to three decimals (docs/attributes-resources.md)
)

// resources turns cpus and mem into cgroup settings. Several resources of one name (reserved and unreserved, say) add
// up. What is missing counts as nothing and gets the minimum: a task must not gain by leaving a resource out. Disk, ports
// and resources of other names have no effect on the container.
func (t *translation) resources() {
	for i, r := range t.task.Resources {
		field := fmt.Sprintf("resources[%d]", i)
		if r.GetDisk() != nil {
			t.unsupported(field+".disk", "persistent volumes and disk sources cannot be mounted yet; request plain `disk`")
		}
		if r.Name == "gpus" && r.GetScalar().GetValue() != 0 {
			t.unsupported(field, "remove `gpus`; a container gets no devices")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.task.Limits)) {
		t.unsupported("limits."+security.Printable(name), "remove `limits`; the requested resources are the limits")
	}

	cpus, hasCPUs := t.scalar("cpus", maxCPUs)
	mem, hasMem := t.scalar("mem", maxMemoryMiB)
	if !hasCPUs {
		t.note("no cpus resource: %d CPU shares", minCPUShares)
	}
	if !hasMem {
		t.note("no mem resource: memory limited to %d MiB", minMemoryMiB)
	}
	host := &t.spec.Host
	host.CPUShares = min(max(cpus*cpuSharesPerCPU/scalarsPerUnit, minCPUShares), maxCPUShares)
	if t.in.EnforceCFS {
		host.CPUPeriod = cfsPeriod
		host.CPUQuota = max(cpus*cfsPeriod/scalarsPerUnit, minCFSQuota)
	}
	// Whole MiB, as in the stock executor.
	host.Memory = max(mem/scalarsPerUnit, minMemoryMiB) * bytesPerMiB
	t.origin("Host.CPUShares", "resources `cpus`")
	t.origin("Host.CPUQuota", "resources `cpus`")
	t.origin("Host.Memory", "resources `mem`")
}

// scalar returns the sum of a resource in thousandths, and whether there is one.
func (t *translation) scalar(name string, limit int64) (thousandths int64, found bool) {
	for i, r := range t.task.Resources {
		if r.Name != name {
			continue
		}
		found = true
		field := fmt.Sprintf("resources[%d]", i)
		if r.GetType() != mesos.SCALAR || r.Scalar == nil {
			t.invalid(field, r.GetType().String(), "Resource %s must be a SCALAR with a value.", quote(name))
			continue
		}
		value := r.Scalar.Value
		if math.IsNaN(value) || value < 0 || value > float64(limit) {
			t.invalid(field, fmt.Sprint(value), "Resource %s of %v is out of range; write a number from 0 to %d.", quote(name), value, limit)
			continue
		}
		thousandths = min(thousandths+int64(math.Round(value*scalarsPerUnit)), limit*scalarsPerUnit)
	}
	return thousandths, found
}

// role returns the one role that all resources are allocated to. The agent fills it in; a mixture is no task of one
// framework role, and nothing could be decided by it.
func (t *translation) role() string {
	type located struct {
		field string
		mesos.Resource
	}
	var all []located
	for i, r := range t.task.Resources {
		all = append(all, located{fmt.Sprintf("resources[%d]", i), r})
	}
	if t.task.Executor != nil {
		for i, r := range t.task.Executor.Resources {
			all = append(all, located{fmt.Sprintf("executor.resources[%d]", i), r})
		}
	}
	if len(all) == 0 {
		t.invalid("resources", "", "The task has no resources; request at least `cpus` and `mem`.")
		return ""
	}
	role := all[0].GetAllocationInfo().GetRole()
	for _, r := range all[1:] {
		if other := r.GetAllocationInfo().GetRole(); other != role {
			t.invalid(r.field+".allocation_info.role", other, "Role %s differs from role %s of the first resource; all resources of a task have one role.", quote(other), quote(role))
			return ""
		}
	}
	return role
}

// offersPort reports whether a host port is among the task's `ports` resources, whatever their reservation.
func (t *translation) offersPort(port uint32) bool {
	for _, r := range t.task.Resources {
		if r.Name != "ports" {
			continue
		}
		for _, span := range r.GetRanges().GetRange() {
			if span.Begin <= uint64(port) && uint64(port) <= span.End {
				return true
			}
		}
	}
	return false
}
