package admission

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"sync/atomic"
	"time"
)

// Options are what a [Gate] needs to know.
type Options struct {
	// Dir is the folder that the executors of the host share, <run_directory>/engine. It is made when
	// something has to be kept, with mode 0700. Empty: nothing is shared.
	Dir string
	// Engine is the engine's host, such as unix:///var/run/docker.sock. Another text is another engine, with a breaker of its own.
	Engine string
	// MaxStarts and MaxPulls are how many the executors of the host may do at a time, 1 to 1000. 0: no limit.
	MaxStarts, MaxPulls int
	// Note gets a line for the log, from any goroutine. nil: nobody wants it.
	Note func(line string)
	// Random returns a number in [0,1), from any goroutine. nil: math/rand/v2.
	Random func() float64
}

// sharedStore is what all executors of the host have together.
type sharedStore interface {
	store
	keeper
}

// Gate lets one executor to one engine. [New] makes it.
type Gate struct {
	options Options
	shared  sharedStore
	own     memory      // when nothing can be shared
	alone   atomic.Bool // that is so, for good
}

// New does no I/O and cannot fail.
func New(o Options) *Gate {
	if o.Note == nil {
		o.Note = func(string) {}
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	g := &Gate{options: o}
	g.shared = newShared(o.Dir, fileName(o.Engine), o.Random)
	return g
}

// UnfitError is the end of a wait for an engine that did not get well.
type UnfitError struct {
	Engine string
	Cause  error         // the last failure, as the probe returned it; another executor's is a text
	Since  time.Time     // when the breaker was opened
	Probes int           // failed ones of all executors since then, 1 or more
	Waited time.Duration // by this launch, since it first knew
}

func (e *UnfitError) Error() string {
	return fmt.Sprintf("the Docker engine at %s has been unfit since %s (failed probes of this host so far: %d; this launch waited %s): %v",
		e.Engine, e.Since.Format(time.RFC3339), e.Probes, e.Waited.Round(time.Second/10), e.Cause)
}

func (e *UnfitError) Unwrap() error { return e.Cause }

// Failed tells of a call other than a probe that the engine failed, such as a create without an answer in time: it
// opens the breaker. Calls that the caller cancelled itself, or that the engine refused for good reason, are not for it; a
// cancelled context is ignored, as is nil. It blocks for 5 s at worst, normally
// not at all.
func (g *Gate) Failed(cause error) {
	if cause == nil || errors.Is(cause, context.Canceled) {
		return
	}
	g.tell(event{kind: callFailed, began: time.Now(), cause: oneLine(cause.Error())})
}

// Answered tells of a call other than a probe that the engine answered. It closes nothing, since much works
// while an engine is unfit, but the next probe need not wait for longer than 1 s. It blocks for 5 s at worst, normally
// not at all.
func (g *Gate) Answered() {
	g.tell(event{kind: callDone})
}

// forgotten is how long after the time for a probe the breaker still counts for [Gate.Open]: nobody has needed
// the engine since, so nobody knows.
const forgotten = 10 * time.Minute

// Open reports whether the engine is in trouble, for work that can be left for later while it is. It
// asks nobody, so it is false again 10 minutes after a probe was due that nobody made: such work has to bear
// a failure in any case.
func (g *Gate) Open() (bool, State) {
	s := g.read()
	return s.open(), s
}

// Shared is as Open, for somebody who wants to know what the executors of the host share, and not to be one of them: an error
// says why they share nothing. The gate has to have a folder.
func (g *Gate) Shared() (open bool, s State, err error) {
	s, err = g.shared.read()
	return s.open(), s, err
}

func (s State) open() bool { return s.Phase != Closed && time.Since(s.Next) < forgotten }

// tell applies an event to the breaker's state, now. One that tells nothing new locks nothing: most of many
// launches that fail at the same moment find the breaker open.
func (g *Gate) tell(e event) State {
	if s := g.read(); apply(s, e, time.Now(), 0) == s {
		return s
	}
	return g.change(func(s State) State { return apply(s, e, time.Now(), g.options.Random()) })
}

// fileName is the base of the names of an engine's files: the end of its host for the reader, and a hash for the difference.
func fileName(engine string) string {
	readable := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		}
		return '-'
	}, path.Base(engine))
	readable = strings.TrimLeft(readable[:min(len(readable), 32)], ".-")
	if readable == "" {
		readable = "engine"
	}
	sum := sha256.Sum256([]byte(engine))
	return fmt.Sprintf("%s-%x", readable, sum[:6])
}
