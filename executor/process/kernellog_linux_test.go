package process

import (
	"testing"
	"time"
)

func TestKernelsMessageAboutAKill(t *testing.T) {
	const cgroup = "/mesos/c1/task/" + testID
	const memcg = "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=" + testID + ",mems_allowed=0,oom_memcg="
	for name, test := range map[string]struct {
		message string
		own, ok bool
	}{
		"its own limit": {"6,931,125,-;" + memcg + cgroup + ",task_memcg=" + cgroup + ",task=sh,pid=42,uid=0\n", true, true},
		"a limit above": {"6,931,125,-;" + memcg + "/mesos/c1,task_memcg=" + cgroup + ",task=sh,pid=42,uid=0\n", true, true},
		"in a cgroup below": {
			"4,931,125,-;" + memcg + cgroup + ",task_memcg=" + cgroup + "/inner,task=sh,pid=42,uid=0\n", true, true},
		"seen from a cgroup namespace": {
			"4,931,125,-;" + memcg + "/outer" + cgroup + ",task_memcg=/outer" + cgroup + ",task=sh,pid=42,uid=0\n", true, true},
		"the host's memory": {
			"6,931,125,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=" + cgroup + ",task=sh,pid=42,uid=0\n", false, true},
		"another container":         {"6,931,125,-;" + memcg + cgroup + ",task_memcg=/mesos/c1/task,task=sh,pid=42,uid=0\n", true, false},
		"a name that begins so":     {"6,931,125,-;" + memcg + cgroup + "0,task_memcg=" + cgroup + "0,task=sh,pid=42,uid=0\n", true, false},
		"written by a user":         {"12,931,125,-;" + memcg + cgroup + ",task_memcg=" + cgroup + ",task=sh,pid=42,uid=0\n", false, false},
		"written by a daemon":       {"30,931,125,-;" + memcg + cgroup + ",task_memcg=" + cgroup + ",task=sh,pid=42,uid=0\n", false, false},
		"about something else":      {"6,931,125,-;eth0: link up " + cgroup + "\n", false, false},
		"a kill without the cgroup": {"6,931,125,-;oom-kill:constraint=CONSTRAINT_MEMCG\n", false, false},
		"nothing":                   {"", false, false},
	} {
		if own, ok := parseOOM(test.message, cgroup); ok != test.ok || ok && own != test.own {
			t.Errorf("%s: %v, %v", name, own, ok)
		}
	}
}

func TestKernelLogOfACgroupWithoutKills(t *testing.T) {
	began := time.Now()
	if found, err := readKernelLog("/no/such/cgroup"); err != nil || found.kills != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	t.Logf("read in %v", time.Since(began))
}
