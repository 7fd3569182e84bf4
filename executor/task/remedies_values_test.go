package task

import (
	"strings"
	"testing"

	"github.com/docker/go-units"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func TestValuesThatCannotBeReadAreToldTheirForm(t *testing.T) {
	for parameter, want := range map[string]string{
		"add-host db:1.2.3":   "write NAME:ADDRESS, with an IP address or host-gateway",
		"ulimit foo=5":        "the name is unknown, and those that there are are core, cpu,",
		"ulimit memlock=64m":  "its numbers are bytes without a unit; write memlock=67108864.",
		"ulimit stack=8m:-1":  "write stack=8388608:-1.",
		"ulimit stack=2m:1m":  "soft not above hard",
		"ulimit nofile=64k":   "for example nofile=4096:8192",
		"ulimit nofile":       "for example nofile=4096:8192",
		"ulimit memlock=64.5": "for example nofile=4096:8192",
		"mount type=bind,source=./a,target=/a,read_only":         "part 4 is no option, did you mean `readonly`; ",
		"mount type=bind,source=./a,target=/a,volume-lable=a=b":  "part 4 is no option, did you mean `volume-label`; ",
		"mount type=bind,source=./a,target=/a,readonly=maybe":    "cannot be read; write true or false after readonly",
		"mount type=volume,target=/a,volume-opt=p=x,never-shown": "part 4 is no option; ",
		"mount type=bind,source=./a,target=/a,target=/b":         "give each option once (target)",
		"p 80:80": "(31000-31999); publish one that is",
		"p 80":    "(31000-31999).",
	} {
		if message := problemsOf(t, nil, parameter); !strings.Contains(message, want) || strings.Contains(message, "never-shown") {
			t.Errorf("%s:\ngot  %s\nwant %s", parameter, message, want)
		}
	}
}

func TestNamesOfUlimitsAreThoseOfDocker(t *testing.T) {
	for _, name := range ulimitNames() {
		if _, err := units.ParseUlimit(name + "=1"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrongHostPortIsToldThePortsOfTheTask(t *testing.T) {
	mapped := func(task *mesos.TaskInfo) {
		docker(task).PortMappings = []mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: 80, ContainerPort: 80}}
	}
	offering := func(spans ...mesos.Value_Range) func(*mesos.TaskInfo) {
		return func(task *mesos.TaskInfo) {
			ports := portsResource(*task)
			ports.Ranges.Range = spans
			task.Resources = append(task.Resources, ports)
		}
	}
	many := make([]mesos.Value_Range, 20)
	for i := range many {
		many[i] = mesos.Value_Range{Begin: uint64(1000 + i), End: uint64(1000 + i)}
	}
	for want, offer := range map[string]func(*mesos.TaskInfo){
		"(it has none); map one":                           offering(),
		"(31000, 31005-31006); map one":                    offering(mesos.Value_Range{Begin: 31000, End: 31000}, mesos.Value_Range{Begin: 31005, End: 31006}),
		"(1000, 1001, 1002, 1003, 1004, 15 more); map one": offering(many...),
	} {
		refused(t, helloTask(t, inTurn(offer, mapped)), testInputs(), mesos.REASON_TASK_INVALID, "host_port: Port 80 is not among", want)
	}
}

func TestPlainTextAsDataIsOneProblem(t *testing.T) {
	in := testInputs()
	in.Mode = Custom
	for _, data := range []string{"sleep 5; echo never-shown", "[1]", "\"never-shown\"", "größe\n"} {
		message := refused(t, helloTask(t, func(task *mesos.TaskInfo) { task.Command, task.Data = nil, []byte(data) }), in,
			mesos.REASON_TASK_INVALID, "data: The data is neither JSON nor protobuf; write")
		if strings.Contains(message, "problems:") {
			t.Errorf("%q: %s", data, message)
		}
	}
}

func TestNULInTheCommandIsOneProblem(t *testing.T) {
	for _, shell := range []bool{true, false} {
		message := refused(t, helloTask(t, func(task *mesos.TaskInfo) {
			task.Command.Shell, task.Command.Value = ptr(shell), ptr("a\x00b")
		}), testInputs(), mesos.REASON_TASK_INVALID, "command: Word 0 of the command holds a NUL")
		if strings.Contains(message, "problems:") || strings.Contains(message, "Config.") {
			t.Errorf("%v: %s", shell, message)
		}
	}
}
