package endtoend

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/localagent"
)

func TestTaskRunsInBothModes(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		r := launch(t, mode, shell(t, "echo out; echo err >&2; echo role=$MESOS_ALLOCATION_ROLE",
			`"labels": {"labels": [{"key": "team", "value": "web"}]}`), func(o *localagent.Options) {
			f := localagent.DefaultFramework()
			f.Roles = []string{"web"}
			o.Framework = &f
			for i := range o.Task.Resources {
				role := "web"
				o.Task.Resources[i].AllocationInfo = &mesos.Resource_AllocationInfo{Role: &role}
			}
		})
		r.ends(mesos.TASK_FINISHED, 0)
		r.wantSequence("STARTING RUNNING FINISHED")
		if got, want := r.file("stdout"), "out\nrole=web\n"; got != want {
			t.Errorf("stdout %q, want %q", got, want)
		}
		if got := r.file("stderr"); !strings.Contains(got, "err\n") || strings.Contains(got, "out\n") {
			t.Errorf("stderr %q, want the line err and not the line out", got)
		}
		r.nothingLeft()
	})
}

// TestRecordedTasksRunAndAreKilled replays the TaskInfo bytes that a real agent sent for a task in the shape of Marathon's.
func TestRecordedTasksRunAndAreKilled(t *testing.T) {
	for mode, folder := range map[localagent.Mode]string{localagent.DropIn: "drop-in", localagent.Custom: "custom"} {
		t.Run(string(mode), func(t *testing.T) {
			raw, info := recordedTask(t, folder)
			r := launch(t, mode, info, func(o *localagent.Options) {
				if mode == localagent.DropIn {
					o.TaskBytes = raw
				} else {
					o.TaskBytes, o.Task.Executor, o.Task.Data = raw, nil, nil
					o.Task.Command = &mesos.CommandInfo{} // the agent's own shaping; TaskBytes is what is sent
				}
				o.IDs.ExecutorID = info.TaskID.Value
			})
			starting := r.state(mesos.TASK_STARTING)
			for _, note := range []string{"NET_ADMIN", "health check not performed"} {
				if !strings.Contains(starting.GetMessage(), note) {
					t.Errorf("STARTING says %q, not %q", starting.GetMessage(), note)
				}
			}
			running := r.state(mesos.TASK_RUNNING)
			if n := len(running.GetContainerStatus().GetNetworkInfos()); n != 1 {
				t.Errorf("%d network infos, want 1", n)
			}
			r.awaitOutput("serving")
			grace := time.Second
			r.Kill(&grace)
			r.ends(mesos.TASK_KILLED, 0)
			r.wantSequence("STARTING RUNNING KILLING KILLED")
			r.nothingLeft()
		})
	}
}

// recordedTask is the task of a recorded LAUNCH: its bytes and what they mean.
func recordedTask(t *testing.T, folder string) ([]byte, mesos.TaskInfo) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "recordings", folder, "events.protobuf.recordio"))
	if err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(bytes.NewReader(data))
	for {
		header, err := reader.ReadString('\n')
		if err != nil {
			t.Fatal("no LAUNCH in the recording")
		}
		size, err := strconv.Atoi(strings.TrimSpace(header))
		if err != nil {
			t.Fatal(err)
		}
		frame := make([]byte, size)
		if _, err := io.ReadFull(reader, frame); err != nil {
			t.Fatal(err)
		}
		var event executor.Event
		if err := event.Unmarshal(frame); err != nil {
			t.Fatal(err)
		}
		if event.Type == executor.Event_LAUNCH {
			raw, err := event.Launch.Task.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(frame, raw) {
				t.Fatal("the recorded bytes of the task are not those that its decoded form makes")
			}
			return raw, event.Launch.Task
		}
	}
}

func TestCommandFollowsMesosRules(t *testing.T) {
	for _, test := range []struct{ name, image, command, want string }{
		{"image's own command", enginetest.Image, `{"shell": false}`, "default command\n"},
		{"value replaces the command", enginetest.Image, `{"shell": false, "value": "echo", "arguments": ["given"]}`, "given\n"},
		{"arguments replace the command", enginetest.EntrypointImage, `{"shell": false, "arguments": ["an", "argument"]}`, "entry an argument\n"},
		{"entrypoint and its command", enginetest.EntrypointImage, `{"shell": false}`, "entry default\n"},
		{"shell replaces the entrypoint", enginetest.EntrypointImage, `{"shell": true, "value": "echo shell"}`, "shell\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := launch(t, localagent.DropIn, parse(t, withCommand(test.command, test.image)))
			r.ends(mesos.TASK_FINISHED, 0)
			if got := r.file("stdout"); got != test.want {
				t.Errorf("stdout %q, want %q", got, test.want)
			}
		})
	}
}

