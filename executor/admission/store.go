package admission

import (
	"fmt"
	"sync"
)

// store keeps a breaker's state and gives turns to probe.
type store interface {
	// read returns the state as it is now. No state was kept yet: a closed one.
	read() (State, error)
	// change replaces the state by what f makes of it, which nobody else changes meanwhile.
	change(f func(State) State) (State, error)
	// turn returns nil while somebody else has the turn of this number; else it is the caller's until it calls release.
	turn(number uint32) (release func(), err error)
}

// memory is the breaker of one executor alone. It never fails.
type memory struct {
	lock  sync.Mutex // guards the fields below
	state State
	taken map[uint32]bool // turns
}

func (m *memory) read() (State, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.state, nil
}

func (m *memory) change(f func(State) State) (State, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.state = f(m.state)
	return m.state, nil
}

func (m *memory) turn(number uint32) (release func(), err error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.taken[number] {
		return nil, nil
	}
	if m.taken == nil {
		m.taken = map[uint32]bool{}
	}
	m.taken[number] = true
	return func() {
		m.lock.Lock()
		defer m.lock.Unlock()
		delete(m.taken, number)
	}, nil
}

// store is the shared one, until it fails for the first time.
func (g *Gate) store() store {
	if g.alone.Load() {
		return &g.own
	}
	return g.shared
}

func (g *Gate) read() State {
	s, err := g.store().read()
	if err != nil {
		g.leave(err)
		s, _ = g.own.read()
	}
	return s
}

func (g *Gate) change(f func(State) State) State {
	s, err := g.store().change(f)
	if err != nil {
		g.leave(err)
		s, _ = g.own.change(f)
	}
	return s
}

// turn returns nil as well when nothing can be shared: the caller reads again.
func (g *Gate) turn(number uint32) (release func()) {
	release, err := g.store().turn(number)
	if err != nil {
		g.leave(err)
	}
	return release
}

// leave makes the executor keep to itself from now on, and says so.
func (g *Gate) leave(err error) {
	if g.alone.CompareAndSwap(false, true) {
		g.options.Note(fmt.Sprintf("this executor neither shares what it knows of the engine with the others of this host nor counts with their starts and pulls: %v", err))
	}
}
