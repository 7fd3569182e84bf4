package task

import (
	"sync"

	"github.com/gogo/protobuf/protoc-gen-gogo/descriptor"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// message is what the protocol says about one message type.
type message struct {
	byNumber map[uint64]*field
	byName   map[string]*field
	required []*field
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
}

// taskInfoSchema and commandInfoSchema describe the two messages that a framework writes. They are read from the
// descriptors that mesos-go carries, and built once, on first use.
var (
	taskInfoSchema    = sync.OnceValue(func() *message { return schemaOf(&mesos.TaskInfo{}) })
	commandInfoSchema = sync.OnceValue(func() *message { return schemaOf(&mesos.CommandInfo{}) })
)

func schemaOf(m descriptor.Message) *message {
	file, root := descriptor.ForMessage(m)
	s := schemaBuilder{
		types: map[string]*descriptor.DescriptorProto{},
		enums: map[string]*descriptor.EnumDescriptorProto{},
		built: map[*descriptor.DescriptorProto]*message{},
	}
	s.index("."+file.GetPackage(), file.MessageType, file.EnumType)
	return s.message(root)
}

// schemaBuilder resolves the type names of one descriptor file. The types that TaskInfo refers to are all in one file.
type schemaBuilder struct {
	types map[string]*descriptor.DescriptorProto
	enums map[string]*descriptor.EnumDescriptorProto
	built map[*descriptor.DescriptorProto]*message
}

func (s schemaBuilder) index(scope string, types []*descriptor.DescriptorProto, enums []*descriptor.EnumDescriptorProto) {
	for _, e := range enums {
		s.enums[scope+"."+e.GetName()] = e
	}
	for _, t := range types {
		name := scope + "." + t.GetName()
		s.types[name] = t
		s.index(name, t.NestedType, t.EnumType)
	}
}

func (s schemaBuilder) message(t *descriptor.DescriptorProto) *message {
	if m := s.built[t]; m != nil {
		return m
	}
	m := &message{byNumber: map[uint64]*field{}, byName: map[string]*field{}}
	s.built[t] = m
	for _, d := range t.Field {
		f := &field{number: uint64(d.GetNumber()), name: d.GetName(), kind: d.GetType(), repeated: d.IsRepeated()}
		switch f.kind {
		case descriptor.FieldDescriptorProto_TYPE_MESSAGE:
			nested := s.types[d.GetTypeName()]
			f.message, f.isMap = s.message(nested), nested.GetOptions().GetMapEntry()
		case descriptor.FieldDescriptorProto_TYPE_ENUM:
			f.enum = map[int32]string{}
			for _, v := range s.enums[d.GetTypeName()].Value {
				f.enum[v.GetNumber()] = v.GetName()
			}
		}
		m.byNumber[f.number], m.byName[f.name] = f, f
		if d.IsRequired() {
			m.required = append(m.required, f)
		}
	}
	return m
}
