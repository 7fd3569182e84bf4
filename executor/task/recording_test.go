package task

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

const recordingsDir = "../../testdata/recordings"

// launchedTask returns the TaskInfo of the LAUNCH that a real agent sent, as bytes and from its JSON. Both are of two
// runs of the same task.
func launchedTask(t testing.TB, folder string) (raw []byte, fromJSON mesos.TaskInfo) {
	t.Helper()
	stream, err := os.ReadFile(filepath.Join(recordingsDir, folder, "events.protobuf.recordio"))
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range records(t, stream) {
		if task := firstBytes(firstBytes(event, 4), 1); task != nil { // Event.launch = 4, Launch.task = 1 (executor.proto)
			raw = task
		}
	}
	stream, err = os.ReadFile(filepath.Join(recordingsDir, folder, "events.json.recordio"))
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records(t, stream) {
		var event struct {
			Launch struct{ Task json.RawMessage }
		}
		if err := json.Unmarshal(record, &event); err != nil {
			t.Fatal(err)
		}
		if event.Launch.Task == nil {
			continue
		}
		if fromJSON, err = FromJSON(event.Launch.Task); err != nil {
			t.Fatal(err)
		}
	}
	if raw == nil || fromJSON.Name == "" {
		t.Fatal("the recording has no LAUNCH")
	}
	return raw, fromJSON
}

func records(t testing.TB, stream []byte) [][]byte {
	t.Helper()
	var list [][]byte
	for len(stream) > 0 {
		length, rest, _ := bytes.Cut(stream, []byte("\n"))
		n, err := strconv.Atoi(string(length))
		if err != nil || n > len(rest) {
			t.Fatalf("broken recording: %v", err)
		}
		list = append(list, rest[:n])
		stream = rest[n:]
	}
	return list
}

func TestRecordedTasksAreAcceptedInBothEncodings(t *testing.T) {
	tests := map[string]Mode{"drop-in": DropIn, "custom": Custom}
	for folder, mode := range tests {
		t.Run(folder, func(t *testing.T) {
			raw, fromJSON := launchedTask(t, folder)
			in := testInputs()
			in.Mode = mode
			plan := accepted(t, raw, in)
			if again := accepted(t, marshal(t, fromJSON), in); true {
				again.TaskID = plan.TaskID // two runs
				if diff := cmp.Diff(plan, again, cmp.Comparer(samePolicy)); diff != "" {
					t.Error("the encodings differ:", diff)
				}
			}

			host, config := plan.Spec.Host, plan.Spec.Config
			if !slices.Contains(plan.Notes, "trimmed CAP_NET_ADMIN (parameter 0 `cap-add`)") || slices.Contains(host.CapAdd, "CAP_NET_ADMIN") {
				t.Errorf("NET_ADMIN is not trimmed: %q, %q", plan.Notes, host.CapAdd)
			}
			if diff := cmp.Diff([]string{"-c", "while true; do echo serving; sleep 1; done"}, []string(config.Cmd)); diff != "" {
				t.Error(diff)
			}
			if !slices.Contains(config.Env, "MARATHON_APP_ID=/web/front") || !slices.Contains(config.Env, "MESOS_ALLOCATION_ROLE=web") {
				t.Errorf("environment: %q", config.Env)
			}
			if !slices.Contains(plan.Notes, "health check not performed") || host.CPUShares != 512 || host.Memory != 128<<20 {
				t.Errorf("%+v", plan)
			}
			if host.PortBindings["8080/tcp"][0].HostPort != "31010" || !slices.Contains(plan.SandboxDirs, "data") {
				t.Errorf("ports %v, folders %v", host.PortBindings, plan.SandboxDirs)
			}
		})
	}
}

func TestRecordedTaskWithOpaqueDataOnTheHostNetworkIsRefused(t *testing.T) {
	raw, fromJSON := launchedTask(t, "custom-shutdown")
	in := testInputs()
	in.Mode = Custom
	for _, raw := range [][]byte{raw, marshal(t, fromJSON)} {
		refused(t, raw, in, mesos.REASON_TASK_INVALID, "data: ", "container.docker.network: ")
	}
}

// firstBytes returns the first field of this number with bytes in a message.
func firstBytes(data []byte, number uint64) []byte {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 {
			return nil
		}
		value, size, ok := wireValue(data[n:], tag&7)
		if !ok {
			return nil
		}
		if tag>>3 == number && tag&7 == wireBytes {
			return value
		}
		data = data[n+size:]
	}
	return nil
}

func samePolicy(a, b security.Policy) bool { return a.String() == b.String() }
