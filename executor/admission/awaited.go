package admission

import (
	"os"
	"path/filepath"
)

// Awaited reports whether a launch of this host waits for a slot of a kind just now, for work that should not make
// it wait for longer. Like [Gate.Open] it asks no engine. Where nothing can be shared nobody is seen to wait.
func (g *Gate) Awaited(kind Kind) bool {
	name := kind.String() + "s.lock"
	if g.options.Dir == "" {
		return false
	}
	if _, err := os.Lstat(filepath.Join(g.options.Dir, name)); err != nil { // to be opened, it would be made
		return false
	}
	places, err := openSlots(g.options.Dir, name, 1, g.options.Random)
	if err != nil {
		return false
	}
	defer places.close()
	awaited, err := places.awaited()
	return awaited && err == nil
}
