package localagent

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// reconnectLimit bounds the probe and the message of one recovery.
const reconnectLimit = 5 * time.Second

// libprocessPeer is what a run's libprocess.pid names.
type libprocessPeer struct {
	id      string // "executor(1)"
	address string // "ip:port"
}

// parseUPID reads the file as libprocess does: no white space is forgiven (UPID in 3rdparty/libprocess/src/pid.cpp).
func parseUPID(upid string) (libprocessPeer, error) {
	id, address, ok := strings.Cut(upid, "@")
	if _, _, err := net.SplitHostPort(address); !ok || id == "" || err != nil || strings.ContainsAny(upid, " \t\r\n") {
		return libprocessPeer{}, fmt.Errorf("libprocess.pid holds %q, not name@ip:port", upid)
	}
	return libprocessPeer{id, address}, nil
}

// probe is what the Docker containerizer does when it recovers a run: one connection that carries nothing and is closed.
func (p libprocessPeer) probe(ctx context.Context) error {
	dialer := net.Dialer{Timeout: reconnectLimit}
	connection, err := dialer.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return fmt.Errorf("probe the executor's listener: %w", err)
	}
	return connection.Close()
}

// reconnect posts ReconnectExecutorMessage{slave_id} as libprocess does (3rdparty/libprocess/src/encoder.hpp): chunked, with
// an empty Host, on a connection that it means to keep. A libprocess peer may answer 202 or not at all, so the answer is
// waited for a moment only, and doesn't matter.
func (p libprocessPeer) reconnect(ctx context.Context, agent, agentID string) error {
	body, err := (&mesos.AgentID{Value: agentID}).Marshal()
	if err != nil {
		return fmt.Errorf("encode the agent's id: %w", err)
	}
	message := append([]byte{1<<3 | 2}, appendUvarint(nil, len(body))...) // field 1, slave_id
	message = append(message, body...)
	from := "slave(1)@" + agent
	request := "POST /" + p.id + "/mesos.internal.ReconnectExecutorMessage HTTP/1.1\r\n" +
		"User-Agent: libprocess/" + from + "\r\nLibprocess-From: " + from + "\r\n" +
		"Connection: Keep-Alive\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\n" +
		fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(message), message)

	dialer := net.Dialer{Timeout: reconnectLimit}
	connection, err := dialer.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return fmt.Errorf("post ReconnectExecutorMessage: %w", err)
	}
	defer connection.Close()
	defer context.AfterFunc(ctx, func() { connection.Close() })()
	if _, err := connection.Write([]byte(request)); err != nil {
		return fmt.Errorf("post ReconnectExecutorMessage: %w", err)
	}
	if err := connection.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return fmt.Errorf("post ReconnectExecutorMessage: %w", err)
	}
	_, _ = connection.Read(make([]byte, 1<<10))
	return nil
}
