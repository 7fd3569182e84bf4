package localagent_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"

	"mesos-docker-executor/executor/localagent"
)

func TestViolationsAreNoticed(t *testing.T) {
	send := func(c *client, states ...mesos.TaskState) {
		for _, state := range states {
			c.update(c.status(state))
		}
	}
	for _, tt := range []struct {
		name string
		acts func(*client, *localagent.Agent)
		want string
	}{
		{"running after killing", func(c *client, _ *localagent.Agent) {
			send(c, mesos.TASK_STARTING, mesos.TASK_KILLING, mesos.TASK_RUNNING)
		}, "TASK_RUNNING after TASK_KILLING"},
		{"second terminal", func(c *client, _ *localagent.Agent) { send(c, mesos.TASK_FINISHED, mesos.TASK_KILLED) }, "second terminal"},
		{"update after terminal", func(c *client, _ *localagent.Agent) { send(c, mesos.TASK_FINISHED, mesos.TASK_RUNNING) }, "after the terminal"},
		{"missing update", func(c *client, agent *localagent.Agent) {
			agent.WithholdAcks(true)
			send(c, mesos.TASK_STARTING)
			agent.CutStream()
			c.subscribe()
		}, "lacks the unacknowledged update TASK_STARTING"},
		{"forgotten after 503", func(c *client, agent *localagent.Agent) {
			agent.Unavailable(1)
			call := c.call(executor.Call_UPDATE)
			call.Update = &executor.Call_Update{Status: c.status(mesos.TASK_STARTING)}
			c.post(call)
			agent.CutStream()
			c.subscribe()
		}, "lacks the unacknowledged update TASK_STARTING"},
		{"replay out of order", func(c *client, agent *localagent.Agent) {
			agent.WithholdAcks(true)
			one, two := c.status(mesos.TASK_STARTING), c.status(mesos.TASK_RUNNING)
			c.update(one)
			c.update(two)
			agent.CutStream()
			c.subscribe(two, one)
		}, "out of order"},
		{"older update sent again", func(c *client, agent *localagent.Agent) {
			one, two := c.status(mesos.TASK_STARTING), c.status(mesos.TASK_RUNNING)
			c.update(one)
			c.update(two)
			c.update(one)
		}, "after a later one"},
		{"same uuid, other contents", func(c *client, agent *localagent.Agent) {
			status := c.status(mesos.TASK_STARTING)
			c.update(status)
			status.Message = ptr("changed")
			c.update(status)
		}, "other contents"},
		{"two in flight", func(c *client, agent *localagent.Agent) {
			agent.DelayAccepted(300 * time.Millisecond)
			var both sync.WaitGroup
			both.Go(func() { c.update(c.status(mesos.TASK_STARTING)) })
			if _, err := agent.WaitState(deadline(c.t, 5*time.Second), mesos.TASK_STARTING); err != nil {
				c.t.Error(err)
			}
			c2 := *c
			c2.clock = 5
			both.Go(func() { c2.update(c2.status(mesos.TASK_RUNNING)) })
			both.Wait()
		}, "in flight at once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			agent, c := start(t, localagent.Options{})
			c.subscribe().expect(first...)
			tt.acts(c, agent)
			v := agent.Violations()
			if len(v) != 1 || !strings.Contains(v[0], tt.want) {
				t.Errorf("violations %q, want one with %q", v, tt.want)
			}
		})
	}
}
