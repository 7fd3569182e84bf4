package task

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// encode builds protobuf bytes of one field; content is a uint64, or bytes or text with a length.
func encode(number uint64, content any) []byte {
	switch c := content.(type) {
	case uint64:
		return binary.AppendUvarint(binary.AppendUvarint(nil, number<<3), c)
	case string:
		return encode(number, []byte(c))
	case []byte:
		return append(binary.AppendUvarint(binary.AppendUvarint(nil, number<<3|wireBytes), uint64(len(c))), c...)
	}
	panic(fmt.Sprintf("%T", content))
}

// limitOf is an entry of TaskInfo.limits.
func limitOf(name string, value float64) []byte {
	scalar := append([]byte{1<<3 | wireFixed64}, binary.LittleEndian.AppendUint64(nil, math.Float64bits(value))...)
	return encode(15, append(encode(1, name), encode(2, scalar)...))
}

// Field numbers of mesos.proto.
const (
	fieldTaskID, fieldContainer, fieldCommand, fieldHealthCheck, fieldDocker = 2, 9, 7, 8, 3
)

// TestWhatNewerMesosHasIsRefusedByName sends what this protocol's messages have no names for.
func TestWhatNewerMesosHasIsRefusedByName(t *testing.T) {
	source := bytes.Join([][]byte{encode(1, uint64(5)), encode(6, encode(1, "plugin"))}, nil) // type CSI_VOLUME, csi_volume
	volume := bytes.Join([][]byte{encode(3, uint64(1)), encode(1, "/data"), encode(5, source)}, nil)
	capability := encode(8, encode(3, encode(1, uint64(1039)))) // linux_info, effective_capabilities, BPF
	for _, test := range []struct {
		name  string
		extra []byte
		parts []string
	}{
		{"CSI volume", encode(2, volume), []string{"container.volumes[0].source.type: The value CSI_VOLUME", "container.volumes[0].source.csi_volume: The field is not supported"}},
		{"capability", capability, []string{"container.linux_info.effective_capabilities.capabilities[0]: The value BPF"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			task := fixtureTask(t, "hello")
			container, err := task.Container.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			task.Container = nil
			raw := append(marshal(t, task), encode(fieldContainer, append(container, test.extra...))...)
			refused(t, raw, testInputs(), mesos.REASON_TASK_INVALID, test.parts...)
		})
	}
	_, err := FromJSON([]byte(`{"container": {"volumes": [{"source": {"csi_volume": {}}}]}}`))
	if err == nil || !strings.Contains(err.Error(), "container.volumes[0].source.csi_volume: The field is not supported") {
		t.Error(err)
	}
}

func TestWhatTheDecoderWouldDropOrBendIsRefused(t *testing.T) {
	good := fixture(t, "hello")
	// Appending to a message that is there already makes it a second occurrence, so these start without one.
	without := fixtureTask(t, "hello")
	without.Container, without.Command = nil, nil
	base := marshal(t, without)
	shell := encode(fieldCommand, encode(3, "true"))
	docker := func(extra []byte) []byte {
		body := append(encode(1, uint64(1)), encode(fieldDocker, append(encode(1, "busybox"), append(encode(2, uint64(2)), extra...)...))...)
		return bytes.Join([][]byte{base, shell, encode(fieldContainer, body)}, nil)
	}
	accepted(t, docker(nil), testInputs())

	tests := []struct {
		name string
		raw  []byte
		want string
	}{
		{"unknown field of the task", append(bytes.Clone(good), encode(99, "x")...), "Field number 99 of the message is not known"},
		{"unknown field below", docker(encode(99, uint64(1))), "container.docker: Field number 99 of container.docker"},
		{"unknown field in a list", docker(encode(5, append(append(encode(1, "label"), encode(2, "a=b")...), encode(7, "x")...))), "container.docker.parameters[0]: Field number 7"},
		{"unknown enum number", bytes.Join([][]byte{base, shell, encode(fieldContainer, append(encode(1, uint64(1)), encode(fieldDocker, append(encode(1, "busybox"), encode(2, uint64(9))...))...))}, nil), "container.docker.network: The number 9"},
		{"enum number beyond 32 bits", bytes.Join([][]byte{base, shell, encode(fieldContainer, append(encode(1, uint64(1)), encode(fieldDocker, append(encode(1, "busybox"), encode(2, uint64(1<<32+2))...))...))}, nil), "container.docker.network"},
		{"port beyond 32 bits", docker(encode(3, append(encode(1, uint64(1<<32+31000)), encode(2, uint64(80))...))), "container.docker.port_mappings[0].host_port: The number"},
		{"field twice", docker(encode(1, "other")), "container.docker.image: The field is there more than once"},
		{"container twice", append(bytes.Clone(good), encode(fieldContainer, encode(1, uint64(1)))...), "container: The field is there more than once"},
		{"map key twice", bytes.Join([][]byte{good, limitOf("mem", 128), limitOf("cpus", 1), limitOf("mem", 4096)}, nil), "limits.mem: The key is there more than once"},
		{"required field missing", docker(encode(5, encode(1, "label"))), "container.docker.parameters[0].value: The field is required"},
		{"wrong wire type", docker(encode(4, "true")), "container.docker.privileged: The field has wire type 2"},
		{"invalid UTF-8", docker(encode(5, append(encode(1, "label"), encode(2, "a=\xff")...))), "container.docker.parameters[0].value: The text is not valid UTF-8"},
		{"unknown status of a health check", append(bytes.Clone(good), encode(fieldHealthCheck, encode(8, uint64(77)))...), "health_check.type"},
		{"cut off", good[:len(good)-1], "The bytes end"},
		{"length that overflows", append(bytes.Clone(good), 0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), "not a protobuf message"},
		{"group", append(bytes.Clone(good), 0x0b), "not a protobuf message"},
		{"field number 0", append(bytes.Clone(good), 0x00, 0x00), "not a protobuf message"},
		{"endless number", bytes.Repeat([]byte{0xff}, 20), "not a protobuf message"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			refused(t, test.raw, testInputs(), mesos.REASON_TASK_INVALID, test.want)
		})
	}
}

