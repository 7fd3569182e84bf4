package admission

import "math"

// watchTurn is a turn that no probe ever gets.
const watchTurn = math.MaxUint32

// Watch makes the caller the one executor of the host that watches what all of them share, such as its disks, until it calls release or its
// process ends. It is nil while another one has that; a stopped process keeps it. An executor that shares nothing watches for
// itself. Like the lock of a slot it costs a file descriptor.
func (g *Gate) Watch() (release func()) { return g.turn(watchTurn) }
