package security

import (
	"fmt"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-units"
)

// resources lets limits through that bound the container, and insists on a memory limit: without one a task could take
// the host's memory. All other cgroup settings of a task are not taken, so [review.unknown] rejects any.
func (r *review) resources() {
	host := &r.left.Host
	memory, shares := take(&host.Memory), take(&host.CPUShares)
	period, quota := take(&host.CPUPeriod), take(&host.CPUQuota)

	if memory <= 0 {
		r.reject("Host.Memory", fmt.Sprint(memory), "memory", "The container has no memory limit; give the task a `mem` resource.")
	}
	// 2 to 262144 is the kernel's range for cpu.shares (kernel/sched/sched.h, MIN_SHARES and MAX_SHARES).
	if shares < 2 || shares > 1<<18 {
		r.reject("Host.CPUShares", fmt.Sprint(shares), "cpu", "CPU shares of %d are outside 2 to 262144; change the task's `cpus` resource.", shares)
	}
	// 1 ms to 1 s and at least 1 ms are the kernel's bounds for the CFS bandwidth controller, in microseconds.
	if (period != 0 || quota != 0) && (period < 1000 || period > 1_000_000 || quota < 1000) {
		r.reject("Host.CPUQuota", fmt.Sprintf("%d/%d", quota, period), "cpu", "A CPU quota of %d us in a period of %d us is out of range; change the task's `cpus` resource.", quota, period)
	}
	r.out.Host.Memory, r.out.Host.CPUShares = memory, shares
	r.out.Host.CPUPeriod, r.out.Host.CPUQuota = period, quota

	if r.rules.NoSwap {
		// Docker's default is as much swap as memory, so a task would get twice what it was promised. Where the kernel does
		// not count swap, Docker warns and limits the memory alone.
		r.out.Host.MemorySwap = memory
		r.found(Force, "Host.MemorySwap", "no swap", "memory_swap", "Memory and swap together are limited to the memory limit.")
	}

	pids := r.rules.PidsLimit
	r.out.Host.PidsLimit = &pids
	r.found(Force, "Host.PidsLimit", fmt.Sprintf("pids limit %d", pids), "pids_limit",
		"The container may hold at most %d processes and threads.", pids)
}

// ulimits lowers what is above the policy's maxima, and sends what the policy forces. For every other name that a task
// does not give, the engine's own limits hold, not the maxima: naming a hard limit above the engine's would keep the
// container from starting on a host whose engine lacks CAP_SYS_RESOURCE (setrlimit(2)).
func (r *review) ulimits() {
	seen := map[string]bool{}
	for _, u := range take(&r.left.Host.Ulimits) {
		if u == nil {
			r.reject("Host.Ulimits", "", "ulimits", "An empty ulimit is refused; write name=soft:hard.")
			continue
		}
		field := "Host.Ulimits[" + u.Name + "]"
		maximum, known := r.rules.Ulimits[u.Name]
		switch {
		case !known:
			r.reject(field, u.String(), "ulimits", "Ulimit %q is refused: the policy has no maximum for it; remove it.", Shorten(u.Name))
			continue
		case seen[u.Name]:
			r.reject(field, u.String(), "ulimits", "Ulimit %q is given twice; give it once.", u.Name)
			continue
		case u.Soft < -1 || u.Hard < -1 || exceeds(u.Soft, u.Hard):
			r.reject(field, u.String(), "ulimits", "Ulimit %s is refused; write name=soft:hard, soft not above hard, -1 for unlimited.", u)
			continue
		}
		seen[u.Name] = true
		limited := &container.Ulimit{Name: u.Name, Soft: lower(u.Soft, maximum), Hard: lower(u.Hard, maximum)}
		if *limited == *u {
			r.allow(field, u.String(), "ulimits")
		} else {
			r.found(Trim, field, ulimitNote(u), "ulimits",
				"Ulimit %s is above the policy's maximum; the container runs with %s.", u, limited)
		}
		r.out.Host.Ulimits = append(r.out.Host.Ulimits, limited)
	}
	for _, name := range r.rules.ZeroUlimits {
		if !seen[name] {
			r.out.Host.Ulimits = append(r.out.Host.Ulimits, &container.Ulimit{Name: name})
			r.found(Force, "Host.Ulimits["+name+"]", "ulimit "+name+"=0:0", "ulimits", "Ulimit %s is 0.", name)
		}
	}
}

func ulimitNote(u *units.Ulimit) string { return "ulimit " + u.String() }

// exceeds compares two limits of getrlimit(2), where -1 is unlimited.
func exceeds(limit, maximum int64) bool {
	return maximum != -1 && (limit == -1 || limit > maximum)
}

func lower(limit, maximum int64) int64 {
	if exceeds(limit, maximum) {
		return maximum
	}
	return limit
}

// lifecycle keeps the life of the container in the executor's hands: the daemon neither restarts, removes nor
// health-checks it. The log driver stays the daemon's default; one of a task is not taken.
func (r *review) lifecycle() {
	restart := take(&r.left.Host.RestartPolicy)
	if (restart.Name != "" && restart.Name != container.RestartPolicyDisabled) || restart.MaximumRetryCount != 0 {
		r.reject("Host.RestartPolicy", string(restart.Name), "restart",
			"Restart policy %q is refused: the framework restarts tasks, not the daemon; remove it.", Shorten(string(restart.Name)))
	}
	r.out.Host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyDisabled}

	// Docker runs a health check of the image unless it is told otherwise.
	r.out.Config.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
	r.found(Force, "Config.Healthcheck", "Docker health checks off", "health_checks",
		"Docker health checks, the image's included, are off.")

	enabled := r.rules.Init
	if asked := take(&r.left.Host.Init); asked != nil {
		enabled = *asked
		r.allow("Host.Init", fmt.Sprint(enabled), "init")
	} else {
		// Said explicitly because a daemon may be configured to add an init to every container.
		r.found(Force, "Host.Init", map[bool]string{true: "init on", false: "init off"}[enabled], "init",
			"The task says nothing about an init process, so the policy's default holds.")
	}
	r.out.Host.Init = &enabled
}
