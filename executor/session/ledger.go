package session

import (
	"slices"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// ledger is what the agent has not acknowledged. It is plain data: [Session] guards it.
type ledger struct {
	known   map[string]bool // every task id ever launched
	tasks   []launched      // unacknowledged, in the order of LAUNCH
	updates []update        // unacknowledged, in the order of Update
	last    uint64          // number of the newest update
}

type launched struct {
	id  string
	raw []byte // TaskInfo as received
}

type update struct {
	number uint64 // 1, 2, 3 ... in the order of Update
	id     uuid.UUID
	taskID string
	state  mesos.TaskState
	status []byte // encoded TaskStatus
}

// launch notes a task and reports whether it is a new one. A task whose TaskInfo cannot be
// sent back (raw is nil) is known, but not part of SUBSCRIBE.
func (l *ledger) launch(id string, raw []byte) bool {
	if l.known[id] {
		return false
	}
	if l.known == nil {
		l.known = make(map[string]bool)
	}
	l.known[id] = true
	if raw != nil {
		l.tasks = append(l.tasks, launched{id: id, raw: raw})
	}
	return true
}

func (l *ledger) add(u update) {
	l.last++
	u.number = l.last
	l.updates = append(l.updates, u)
}

// acknowledge drops the update with this UUID, and its task from the unacknowledged ones: the
// agent has proved that it knows the task. False for an update that is not, or no longer, there.
func (l *ledger) acknowledge(id []byte) (update, bool) {
	at := slices.IndexFunc(l.updates, func(u update) bool { return string(u.id[:]) == string(id) })
	if at < 0 {
		return update{}, false
	}
	u := l.updates[at]
	l.updates = slices.Delete(l.updates, at, at+1)
	l.tasks = slices.DeleteFunc(l.tasks, func(t launched) bool { return t.id == u.taskID })
	return u, true
}

// after returns the oldest unacknowledged update with a higher number.
func (l *ledger) after(number uint64) (update, bool) {
	for _, u := range l.updates {
		if u.number > number {
			return u, true
		}
	}
	return update{}, false
}
