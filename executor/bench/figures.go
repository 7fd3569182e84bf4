//go:build linux

package main

// goal is what a figure is measured against.
type goal struct {
	name    string
	unit    string
	limit   float64
	atLeast bool   // the limit is the least that is wanted, not the most
	stock   string // what the stock executor needs, where it was measured; not measured by the bench
	// heldBy says what the figure consists of, as profiles showed it; printed when it is short. It has to be true of any value:
	// numbers in it are typical ones.
	heldBy string
}

// goals are all figures, in the order of the documentation (docs/bench.md).
var goals = [...]goal{
	{name: "launch", unit: "x plain", limit: 1.10, stock: "2.2",
		heldBy: "the engine's probe, image inspect, attach, wait and inspect around create and start, typically 15 ms; the rest is other load"},
	{name: "burst", unit: "x plain", limit: 1.25,
		heldBy: "the CPU time of the executors themselves, which the engine lacks on a machine with few cores"},
	{name: "launch_cpu", unit: "ms", limit: 40,
		heldBy: "two program starts of typically 5 ms each, the tables of protobuf and JSON types, the cgroups of all hierarchies, and a forced garbage collection once the task runs"},
	{name: "start", unit: "ms", limit: 15,
		heldBy: "two program starts, typically 5 ms each on a quiet machine (the second with a clean environment); other load counts directly"},
	{name: "exit", unit: "ms", limit: 10,
		heldBy: "dockerd, which ends the output only after `runc delete`; the update waits for the end of the output (log_drain)"},
	{name: "kill", unit: "x plain", limit: 1.0},
	{name: "idle_rss", unit: "MB", limit: 18, stock: "59, and 25 of a docker run",
		heldBy: "the binary's own pages, which all executors share (typically 13 MB), and what idle_anon has"},
	{name: "idle_anon", unit: "MB", limit: 4, stock: "4.4, and 5.2 of a docker run",
		heldBy: "heap and stacks (typically 2.4 MB, of which 1.1 MB live data) and the Go runtime itself (typically 1 MB)"},
	{name: "idle_pss", unit: "MB", limit: 5, stock: "12", heldBy: "what idle_anon has"},
	{name: "idle_cpu", unit: "% of a core", limit: 0.1, stock: "5"},
	{name: "idle_switches", unit: "1/min", limit: 10},
	{name: "life_calls", unit: "calls", limit: 12},
	{name: "idle_calls", unit: "calls/min", limit: 0},
	{name: "logs", unit: "x docker run", limit: 0.9, atLeast: true,
		heldBy: "dockerd takes most of the time on both sides; a short figure is other load"},
	{name: "frozen_gone", unit: "ms", limit: 1000,
		heldBy: "a kill that waits for the engine's answer or its limit before the kernel is asked, or other load"},
	{name: "frozen_killed", unit: "ms", limit: 2000,
		heldBy: "what frozen_gone has, and an update that waits for the end of the output (log_drain) although dockerd is stopped"},
	{name: "frozen_exit", unit: "ms", limit: 200,
		heldBy: "an update that waits for the end of the output (log_drain), or for a status from the engine, although dockerd is stopped"},
	{name: "review", unit: "ms", limit: 1,
		heldBy: "other load, or a policy with many rules: typically 0.1 ms, half of it the walk over all fields that nobody may overlook"},
	{name: "review_allocs", unit: "allocations", limit: 300,
		heldBy: "findings (a text each), the deep copy of the task's wishes, and lists that are sorted so that two reviews say the same"},
	{name: "size", unit: "MB", limit: 20, heldBy: "mesos-go's messages (typically 3 MB), the Go runtime, net/http and crypto/tls"},
	{name: "gc_launch", unit: "x without", limit: 1.2,
		heldBy: "the removals of images, which take the engine and a core 50 to 150 ms each; gc.pause (here 100 ms) is the time between two"},
	{name: "class", unit: "ms", limit: 2,
		heldBy: "the folders of all hierarchies, one system call each; other load counts directly"},
	{name: "registry_load", unit: "ms", limit: 50,
		heldBy: "the lines of apps, read one by one (typically 13 ms), or all of the file in the YAML parser, which makes a node of each (typically 68 ms); other load counts directly"},
	{name: "registry_start", unit: "x without", limit: 1.10,
		heldBy: "a load of the class file that begins before SUBSCRIBE has been written, or other load"},
	{name: "registry_launch", unit: "x without", limit: 1.10,
		heldBy: "the load of the class file (typically 12 ms of CPU time), which begins when SUBSCRIBE has been written and which the decision over the task waits for, and the class of the leaf"},
	{name: "registry_rss", unit: "MB more", limit: 1,
		heldBy: "what Go's runtime keeps of a heap that was larger once (typically 0.6 MB; the heap itself is given back), and the code that loads the file"},
}

func goalOf(name string) goal {
	for _, g := range goals {
		if g.name == name {
			return g
		}
	}
	return goal{name: name}
}

// reached reports whether a value is as good as the goal.
func (g goal) reached(value float64) bool {
	if g.atLeast {
		return value >= g.limit
	}
	return value <= g.limit
}
