package localagent_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/executor/localagent"
)

func TestEnvironmentAndArgumentsAreTheRecordedOnes(t *testing.T) {
	for _, tt := range []struct {
		folder string
		mode   localagent.Mode
		extra  []string
	}{{"drop-in", localagent.DropIn, nil}, {"custom", localagent.Custom, nil}, {"custom-shutdown", localagent.Custom, []string{"run"}}} {
		t.Run(tt.folder, func(t *testing.T) {
			var wantArgs, wantEnv []string
			readJSON(t, filepath.Join(recordings, tt.folder, "argv.json"), &wantArgs)
			readJSON(t, filepath.Join(recordings, tt.folder, "env.json"), &wantEnv)
			subscribed, task := recorded(t, tt.folder)
			if tt.folder == "custom-shutdown" {
				task.Data = []byte(`{"value":"sleep 300"}`) // recorded as bare text
			}
			agent, _ := start(t, localagent.Options{
				Mode: tt.mode, Task: submitted(t, task), Framework: &subscribed.FrameworkInfo,
				Executable: fakeExecutor(t), Arguments: tt.extra,
				IDs: localagent.IDs{
					AgentID: subscribed.AgentInfo.ID.Value, FrameworkID: subscribed.FrameworkInfo.ID.Value,
					ContainerID: subscribed.ContainerID.Value,
				},
			})
			seen := runFake(t, agent)
			replace := strings.NewReplacer(
				"/var/lib/mesos/agent/slaves", strings.SplitAfter(agent.Sandbox(), "/slaves")[0], "127.0.0.1:5051", agent.Endpoint())
			for i := range wantArgs {
				wantArgs[i] = replace.Replace(wantArgs[i])
			}
			if diff := cmp.Diff(wantArgs, seen.Args); diff != "" {
				t.Errorf("argv differs (-recorded +got):\n%s", diff)
			}
			var want []string
			for _, variable := range wantEnv {
				// Set only where the library is installed.
				if !strings.HasPrefix(variable, "MESOS_NATIVE_") {
					want = append(want, replace.Replace(variable))
				}
			}
			slices.Sort(want)
			slices.Sort(seen.Env)
			if diff := cmp.Diff(want, seen.Env); diff != "" {
				t.Errorf("environment differs (-recorded +got):\n%s", diff)
			}
		})
	}
}
