package supervise

import (
	"context"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
)

func (r *runner) carryOut(c Command) {
	switch c := c.(type) {
	case Send:
		r.logUpdate(c.Status)
		r.noteUpdate(c.Status)
		r.Agent.Update(c.Status)
		if c.Status.GetState() == mesos.TASK_RUNNING {
			r.calmLater()
			r.ops.Go(func() { r.watchDisks(r.ctx) })
		}
	case ProbeEngine:
		r.probe()
	case EnsureImage:
		r.ensureImage(c.Plan)
	case CancelImage:
		r.cancelImage()
	case CreateContainer:
		r.createContainer(c.Plan)
	case StartContainer:
		r.startContainer()
	case InspectContainer:
		r.verifyAndInspect()
	case InspectExit:
		r.inspect(r.Engine.InspectAgain, func(i engine.Container, err error) Message { return ExitInspected{i, err} })
	case RevokeLease:
		r.revokeLease()
	case SignalInit:
		r.signalInit(c.Signal)
	case StopInit:
		r.stopInit()
	case SignalByEngine:
		r.signalByEngine(c.Signal)
	case KillLeaf:
		r.killLeaf()
	case ListLeaf:
		r.listLeaf()
	case KillShim:
		r.killShim()
	case Reattach:
		r.reattach()
	case GiveUpOutput:
		r.Say("the rest of the container's output is given up: the Docker daemon does not pass it on, or nobody reads it here")
	case Discard:
		r.discard()
	case Arm:
		r.arm(c)
	case Exit:
		r.exit = &c.Code
	}
}

func (r *runner) arm(c Arm) {
	if t := r.timers[c.Timer]; t != nil {
		t.Stop()
	}
	r.timers[c.Timer] = time.AfterFunc(c.After, func() {
		select {
		case r.inbox <- delivery{msg: Fired{c.Timer, c.Seq}}:
		case <-r.ctx.Done():
		}
	})
}

func (r *runner) inspect(ask func(context.Context, string) (engine.Container, error), answer func(engine.Container, error) Message) {
	id := r.container.id
	r.spawn(func() delivery {
		i, err := ask(r.ctx, id)
		return delivery{msg: answer(i, err)}
	})
}

// calmAfter is how long after TASK_RUNNING the executor calms down: not while the task starts up, nor for one that is over
// by then.
const calmAfter = time.Second

func (r *runner) calmLater() {
	if r.Calm == nil {
		return
	}
	r.ops.Go(func() {
		r.pause(r.ctx, calmAfter)
		if r.ctx.Err() == nil {
			r.Engine.Standstill() // the first time it has to look for the daemons
			r.Calm()
		}
	})
}
