package localagent

import "time"

// faults are the ways in which the endpoint misbehaves at present. Guarded by
// Agent.mu.
type faults struct {
	refusals         int       // further calls to answer 503
	unavailableUntil time.Time // 503 until then
	missing          int       // further calls to answer 404
	acceptDelay      time.Duration
	withholdAcks     bool
}

// unavailable counts down the 503s.
func (f *faults) unavailable() bool {
	if f.refusals > 0 {
		f.refusals--
		return true
	}
	return time.Now().Before(f.unavailableUntil)
}

// notFound counts down the 404s.
func (f *faults) notFound() bool {
	if f.missing > 0 {
		f.missing--
		return true
	}
	return false
}

// Unavailable answers the next n calls 503.
func (a *Agent) Unavailable(n int) { a.fault(func(f *faults) { f.refusals = n }) }

// UnavailableFor answers every call 503 for d.
func (a *Agent) UnavailableFor(d time.Duration) {
	a.fault(func(f *faults) { f.unavailableUntil = time.Now().Add(d) })
}

// NotFound answers the next n calls 404, as an agent does whose routes are not
// set up yet.
func (a *Agent) NotFound(n int) { a.fault(func(f *faults) { f.missing = n }) }

// DelayAccepted answers each UPDATE only d after it was taken, so that its
// ACKNOWLEDGED comes first.
func (a *Agent) DelayAccepted(d time.Duration) { a.fault(func(f *faults) { f.acceptDelay = d }) }

// WithholdAcks stops acknowledging, or resumes. Updates that were withheld are
// acknowledged when they are sent again.
func (a *Agent) WithholdAcks(withhold bool) { a.fault(func(f *faults) { f.withholdAcks = withhold }) }

func (a *Agent) fault(set func(*faults)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	set(&a.faults)
}

// CutStream breaks the subscription's connection at once. The agent does not
// notice, as a real one doesn't: events are queued and lost with it.
func (a *Agent) CutStream() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stream == nil {
		return
	}
	a.stream.conn.Close()
	a.record(Entry{Kind: Note, Name: "cut", Text: "subscription broken"})
	a.dropStream()
}

// CutMidFrame breaks the subscription in the middle of the next event.
func (a *Agent) CutMidFrame() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stream != nil {
		a.stream.cutNext = true
		a.record(Entry{Kind: Note, Name: "cut", Text: "subscription breaks within the next event"})
	}
}
