package admission

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Kind is what a slot is for.
type Kind uint8

// The kinds of slots.
const (
	Start Kind = iota // create and start of a container
	Pull              // of an image
)

func (k Kind) String() string {
	if k == Pull {
		return "pull"
	}
	return "start"
}

const (
	shortPause = 5 * time.Millisecond   // after the first look at the slots
	longPause  = 100 * time.Millisecond // after the later ones
	maxSlots   = 1000
)

// patience is how long a holder that is well may keep a slot: whoever finds none for so long passes by.
func (k Kind) patience() time.Duration {
	if k == Pull {
		return 30 * time.Minute // 15 for the pull, with repetitions
	}
	return 5 * time.Minute // 2 for the create, 2 for the start
}

// slots are those of one kind.
type slots interface {
	// take returns nil if all are taken; else one is the caller's until it calls leave.
	take() (leave func(), err error)
	// awaited reports whether somebody else waits for one.
	awaited() (bool, error)
	// queue says so of the caller, until close.
	queue() error
	close()
}

// Enter waits for one of the slots of a kind and returns how it is given back and how long it
// waited; leave may be called more than once. The error is the cause of ctx's end, and
// leave is then nil. Where nothing can be shared, or with a limit of 0, there is always a slot.
//
// Those who wait look again after 5 ms, growing to 100 ms; whoever comes while others wait begins with
// 100, so all have the same chance. All pauses have jitter. A waiter costs the host some microseconds ten times a second.
func (g *Gate) Enter(ctx context.Context, kind Kind) (leave func(), waited time.Duration, err error) {
	limit := g.options.MaxStarts
	if kind == Pull {
		limit = g.options.MaxPulls
	}
	began := time.Now()
	if limit > 0 && !g.alone.Load() {
		leave, err = g.enter(ctx, kind, min(limit, maxSlots))
	}
	if ctx.Err() != nil {
		if leave != nil {
			leave()
		}
		return nil, time.Since(began), context.Cause(ctx)
	}
	if err != nil {
		g.leave(err)
	}
	if leave == nil {
		leave = func() {}
	}
	return sync.OnceFunc(leave), time.Since(began), nil
}

// enter returns no leave if there is an error, if ctx ends, or if the caller's patience does.
func (g *Gate) enter(ctx context.Context, kind Kind, limit int) (leave func(), err error) {
	places, err := openSlots(g.options.Dir, kind.String()+"s.lock", limit, g.options.Random)
	if err != nil {
		return nil, err
	}
	defer places.close()
	pause, end := shortPause, time.Now().Add(kind.patience())
	awaited, err := places.awaited()
	if awaited {
		pause = longPause
	} else if err == nil {
		leave, err = places.take()
	}
	if leave == nil && err == nil {
		err = places.queue()
	}
	for leave == nil && err == nil && ctx.Err() == nil {
		if !time.Now().Before(end) {
			g.options.Note(fmt.Sprintf("no slot for a %s was free for %s, so this one goes on without: are executors of this host stopped?", kind, kind.patience()))
			return nil, nil
		}
		sleep(ctx, time.Duration((0.5+g.options.Random()/2)*float64(pause)))
		pause = min(2*pause, longPause)
		leave, err = places.take()
	}
	return leave, err
}
