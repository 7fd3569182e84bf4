package enginefault

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// visit is one connection of a client, which carries one request.
type visit struct {
	p       *Proxy
	client  *net.UnixConn
	request *http.Request
	raw     *bytes.Buffer // what the client has sent, as far as it was read
	event   Event
	gone    chan struct{} // closed once the client has closed its side
}

// serve does with a connection what the rules say.
func (p *Proxy) serve(client *net.UnixConn) {
	if !p.own(client) {
		return
	}
	defer p.disown(client)
	v := &visit{p: p, client: client, raw: &bytes.Buffer{}, gone: make(chan struct{})}
	var err error
	if v.request, err = http.ReadRequest(bufio.NewReader(io.TeeReader(client, v.raw))); err != nil {
		return // no HTTP, or the client has gone
	}
	rule, struck, held := v.arrive()
	if struck && !isUpgrade(v.request) {
		// As a whole, because the client may be gone when it is passed on.
		if _, err := io.Copy(io.Discard, v.request.Body); err != nil {
			return
		}
	}
	if !p.mayServe() {
		return
	}
	if held {
		p.note(v.event, Resume)
	}
	if !struck {
		v.passOn(held)
		return
	}
	v.suffer(rule)
}

// arrive counts the call, finds the rule that strikes it, and begins an outage if that is what the rule says. The call is held
// if there is one.
func (v *visit) arrive() (rule Rule, struck, held bool) {
	p := v.p
	p.mu.Lock()
	defer p.mu.Unlock()
	verb := verbOf(v.request)
	p.counts[verb]++
	v.event = Event{Verb: verb, N: p.counts[verb], Call: v.request.Method + " " + v.request.URL.Path}
	v.event.Did = Passed
	for _, r := range p.rules {
		if r.Verb != verb && r.Verb != Any || !r.kind.strikes(verb) {
			continue
		}
		r.seen++ // of every rule, whichever acts
		if !struck && r.matches(r.seen) {
			rule, struck = r.Rule, true
			v.event.Rule, v.event.Did = r.String(), Struck
		}
	}
	if struck {
		p.begin(rule.Action, rule.Duration)
	}
	held = p.unfit.stops()
	if !held && !(struck && rule.Action.holds()) { // else it is recorded as held, and only once
		p.record(v.event)
	}
	if held {
		v.event.Did = Held
		p.record(v.event)
	}
	return rule, struck, held
}

// suffer carries a rule out.
func (v *visit) suffer(r Rule) {
	switch r.Action {
	case Delay, Hang:
		if v.hold(r.Duration, nil) {
			v.passOn(true)
		}
	case Freeze, HalfOpen, Backlog:
		v.passOn(true) // it is over
	case Cut, Down:
	case Error500:
		v.refuse(r.Text)
	case Error502:
		v.answer(http.StatusBadGateway, someHTML, "<html><body><h1>502 Bad Gateway</h1></body></html>\n")
	default:
		v.sufferAnswer(r)
	}
}

// hold waits for the end of a delay (0 means none), a Release or, if it is not nil, for the end of early. It tells whether to go on.
func (v *visit) hold(d time.Duration, early <-chan struct{}) bool {
	p := v.p
	p.mu.Lock()
	release := p.release
	v.event.Did = Held
	p.record(v.event)
	p.mu.Unlock()
	var after <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-after:
	case <-release:
	case <-early:
		return false
	case <-p.closing:
		return false
	}
	p.note(v.event, Resume)
	return true
}

// dial connects to the engine, after an outage, for one call. told must be called once the answer begins.
func (v *visit) dial() (engine *net.UnixConn, told func(), ok bool) {
	if !v.p.mayServe() || !v.p.ask() {
		return nil, nil, false
	}
	told = sync.OnceFunc(v.p.told)
	engine, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: v.p.engine, Net: "unix"})
	if err != nil || !v.p.own(engine) {
		told()
		return nil, nil, false
	}
	return engine, told, true
}

// passOn lets request and answer through. A struck client may have gone: the engine is not told before it has answered, or it
// might not carry the request out.
func (v *visit) passOn(struck bool) {
	engine, told, ok := v.dial()
	if !ok {
		return
	}
	defer v.p.disown(engine)
	defer told()
	answered := make(chan struct{})
	if !struck {
		close(answered)
	}
	stop := v.sendUp(engine, answered)
	defer stop()
	answer := bufio.NewReader(engine)
	_, _ = answer.Peek(1) // without an answer, the copy below ends at once
	told()
	if struck {
		close(answered)
	}
	v.copyDown(answer)
}

// sendUp sends to the engine what the client has sent and, in a goroutine, what it goes on to send; the end of that too, but not
// before answered is closed. stop ends both connections and waits for the goroutine.
func (v *visit) sendUp(engine *net.UnixConn, answered <-chan struct{}) (stop func()) {
	_, err := engine.Write(v.head())
	ended := make(chan struct{})
	v.p.work.Go(func() {
		defer close(ended)
		if err == nil {
			err = v.p.flow(engine, v.client)
		}
		close(v.gone)
		if err != nil {
			return
		}
		select {
		case <-answered:
			_ = engine.CloseWrite() // it may have closed already
		case <-v.p.closing:
		}
	})
	return func() {
		engine.Close()
		v.client.Close()
		<-ended
	}
}

// head is what was read of the client, with a request to close the connection after the answer: the next call on it would
// not be seen.
func (v *visit) head() []byte {
	raw := v.raw.Bytes()
	if v.request.Close || isUpgrade(v.request) {
		return raw
	}
	end := bytes.IndexByte(raw, '\n') + 1 // of the request line
	return append(append(bytes.Clone(raw[:end]), "Connection: close\r\n"...), raw[end:]...)
}

// copyDown hands the rest of an answer to the client, its end too, and waits until the client is done: it may still send.
func (v *visit) copyDown(answer io.Reader) {
	if v.p.flow(v.client, answer) != nil {
		return // the client has gone
	}
	if v.client.CloseWrite() != nil {
		return
	}
	select {
	case <-v.gone:
	case <-v.p.closing:
	}
}

// flow copies to the end of from, which is nil; nothing passes during a freeze.
func (p *Proxy) flow(to io.Writer, from io.Reader) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !p.mayFlow() {
			return ErrClosed
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// isUpgrade tells whether the connection becomes a stream after the request.
func isUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Connection"), "upgrade")
}
