package enginefault

import (
	"net"
	"os"
	"syscall"
	"time"
)

// outage is a state of the whole engine, as against one call. Its zero value is none.
type outage struct {
	action  Action        // Freeze, HalfOpen, Backlog, Down; "" for none
	over    chan struct{} // closed at its end
	timer   *time.Timer   // nil when it ends by Thaw only
	fillers []net.Conn    // fill the queue of connections
}

// stops tells whether calls are not served.
func (o outage) stops() bool { return o.action != "" && o.action != Down }

// queue is the length of the queue of connections, as of net.Listen where somaxconn has its default (listen(2)).
const queue = 4096

// Outage begins a freeze, half-open, backlog or down at once, not with a call. It lasts until [Proxy.Thaw] or, if that
// is not 0, for the duration d. Other actions, and an outage during another one, have no effect.
func (p *Proxy) Outage(a Action, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin(a, d)
}

// Thaw ends the outage, if there is one. Calls that came meanwhile are passed on, also those whose clients have gone.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unfit.action != "" && !p.closed() {
		p.endOutage()
		p.record(Event{Did: Thawed})
	}
}

// begin begins an outage. The caller holds p.mu.
func (p *Proxy) begin(a Action, d time.Duration) {
	if p.unfit.action != "" || p.closed() {
		return
	}
	o := outage{action: a, over: make(chan struct{})}
	switch a {
	case Freeze: // new connections are still accepted, as by the kernel for a frozen process
	case HalfOpen:
		p.stopAccepting()
	case Backlog:
		p.stopAccepting()
		o.fillers = p.fillQueue()
	case Down:
		p.listener.Close()
		for c := range p.conns {
			c.Close()
		}
	default:
		return
	}
	if d > 0 {
		o.timer = time.AfterFunc(d, func() { p.thawAfter(o.over) })
	}
	p.unfit = o
}

// thawAfter ends the outage that a timer is of, and no later one.
func (p *Proxy) thawAfter(over chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unfit.over == over && !p.closed() {
		p.endOutage()
		p.record(Event{Did: Thawed})
	}
}

// endOutage lets everything go on. The caller holds p.mu.
func (p *Proxy) endOutage() {
	o := p.unfit
	if o.action == "" {
		return
	}
	if o.timer != nil {
		o.timer.Stop()
	}
	switch o.action {
	case Backlog:
		p.setQueue(queue)
		for _, c := range o.fillers {
			c.Close()
		}
	case Down:
		if !p.closed() {
			p.listenAgain()
		}
	}
	_ = p.listener.SetDeadline(time.Time{}) // fails on a closed one, where it does not matter
	p.unfit = outage{}
	close(o.over)
}

// stopAccepting interrupts the accept in progress and waits for its end, so that it cannot take a connection of later.
func (p *Proxy) stopAccepting() {
	_ = p.listener.SetDeadline(time.Unix(1, 0)) // fails on a closed one only, where accepting fails as well
	p.accepts.Lock()
	defer p.accepts.Unlock()
}

// accepting returns the listener once connections are to be accepted; false after Close.
func (p *Proxy) accepting() (*net.UnixListener, bool) {
	for {
		p.mu.Lock()
		listener, o := p.listener, p.unfit
		p.mu.Unlock()
		if p.closed() {
			return nil, false
		}
		if o.action == "" || o.action == Freeze {
			return listener, true
		}
		<-o.over
	}
}

// fillQueue makes connecting fail with EAGAIN: the kernel does so when the queue is full (unix(7)), for which one
// connection is enough in a queue of length 0.
func (p *Proxy) fillQueue() []net.Conn {
	p.setQueue(0)
	var fillers []net.Conn
	for len(fillers) < queue {
		c, err := net.Dial("unix", p.socket)
		if err != nil {
			break
		}
		fillers = append(fillers, c)
	}
	return fillers
}

// setQueue changes the length of the queue: listen(2) may be called again.
func (p *Proxy) setQueue(length int) {
	raw, err := p.listener.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), length) })
}

// listenAgain puts a new socket in the place of the dead one. If that fails, the engine stays down.
func (p *Proxy) listenAgain() {
	fresh := p.socket + "~"
	l, err := listen(fresh)
	if err != nil {
		return
	}
	if err := os.Rename(fresh, p.socket); err != nil {
		l.Close()
		return
	}
	p.listener = l
}

// mayServe blocks while calls are not served; false after Close.
func (p *Proxy) mayServe() bool {
	return p.pause(outage.stops)
}

// mayFlow blocks while nothing passes through open connections either; false after Close.
func (p *Proxy) mayFlow() bool {
	return p.pause(func(o outage) bool { return o.action == Freeze })
}

func (p *Proxy) pause(stops func(outage) bool) bool {
	for {
		p.mu.Lock()
		o := p.unfit
		p.mu.Unlock()
		if p.closed() {
			return false
		}
		if !stops(o) {
			return true
		}
		select {
		case <-o.over:
		case <-p.closing:
		}
	}
}
