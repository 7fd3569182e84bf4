package engine

import (
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	keptCalls    = 64  // finished calls that the history shows one by one
	maxCallError = 400 // bytes of an error's text that it keeps
)

// CallRecord is one guarded call, as a report shows it.
type CallRecord struct {
	Call    string        // as in [CallError.Call]
	Began   time.Time     // with the monotonic clock
	Took    time.Duration // until its end; until now while Running. A stream's is that until it was open
	Running bool          // there is no answer yet, and Outcome is Unknown
	Outcome Outcome
	Error   string // shortened, in one line, without secrets; "" for Done and while Running
}

// CallSummary is what remains of all calls of one name.
type CallSummary struct {
	Call     string
	Count    int           // that have ended
	Failures int           // of these: Refused or Unknown
	Running  int           // that have not ended
	Longest  time.Duration // of those that have ended
}

// History returns the last 64 calls that have ended, the oldest first, and behind them all that have not. Each try of a pull and each
// look of a removal is a call of its own; inspects that share an answer are one.
func (e *Engine) History() []CallRecord { return e.history.records(time.Now()) }

// Summary returns the figures of all calls so far, by name.
func (e *Engine) Summary() []CallSummary { return e.history.summary() }

// history is the account of an engine's calls. It keeps nothing but strings and figures: no error, and so no answer.
type history struct {
	mu      sync.Mutex // guards all below
	ended   []CallRecord
	oldest  int // in ended, once that is full
	running []*CallRecord
	figures []CallSummary // a dozen names at most
}

// begin notes a call whose end the caller reports to end.
func (h *history) begin(name string, now time.Time) *CallRecord {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &CallRecord{Call: name, Began: now, Running: true, Outcome: Unknown}
	h.running = append(h.running, r)
	h.figuresOf(name).Running++
	return r
}

func (h *history) end(r *CallRecord, now time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = slices.DeleteFunc(h.running, func(one *CallRecord) bool { return one == r })
	r.Running, r.Took, r.Outcome = false, now.Sub(r.Began), OutcomeOf(err)
	f := h.figuresOf(r.Call)
	f.Running--
	f.Count++
	f.Longest = max(f.Longest, r.Took)
	if err != nil {
		f.Failures++
		r.Error = brief(err)
	}
	if len(h.ended) < keptCalls {
		h.ended = append(h.ended, *r)
		return
	}
	h.ended[h.oldest] = *r
	h.oldest = (h.oldest + 1) % keptCalls
}

// figuresOf returns the figures of that name; valid until the next call.
func (h *history) figuresOf(name string) *CallSummary {
	at := slices.IndexFunc(h.figures, func(f CallSummary) bool { return f.Call == name })
	if at < 0 {
		at = len(h.figures)
		h.figures = append(h.figures, CallSummary{Call: name})
	}
	return &h.figures[at]
}

func (h *history) records(now time.Time) []CallRecord {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Concat(h.ended[h.oldest:], h.ended[:h.oldest])
	for _, r := range h.running {
		r := *r
		r.Took = now.Sub(r.Began)
		all = append(all, r)
	}
	return all
}

func (h *history) summary() []CallSummary {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(h.figures)
	slices.SortFunc(all, func(a, b CallSummary) int { return strings.Compare(a.Call, b.Call) })
	return all
}

// brief is an error's text as far as a record keeps it.
func brief(err error) string {
	text := err.Error()
	if len(text) <= maxCallError {
		return printable(text)
	}
	// Its own copy: a part of the text would keep the whole.
	return strings.Clone(printable(strings.ToValidUTF8(text[:maxCallError], ""))) + "..."
}
