package supervise

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/report"
)

// secretTask has a variable whose value belongs into no report.
func secretTask(command string) string {
	return taskJSON(`{"shell": true, "value": "`+command+`", "environment": {"variables": [{"name": "TOKEN", "value": "hunter2hunter2"}]}}`, enginetest.Image)
}

func TestReportIsWrittenAtEveryEndButAFinishedOne(t *testing.T) {
	for _, test := range []struct {
		name  string
		task  string
		until func(*life)
		state mesos.TaskState
		code  int
		calls []string // that the report must show
		told  []string // in the text of its events
	}{
		{"failed", secretTask("echo the last words; exit 7"), nil, mesos.TASK_FAILED, 0,
			[]string{"create", "start", "inspect"}, []string{"LAUNCH of task task-1", "the container is started", "exited with 7"}},
		{"killed", secretTask("echo the last words; exec sleep 1000"), func(l *life) {
			awaitFile(l.t, l.stdout, "the last words\n")
			kill(l, 0)
			l.await(mesos.TASK_KILLING)
		}, mesos.TASK_KILLED, 0, []string{"start"}, []string{"KILL of task task-1", "SIGKILL to the init"}},
		{"refused", strings.Replace(secretTask("true"), `"image"`, `"privileged": true, "image"`, 1), nil, mesos.TASK_ERROR, 1, nil, []string{"TASK_ERROR"}},
		{"finished", secretTask("true"), nil, mesos.TASK_FINISHED, 0, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := begin(t)
			l.launch(test.task)
			if test.state != mesos.TASK_ERROR {
				l.await(mesos.TASK_STARTING)
				l.await(mesos.TASK_RUNNING)
			}
			if test.until != nil {
				test.until(l)
			}
			end := l.await(test.state)
			l.exits(test.code)
			text, err := os.ReadFile(filepath.Join(l.sandbox, report.FileName))
			if test.state == mesos.TASK_FINISHED {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("a finished task has a report: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "hunter2") {
				t.Errorf("a secret is in the report:\n%s", text)
			}
			r, err := report.Read(strings.NewReader(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			if r.State != test.state.String() || r.Message != end.GetMessage() || r.ContainerID != l.containerID {
				t.Errorf("%s of %s: %q", r.State, r.ContainerID, r.Message)
			}
			for _, call := range test.calls {
				if !slices.ContainsFunc(r.Calls, func(c report.Call) bool { return c.Call == call && c.Outcome == "done" }) {
					t.Errorf("no %s among the calls %+v", call, r.Calls)
				}
			}
			for _, told := range test.told {
				if !slices.ContainsFunc(r.Events, func(e report.Event) bool { return strings.Contains(e.Text, told) }) {
					t.Errorf("nothing tells of %q:\n%s", told, text)
				}
			}
			if test.calls == nil {
				return
			}
			if !slices.ContainsFunc(r.Witnesses, func(w report.Witness) bool { return w.Believed }) {
				t.Errorf("no witness is believed: %+v", r.Witnesses)
			}
			if !slices.Equal(r.Output.Stdout.Last, []string{"the last words"}) {
				t.Errorf("last lines %q", r.Output.Stdout.Last)
			}
		})
	}
}
