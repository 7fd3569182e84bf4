package engine

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// Causes by which callers decide; to be asked for with [errors.Is].
var (
	ErrNotFound = errors.New("not found") // no such container or image; the registry has no such image
	ErrConflict = errors.New("conflict")  // name in use, or the container's state forbids it
	ErrAuth     = errors.New("auth")      // the registry refuses the image to these credentials, or to strangers; many say so of a missing one as well
	ErrNetwork  = errors.New("network")   // the registry cannot be reached, stalls, breaks off, damages what it sends, fails itself, or limits pulls
	ErrEngine   = errors.New("engine")    // the Docker daemon does not answer, refuses connections, or cannot unpack images
	ErrBroken   = errors.New("the connection broke")
	ErrDisk     = errors.New("disk") // the engine's data root is full (bytes, inodes, quota) or not writable
)

// DaemonError is a refusal in the daemon's own words. Status is its HTTP status, 400 to 599, or 0 for a
// failure that it reports in the course of an answer. Message is whole and as it came; Error shortens it, and shows nothing that
// moves a terminal, as it may quote a registry.
type DaemonError struct {
	Status  int
	Message string

	class error // of a failed pull, beside which the status says nothing
}

func (e *DaemonError) Error() string {
	if e.Status == 0 {
		return "the daemon failed: " + printable(shorten(e.Message))
	}
	return fmt.Sprintf("the daemon refused (%d): %s", e.Status, printable(shorten(e.Message)))
}

// Is maps the daemon's answer to [ErrNotFound] and [ErrConflict], and that to a pull to its class.
func (e *DaemonError) Is(target error) bool {
	if e.class != nil {
		return errors.Is(e.class, target)
	}
	switch target {
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrConflict:
		return e.Status == http.StatusConflict
	}
	return false
}

// printable replaces control and other invisible characters, and makes a single line of several.
func printable(message string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, message)
}
