package engine

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/docker/docker/client"
)

// stream is an answer's body that outlives the call that opened it.
type stream struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close ends the connection; a Read that waits returns.
func (s *stream) Close() error {
	s.cancel()
	return s.ReadCloser.Close()
}

// open asks for a container's resource, by that method, and returns the body of the answer. ctx and the call's limit bound
// only the time until the answer's headers are there; from then on Close ends the stream.
func (e *Engine) open(ctx context.Context, kind call, method, id, resource string, query url.Values, header http.Header) (*stream, error) {
	var opened *stream
	err := e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		if err := checkContainer(id); err != nil {
			return err
		}
		live, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		stop := func() { cancel(nil) }
		detach := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
		where := url.URL{
			Scheme: "http", Host: client.DummyHost,
			Path:     "/v" + p.version + "/containers/" + id + "/" + resource,
			RawQuery: query.Encode(),
		}
		request, err := http.NewRequestWithContext(live, method, where.String(), nil)
		if err != nil {
			stop()
			return err
		}
		request.Header = header
		answer, err := e.guard.RoundTrip(request)
		if err != nil {
			detach()
			stop()
			return err
		}
		opened = &stream{answer.Body, stop}
		if !detach() { // the limit was over while the answer came in
			opened.Close()
			return context.Cause(ctx)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}
