//go:build linux

package main

// goal is what a figure is measured against.
type goal struct {
	name    string
	unit    string
	limit   float64
	atLeast bool   // the limit is the least that is wanted, not the most
	stock   string // what the stock executor needs, where it was measured; not measured by the bench
	// heldBy says what the rest above the goal consists of, as profiles showed it; printed with a short figure only.
	heldBy string
}

// goals are all figures, in the order of the documentation (docs/bench.md).
var goals = [...]goal{
	{name: "launch", unit: "x plain", limit: 1.10, stock: "2.2"},
	{name: "burst", unit: "x plain", limit: 1.25},
	{name: "launch_cpu", unit: "ms", limit: 40},
	{name: "start", unit: "ms", limit: 15},
	{name: "exit", unit: "ms", limit: 10},
	{name: "kill", unit: "x plain", limit: 1.0},
	{name: "idle_rss", unit: "MB", limit: 18, stock: "59, and 25 of a docker run"},
	{name: "idle_anon", unit: "MB", limit: 4, stock: "4.4, and 5.2 of a docker run"},
	{name: "idle_pss", unit: "MB", limit: 5, stock: "12"},
	{name: "idle_cpu", unit: "% of a core", limit: 0.1, stock: "5"},
	{name: "idle_switches", unit: "1/min", limit: 10},
	{name: "life_calls", unit: "calls", limit: 12},
	{name: "idle_calls", unit: "calls/min", limit: 0},
	{name: "logs", unit: "x docker run", limit: 0.9, atLeast: true},
	{name: "size", unit: "MB", limit: 20},
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
