package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A call that took this long has a line of its own.
const slow = time.Second

// outcomeDone is that of a call that the engine carried out.
const outcomeDone = "done"

// item is a line of the timeline. Its time is zero if it has none.
type item struct {
	at   time.Time
	ends time.Time // of a call: when it was answered, or given up
	kind string
	mark string // "!" or "!!"
	s    style
	text string
}

// timeline prints events and calls in the order of their times. Quick calls that went well share a line, and a time in which
// nothing happened has one.
func (r Report) timeline(p *page) {
	items := r.items()
	if len(items) == 0 {
		return
	}
	p.title("timeline")
	origin := r.origin(items)
	last, wide := origin, 0
	for _, i := range items {
		last = latest(last, i.at, i.ends)
		wide = max(wide, len(offset(i.at, origin)))
	}
	noteworthy := gapOf(last.Sub(origin))

	quietSince := origin
	for _, i := range items {
		if gap := i.at.Sub(quietSince); !i.at.IsZero() && gap >= noteworthy {
			p.row(strings.Repeat(" ", wide+6), dim, "... "+span(gap)+" ...")
		}
		quietSince = latest(quietSince, i.at, i.ends)
		p.row(fmt.Sprintf("  %*s %-2s %s ", wide, offset(i.at, origin), i.mark, column(i.kind, 7)), i.s, i.text)
	}
	if summary := r.callSummary(); summary != "" {
		p.row("  ", dim, summary)
	}
}

// origin is the time that the others are shown relative to.
func (r Report) origin(items []item) time.Time {
	if !r.Began.IsZero() {
		return r.Began
	}
	for _, i := range items {
		if !i.at.IsZero() {
			return i.at
		}
	}
	return time.Time{}
}

// gapOf is the shortest silence worth a line in a life of this length.
func gapOf(life time.Duration) time.Duration {
	return min(max(life/20, time.Second), 10*time.Second)
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}

// offset is a time since the origin, from an hour on as on a clock.
func offset(at, origin time.Time) string {
	if at.IsZero() {
		return "?"
	}
	d := at.Sub(origin).Truncate(time.Millisecond)
	sign := "+"
	if d < 0 { // a clock was set back
		sign, d = "-", max(-d, 0)
	}
	if d < time.Hour {
		return fmt.Sprintf("%s%.3f s", sign, d.Seconds())
	}
	clock := fmt.Sprintf("%02d:%02d:%06.3f", d/time.Hour%24, d/time.Minute%60, (d % time.Minute).Seconds())
	if days := d / (24 * time.Hour); days > 0 {
		return fmt.Sprintf("%s%dd %s", sign, days, clock)
	}
	return sign + clock
}

// items merges events, in the file's order, with the calls between them.
func (r Report) items() []item {
	calls := slices.Clone(r.Calls)
	slices.SortStableFunc(calls, func(a, b Call) int { return a.At.Compare(b.At) })
	var items []item
	for n, e := range r.Events {
		before := 0
		for before < len(calls) && calls[before].At.Before(e.At) {
			before++
		}
		items = append(items, callItems(calls[:before])...)
		calls = calls[before:]
		if r.Dropped > 0 && n == len(r.Events)/4 {
			items = append(items, item{at: e.At, mark: "!", kind: "report", s: yellow, text: "events before this and not kept: " + strconv.Itoa(r.Dropped)})
		}
		items = append(items, e.item())
	}
	return append(items, callItems(calls)...)
}

func (e Event) item() item {
	i := item{at: e.At, kind: e.Kind, text: e.Text}
	switch e.Severity {
	case Error:
		i.mark, i.s = "!!", red
	case Warn:
		i.mark, i.s = "!", yellow
	}
	return i
}

// callItems makes lines of calls with no event between them.
func callItems(calls []Call) []item {
	var items []item
	for len(calls) > 0 {
		quick := 0
		for quick < len(calls) && calls[quick].wasQuick() && (quick == 0 || calls[quick].At.Sub(calls[quick-1].ends()) < slow) {
			quick++
		}
		if quick == 0 {
			items = append(items, calls[0].item())
			calls = calls[1:]
			continue
		}
		items = append(items, quickItem(calls[:quick]))
		calls = calls[quick:]
	}
	return items
}

func quickItem(calls []Call) item {
	i := item{at: calls[0].At, ends: calls[len(calls)-1].ends(), kind: "engine", s: dim}
	if len(calls) == 1 {
		i.text = fmt.Sprintf("%s: answered in %s", calls[0].Call, span(calls[0].took()))
		return i
	}
	i.text = count(len(calls), "call") + ", all answered, " + slowest(calls)
	return i
}

func slowest(calls []Call) string {
	most := slices.MaxFunc(calls, func(a, b Call) int { return cmp.Compare(a.took(), b.took()) })
	return fmt.Sprintf("slowest %s %s", most.Call, span(most.took()))
}

func (c Call) item() item {
	i := item{at: c.At, ends: c.ends(), kind: "engine", mark: "!", s: yellow}
	took := span(c.took())
	switch {
	case c.Running:
		i.text = fmt.Sprintf("%s: not answered yet after %s", c.Call, took)
	case c.Outcome == outcomeDone:
		i.text = fmt.Sprintf("%s: answered, but only after %s", c.Call, took)
	default:
		i.text = fmt.Sprintf("%s: %s after %s", c.Call, c.Outcome, took)
		if c.Outcome != "refused" {
			i.mark, i.s = "!!", red
		}
	}
	if c.Error != "" {
		i.text += ": " + strings.TrimPrefix(c.Error, "docker "+c.Call+": ")
	}
	return i
}

func (c Call) wasQuick() bool { return c.Outcome == outcomeDone && !c.Running && c.took() < slow }

// took is within what a duration can be.
func (c Call) took() time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(c.TookMS, 0), most)) * time.Millisecond
}

func (c Call) ends() time.Time { return c.At.Add(c.took()) }

// callSummary counts all of them.
func (r Report) callSummary() string {
	if len(r.Calls) == 0 {
		return ""
	}
	answered, refused, unknown, running := 0, 0, 0, 0
	for _, c := range r.Calls {
		switch {
		case c.Running:
			running++
		case c.Outcome == outcomeDone:
			answered++
		case c.Outcome == "refused":
			refused++
		default:
			unknown++
		}
	}
	parts := []string{count(answered, "call") + " to the engine answered"}
	for _, other := range []struct {
		n    int
		what string
	}{{refused, "refused"}, {unknown, "of unknown effect"}, {running, "not over"}, {r.CallsDropped, "not kept"}} {
		if other.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", other.n, other.what))
		}
	}
	return joined(append(parts, slowest(r.Calls))...)
}
