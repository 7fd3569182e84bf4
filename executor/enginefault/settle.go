package enginefault

import "context"

// Settle gets the proxy ready for its end: from now on no call is passed on, also none that is held, and it waits until the engine
// has answered those that it has. After it, nothing can take effect any more by surprise. The error is that of ctx.
func (p *Proxy) Settle(ctx context.Context) error {
	p.mu.Lock()
	p.settling = true
	p.mu.Unlock()
	for {
		p.mu.Lock()
		asked, answered := p.asked, p.answered
		p.mu.Unlock()
		if asked == 0 {
			return nil
		}
		select {
		case <-answered:
		case <-ctx.Done():
			return ctx.Err()
		case <-p.done:
			return nil
		}
	}
}

// ask counts a call that the engine is about to get; false when it may not get it any more.
func (p *Proxy) ask() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settling {
		return false
	}
	p.asked++
	return true
}

// told counts the first byte of an answer, or that none will come.
func (p *Proxy) told() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked--
	close(p.answered)
	p.answered = make(chan struct{})
}
