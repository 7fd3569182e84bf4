package task

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Every field of a TaskInfo that a framework can set has to be in one of three lists: effects (what it does to the created
// container), refusals (tasks that have it are refused by name), or elsewhere. A field that a newer mesos-go brings fails
// TestEveryFieldIsDecidedOn until somebody decides.

// elsewhere are the fields without an effect on the container, with the reason.
var elsewhere = map[string]string{
	"TaskInfo.name":                "shown by Mesos",
	"TaskInfo.agent_id":            "names the agent, which filled it in",
	"TaskInfo.labels":              "others are shown by Mesos; the stock executor leaves them out as well",
	"TaskInfo.discovery":           "read by service discovery from Mesos' state",
	"TaskInfo.kill_policy":         "read at a KILL: TestPolicyOfKillAndCompletion, and supervise",
	"TaskInfo.max_completion_time": "a clock of the executor's: TestPolicyOfKillAndCompletion, and supervise",
	"TaskInfo.health_check":        "not performed yet, which TASK_STARTING says",
	"TaskInfo.executor":            "had its effect when the executor runs; its container is refused: TestCommandAndExecutorMustFitTheMode",
	"KillPolicy.grace_period":      "see TaskInfo.kill_policy",
	"DurationInfo.nanoseconds":     "see TaskInfo.kill_policy",
	"DockerInfo.force_pull_image":  "concerns the image, not the container: see supervise",
	"CommandInfo.uris":             "fetched by the agent before the executor starts",
	"Resource.provider_id":         "where a resource comes from, for Mesos",
	"Resource.revocable":           "what Mesos may take back",
	"Resource.shared":              "who else may use a persistent volume: no other mount lies in one that is shared",
	"Resource.set":                 "no resource of that kind has an effect on a container",
	"ReservationInfo.principal":    "who reserved, for the master",
	"ReservationInfo.labels":       "for frameworks",
	"ReservationInfo.type":         "how it was reserved, for the master",
	"Persistence.principal":        "who made the volume, for the master",
	"Source.id":                    "names a disk of a resource provider; its root says where it is",
	"Source.metadata":              "about a disk of a resource provider",
	"Source.profile":               "about a disk of a resource provider",
	"Source.vendor":                "about a disk of a resource provider",
	"IPAddress.protocol":           "a network decides on its protocols; the addresses it gave are in TASK_RUNNING",
	"NetworkInfo.labels":           "Docker's networks have none, which TASK_STARTING says: TestUserNetworkSaysWhatHasNoEffect",
	"CommandInfo.environment":      "see Variable",
	"Environment.variables":        "see Variable",
	"Variable.type":                "VALUE; a SECRET is refused",
	"Value_Scalar.value":           "see TaskInfo.resources",
	"Value_Range.begin":            "see Resource.ranges",
	"Value_Range.end":              "see Resource.ranges",
	"Value_Ranges.range":           "see Resource.ranges",
	"Value_Set.item":               "see Resource.set",
	"CapabilityInfo.capabilities":  "see LinuxInfo",
	"RLimitInfo.rlimits":           "see RLimit",
	"Parameters.parameter":         "see Parameter",
	"DockerVolume.name":            "see Source.docker_volume",
	"MountPropagation.mode":        "see HostPath.mount_propagation",
	"AllocationInfo.role":          "see Resource.allocation_info",
	"Path.root":                    "see Source.path",
	"Mount.root":                   "see Source.mount",
}

// decidedAsWhole are messages whose single fields nobody has to decide on: all of the message is refused, or is none of
// the container's business.
var decidedAsWhole = []reflect.Type{
	reflect.TypeFor[mesos.ExecutorInfo](), reflect.TypeFor[mesos.HealthCheck](), reflect.TypeFor[mesos.CheckInfo](),
	reflect.TypeFor[mesos.DiscoveryInfo](), reflect.TypeFor[mesos.Labels](), reflect.TypeFor[mesos.Secret](),
	reflect.TypeFor[mesos.Image](), reflect.TypeFor[mesos.ContainerInfo_MesosInfo](), reflect.TypeFor[mesos.CommandInfo_URI](),
	reflect.TypeFor[mesos.TaskID](), reflect.TypeFor[mesos.AgentID](), reflect.TypeFor[mesos.ResourceProviderID](),
	reflect.TypeFor[mesos.TTYInfo_WindowSize](),
}

// fieldsOf walks the message types from m on and returns each field as "Message.field", with the names of mesos.proto.
func fieldsOf(m reflect.Type, found map[string]bool) {
	walked := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(m reflect.Type) {
		if walked[m] || slices.Contains(decidedAsWhole, m) {
			return
		}
		walked[m] = true
		for f := range m.Fields() {
			_, rest, tagged := strings.Cut(f.Tag.Get("protobuf"), "name=")
			if !tagged {
				continue
			}
			name, _, _ := strings.Cut(rest, ",")
			found[shortName(m)+"."+name] = true
			t := f.Type
			for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
				t = t.Elem()
			}
			if t.Kind() == reflect.Struct {
				walk(t)
			}
		}
	}
	walk(m)
}

// shortName is the last part of a nested message's name: ContainerInfo_DockerInfo is DockerInfo.
func shortName(m reflect.Type) string {
	name := m.Name()
	if strings.HasPrefix(name, "Value_") {
		return name
	}
	return name[strings.LastIndexByte(name, '_')+1:]
}

func TestEveryFieldIsDecidedOn(t *testing.T) {
	all := map[string]bool{}
	fieldsOf(reflect.TypeFor[mesos.TaskInfo](), all)
	decided := map[string]bool{}
	for field := range elsewhere {
		decided[field] = true
	}
	for _, e := range fieldEffects() {
		for field := range strings.FieldsSeq(e.fields) {
			decided[field] = true
		}
	}
	for _, r := range refusals() {
		for field := range strings.FieldsSeq(r.fields) {
			decided[field] = true
		}
	}
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if !decided[field] {
			t.Errorf("nobody has decided on %s: it needs a row in effects, refusals or elsewhere", field)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(decided)) {
		if !all[field] {
			t.Errorf("%s is in a table and not in the message types", field)
		}
	}
}

// TestEveryFieldIsDocumented looks for the name of each field, between backticks or as a part of a path there.
func TestEveryFieldIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/tasks.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for i, code := range strings.Split(string(page), "`") {
		for name := range strings.SplitSeq(code, ".") {
			documented[name] = documented[name] || i%2 == 1
		}
	}
	all := map[string]bool{}
	fieldsOf(reflect.TypeFor[mesos.TaskInfo](), all)
	for _, field := range slices.Sorted(maps.Keys(all)) {
		message, name, _ := strings.Cut(field, ".")
		if !documented[name] && !slices.Contains(evident, message) {
			t.Errorf("docs/tasks.md does not say what becomes of %s", field)
		}
	}
}

// evident are messages whose fields need no words of their own.
var evident = []string{
	"Value_Scalar", "Value_Range", "Value_Ranges", "Value_Set", "DurationInfo", "Variable", "Parameter", "Parameters",
	"CapabilityInfo", "TTYInfo", "Resource",
}
