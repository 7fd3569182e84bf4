package session

import (
	"context"
	"sync"
)

// mailbox is the queue between the session and its owner. It has no bound, so that neither a
// slow owner nor a stopped one holds up the session.
type mailbox struct {
	out  chan Event
	wake chan struct{} // capacity 1: something changed

	mu     sync.Mutex
	items  []Event // guarded by mu
	closed bool    // guarded by mu
}

func newMailbox() *mailbox {
	return &mailbox{out: make(chan Event), wake: make(chan struct{}, 1)}
}

func (m *mailbox) push(e Event) {
	m.mu.Lock()
	if !m.closed {
		m.items = append(m.items, e)
	}
	m.mu.Unlock()
	signal(m.wake)
}

// close lets deliver end once the queue is empty; later events are dropped.
func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	signal(m.wake)
}

// deliver hands the events over until the mailbox is closed and empty or ctx ends, and then
// closes the channel.
func (m *mailbox) deliver(ctx context.Context) {
	defer close(m.out)
	for {
		e, ok, closed := m.pop()
		switch {
		case ok:
			select {
			case m.out <- e:
			case <-ctx.Done():
				return
			}
		case closed:
			return
		default:
			select {
			case <-m.wake:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (m *mailbox) pop() (e Event, ok, closed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.items) == 0 {
		return nil, false, m.closed
	}
	e = m.items[0]
	m.items[0] = nil // a LAUNCH can be large: do not keep it alive
	m.items = m.items[1:]
	return e, true, m.closed
}

// signal wakes the reader of a channel of capacity 1, at once or at its next look.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