func TestSandboxWithColonAndForeignOwner(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		work := filepath.Join(t.TempDir(), "work:dir")
		if err := os.Mkdir(work, 0o755); err != nil {
			t.Fatal(err)
		}
		info := shell(t, "echo hello > $MESOS_SANDBOX/data/made; echo said")
		info.Container.Volumes = []mesos.Volume{volume("data", "/data")}
		r := prepare(t, mode, info, func(o *localagent.Options) { o.WorkDir = work })
		if err := os.Chown(r.Sandbox(), 1000, 1000); err != nil {
			t.Fatal(err)
		}
		for _, stream := range []string{"stdout", "stderr"} {
			path := filepath.Join(r.Sandbox(), stream)
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(path, 1000, 1000); err != nil {
				t.Fatal(err)
			}
		}
		r.start()
		r.ends(mesos.TASK_FINISHED, 0)
		if got := r.file("stdout"); got != "said\n" {
			t.Errorf("stdout %q", got)
		}
		if got := r.file("data/made"); got != "hello\n" {
			t.Errorf("the volume holds %q", got)
		}
		for _, path := range []string{"stdout", "data"} {
			if uid := owner(t, filepath.Join(r.Sandbox(), path)); uid != 1000 {
				t.Errorf("%s belongs to %d, want the sandbox's owner", path, uid)
			}
		}
		r.nothingLeft()
	})
}

func volume(host, target string) mesos.Volume {
	mode := mesos.RW
	return mesos.Volume{HostPath: &host, ContainerPath: target, Mode: &mode}
}

func TestPublishedPortReachesTheContainer(t *testing.T) {
	r := launch(t, localagent.DropIn, taskFile(t, "web.json"))
	r.state(mesos.TASK_RUNNING)
	await(t, "the page", func() bool {
		return strings.Contains(inEngineNetwork(t, "wget", "-q", "-O", "-", "http://127.0.0.1:31010/"), "served from the sandbox")
	})
	r.Kill(nil)
	r.ends(mesos.TASK_KILLED, 0)
}

func TestTaskKillingStateIsForFrameworksThatKnowIt(t *testing.T) {
	f := localagent.DefaultFramework()
	f.Capabilities = nil
	r := launch(t, localagent.Custom, shell(t, "sleep 600"), func(o *localagent.Options) { o.Framework = &f })
	r.state(mesos.TASK_RUNNING)
	grace := time.Duration(0)
	r.Kill(&grace)
	r.ends(mesos.TASK_KILLED, 0)
	r.wantSequence("STARTING RUNNING KILLED")
}

func TestShutdownStaysInsideTheAgentsGrace(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		r := launch(t, mode, shell(t, "trap '' TERM; echo ready; while :; do sleep 0.1; done",
			`"kill_policy": {"grace_period": {"nanoseconds": 1000000000}}`))
		r.state(mesos.TASK_RUNNING)
		r.awaitOutput("ready")
		r.Shutdown() // destroys the executor if it overstays
		r.ends(mesos.TASK_KILLED, 0)
		r.wantSequence("STARTING RUNNING KILLING KILLED")
		r.nothingLeft()
	})
}

func TestSignalEndsTaskAndExecutor(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		r := launch(t, mode, shell(t, "sleep 600"))
		r.state(mesos.TASK_RUNNING)
		if err := r.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		r.ends(mesos.TASK_KILLED, 0)
		r.nothingLeft()
	})
}

func TestEnvironmentOfTheTaskDoesNotActOnTheExecutor(t *testing.T) {
	info := shell(t, "echo $GODEBUG $DOCKER_HOST; env | grep -c MESOS_AGENT_ENDPOINT; true")
	info.Command.Environment = &mesos.Environment{}
	for name, value := range map[string]string{"GODEBUG": "inittrace=1", "DOCKER_HOST": "unix:///nowhere", "GORACE": "halt_on_error=0"} {
		info.Command.Environment.Variables = append(info.Command.Environment.Variables, mesos.Environment_Variable{Name: name, Value: &value})
	}
	r := launch(t, localagent.DropIn, info)
	r.state(mesos.TASK_RUNNING)
	r.ends(mesos.TASK_FINISHED, 0)
	if got, want := r.file("stdout"), "inittrace=1 unix:///nowhere\n0\n"; got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
}

func TestRunningCarriesInspectDataWithoutTheEnvironment(t *testing.T) {
	info := shell(t, "sleep 600")
	secret := "do-not-show"
	info.Command.Environment = &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "PASSWORD", Value: &secret}}}
	r := launch(t, localagent.Custom, info)
	running := r.state(mesos.TASK_RUNNING)
	var inspect []map[string]any
	if err := json.Unmarshal(running.Data, &inspect); err != nil || len(inspect) != 1 {
		t.Errorf("data is not an array of one container: %v", err)
	}
	if id := running.GetContainerStatus().GetContainerID().GetValue(); id != r.IDs().ContainerID {
		t.Errorf("container id %q, want %q", id, r.IDs().ContainerID)
	}
	grace := time.Duration(0)
	r.Kill(&grace)
	r.ends(mesos.TASK_KILLED, 0)
	for _, text := range []string{string(running.Data), r.file("mesos-docker-executor.log"), r.file("stderr"), fmt.Sprint(r.Statuses())} {
		if strings.Contains(text, secret) {
			t.Errorf("an environment value is shown: %s", text)
		}
	}
}
