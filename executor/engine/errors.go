package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Causes by which callers decide; to be asked for with [errors.Is].
var (
	ErrNotFound = errors.New("not found") // no such container or image; the registry has no such image, or hides it
	ErrConflict = errors.New("conflict")  // name in use, or the container's state forbids it
)

// DaemonError is a refusal in the daemon's own words. Status is its HTTP status, 400 to 599, or 0 for a
// failure that it reports in the course of an answer. Message is whole; Error shortens it.
type DaemonError struct {
	Status  int
	Message string
}

func (e *DaemonError) Error() string {
	if e.Status == 0 {
		return "the daemon failed: " + shorten(e.Message)
	}
	return fmt.Sprintf("the daemon refused (%d): %s", e.Status, shorten(e.Message))
}

// Is maps the daemon's answer to [ErrNotFound] and [ErrConflict].
func (e *DaemonError) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrConflict:
		return e.Status == http.StatusConflict
	}
	return false
}

// stallError ends a pull without progress. It is a [context.DeadlineExceeded], as any exceeded limit.
type stallError struct {
	phase string
	limit time.Duration
}

func (e *stallError) Error() string {
	return fmt.Sprintf("%s within %s: check the registry and the daemon's connection to it", e.phase, e.limit)
}

func (e *stallError) Is(target error) bool { return target == context.DeadlineExceeded }
