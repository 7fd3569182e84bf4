package enginefault

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// ErrClosed says that the proxy is closed.
var ErrClosed = errors.New("the proxy is closed")

// retryAccept is the pause after a failed accept, for instance when there are no more file descriptors.
const retryAccept = 20 * time.Millisecond

// Proxy stands in front of an engine's socket.
type Proxy struct {
	Host string // "unix://" and its socket, as in DOCKER_HOST

	socket string // where it listens
	engine string // the engine's socket
	work   sync.WaitGroup

	closeOnce sync.Once
	closing   chan struct{} // closed by Close
	done      chan struct{} // closed when nothing of the proxy is left

	accepts sync.Mutex // held during an accept; it may be locked under mu

	mu       sync.Mutex // guards everything below
	rules    []*armed
	counts   map[Verb]int
	events   []Event
	more     chan struct{} // closed at the next event
	heldSeen int
	release  chan struct{} // closed to let go what is held
	listener *net.UnixListener
	conns    map[net.Conn]bool
	unfit    outage
	settling bool          // see Settle
	asked    int           // calls that the engine has and has not begun to answer
	answered chan struct{} // closed when asked goes down
}

// armed is a rule with the number of calls of its verb since it was set.
type armed struct {
	Rule
	kind kind
	seen int
}

// Open opens a proxy at the path socket, which must not exist, in front of the engine's socket. That may be missing: then clients
// find their connections closed. [Proxy.Close] ends it.
func Open(socket, engine string, rules ...Rule) (*Proxy, error) {
	p := &Proxy{
		Host:     "unix://" + socket,
		socket:   socket,
		engine:   engine,
		closing:  make(chan struct{}),
		done:     make(chan struct{}),
		counts:   map[Verb]int{},
		more:     make(chan struct{}),
		release:  make(chan struct{}),
		conns:    map[net.Conn]bool{},
		answered: make(chan struct{}),
	}
	if err := p.Set(rules...); err != nil {
		return nil, err
	}
	listener, err := listen(socket)
	if err != nil {
		return nil, fmt.Errorf("listen in front of the engine: %w", err)
	}
	p.listener = listener
	p.work.Go(p.accept)
	return p, nil
}

// listen leaves the file to [Proxy.Close].
func listen(socket string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	return l, nil
}

// Set replaces the rules and begins to count their calls. What is held stays so.
func (p *Proxy) Set(rules ...Rule) error {
	fresh := make([]*armed, 0, len(rules))
	for _, r := range rules {
		if err := r.Check(); err != nil {
			return fmt.Errorf("fault %q: %w", r, err)
		}
		k, _ := kindOf(r.Action)
		fresh = append(fresh, &armed{Rule: r, kind: k})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = fresh
	return nil
}

// Clear makes the engine healthy again: no rules, nothing held, no outage.
func (p *Proxy) Clear() {
	p.mu.Lock()
	p.rules = nil
	p.mu.Unlock()
	p.Release()
	p.Thaw()
}

// Release lets everything go that is held at this moment by a delay or a hang: calls to the engine, answers to the client.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.release)
	p.release = make(chan struct{})
}

// Close ends the proxy: calls that are held never reach the engine. It returns when no goroutine and no connection is left,
// and may be called again.
func (p *Proxy) Close() error {
	var err error
	p.closeOnce.Do(func() {
		close(p.closing)
		p.mu.Lock()
		err = p.shut()
		p.mu.Unlock()
		p.work.Wait()
		err = errors.Join(err, os.Remove(p.socket))
		close(p.done)
	})
	return err
}

func (p *Proxy) closed() bool {
	select {
	case <-p.closing:
		return true
	default:
		return false
	}
}

// shut closes the listener and every connection. The caller holds p.mu.
func (p *Proxy) shut() error {
	for c := range p.conns {
		c.Close()
	}
	p.endOutage()
	if err := p.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// accept serves connections until Close.
func (p *Proxy) accept() {
	for {
		listener, ok := p.accepting()
		if !ok {
			return
		}
		p.accepts.Lock()
		conn, err := listener.AcceptUnix()
		p.accepts.Unlock()
		if err == nil {
			p.work.Go(func() { p.serve(conn) })
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue // an outage began
		}
		select {
		case <-time.After(retryAccept):
		case <-p.closing:
		}
	}
}

// own remembers a connection until disown, so that an outage and Close can end it; false when it is too late for it.
func (p *Proxy) own(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed() || p.unfit.action == Down {
		c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) disown(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}
