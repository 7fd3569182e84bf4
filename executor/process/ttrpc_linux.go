package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"google.golang.org/protobuf/encoding/protowire"
)

// This is the client's side of one unary call of ttrpc (github.com/containerd/ttrpc, PROTOCOL.md, request.proto): a frame
// goes out, a frame comes back. The library would bring along gRPC and the reflection of protocol buffers.

const (
	ttrpcHeader   = 10 // bytes: length of the data (4), stream (4), type (1), flags (1)
	ttrpcStream   = 1  // the first of the connection, odd as those of all clients
	ttrpcRequest  = 1
	ttrpcResponse = 2

	// ttrpcMost is the largest answer that is read; the calls made here get some 30 bytes, or an error's text.
	ttrpcMost = 64 << 10
)

// errTTRPC says that what came back is not what the protocol has.
var errTTRPC = errors.New("not an answer in ttrpc")

// ttrpcError is an error that the service answered: a code of google.rpc.Code and a text.
type ttrpcError struct {
	Code    uint64
	Message string
}

func (e *ttrpcError) Error() string { return fmt.Sprintf("code %d: %s", e.Code, e.Message) }

// notYet reports whether the shim does not have what was asked for: NotFound, or FailedPrecondition while it
// creates the container.
func (e *ttrpcError) notYet() bool { return e.Code == 5 || e.Code == 9 }

// callTTRPC makes one call on a connection of its own, and returns the answer's message. The connection's deadlines are
// its time limits.
func callTTRPC(conn net.Conn, service, method string, message []byte) ([]byte, error) {
	// Request: 1 service, 2 method, 3 payload.
	frame := make([]byte, ttrpcHeader, 256)
	frame = protowire.AppendTag(frame, 1, protowire.BytesType)
	frame = protowire.AppendString(frame, service)
	frame = protowire.AppendTag(frame, 2, protowire.BytesType)
	frame = protowire.AppendString(frame, method)
	frame = protowire.AppendTag(frame, 3, protowire.BytesType)
	frame = protowire.AppendBytes(frame, message)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-ttrpcHeader))
	binary.BigEndian.PutUint32(frame[4:], ttrpcStream)
	frame[8] = ttrpcRequest
	if _, err := conn.Write(frame); err != nil {
		return nil, err
	}

	var header [ttrpcHeader]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(header[:])
	stream := binary.BigEndian.Uint32(header[4:])
	if length > ttrpcMost || stream != ttrpcStream || header[8] != ttrpcResponse {
		return nil, fmt.Errorf("%w: %d bytes of type %d for stream %d", errTTRPC, length, header[8], stream)
	}
	answer := make([]byte, length)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return nil, err
	}
	return parseResponse(answer)
}

// parseResponse returns the payload of a Response: 1 status (google.rpc.Status: 1 code, 2 message), 2 payload.
func parseResponse(answer []byte) (payload []byte, err error) {
	var refused ttrpcError
	var inner error
	err = eachField(answer, func(number protowire.Number, _ uint64, value []byte) {
		switch number {
		case 1:
			inner = errors.Join(inner, eachField(value, func(number protowire.Number, n uint64, text []byte) {
				switch number {
				case 1:
					refused.Code = n
				case 2:
					refused.Message = string(text)
				}
			}))
		case 2:
			payload = value
		}
	})
	switch {
	case errors.Join(err, inner) != nil:
		return nil, errors.Join(err, inner)
	case refused.Code != 0:
		return nil, &refused
	}
	return payload, nil
}

// eachField calls f with each field of a message: with the number of one that is a varint, with the bytes of one that has a
// length. Other types are passed over.
func eachField(message []byte, f func(number protowire.Number, n uint64, value []byte)) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return fmt.Errorf("%w: %w", errTTRPC, protowire.ParseError(n))
		}
		message = message[n:]
		switch kind {
		case protowire.VarintType:
			var v uint64
			if v, n = protowire.ConsumeVarint(message); n >= 0 {
				f(number, v, nil)
			}
		case protowire.BytesType:
			var v []byte
			if v, n = protowire.ConsumeBytes(message); n >= 0 {
				f(number, 0, v)
			}
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", errTTRPC, protowire.ParseError(n))
		}
		message = message[n:]
	}
	return nil
}
