package engine

import (
	"bytes"
	"slices"
	"sync"
	"time"
)

// keptTail is how much of each stream's end is remembered, in bytes.
const keptTail = 4 << 10

// place is how far a stream has been delivered, from the container's start on.
type place struct {
	count int64
	tail  []byte // a ring of the last keptTail bytes, nil before the first: byte n of the stream is at n%keptTail
}

func (p *place) add(chunk []byte) {
	if len(chunk) == 0 {
		return
	}
	if p.tail == nil {
		p.tail = make([]byte, keptTail)
	}
	last := chunk[max(0, len(chunk)-keptTail):]
	p.count += int64(len(chunk) - len(last))
	for len(last) > 0 {
		n := copy(p.tail[p.count%keptTail:], last)
		p.count += int64(n)
		last = last[n:]
	}
}

// end returns the last bytes in their order.
func (p *place) end() []byte {
	if p.count < keptTail {
		return bytes.Clone(p.tail[:p.count])
	}
	at := p.count % keptTail
	return slices.Concat(p.tail[at:], p.tail[:at])
}

// position is how far an output has been delivered. It is written by the goroutine that copies, and read by others.
type position struct {
	mu             sync.Mutex // guards all below
	stdout, stderr place
	last           time.Time // when the last chunk came; before the first, when the output was opened
	ended          bool      // a daemon that ran saw the container's end
}

// note adds what was delivered of one stream.
func (p *position) note(to *place, chunk []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to.add(chunk)
	p.last = time.Now()
}

// end notes that a log came to its end, which it does with the container only.
func (p *position) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

// continued returns a position that goes on where p is.
func (p *position) continued() *position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &position{
		stdout: place{p.stdout.count, bytes.Clone(p.stdout.tail)},
		stderr: place{p.stderr.count, bytes.Clone(p.stderr.tail)},
		last:   p.last,
		ended:  p.ended,
	}
}

// known is what a log repeats before the place to go on.
type known struct {
	left  int64  // bytes until the place
	ends  []byte // the last ones of them, as the survey saw them
	moved bool   // they are others now
	seen  place
}

func newKnown(left int64, ends []byte) *known {
	if left == 0 {
		return nil
	}
	return &known{left: left, ends: ends}
}

// pass returns what of chunk is behind the place.
func (k *known) pass(chunk []byte) []byte {
	n := min(int64(len(chunk)), k.left)
	k.seen.add(chunk[:n])
	k.left -= n
	if k.left == 0 && !k.moved {
		k.moved = !bytes.HasSuffix(k.seen.end(), k.ends)
	}
	return chunk[n:]
}
