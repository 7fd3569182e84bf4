package localagent_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"

	"mesos-docker-executor/executor/localagent"
)

const recordings = "../../testdata/recordings"

// recorded reads what a real agent sent in one run.
func recorded(t *testing.T, folder string) (subscribed *executor.Event_Subscribed, task mesos.TaskInfo) {
	t.Helper()
	var events []executor.Event
	readJSON(t, filepath.Join(recordings, folder, "events.readable.json"), &events)
	if len(events) < 2 || events[0].Subscribed == nil || events[1].Launch == nil {
		t.Fatalf("recording %s does not begin with SUBSCRIBED and LAUNCH", folder)
	}
	return events[0].Subscribed, events[1].Launch.Task
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// submitted turns a recorded LAUNCH back into what the framework submitted.
func submitted(t *testing.T, task mesos.TaskInfo) mesos.TaskInfo {
	t.Helper()
	task.AgentID = mesos.AgentID{}
	if task.Executor != nil {
		task.Command = new(mesos.CommandInfo)
		if err := json.Unmarshal(task.Data, task.Command); err != nil {
			t.Fatal(err)
		}
		task.Executor, task.Data = nil, nil
	}
	return task
}

func TestSubscribedAndLaunchHaveTheRecordedShape(t *testing.T) {
	for _, tt := range []struct {
		folder string
		mode   localagent.Mode
	}{{"drop-in", localagent.DropIn}, {"custom", localagent.Custom}} {
		t.Run(tt.folder, func(t *testing.T) {
			want, wantTask := recorded(t, tt.folder)
			agent, c := start(t, localagent.Options{
				Mode:       tt.mode,
				Task:       submitted(t, wantTask),
				Framework:  &want.FrameworkInfo,
				Executable: "/usr/libexec/mesos/mesos-docker-executor",
				IDs: localagent.IDs{
					AgentID: want.AgentInfo.ID.Value, FrameworkID: want.FrameworkInfo.ID.Value,
					ContainerID: want.ContainerID.Value,
				},
			})
			events := c.subscribe().expect(executor.Event_SUBSCRIBED, executor.Event_LAUNCH)
			got := events[0].Subscribed
			// The port is another one, and the agent names the folder of its
			// installation in the command that it makes up.
			got.AgentInfo.Port = want.AgentInfo.Port
			if tt.mode == localagent.DropIn {
				want.ExecutorInfo.Command.Value = got.ExecutorInfo.Command.Value
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("SUBSCRIBED differs (-recorded +got):\n%s", diff)
			}
			gotTask := events[1].Launch.Task
			compareData(t, &wantTask, &gotTask)
			if diff := cmp.Diff(wantTask, gotTask); diff != "" {
				t.Errorf("LAUNCH differs (-recorded +got):\n%s", diff)
			}
			noViolations(t, agent)
		})
	}
}

// compareData compares the CommandInfos in the data and makes them equal.
func compareData(t *testing.T, want, got *mesos.TaskInfo) {
	t.Helper()
	if want.Data == nil {
		return
	}
	var wantCommand, gotCommand mesos.CommandInfo
	if err := json.Unmarshal(want.Data, &wantCommand); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got.Data, &gotCommand); err != nil {
		t.Fatalf("data %q: %v", got.Data, err)
	}
	for i := range wantCommand.Environment.Variables { // the framework left it out
		wantCommand.Environment.Variables[i].Type = mesos.Environment_Variable_VALUE.Enum()
	}
	if diff := cmp.Diff(wantCommand, gotCommand); diff != "" {
		t.Errorf("data differs (-recorded +got):\n%s", diff)
	}
	got.Data = want.Data
}
