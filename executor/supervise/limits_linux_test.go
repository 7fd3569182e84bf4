package supervise

import (
	"fmt"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

// TestInfiniteLimitsLeaveTheKernelsDefaults, under a policy that allows them: no quota and no memory limit, and the request
// as soft limit.
func TestInfiniteLimitsLeaveTheKernelsDefaults(t *testing.T) {
	const none = 9223372036854771712 // cgroup v1's largest limit, in whole pages
	l := begin(t, func(l *life, o *Options) {
		rules := security.BuiltInRules()
		rules.UnlimitedMemory = true
		policy := security.New("test", rules)
		l.inputs.HostMemory = 128 << 20
		o.Settings.Decide = func(raw []byte, _ mesos.FrameworkInfo) task.Decision { return task.Decide(raw, l.inputs, policy) }
	})
	l.launch(taskJSON(`{"value": "cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes /proc/self/oom_score_adj"}`,
		enginetest.Image, `"limits": {"cpus": {"value": "Infinity"}, "mem": {"value": "Infinity"}}`))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	wantFile(t, l.stdout, fmt.Sprintf("-1\n%d\n%d\n500\n", int64(none), 64<<20))
}
