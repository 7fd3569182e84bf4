package task

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// typicalParameters returns a value for each flag, and what it is given with: of the flags that are translated those of the tests
// of their effects, of the others what asks for something.
func typicalParameters() []effect {
	list := append(effects(), moreParameters()...)
	for name, f := range flagTable() {
		switch {
		case f.set != nil || name != f.name:
		case f.kind == onOff:
			list = append(list, effect{parameter: fmt.Sprintf("%s %v", name, !f.usual)})
		default:
			list = append(list, effect{parameter: name + " x"})
		}
	}
	return list
}

// moreParameters are values of which the page says something else than of those above.
func moreParameters() []effect {
	var list []effect
	for _, parameter := range []string{
		"publish 31000:80", "publish 31000:80/sctp", "publish 80:80", "expose 80-90", "network name=bridge,driver-opt=a=b",
		"memory-swap 0", "memory-swap 1g", "pids-limit 0", "pids-limit 5", "shm-size 2g", "oom-score-adj -5", "oom-score-adj 5",
		"security-opt systempaths=unconfined", "security-opt apparmor=docker-default", "security-opt label=disable", "security-opt a=b",
		"security-opt no-new-privileges", "security-opt no-new-privileges=false", "user 1000:1000", "user 1000:docker", "group-add 6",
		"volume ./a:/b:delegated", "volume ./a:b", "volume ./a:/proc/x", "volume /var/run/docker.sock:/x:ro", "volume a-b:/x", "volume /x",
		"tmpfs /x:exec", "tmpfs /x:size=1m,size=2m", "tmpfs /x:size=2g", "env NVIDIA_VISIBLE_DEVICES=all", "env CUDA_VERSION=1", "label mesos-docker-executor.x=y",
		"stop-signal SIGRTMIN+20", "stop-signal 54", "cap-add NET_ADMIN", "cap-add X", "ulimit nofile=100000", "ulimit core=0", "entrypoint /proc/self/exe",
		"workdir /proc", "init true", "add-host a:host-gateway", "uts host", "ipc private", "ipc host", "pid host", "sysctl net.ipv4.tcp_syncookies=1", "cgroupns private", "log-driver syslog",
	} {
		list = append(list, effect{parameter: parameter})
	}
	return append(list, effect{parameter: "volume /x", given: []string{"volume-driver nfs"}})
}

// taskWith returns the task with a parameter, and with those that are given before it.
func taskWith(t *testing.T, e effect) []byte {
	t.Helper()
	return helloTask(t, func(task *mesos.TaskInfo) {
		task.Command = &mesos.CommandInfo{Shell: ptr(false)}
		task.Container.Hostname = nil
		if len(e.given) > 0 && strings.HasPrefix(e.given[0], "network") || strings.HasPrefix(e.parameter, "net") {
			task.Container.Docker.Network = nil
		} else {
			task.Container.Docker.Network = mesos.ContainerInfo_DockerInfo_BRIDGE.Enum()
		}
		task.Resources = append(task.Resources, portsResource(*task))
		task.Container.Docker.Parameters = parametersOf(append(slices.Clone(e.given), e.parameter)...)
	})
}

// outcome is what the built-in policy makes of one parameter: "reject mounts.sources", "not supported", "allow".
func outcome(t *testing.T, e effect) string {
	t.Helper()
	result := "allow"
	for _, f := range Decide(taskWith(t, e), testInputs(), security.BuiltIn()).Findings {
		if !strings.Contains(f.Origin, fmt.Sprintf("parameters[%d]", len(e.given))) {
			continue
		}
		if f.Rule == ruleTaskInfo {
			return "not supported"
		}
		if rank := []string{"allow", "trim", "reject"}; result == "allow" || slices.Index(rank, string(f.Action)) > slices.Index(rank, strings.Fields(result)[0]) {
			result = fmt.Sprintf("%s %s", f.Action, f.Rule)
		}
	}
	return result
}

// policyRows returns, for each name in the first column of a table of the page, the texts of its rows: those below that have
// an empty first column are its own as well.
func policyRows(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	var names []string
	for line := range strings.Lines(string(page)) {
		first, rest, ok := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		if !strings.HasPrefix(line, "|") || !ok {
			names = nil
			continue
		}
		if strings.TrimSpace(first) != "" {
			names = nil
			for i, part := range strings.Split(first, "`") {
				if i%2 == 1 {
					names = append(names, part)
				}
			}
		}
		for _, name := range names {
			rows[name] = append(rows[name], rest)
		}
	}
	return rows
}

// TestThePolicyPageSaysWhatBecomesOfEachFlag: one of the rows of each flag names the action and the rule that came out.
func TestThePolicyPageSaysWhatBecomesOfEachFlag(t *testing.T) {
	rows := policyRows(t)
	for _, e := range typicalParameters() {
		key, _, _ := strings.Cut(e.parameter, " ")
		f := flagTable()[key]
		got := outcome(t, e)
		action, rule, named := strings.Cut(got, " ")
		if got == "not supported" {
			action, rule, named = got, "", false
		}
		says := func(row string) bool {
			return strings.Contains(row, action) && (!named || strings.Contains(row, "`"+rule+"`"))
		}
		if !slices.ContainsFunc(rows[f.name], says) {
			t.Errorf("%s: %s, and the page says of %s %q", e.parameter, got, f.name, rows[f.name])
		}
	}
	for name, f := range flagTable() {
		if len(name) > 1 && rows[name] == nil {
			t.Errorf("--%s (%s) is in no table of the page", name, f.name)
		}
	}
}
