package endtoend

import (
	"slices"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/localagent"
)

func TestUnacknowledgedUpdatesAreSentAgainInOrder(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		r := prepare(t, mode, shell(t, "sleep 600"))
		r.WithholdAcks(true)
		r.start()
		r.state(mesos.TASK_STARTING)
		// RUNNING waits behind STARTING, which nobody acknowledged.
		if err := r.Restart(r.ctx, localagent.Restart{Down: 100 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		r.WithholdAcks(false)
		if err := r.Restart(r.ctx, localagent.Restart{}); err != nil {
			t.Fatal(err)
		}
		r.state(mesos.TASK_RUNNING)
		grace := time.Duration(0)
		r.Kill(&grace)
		r.ends(mesos.TASK_KILLED, 0)
		if got := r.sequence(); !strings.HasPrefix(got, "STARTING RUNNING") {
			t.Errorf("states %s", got)
		}
	})
}

// In custom mode the agent's launcher destroys an executor that was not recovered; in drop-in mode it has to find out.
func TestAgentThatForgotTheExecutorEndsIt(t *testing.T) {
	for name, forget := range map[string]localagent.Forget{"executor": localagent.ForgetExecutor, "framework": localagent.ForgetFramework} {
		t.Run(name, func(t *testing.T) {
			r := launch(t, localagent.DropIn, shell(t, "sleep 600"))
			r.state(mesos.TASK_RUNNING)
			if err := r.Restart(r.ctx, localagent.Restart{Forget: forget}); err != nil {
				t.Fatal(err)
			}
			r.exits(1)
			r.nothingLeft()
		})
	}
}

func TestAbsentAgentEndsTheTaskAfterTheRecoveryTimeout(t *testing.T) {
	r := launch(t, localagent.Custom, shell(t, "sleep 600"), func(o *localagent.Options) { o.RecoveryTimeout = 2 * time.Second })
	r.state(mesos.TASK_RUNNING)
	r.Down()
	r.exits(1)
	r.nothingLeft()
}

func TestWithoutCheckpointingTheTaskEndsWithTheConnection(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		r := launch(t, mode, shell(t, "sleep 600"), func(o *localagent.Options) { o.NoCheckpoint = true })
		r.state(mesos.TASK_RUNNING)
		r.Down()
		r.exits(1)
		r.nothingLeft()
	})
}

func TestExecutorWithoutATaskLeavesWhenTheAgentComesBack(t *testing.T) {
	r := prepare(t, localagent.Custom, shell(t, "sleep 600"), func(o *localagent.Options) {
		o.Script = []localagent.Rule{{When: localagent.BeforeLaunch(), Do: (*localagent.Agent).Shutdown}}
	})
	r.start()
	r.exits(1)
	if slices.ContainsFunc(r.Statuses(), func(s mesos.TaskStatus) bool { return s.GetState() == mesos.TASK_RUNNING }) {
		t.Error("the task ran")
	}
}

func TestDestroyedExecutorLeavesNoRunningContainer(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		for _, at := range []mesos.TaskState{mesos.TASK_STARTING, mesos.TASK_RUNNING} {
			r := launch(t, mode, shell(t, "sleep 600"))
			r.state(at)
			if err := r.Destroy(r.ctx); err != nil {
				t.Fatal(err)
			}
			await(t, "the container to be gone or stopped", func() bool {
				c, err := client(t).Inspect(r.ctx, r.containerName())
				return err != nil || !c.Running
			})
			r.removeContainer()
		}
	})
}

// removeContainer removes what an executor could not, having been killed.
func (r *run) removeContainer() {
	if err := client(r.t).Remove(r.ctx, r.containerName()); err != nil {
		r.t.Error(err)
	}
}
