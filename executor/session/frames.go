package session

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// MaxFrame is the largest event that is taken in, in bytes. Of a larger one only the
// beginning is read, to name the task that it would have launched.
const MaxFrame = 64 << 20

const (
	maxAnnounced = 1<<31 - 1 // a protobuf message cannot be larger, so a frame that claims to be is garbage
	headSize     = 64 << 10  // what is kept of a frame above the limit
	firstBuffer  = 64 << 10  // allocated on the word of a length alone
)

var errFraming = errors.New("malformed RecordIO frame")

// frame is one record of the stream.
type frame struct {
	data  []byte // the record; of one above the limit, its beginning
	size  int64  // as announced
	limit int64
}

func (f frame) tooLarge() bool { return f.size > f.limit }

// frameReader cuts a RecordIO stream (decimal length, newline, that many bytes; repeated)
// into its records. mesos-go has a reader too, but the longest record it takes without a
// buffer of that size being set aside beforehand is 4 MiB.
type frameReader struct {
	r     *bufio.Reader
	limit int64 // larger records are cut to their head
	skip  int64 // rest of a record that was cut, still to be read past
}

func newFrameReader(r io.Reader, limit int64) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 16<<10), limit: limit}
}

// next returns the next record. The error is [io.EOF] at the end of a record,
// [io.ErrUnexpectedEOF] inside one, errFraming for a length that is none, or the stream's own.
// Memory follows the bytes that arrive, not the length that was announced.
func (f *frameReader) next() (frame, error) {
	if f.skip > 0 {
		n, err := io.CopyN(io.Discard, f.r, f.skip)
		f.skip -= n
		if err != nil {
			return frame{}, unexpected(err)
		}
	}
	size, err := f.header()
	if err != nil {
		return frame{}, err
	}
	take := size
	if size > f.limit {
		take = min(headSize, f.limit)
		f.skip = size - take
	}
	data, err := f.read(take)
	if err != nil {
		return frame{}, err
	}
	return frame{data: data, size: size, limit: f.limit}, nil
}

func (f *frameReader) header() (int64, error) {
	const longest = len("2147483647")
	var digits []byte
	for {
		c, err := f.r.ReadByte()
		switch {
		case err != nil && len(digits) > 0:
			return 0, unexpected(err)
		case err != nil:
			return 0, err
		case c == '\n' && len(digits) > 0:
			size, err := strconv.ParseInt(string(digits), 10, 64)
			if err != nil || size > maxAnnounced {
				return 0, fmt.Errorf("%w: length %s", errFraming, digits)
			}
			return size, nil
		case c < '0' || c > '9' || len(digits) == longest:
			return 0, fmt.Errorf("%w: byte %#x after %d digits of a length", errFraming, c, len(digits))
		}
		digits = append(digits, c)
	}
}

func (f *frameReader) read(size int64) ([]byte, error) {
	if size <= firstBuffer {
		data := make([]byte, size)
		_, err := io.ReadFull(f.r, data)
		return data, unexpected(err)
	}
	var data bytes.Buffer
	if _, err := io.CopyN(&data, f.r, size); err != nil {
		return nil, unexpected(err)
	}
	return data.Bytes(), nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
