//go:build acceptance

package main

import (
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// check is one promise of the executor, tried with one task in each mode.
type check struct {
	name   string
	shape  shape
	kill   *kill         // nil = the task ends by itself
	limit  time.Duration // from ACCEPT to the terminal update; 0 = [checkLimit]
	expect expectation
}

// checkLimit is how long a task may take from ACCEPT to its terminal update. An agent gives an executor a minute to
// register (--executor_registration_timeout), so a shorter limit would hide what the agent says then.
const checkLimit = 75 * time.Second

// kill is a KILL that the check sends.
type kill struct {
	after time.Duration // from TASK_RUNNING: a shell needs a moment to set its traps
	grace time.Duration // override in the call; 0 = none, the task's own holds
}

// foreignPort is a host port outside of the usual ports resource (31000-32000). Mapping it contradicts the TaskInfo.
const foreignPort = 40123

const markVariable = "ACCEPTANCE_MARK"

// netAdmin tests CAP_NET_ADMIN (number 12, linux/capability.h) in the bounding set with nothing but the shell: the
// container exits with 0 when the capability is gone even for its root.
const netAdmin = `while read key value; do
  if [ "$key" = CapBnd: ]; then sleep 1; exit $(( (0x$value >> 12) & 1 )); fi
done < /proc/self/status
exit 3`

// checks are all promises in the order of the table. mark is a secret that reaches each task's environment and must show up
// nowhere else.
func checks(mark string) []check {
	started := []mesos.TaskState{mesos.TASK_STARTING, mesos.TASK_RUNNING}
	then := func(more ...mesos.TaskState) []mesos.TaskState {
		return append(started[:len(started):len(started)], more...)
	}
	return []check{
		{
			name: "life cycle",
			shape: shape{
				command: `[ ${#` + markVariable + `} -eq ` + decimal(len(mark)) + ` ] && [ -d "$MESOS_SANDBOX" ] && sleep 2`,
				env:     map[string]string{markVariable: mark},
			},
			expect: expectation{
				states: then(mesos.TASK_FINISHED), says: []string{"status 0"},
				running: []runningRule{reportsContainer, reportsAddress, hidesEnvironment(mark)},
			},
		},
		{
			name:   "port mapping",
			shape:  shape{command: "sleep 2", ports: 1},
			expect: expectation{states: then(mesos.TASK_FINISHED), running: []runningRule{publishesPorts}},
		},
		{
			name:  "kill",
			shape: shape{command: "exec sleep 600", grace: time.Minute},
			kill:  &kill{grace: time.Second},
			expect: expectation{
				states: then(mesos.TASK_KILLING, mesos.TASK_KILLED), endsAfterKill: 15 * time.Second,
			},
		},
		{
			name:  "kill, exits 0 on SIGTERM",
			shape: shape{command: `trap "exit 0" TERM; while :; do sleep 1; done`, grace: time.Minute},
			kill:  &kill{after: 1500 * time.Millisecond},
			expect: expectation{
				states: then(mesos.TASK_KILLING, mesos.TASK_KILLED), says: []string{"status 0"}, endsAfterKill: 15 * time.Second,
			},
		},
		{
			name:   "failed exit",
			shape:  shape{command: "sleep 1; exit 7"},
			expect: expectation{states: then(mesos.TASK_FAILED), says: []string{"status 7"}},
		},
		{
			name:  "refusal: privileged",
			shape: shape{command: "sleep 600", parameters: []mesos.Parameter{{Key: "privileged", Value: "true"}}},
			expect: expectation{
				states: []mesos.TaskState{mesos.TASK_ERROR}, reason: mesos.REASON_TASK_UNAUTHORIZED.Enum(), says: []string{"privileged"},
			},
		},
		{
			name:  "trim: cap-add NET_ADMIN",
			shape: shape{command: netAdmin, parameters: []mesos.Parameter{{Key: "cap-add", Value: "NET_ADMIN"}}},
			expect: expectation{
				states: then(mesos.TASK_FINISHED), startingSays: []string{"NET_ADMIN"}, running: []runningRule{lacksCapability("NET_ADMIN")},
			},
		},
		{
			name:  "malformed: port without resource",
			shape: shape{command: "sleep 600", foreign: foreignPort},
			expect: expectation{
				states: []mesos.TaskState{mesos.TASK_ERROR}, reason: mesos.REASON_TASK_INVALID.Enum(), says: []string{decimal(foreignPort)},
			},
		},
	}
}

// slug makes a check's name fit into a task id.
func (c check) slug() string {
	words := strings.FieldsFunc(strings.ToLower(c.name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return strings.Join(words, "-")
}

func (c check) deadline() time.Duration {
	if c.limit > 0 {
		return c.limit
	}
	return checkLimit
}
