package localagent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// reconnectLimit bounds the probe and the message of one recovery.
const reconnectLimit = 5 * time.Second

// reconnect is what a recovering agent does with a run's libprocess.pid: one
// connection that carries nothing and is closed, then the message
// ReconnectExecutorMessage{slave_id} as libprocess posts it, chunked. A
// libprocess peer may answer 202 or not at all, so the answer is read but
// doesn't matter.
func reconnect(ctx context.Context, upid, agent, agentID string) error {
	name, address, ok := strings.Cut(strings.TrimSpace(upid), "@")
	if !ok || name == "" {
		return fmt.Errorf("libprocess.pid holds %q, not name@ip:port", upid)
	}
	ctx, cancel := context.WithTimeout(ctx, reconnectLimit)
	defer cancel()
	var dialer net.Dialer
	probe, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("probe the executor's listener: %w", err)
	}
	probe.Close()

	body, err := (&mesos.AgentID{Value: agentID}).Marshal()
	if err != nil {
		return fmt.Errorf("encode the agent's id: %w", err)
	}
	message := append([]byte{1<<3 | 2}, appendUvarint(nil, len(body))...) // field 1, slave_id
	message = append(message, body...)
	return post(ctx, address, "/"+name+"/mesos.internal.ReconnectExecutorMessage", "slave(1)@"+agent, message)
}

func post(ctx context.Context, address, path, from string, message []byte) error {
	// A reader of unknown length makes the client send it chunked.
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, io.MultiReader(strings.NewReader(string(message))))
	if err != nil {
		return fmt.Errorf("post to the executor: %w", err)
	}
	request.Header.Set("User-Agent", "libprocess/"+from)
	request.Header.Set("Libprocess-From", from)
	transport := &http.Transport{ResponseHeaderTimeout: time.Second}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	var network net.Error
	switch {
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil // delivered, not answered
	case err != nil:
		return fmt.Errorf("post ReconnectExecutorMessage: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	return nil
}
