package supervise

import (
	"log/slog"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

func TestInitIsVerifiedAgainstWhatWasDecided(t *testing.T) {
	l := begin(t)
	l.launch(busybox("exec sleep 1000"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING) // so all was as the built-in policy decided
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	found, err := l.engine.Inspect(t.Context(), "mesosx-"+l.containerID)
	if err != nil {
		t.Fatal(err)
	}
	init, err := process.OpenLeaf(groups, cgroupRoot+"/00000000/"+l.containerID).WatchInit(t.Context(), found.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer init.Close()
	c, r := &container{}, &runner{ctx: t.Context(), Options: Options{Log: slog.New(slog.DiscardHandler)}}
	c.init.Store(init)
	r.info.Store(&engine.Info{SecurityOptions: []string{"name=seccomp,profile=default"}})

	less := &task.Plan{Policy: security.New("test", security.Rules{RunAsNonRoot: true})} // than the container has
	less.Spec.Host.CapAdd = security.BuiltInRules().Capabilities.Base[1:]
	more := strings.Join(r.verify(c, less), " ")
	if !strings.Contains(more, security.BuiltInRules().Capabilities.Base[0]) || strings.Contains(more, "seccomp") || !strings.Contains(more, "runs as root") {
		t.Errorf("it exceeds what was decided by: %q", more)
	}
	kill(l, 0)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits(0)
	await(t, "the end of the init", func() bool { return init.Ended() })
	if more := r.verify(c, less); len(more) > 0 {
		t.Errorf("a dead one exceeds it by %q", more)
	}
}

// The review of the image is left out here, so that only the container itself shows who it is.
func TestRootIsEndedWhereThePolicyForbidsIt(t *testing.T) {
	l := begin(t, func(l *life, o *Options) {
		rules := security.BuiltInRules()
		rules.RunAsNonRoot = true
		policy := security.New("test", rules)
		o.Settings.Decide = func(raw []byte, _ mesos.FrameworkInfo) task.Decision { return task.Decide(raw, l.inputs, policy) }
	})
	l.launch(busybox("exec sleep 1000"))
	l.await(mesos.TASK_STARTING)
	failed := l.await(mesos.TASK_FAILED)
	if failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(failed.GetMessage(), "runs as root") {
		t.Errorf("%v: %q", failed.GetReason(), failed.GetMessage())
	}
	l.exits(0)
}
