package admission

// maxKept is the most that [Gate.Keep] keeps, in bytes.
const maxKept = 64 << 10

// keeper is a store that keeps a text about the engine.
type keeper interface {
	// kept returns the text, nil if there is none.
	kept() ([]byte, error)
	// keep replaces it by what f makes of it, which nobody else changes meanwhile; f's nil leaves it as it is.
	keep(f func(before []byte) (after []byte)) error
}

// Kept returns the text about the engine that an executor of the host kept last, nil if there is none. What it means is the
// callers' affair; it carries a version of theirs. The error says what keeps it from being read: go on without.
func (g *Gate) Kept() ([]byte, error) {
	if g.alone.Load() || g.options.Dir == "" {
		return nil, nil
	}
	return g.shared.kept()
}

// Keep replaces the text by what f makes of the one before, which is nil if there is none; f may be called twice, and its nil
// leaves everything as it is. That goes without a lock; a change blocks for 5 s at worst, and normally not at all. An error
// changes nothing else: whoever finds out that nothing can be shared does so for the breaker's sake.
func (g *Gate) Keep(f func(before []byte) (after []byte)) error {
	if g.alone.Load() || g.options.Dir == "" {
		return nil
	}
	before, err := g.shared.kept()
	if err != nil || f(before) == nil {
		return err
	}
	return g.shared.keep(f)
}
