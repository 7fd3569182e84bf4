package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrLogMoved is the error of an [Output.Copy] whose log was rotated between the look for the place and the reading: nothing
// was delivered twice, and another [Engine.Resume] looks anew.
var ErrLogMoved = errors.New("the container's log was rotated while it was read")

// Gap is the time whose output may be missing, or delivered twice. The zero value says that nothing is.
type Gap struct {
	From, To time.Time
	Reason   string // why it is not known
}

// IsZero reports whether there is no gap.
func (g Gap) IsZero() bool { return g.Reason == "" }

func (g Gap) String() string {
	if g.IsZero() {
		return "no output is missing"
	}
	return fmt.Sprintf("output between %s and %s may be missing or doubled: %s",
		g.From.UTC().Format(time.RFC3339), g.To.UTC().Format(time.RFC3339), g.Reason)
}

// Resume goes on with an output that ended with its daemon, which runs again: from is that output, whose Copy has returned, and which was
// attached before the container's start. What was not delivered yet comes first, then what the container writes, until it ends; one that has
// ended meanwhile is fine. Byte for byte and per stream nothing is missing and nothing doubled but what the daemon itself
// has lost.
//
// The daemon's log is read twice: once to find the place, by the count of bytes and the last ones that were delivered, and then from
// there on. So Resume blocks for as long as the daemon needs for the log, at most for the limit List, and
// not for Attach. Doubts remain: a log that was rotated and consists of equal lines alone shows no place; the driver json-file gives a last
// line without an end one, and replaces what is not UTF-8. An output from a log ends with [io.ErrUnexpectedEOF] when the daemon dies.
//
// dockerd 20.10 ends the log of a container that writes much some KiB early when the container ends, and drops what a container wrote
// while no daemon ran, if it ended then. The former is still in the log: when Copy has returned nil and the container has ended, another Resume
// delivers it, until [Output.Delivered] grows no more. The latter is a Gap.
//
// Where there is no log to be read (driver none, syslog and others, without dockerd's local cache), or no place is found in it,
// Resume goes on with what comes from now on, respectively with the log since the last chunk, and says so by the Gap.
func (e *Engine) Resume(ctx context.Context, id string, from *Output) (*Output, Gap, error) {
	at := from.at.continued()
	gap := Gap{From: at.last, To: time.Now()}
	found, err := e.survey(ctx, id, from.tty, at)
	switch {
	case noLog(err):
		gap.Reason = "the daemon cannot read the container's log (log driver)"
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		gap.Reason = fmt.Sprintf("the container's log could not be read within %s (engine.limits.list)", e.limits.List)
	case err != nil:
		return nil, Gap{}, err
	default:
		o, gap, err := e.follow(ctx, id, from.tty, at, found)
		if err == nil && gap.IsZero() && !at.ended {
			gap = e.unread(ctx, id, at.last)
		}
		return o, gap, err
	}
	o, err := e.attachLate(ctx, id, from.tty, at)
	if err != nil {
		return nil, Gap{}, err
	}
	gap.To = time.Now()
	return o, gap, nil
}

// unread is the gap of a container that has ended: a restarted daemon drops what is left in the pipes of those that ended without one.
// Whether that was so cannot be told from here. An inspect that fails leaves it at that.
func (e *Engine) unread(ctx context.Context, id string, last time.Time) Gap {
	c, err := e.InspectAgain(ctx, id)
	if err != nil || c.Running || !c.FinishedAt.After(last) {
		return Gap{}
	}
	return Gap{From: last, To: c.FinishedAt, Reason: "the container has ended, and a Docker daemon drops what was written while none ran"}
}

// noLog recognizes the daemon's words for a driver without reading (moby's daemon/logger, ErrReadLogsNotSupported).
func noLog(err error) bool {
	var no *DaemonError
	return errors.As(err, &no) && no.Status >= http.StatusInternalServerError && strings.Contains(no.Message, "does not support reading")
}

