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
	case memory == 0 && !r.rules.UnlimitedMemory:
		r.reject("Host.Memory", "0", "memory",
			"The container would have no memory limit, only %s reserved (an infinite `mem` among the task's limits); "+
				"set a finite one, or leave it out: the requested `mem` is the limit then.", Bytes(reservation))
	case memory == 0:
		r.allow("Host.Memory", "unlimited", "memory")
	}
	if reservation < 0 || memory > 0 && reservation > memory {
		r.reject("Host.MemoryReservation", fmt.Sprint(reservation), "memory.reservation",
			"A memory reservation of %s is refused: it must not be above the limit of %s; request less `mem`.", Bytes(reservation), Bytes(memory))
	}
	r.out.Host.Memory, r.out.Host.MemoryReservation = memory, reservation
	r.swap(memory)

	score := take(&host.OomScoreAdj)
	if score < r.rules.OOMScoreAdj || score > 1000 {
		r.reject("Host.OomScoreAdj", fmt.Sprint(score), "memory.oom_score_adj",
			"An OOM score adjustment of %d is refused: below %d the host's own processes would be killed first; write %d to 1000.",
			score, r.rules.OOMScoreAdj, r.rules.OOMScoreAdj)
	} else if score != 0 {
		r.allow("Host.OomScoreAdj", fmt.Sprint(score), "memory.oom_score_adj")
	}
	r.out.Host.OomScoreAdj = score
	if disabled := take(&host.OomKillDisable); disabled != nil && *disabled {
		r.reject("Host.OomKillDisable", "true", "memory.oom_kill_disable",
			"Switching the OOM killer off is refused, and no policy can allow it: a container without memory would hang for ever; remove it.")
	}
}

// swap forces the policy's swap limit. A task cannot choose its own; the policy's is allowed, so that a reviewed Spec passes
// a second time.
func (r *review) swap(memory int64) {
	var limit int64
	if r.rules.NoSwap {
		// Docker's default is as much swap as memory, so a task would get twice what it was promised. Where the kernel does
		// not count swap, Docker warns and limits the memory alone. Without a memory limit there is none on swap either.
		limit = memory
	}
	if asked := take(&r.left.Host.MemorySwap); asked != 0 && asked != limit {
		r.reject("Host.MemorySwap", fmt.Sprint(asked), "memory_swap",
			"A limit of %s for memory and swap is refused: the policy decides on swap; request more `mem` instead.", swapSize(asked))
	} else if limit != 0 && asked == 0 {
		r.found(Force, "Host.MemorySwap", "no swap", "memory_swap", "Memory and swap together are limited to the memory limit.")
	}
	r.out.Host.MemorySwap = limit
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
	asked, most := take(&r.left.Host.ShmSize), r.rules.ShmSize
	if memory := r.out.Host.Memory; memory > 0 {
		most = min(most, memory)
	}
	switch {
	case asked < 0:
		r.reject("Host.ShmSize", fmt.Sprint(asked), "shm_size", "A /dev/shm of %d bytes is refused; write a size above 0.", asked)
	case asked > most:
		now, bound := Bytes(most), "the policy's maximum"
		if most < r.rules.ShmSize {
			bound = "the memory limit"
		}
		if most == 0 {
			now = "the engine's default"
		}
		r.lowered("Host.ShmSize", "shm size "+Bytes(asked), now, "shm_size", "A /dev/shm of %s is above %s; it is lowered to %s.", Bytes(asked), bound, now)
	case asked > 0:
		r.allow("Host.ShmSize", fmt.Sprint(asked), "shm_size")
	}
	r.out.Host.ShmSize = min(max(asked, 0), most)
}
