package security

import "fmt"

// memory lets a limit through, and insists on one unless the policy does not: without a limit a task could take the host's
// memory.
func (r *review) memory() {
	host := &r.left.Host
	memory, reservation := take(&host.Memory), take(&host.MemoryReservation)
	switch {
	case memory < 0 || memory == 0 && reservation <= 0:
		r.reject("Host.Memory", fmt.Sprint(memory), "memory", "The container has no memory limit; give the task a `mem` resource.")
	case memory == 0 && !r.rules.UnlimitedMemory && r.deny("Host.Memory", "0", "memory",
		"The container would have no memory limit, only %s reserved (an infinite `mem` among the task's limits); "+
			"set a finite one, or leave it out: the requested `mem` is the limit then.", Bytes(reservation)):
	case memory == 0:
		r.allow("Host.Memory", "unlimited", "memory")
	}
	if reservation < 0 || memory > 0 && reservation > memory {
		r.reject("Host.MemoryReservation", fmt.Sprint(reservation), "memory.reservation",
			"A memory reservation of %s is refused: it must not be above the limit of %s; request less `mem`.", Bytes(reservation), Bytes(memory))
	}
	r.out.Host.Memory, r.out.Host.MemoryReservation = memory, reservation
	r.swap(memory)

	r.oomScore(take(&host.OomScoreAdj))
	if disabled := take(&host.OomKillDisable); disabled != nil && *disabled {
		r.reject("Host.OomKillDisable", "true", "memory.oom_kill_disable",
			"Switching the OOM killer off is refused, and no policy can allow it: a container without memory would hang for ever; remove it.")
	}
}

func (r *review) oomScore(score int) {
	const refused = "An OOM score adjustment of %d is refused: below %d the host's own processes would be killed first; write %d to 1000."
	lowest := r.rules.OOMScoreAdj
	switch {
	case score < -1000 || score > 1000: // the kernel's range
		r.reject("Host.OomScoreAdj", fmt.Sprint(score), "memory.oom_score_adj", refused, score, lowest, lowest)
	case score < lowest && r.deny("Host.OomScoreAdj", fmt.Sprint(score), "memory.oom_score_adj", refused, score, lowest, lowest):
	case score != 0:
		r.allow("Host.OomScoreAdj", fmt.Sprint(score), "memory.oom_score_adj")
	}
	r.out.Host.OomScoreAdj = score
}

// swap forces the policy's swap limit. A task cannot choose its own, but for the memory limit itself, which is no swap.
func (r *review) swap(memory int64) {
	asked := take(&r.left.Host.MemorySwap)
	switch {
	case asked != 0 && asked != memory:
		r.reject("Host.MemorySwap", fmt.Sprint(asked), "memory_swap",
			"A limit of %s for memory and swap is refused: the policy decides on swap; request more `mem` instead.", swapSize(asked))
	case asked == 0 && memory != 0 && r.rules.NoSwap:
		// Docker's default is as much swap as memory, so a task would get twice what it was promised. Where the kernel does
		// not count swap, Docker warns and limits the memory alone. Without a memory limit there is none on swap either.
		r.found(Force, "Host.MemorySwap", "no swap", "memory_swap", "Memory and swap together are limited to the memory limit.")
		if r.acts() {
			asked = memory
		}
	}
	r.out.Host.MemorySwap = asked
}

func swapSize(limit int64) string {
	if limit == -1 { // Docker's word for any amount
		return "any size"
	}
	return Bytes(limit)
}

// shm bounds /dev/shm by the policy and by the memory limit, towards which its pages count. A size of 0 leaves it to the
// engine, whose default is 64 MiB.
func (r *review) shm() {
	const field, rule = "Host.ShmSize", "shm_size"
	asked, memory := take(&r.left.Host.ShmSize), r.out.Host.Memory
	most, bound := r.rules.ShmSize, "the policy's maximum"
	limited := memory > 0 && asked > memory
	byMemory := limited && memory < most
	if byMemory {
		most, bound = memory, "the memory limit"
	}
	switch {
	case asked < 0:
		r.reject(field, fmt.Sprint(asked), rule, "A /dev/shm of %d bytes is refused; write a size above 0.", asked)
		asked = 0
	case asked > most:
		now := Bytes(most)
		if most == 0 {
			now = "the engine's default"
		}
		r.lowered(field, "shm size "+Bytes(asked), now, rule, "A /dev/shm of %s is above %s; it is lowered to %s.", Bytes(asked), bound, now)
		switch {
		case byMemory:
			r.fixed()
			asked = memory
		case r.acts():
			asked = most
		case limited: // which is left when the policy's maximum does not count
			now := Bytes(memory)
			r.lowered(field, "shm size "+Bytes(asked), now, rule, "A /dev/shm of %s is above the memory limit; it is lowered to %s.", Bytes(asked), now)
			r.fixed()
			asked = memory
		}
	case asked > 0:
		r.allow(field, fmt.Sprint(asked), rule)
	}
	r.out.Host.ShmSize = asked
}
