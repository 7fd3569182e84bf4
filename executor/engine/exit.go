package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxExitAnswer bounds the answer to a wait, which has some 40 bytes.
const maxExitAnswer = 64 << 10

// Exit is a registered interest in the next exit of a container.
type Exit struct {
	stream *stream
	done   chan struct{} // closed once code and err are final
	code   int
	err    error
}

// NextExit registers for the next exit of a container and returns once the daemon has it: opened before the start, it
// cannot miss even the shortest life. (dockerd flushes the answer's headers after the registration; API 1.30 and later.)
// ctx and the limit Attach bound only the set-up; [Exit.Close] must be called in the end.
//
// A start that fails is not an exit: the wait stays silent then.
func (e *Engine) NextExit(ctx context.Context, id string) (*Exit, error) {
	kind := call{name: "wait", limit: e.limits.Attach, accept: []int{http.StatusOK}, stream: true}
	s, err := e.open(ctx, kind, http.MethodPost, id, "wait", url.Values{"condition": {"next-exit"}}, http.Header{})
	if err != nil {
		return nil, err
	}
	x := &Exit{stream: s, done: make(chan struct{})}
	go x.read()
	return x, nil
}

// read receives the one answer. Close ends it by closing the stream.
func (x *Exit) read() {
	defer close(x.done)
	answer, err := io.ReadAll(io.LimitReader(x.stream, maxExitAnswer))
	if err == nil && len(answer) == 0 {
		err = io.ErrUnexpectedEOF // a daemon that ends in good order closes it without an answer
	}
	if err != nil {
		x.err = fmt.Errorf("docker wait: %w, so nothing is known of the exit: %w", ErrBroken, err)
		return
	}
	if x.code, x.err = exitCode(answer); x.err != nil {
		x.err = fmt.Errorf("docker wait: %w", x.err)
	}
}

// exitCode reads the answer to a wait. A status that isn't there must not pass for status 0.
func exitCode(answer []byte) (int, error) {
	var said struct {
		StatusCode *int
		Error      *struct{ Message string }
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return 0, fmt.Errorf("the answer is malformed: %w", err)
	}
	switch {
	case said.Error != nil && said.Error.Message != "":
		return 0, errors.New("the daemon reports: " + shorten(said.Error.Message))
	case said.StatusCode == nil:
		return 0, errors.New("the answer has no status")
	case *said.StatusCode < 0 || *said.StatusCode > 255:
		return 0, fmt.Errorf("status %d is not one of a process", *said.StatusCode)
	}
	return *said.StatusCode, nil
}

// Wait blocks until the container has exited, ctx ends or the connection breaks. The code is the
// status, 0 to 255, 128+N for signal N. With an error nothing is known of the exit, least of all that it
// was a success; the error of an ended ctx is the context's. Any number of goroutines may wait.
func (x *Exit) Wait(ctx context.Context) (code int, err error) {
	select {
	case <-x.done:
		return x.code, x.err
	case <-ctx.Done():
		return 0, fmt.Errorf("docker wait: %w", ctx.Err())
	}
}

// Close ends the connection; a Wait in progress returns an error unless the exit has been received. It returns when
// nothing of the wait is left, and may be called more than once.
func (x *Exit) Close() {
	x.stream.Close()
	<-x.done
}
