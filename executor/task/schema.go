package task

import (
	"strings"
	"sync"

	"github.com/gogo/protobuf/protoc-gen-gogo/descriptor"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// message is what the protocol says about one message type.
type message struct {
	byNumber map[uint64]*field
	byName   map[string]*field
	required []*field
	newer    map[uint64]string // fields that mesos-go does not know yet
}

// field is what the protocol says about one field of a message.
type field struct {
	number   uint64
	name     string // as in mesos.proto
	kind     descriptor.FieldDescriptorProto_Type
	repeated bool
	message  *message         // for kind TYPE_MESSAGE
	isMap    bool             // repeated message of key and value, an object in JSON
	enum     map[int32]string // for kind TYPE_ENUM: number to name
	newer    map[int32]string // for kind TYPE_ENUM: values that mesos-go does not know yet
}

// newerFields and newerValues name what Mesos 1.11 has and the messages of mesos-go, of Mesos 1.10, do not: it is refused
// like everything unknown, but by its name. The keys are types of mesos.proto.
func newerFields(message string) map[uint64]string {
	if strings.HasSuffix(message, ".Volume.Source") {
		return map[uint64]string{6: "csi_volume"}
	}
	return nil
}

func newerValues(enum string) map[int32]string {
	switch {
	case strings.HasSuffix(enum, ".Volume.Source.Type"):
		return map[int32]string{5: "CSI_VOLUME"}
	case strings.HasSuffix(enum, ".CapabilityInfo.Capability"):
		return map[int32]string{1038: "PERFMON", 1039: "BPF", 1040: "CHECKPOINT_RESTORE"}
	}
	return nil
}

// taskInfoSchema and commandInfoSchema describe the two messages that a framework writes. They are read from the
// descriptor that mesos-go carries, and built once, on first use.
var (
	taskInfoSchema = sync.OnceValue(func() *message {
		packed, _ := (&mesos.TaskInfo{}).Descriptor()
		return schemaOf(packed, "TaskInfo")
	})
	commandInfoSchema = sync.OnceValue(func() *message {
		packed, _ := (&mesos.CommandInfo{}).Descriptor()
		return schemaOf(packed, "CommandInfo")
	})
)
