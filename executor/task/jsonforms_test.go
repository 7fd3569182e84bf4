package task

import (
	"strings"
	"testing"
)

func TestTaskFilesAreToldWhatToWrite(t *testing.T) {
	for text, want := range map[string]string{
		`{"taskId": {"value": "t"}}`:                                                             "taskId: There is no such field in mesos.proto; did you mean `task_id`?",
		`{"container": {"docker": {"forcePullImage": true}}}`:                                    "did you mean `force_pull_image`?",
		`{"command": {"enviroment": {}}}`:                                                        "command.enviroment: There is no such field in mesos.proto; did you mean `environment`?",
		`{"command": {"environment": {"QQQQ": "never-shown"}}}`:                                  "command.environment.QQQQ: There is no such field in mesos.proto; the fields here are variables.",
		`{"container": {"docker": {"network": "bridge"}}}`:                                       `container.docker.network: The value is not one of the names HOST, BRIDGE, NONE, USER; did you mean BRIDGE, not "bridge"?`,
		`{"container": {"docker": {"network": "never-shown"}}}`:                                  "container.docker.network: The value is not one of the names HOST, BRIDGE, NONE, USER.",
		`{"frobnicate": 1}`:                                                                      "the fields here are agent_id, check, command, container, data, discovery, executor, health_check, kill_policy, labels, limits, max_completion_time, 3 more.",
		`{"resources": [{"name": "mem", "type": "SCALAR", "scalar": {"value": "never-shown"}}]}`: "resources[0].scalar.value: The value is not a number; write a number without quotes and unit, `mem` and `disk` in MiB.",
		`{"kill_policy": {"grace_period": "never-shown"}}`:                                       `kill_policy.grace_period: A JSON object is expected; write {"nanoseconds": 10000000000} for ten seconds.`,
		`{"kill_policy": {"grace_period": {"nanoseconds": "never-shown"}}}`:                      "The value is not a whole number of 64 bits; write 10000000000 for ten seconds, say.",
		`{"task_id": "never-shown"}`:                                                             `task_id: A JSON object is expected; write {"value": "..."}.`,
		`{"limits": {"mem": 64}}`:                                                                `limits.mem: A JSON object is expected; write {"value": 64}, say.`,
		`{"command": {"shell": "false"}}`:                                                        "command.shell: The value is not true or false; write it without quotes.",
		`{"command": {"value": 5}}`:                                                              "command.value: The value is not a string; write it in quotes.",
		`{"command": {"arguments": "never-shown"}}`:                                              "command.arguments: A JSON array is expected; write [ and ] around the value.",
		`{"container": "never-shown"}`:                                                           "container: A JSON object is expected; its fields are docker, hostname, linux_info, mesos,",
		`{"command": {"environment": {"variables": [{"name": "A", "value": 17171717}]}}}`:        "The value is not a string; write it in quotes.",
	} {
		_, err := FromJSON([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "never-shown") || strings.Contains(err.Error(), "1717") {
			t.Errorf("%s:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

// TestMismatchOfOneValueDoesNotHideOthers: only what has no end that is known stops the reading.
func TestMismatchOfOneValueDoesNotHideOthers(t *testing.T) {
	_, err := FromJSON([]byte(`{"name": "n", "task_id": "t", "kill_policy": {"grace_period": 10}, "container": {"docker": {"imag": "x"}}}`))
	for _, path := range []string{"task_id: ", "kill_policy.grace_period: ", "container.docker.imag: "} {
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("the error does not name %s: %v", path, err)
		}
	}
}

func TestMarathonAppsAreRecognised(t *testing.T) {
	const says = "this looks like a Marathon app: scripts/marathon-task APP.json prints its TaskInfo"
	for text, app := range map[string]bool{
		`{"id": "/web", "cmd": "sleep 1", "cpus": 1}`:                   true,
		`{"id": "/web", "container": {"docker": {"image": "busybox"}}}`: true,
		`{"app": {"id": "/web", "cmd": "sleep 1"}}`:                     true,
		`{"id": "/web", "task_id": {"value": "t"}, "container": {}}`:    false,
		`{"container": {"docker": {"image": "busybox"}}, "name": "n"}`:  false,
		`{"id": "/web"}`:                       false,
		`{"app": 5, "id": "/web", "cmd": "x"}`: false,
	} {
		_, err := FromJSON([]byte(text))
		if err == nil || strings.Contains(err.Error(), says) != app || app && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestMistypedFlagsAreToldTheRightOne(t *testing.T) {
	for key, want := range map[string]string{
		"volum": "volume", "enviroment": "env", "environment": "env", "network_mode": "network", "cap_add": "cap-add",
		"memory-limit": "memory", "q7": "",
	} {
		message := problemsOf(t, nil, key+" x")
		if want == "" {
			if strings.Contains(message, "did you mean") {
				t.Errorf("%s: %s", key, message)
			}
		} else if !strings.Contains(message, "did you mean `"+want+"`?") {
			t.Errorf("%s: %s", key, message)
		}
	}
}
