package session

import (
	"testing"

	"github.com/google/uuid"
)

func TestLedger(t *testing.T) {
	var l ledger
	if !l.launch("t1", []byte("raw")) || l.launch("t1", []byte("raw")) {
		t.Error("a task is launched once")
	}
	a, b := uuid.New(), uuid.New()
	l.add(update{id: a, taskID: "t1"})
	l.add(update{id: b, taskID: "t1"})
	if u, ok := l.after(0); !ok || u.id != a {
		t.Error("the oldest comes first")
	}
	if u, ok := l.after(1); !ok || u.id != b {
		t.Error("then the next")
	}
	if _, ok := l.after(2); ok {
		t.Error("there are two")
	}
	if _, ok := l.acknowledge(b[:]); !ok {
		t.Error("acknowledged out of order")
	}
	if len(l.tasks) != 0 {
		t.Error("one acknowledgement is enough for the task")
	}
	for _, id := range [][]byte{b[:], nil, a[:4]} {
		if _, ok := l.acknowledge(id); ok {
			t.Errorf("%x acknowledged something", id)
		}
	}
	if l.launch("t1", []byte("raw")) {
		t.Error("a task stays known")
	}
	if _, ok := l.acknowledge(a[:]); !ok || len(l.updates) != 0 {
		t.Error("the ledger is not empty")
	}
	if !l.launch("t2", nil) || len(l.tasks) != 0 {
		t.Error("a task without bytes is known but cannot be sent back")
	}
}
