//go:build !linux

package engine

// Host is what [Open] was given.
func (e *Engine) Host() string { return e.host }

// Standstill knows nothing without /proc.
func (e *Engine) Standstill() string { return "" }
