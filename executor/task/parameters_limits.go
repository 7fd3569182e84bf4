package task

import (
	"math"
	"regexp"

	"mesos-docker-executor/security"
)

// limitFlags are limits that a task does not get by its resources.
func limitFlags() []flag {
	// The form of cpuset(7)'s list format that runc accepts.
	cpuList := regexp.MustCompile(`^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$`)
	set := unless("write a list like 0-3,7", func(v string) bool { return v == "" || cpuList.MatchString(v) })
	return []flag{
		{name: "cpu-rt-period", kind: single, set: setNumber("Host.CPURealtimePeriod", func(s *security.Spec) *int64 { return &s.Host.CPURealtimePeriod }, 0, math.MaxInt64, "write microseconds")},
		{name: "cpu-rt-runtime", kind: single, set: setNumber("Host.CPURealtimeRuntime", func(s *security.Spec) *int64 { return &s.Host.CPURealtimeRuntime }, 0, math.MaxInt64, "write microseconds")},
		{name: "cpuset-cpus", kind: single, set: setText("Host.CpusetCpus", func(s *security.Spec) *string { return &s.Host.CpusetCpus }, set)},
		{name: "cpuset-mems", kind: single, set: setText("Host.CpusetMems", func(s *security.Spec) *string { return &s.Host.CpusetMems }, set)},
		{name: "kernel-memory", kind: single, set: setBytes("Host.KernelMemory", func(s *security.Spec) *int64 { return &s.Host.KernelMemory })},
		{name: "memory-swap", kind: single, set: (*dockerRun).setMemorySwap},
		{name: "memory-swappiness", kind: single, set: (*dockerRun).setSwappiness},
		{name: "oom-kill-disable", kind: onOff, set: (*dockerRun).setOomKillDisable},
		{name: "oom-score-adj", kind: single, set: setNumber("Host.OomScoreAdj", func(s *security.Spec) *int { return &s.Host.OomScoreAdj }, -1000, 1000, "write a number from -1000 to 1000")},
		{name: "pids-limit", kind: single, set: (*dockerRun).setPidsLimit},
		{name: "shm-size", kind: single, set: setBytes("Host.ShmSize", func(s *security.Spec) *int64 { return &s.Host.ShmSize })},
	}
}

// setMemorySwap takes a size, or -1 for any amount of swap; 0 asks for nothing.
func (r *dockerRun) setMemorySwap(p parameter) {
	n := int64(-1)
	if p.value != "-1" {
		var ok bool
		if n, ok = r.size(p, p.value, byteRemedy+", or -1"); !ok {
			return
		}
	}
	settle(r, p, "Host.MemorySwap", &r.spec.Host.MemorySwap, n)
}

// setSwappiness takes 0 to 100; -1 asks for nothing.
func (r *dockerRun) setSwappiness(p parameter) {
	if n, ok := r.whole(p, -1, 100, "write a number from 0 to 100"); ok && n >= 0 {
		settlePointer(r, p, "Host.MemorySwappiness", &r.spec.Host.MemorySwappiness, n)
	}
}

func (r *dockerRun) setOomKillDisable(p parameter) {
	if on, ok := r.boolean(p); ok && on {
		settlePointer(r, p, "Host.OomKillDisable", &r.spec.Host.OomKillDisable, true)
	}
}

// setPidsLimit passes on 0 and -1 too, which both say that there is none.
func (r *dockerRun) setPidsLimit(p parameter) {
	if n, ok := r.whole(p, -1, math.MaxInt64, "write a number, -1 for no limit"); ok {
		settlePointer(r, p, "Host.PidsLimit", &r.spec.Host.PidsLimit, n)
	}
}
