package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
)

const (
	maxAnswer  = 16 << 20 // bytes of an answer that is read as a whole; a big inspect has some 20 KiB
	maxMessage = 4 << 10  // bytes of a daemon's message that are kept
)

// exchange is one HTTP exchange with the daemon and what is known about it.
type exchange struct {
	call      call
	connected bool  // a connection was there: from here on the daemon may have got the request
	err       error // why the exchange failed
}

type exchangeKey struct{}

// guard is the transport below the Docker client. The client takes several broken answers for good ones: an
// answer that stops after its headers, an empty one, or a status that the daemon never gives. So the guard
// reads answers as a whole, lets only the statuses through that mean success, and turns everything else into an error.
type guard struct{ transport *http.Transport }

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return nil, errors.New("engine: request outside of a guarded call")
	}
	resp, err := g.exchange(x, r)
	if err != nil {
		if cause := context.Cause(r.Context()); cause != nil && !errors.As(err, new(*DaemonError)) {
			err = cause // the transport tells a time limit in several ways
		}
		x.err = err
		return nil, err
	}
	return resp, nil
}

func (g guard) exchange(x *exchange, r *http.Request) (*http.Response, error) {
	// GotConn runs on this goroutine, before anything is written.
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { x.connected = true }}
	resp, err := g.transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err != nil {
		if x.connected {
			return nil, fmt.Errorf("no answer: %w", err)
		}
		return nil, err
	}
	accepted := slices.Contains(x.call.accept, resp.StatusCode)
	if accepted && x.call.stream {
		return resp, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("answer %q broke off: %w", resp.Status, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("answer %q is longer than %d MiB", resp.Status, maxAnswer>>20)
	case !accepted:
		return nil, notAccepted(x.call, resp, body)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// notAccepted tells the daemon's refusals (a 4xx or 5xx with a JSON message) from answers that prove nothing,
// like those of a proxy.
func notAccepted(c call, resp *http.Response, body []byte) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var said struct{ Message string }
	refused := resp.StatusCode >= 400 && kind == "application/json" && json.Unmarshal(body, &said) == nil && said.Message != ""
	if refused && (resp.StatusCode != http.StatusNotFound || strings.Contains(said.Message, c.missing)) {
		return &DaemonError{Status: resp.StatusCode, Message: strings.TrimSpace(said.Message)}
	}
	return fmt.Errorf("answer %q is not one of the Docker daemon: is something else listening on its socket?", resp.Status)
}

func shorten(message string) string {
	if len(message) > maxMessage {
		return strings.ToValidUTF8(message[:maxMessage], "") + "..." // the cut may be inside a character
	}
	return message
}
