package supervise

import (
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// orders is how many random orders of events the machine is driven through.
const orders = 100_000

func TestAnyOrderOfEventsEndsInOneTruthfulTerminalUpdate(t *testing.T) {
	seen := map[mesos.TaskState]int{}
	for seed := range uint64(orders) {
		w := newWorld(seed)
		w.run()
		last := judgeWorld(w)
		seen[last]++
		if len(w.complaints) > 0 {
			t.Fatalf("seed %d: %s\n%s", seed, strings.Join(w.complaints, "\n"), strings.Join(history(seed), "\n"))
		}
	}
	for _, state := range []mesos.TaskState{mesos.TASK_FINISHED, mesos.TASK_FAILED, mesos.TASK_KILLED, mesos.TASK_ERROR} {
		if seen[state] < orders/100 {
			t.Errorf("only %d of %d orders ended in %v: the world does not try hard enough", seen[state], orders, state)
		}
	}
}

// judgeWorld checks what can only be said at the end, and returns the task's last state.
func judgeWorld(w *world) mesos.TaskState {
	if len(w.updates) == 0 {
		if w.launched && !w.ended {
			w.complain("launched, and never heard of again")
		}
		return mesos.TASK_STAGING
	}
	last := w.updates[len(w.updates)-1]
	if !isTerminal(last.GetState()) {
		w.complain("the last update is %v", last.GetState())
	}
	if w.alive && !w.hangs {
		w.complain("the container outlives the executor")
	}
	if w.exitCode == 0 && (w.withholdAcks || !w.exited && !w.alive) {
		w.complain("exit status 0 without an acknowledgement or a container")
	}
	if w.mayExist && !w.discardAsked {
		w.complain("exit without having asked for the clean-up")
	}
	if !w.acked && !w.agentGone && w.launched && w.now.Sub(w.terminalAt) < hurryAck {
		w.complain("exit without waiting for the terminal acknowledgement")
	}
	return last.GetState()
}

// history lives through a world once more and keeps what happened.
func history(seed uint64) []string {
	w := newWorld(seed)
	w.record = true
	w.run()
	return w.history
}