func TestEmptyBytesNameEveryMissingField(t *testing.T) {
	refused(t, nil, testInputs(), mesos.REASON_TASK_INVALID, "name: ", "task_id: ", "agent_id: ")
}

// manyThenHostile are more problems than are reported, and then a length on which the generated decoder of field 3 (of
// TaskInfo and of CommandInfo) panics.
func manyThenHostile() []byte {
	return append(bytes.Repeat(encode(1000, uint64(1)), maxProblems+1),
		0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)
}

func TestBytesAfterTooManyProblemsAreNotDecoded(t *testing.T) {
	custom := testInputs()
	custom.Mode = Custom
	withData := fixtureTask(t, "hello")
	withData.Command, withData.Data = nil, manyThenHostile()
	for name, raw := range map[string][]byte{"task": manyThenHostile(), "data": marshal(t, withData)} {
		for _, in := range []Inputs{testInputs(), custom} {
			if name == "task" || in.Mode == Custom {
				refused(t, raw, in, mesos.REASON_TASK_INVALID, "too many problems; the rest was not read")
			}
		}
	}
	withData.Data = []byte("{" + strings.Repeat(`"no_such_field": 0, `, 1000) + `"value": "never-shown`)
	refused(t, marshal(t, withData), custom, mesos.REASON_TASK_INVALID, "data.no_such_field: ", "too many problems; the rest was not read")
}

func TestPanicOfTheDecoderIsAnError(t *testing.T) {
	hostile := []byte{0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}
	if err := decode(hostile, &mesos.TaskInfo{}); err == nil {
		t.Error("no error")
	}
	if err := decode(hostile, &mesos.CommandInfo{}); err == nil {
		t.Error("no error")
	}
}

func TestSyntaxErrorsOfJSONSayWhere(t *testing.T) {
	tests := []struct{ text, want string }{
		{"{\n  \"name\": \"n\",\n  \"task_id\" {}\n}", `line 3, column 13: invalid character '{' after object key`},
		{"{\"name\": größe}", `line 1, column 10: invalid character 'g'`},
		{"{\"größe\": x}", `line 1, column 11: invalid character 'x'`},
		{"{\n\"name\": \"a\nb\"}", `line 2, column 11: invalid character '\n' in string literal`},
		{"{\n\"resources\": [{\"name\": }]}", `line 2, column 24: invalid character '}'`},
		{"{\"name\": \"n\",\n", `line 1, column 14: unexpected end of JSON input`},
		{"", `line 1, column 1: unexpected end of JSON input`},
	}
	for _, test := range tests {
		_, err := FromJSON([]byte(test.text))
		if err == nil || !strings.Contains(err.Error(), "The text is not JSON at "+test.want) {
			t.Errorf("%q: got %v, want %s", test.text, err, test.want)
		}
	}
}

func TestFromJSONReadsEveryKindOfValue(t *testing.T) {
	task, err := FromJSON([]byte(`{"name": "n", "task_id": {"value": "t"}, "data": "aGk=", "labels": null,
		"resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}}],
		"limits": {"cpus": {"value": "Infinity"}},
		"max_completion_time": {"nanoseconds": "5"}, "kill_policy": {"grace_period": {"nanoseconds": 7}},
		"health_check": {"type": "HTTP", "http": {"port": 80, "statuses": [200, 404]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if string(task.Data) != "hi" || task.MaxCompletionTime.Nanoseconds != 5 || task.KillPolicy.GracePeriod.Nanoseconds != 7 ||
		task.Limits["cpus"].Value < 1e308 || task.Labels != nil || *task.Resources[0].Type != mesos.SCALAR {
		t.Errorf("%+v", task)
	}
	if diff := cmp.Diff([]uint32{200, 404}, task.HealthCheck.HTTP.Statuses); diff != "" {
		t.Error(diff)
	}
}

func TestFromJSONReportsEverythingAtOnce(t *testing.T) {
	_, err := FromJSON([]byte(`{"nam": "n", "task_id": {"value": 5}, "data": "???", "limits": {"cpus": {"valeu": 1}},
		"resources": [null], "health_check": {"type": 3, "http": {"port": 4294967296}}}`))
	for _, path := range []string{"nam: ", "name: ", "task_id.value: ", "data: ", "limits.cpus.valeu: ", "resources[0]: ", "health_check.type: ", "health_check.http.port: "} {
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("the error does not name %s: %v", path, err)
		}
	}
}
