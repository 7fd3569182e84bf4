package task

import (
	"fmt"
	"math"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
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
	likelyMemory    = 1 << 40 // bytes; a task on a host that is not known hardly asks for more
	scalarsPerUnit  = 1000    // Mesos keeps scalars to three decimals (docs/attributes-resources.md)
)

// resources turns cpus and mem, and the limits above them, into cgroup settings as the stock executor does
// (src/docker/docker.cpp, RunOptions::create). Several resources of one name (reserved and unreserved, say) add up. What
// is missing counts as nothing and gets the minimum: a task must not gain by leaving a resource out. Plain disk, ports
// and resources of other names have no effect on the container.
func (t *translation) resources() {
	for i, r := range t.task.Resources {
		if r.Name == "gpus" && (r.GetType() != mesos.SCALAR || r.GetScalar().GetValue() != 0) {
			t.unsupported(fmt.Sprintf("resources[%d]", i), "remove `gpus`; a container gets no devices")
		}
	}
	cpus, hasCPUs := t.scalar("cpus", maxCPUs)
	mem, hasMem := t.scalar("mem", maxMemoryMiB)
	if !hasCPUs {
		t.note("no cpus resource: %d CPU shares", minCPUShares)
	}
	if !hasMem {
		t.note("no mem resource: memory limited to %d MiB", minMemoryMiB)
	}
	if hasMem {
		t.oddMemory(mem)
	}
	limits := t.limits(amount{cpus, mem})
	t.cpu(cpus, limits.cpus)
	t.memory(mem, limits.mem)
}

// oddMemory notes what is allowed and seldom meant: bytes or KiB where MiB belong, and less than a container gets at least.
func (t *translation) oddMemory(request int64) {
	mib := float64(request) / scalarsPerUnit
	most, what := t.in.HostMemory, "the host's memory"
	if most <= 0 {
		most, what = likelyMemory, "most hosts have" // the host's is not known here
	}
	switch {
	case mib < minMemoryMiB:
		t.note("mem of %v MiB is below the minimum: %d MiB hold", mib, minMemoryMiB)
	case mib*bytesPerMiB > float64(most):
		t.note("mem of %.0f is more than %s (mem is in MiB)", mib, what)
	}
}

// cpu: the request is the share of a busy host, the limit the share of an idle one.
func (t *translation) cpu(request int64, limit *limit) {
	host := &t.spec.Host
	host.CPUShares = min(max(request*cpuSharesPerCPU/scalarsPerUnit, minCPUShares), maxCPUShares)
	t.origin("Host.CPUShares", "resources `cpus`")
	quota := func(cpus int64, origin string) {
		host.CPUPeriod = cfsPeriod
		host.CPUQuota = max(cpus*cfsPeriod/scalarsPerUnit, minCFSQuota)
		t.origin("Host.CPUPeriod", origin)
		t.origin("Host.CPUQuota", origin)
	}
	switch {
	case limit == nil && t.in.EnforceCFS:
		quota(request, "resources `cpus`")
	case limit != nil && !limit.infinite:
		quota(limit.thousandths, "limits.cpus")
	}
}

// memory: whole MiB, as in the stock executor. With a limit, the request is what the kernel leaves to the container when
// the host runs short.
func (t *translation) memory(request int64, limit *limit) {
	host := &t.spec.Host
	reserved := max(request/scalarsPerUnit, minMemoryMiB) * bytesPerMiB
	if limit == nil {
		host.Memory = reserved
		t.origin("Host.Memory", "resources `mem`")
		return
	}
	host.MemoryReservation = reserved
	t.origin("Host.MemoryReservation", "resources `mem`")
	t.origin("Host.Memory", "limits.mem")
	if !limit.infinite {
		host.Memory = max(limit.thousandths/scalarsPerUnit, minMemoryMiB) * bytesPerMiB
	}
	if limit.infinite || limit.thousandths > request {
		t.oomScore(reserved)
	}
}

// oomScore makes a container that may use more than it asked for a better victim than one that may not: the smaller its
// request, the sooner. Its range is 0 to 1000 (proc_pid_oom_score_adj(5)).
func (t *translation) oomScore(request int64) {
	if t.in.HostMemory <= 0 {
		t.note("oom_score_adj not computed: the host's memory is not known here")
		return
	}
	t.spec.Host.OomScoreAdj = 1000 - int(min(1000*float64(request)/float64(t.in.HostMemory), 1000))
	t.origin("Host.OomScoreAdj", "limits.mem")
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
		thousandths = min(thousandths+inThousandths(value), limit*scalarsPerUnit)
	}
	return thousandths, found
}

func inThousandths(value float64) int64 { return int64(math.Round(value * scalarsPerUnit)) }

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

// offeredPorts names the first of the task's `ports` for a message.
func (t *translation) offeredPorts() string {
	const shown = 5
	var spans []string
	more := 0
	for _, r := range t.task.Resources {
		if r.Name != "ports" {
			continue
		}
		for _, span := range r.GetRanges().GetRange() {
			switch {
			case len(spans) == shown:
				more++
			case span.Begin == span.End:
				spans = append(spans, fmt.Sprint(span.Begin))
			default:
				spans = append(spans, fmt.Sprintf("%d-%d", span.Begin, span.End))
			}
		}
	}
	if len(spans) == 0 {
		return "it has none"
	}
	if more > 0 {
		spans = append(spans, fmt.Sprintf("%d more", more))
	}
	return strings.Join(spans, ", ")
}
