package engine

import (
	"context"
	"fmt"
	"time"
)

// pullWatch ends a pull of which the next step takes too long. It belongs to the goroutine that reads the pull.
type pullWatch struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// expect ends the pull with over after d, unless something else is expected before.
func (w *pullWatch) expect(over *stallError, d time.Duration) {
	w.stop()
	w.timer = time.AfterFunc(d, func() { w.cancel(over) })
}

func (w *pullWatch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// stallError ends a pull that took too long. It is a [context.DeadlineExceeded], as any exceeded limit.
type stallError struct {
	missing string // what did not happen
	limit   time.Duration
	key     string // of config.yaml
	remedy  string
	class   error // ErrNetwork: another try may help; ErrEngine or nil: not
}

const pullTotalKey = "pull_total"

func answerLimit(l Limits) *stallError {
	return &stallError{"no answer to the pull", l.PullBegin, "pull_begin", "the engine is alive, check that it reaches the registry", ErrNetwork}
}

func beginLimit(l Limits) *stallError {
	return &stallError{"no first step of the pull", l.PullBegin, "pull_begin", "the engine is alive, check that it reaches the registry", ErrNetwork}
}

func idleLimit(l Limits) *stallError {
	return &stallError{"no progress of the pull", l.PullIdle, "pull_idle", "check the registry and the engine's connection to it", ErrNetwork}
}

func extractLimit(l Limits) *stallError {
	return &stallError{"no progress of the extraction of the image's layers", l.PullExtract, "pull_extract", "check the load of the engine's disk, or raise the limit for very big layers", nil}
}

func totalLimit(l Limits, phase pullPhase) *stallError {
	over := &stallError{"the pull is not finished", l.PullTotal, pullTotalKey, "check the speed of the connection to the registry, or raise the limit for very big images", nil}
	if phase == queued {
		over.missing = "the image's layers wait in the engine's queue behind other pulls and are not fetched"
		over.remedy = "check the other pulls and the engine's max-concurrent-downloads, or raise the limit"
	}
	return over
}

func (e *stallError) Error() string {
	return fmt.Sprintf("%s within %s (engine.limits.%s): %s", e.missing, e.limit, e.key, e.remedy)
}

func (e *stallError) Is(target error) bool { return target == context.DeadlineExceeded }
