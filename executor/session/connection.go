package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

const mediaType = "application/x-protobuf" // the agent refuses any suffix such as a charset

// dialer makes one connection of the session.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func dialTCP(alive net.KeepAliveConfig) dialer {
	return (&net.Dialer{Timeout: dialLimit, KeepAliveConfig: alive}).DialContext
}

// dialSecure adds the handshake to what dial does: TCP, its time limit and its keep-alive are the
// same with TLS.
func dialSecure(dial dialer, secure func(context.Context, net.Conn) (net.Conn, error)) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return secure(ctx, conn)
	}
}

// connection is one of the two connections to the agent: an HTTP client for one call at a
// time, which keeps it to one connection. It uses no proxy (HTTP_PROXY may be the task's) and
// follows no redirect.
type connection struct {
	client *http.Client
	url    string
	token  string
}

func newConnection(url, token string, dial, dialTLS dialer) *connection {
	var onlyHTTP1 http.Protocols
	onlyHTTP1.SetHTTP1(true)
	return &connection{url: url, token: token, client: &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dial,
			DialTLSContext:         dialTLS,
			Protocols:              &onlyHTTP1,
			MaxIdleConnsPerHost:    1,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// post sends one call. The answer's body is the caller's to close.
func (c *connection) post(ctx context.Context, call []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(call))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", mediaType)
	req.Header.Set("Accept", mediaType)
	req.Header.Set("User-Agent", "mesos-docker-executor")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.client.Do(req)
}

// close drops the connection, or, when a call is just ending on it, lets it drop then.
func (c *connection) close() { c.client.CloseIdleConnections() }

// answerText reads what the agent says about a call that it did not accept, and enough of
// the body for the connection to be used again.
func answerText(body io.Reader) string {
	text, _ := io.ReadAll(io.LimitReader(body, 4<<10))
	return printable(string(text))
}

// printable makes one short line of another program's text.
func printable(text string) string {
	const longest = 500
	if len(text) > longest {
		text = text[:longest] + "..."
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?")))
}

// dropped reports whether a call failed because there is no connection, as against a slow agent.
func dropped(err error) bool {
	return !errors.Is(err, context.DeadlineExceeded) && !os.IsTimeout(err)
}

// cause shortens an error of the HTTP client to what differs between kinds of failure: with
// the ephemeral port left in, each of a thousand attempts would be news for the log.
func cause(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) {
		return err
	}
	inner := op.Err
	var errno syscall.Errno
	if errors.As(inner, &errno) {
		inner = errno
	}
	if op.Addr == nil {
		return fmt.Errorf("%s: %w", op.Op, inner)
	}
	return fmt.Errorf("%s %s: %w", op.Op, op.Addr, inner)
}