// survey reads the log as it is now.
func (e *Engine) survey(ctx context.Context, id string, tty bool, at *position) (found [2]*survey, err error) {
	kind := call{name: "logs", limit: e.limits.List, accept: []int{http.StatusOK}, stream: true}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, e.limits.List)
	defer cancel()
	s, err := e.open(ctx, kind, http.MethodGet, id, "logs", logQuery(time.Time{}, false), http.Header{})
	if err != nil {
		return found, err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, s.cancel)()
	found = [2]*survey{newSurvey(&at.stdout), newSurvey(&at.stderr)}
	in := bufio.NewReaderSize(s, copyBuffer)
	if tty {
		err = surveyLines(in, found[0])
	} else {
		err = surveyFrames(in, found)
	}
	if gone := ctx.Err(); gone != nil {
		err = gone
	}
	if err != nil {
		return found, &CallError{Call: kind.name, Outcome: Unknown, Limit: kind.limit, Took: time.Since(began), Err: err}
	}
	return found, nil
}

// surveyFrames takes each frame for a piece: the daemon sends one for each that it has recorded.
func surveyFrames(in *bufio.Reader, found [2]*survey) error {
	var sinks [2]*sink
	for i, s := range found {
		sinks[i] = &sink{to: piecewise{s}, whole: func() { s.add(nil, true) }}
	}
	return demultiplex(in, sinks[0], sinks[1])
}

type piecewise struct{ *survey }

func (p piecewise) Write(chunk []byte) (int, error) {
	p.add(chunk, false)
	return len(chunk), nil
}

// surveyLines takes each line for a piece: a terminal's log has no frames.
func surveyLines(in *bufio.Reader, found *survey) error {
	for {
		line, err := in.ReadSlice('\n')
		found.add(line, err == nil || err == io.EOF)
		switch {
		case err == io.EOF:
			return nil
		case err != nil && err != bufio.ErrBufferFull:
			return err
		}
	}
}

// follow reads the log from the place found on, or from the time of the last chunk on.
func (e *Engine) follow(ctx context.Context, id string, tty bool, at *position, found [2]*survey) (*Output, Gap, error) {
	o := &Output{tty: tty, at: at, log: true}
	worst := placeFound
	for i, s := range found {
		var how finding
		o.known[i], how = s.found()
		worst = max(worst, how)
	}
	var gap Gap
	if worst > placeFound {
		gap = Gap{From: at.last, To: time.Now(), Reason: "the container's log does not show where to go on: it was rotated, or replaced"}
	}
	var since time.Time
	if worst == noPlace {
		since, o.known = at.last, [2]*known{}
	}
	kind := call{name: "logs", limit: e.limits.Attach, accept: []int{http.StatusOK}, stream: true}
	s, err := e.open(ctx, kind, http.MethodGet, id, "logs", logQuery(since, true), http.Header{})
	if err != nil {
		return nil, Gap{}, err
	}
	o.stream = s
	return o, gap, nil
}

func logQuery(since time.Time, follow bool) url.Values {
	query := url.Values{"stdout": {"1"}, "stderr": {"1"}}
	if follow {
		query.Set("follow", "1")
	}
	if !since.IsZero() {
		query.Set("since", fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()))
	}
	return query
}

// attachLate attaches to a container that may have ended: the daemon would wait for its next start.
func (e *Engine) attachLate(ctx context.Context, id string, tty bool, at *position) (*Output, error) {
	o, err := e.Attach(ctx, id, tty)
	if err != nil {
		return nil, err
	}
	c, err := e.InspectAgain(ctx, id)
	if err != nil || !c.Running {
		o.Close() //nolint:errcheck // nothing of it is kept
	}
	if err != nil {
		return nil, err
	}
	if !c.Running {
		return &Output{tty: tty, at: at}, nil
	}
	o.at = at
	return o, nil
}
