package task

import (
	"bytes"
	"compress/gzip"
	"io"

	"github.com/gogo/protobuf/protoc-gen-gogo/descriptor"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of descriptor.proto (google/protobuf/descriptor.proto).
const (
	filePackage, fileMessage, fileEnum                                 = 2, 4, 5
	messageName, messageField, messageNested, messageEnum, messageOpts = 1, 2, 3, 4, 7
	optsMapEntry                                                       = 7
	fieldName, fieldNumber, fieldLabel, fieldType, fieldTypeName       = 1, 3, 4, 5, 6
	enumName, enumValue                                                = 1, 2
	valueName, valueNumber                                             = 1, 2
)

// schemaOf reads the schema of one message, and of all that it refers to, from the packed descriptor of a file, as generated
// code carries it. The library's own decoder would unpack all of mesos.proto, which is a third of what a launch allocates.
//
// Of a damaged descriptor what is left is no schema, and then every field is unknown and every task refused.
func schemaOf(packed []byte, name string) *message {
	s := schemaBuilder{types: map[string][]byte{}, enums: map[string][]byte{}, built: map[string]*message{}}
	file := unpack(packed)
	scope := "." + string(lastBytes(file, filePackage))
	s.index(scope, file, fileMessage, fileEnum)
	return s.message(scope + "." + name)
}

func unpack(packed []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	file, err := io.ReadAll(r)
	if err != nil {
		return nil
	}
	return file
}

// schemaBuilder resolves the type names of one descriptor file. The types that TaskInfo refers to are all in one file.
type schemaBuilder struct {
	types map[string][]byte // DescriptorProto by full name
	enums map[string][]byte // EnumDescriptorProto by full name
	built map[string]*message
}

// index finds the types that are defined in a file or a message.
func (s schemaBuilder) index(scope string, definitions []byte, messages, enums protowire.Number) {
	eachField(definitions, func(number protowire.Number, content []byte, _ uint64) {
		switch number {
		case messages:
			name := scope + "." + string(lastBytes(content, messageName))
			s.types[name] = content
			s.index(name, content, messageNested, messageEnum)
		case enums:
			s.enums[scope+"."+string(lastBytes(content, enumName))] = content
		}
	})
}

func (s schemaBuilder) message(name string) *message {
	if m := s.built[name]; m != nil {
		return m
	}
	m := &message{byNumber: map[uint64]*field{}, byName: map[string]*field{}, newer: newerFields(name)}
	s.built[name] = m
	eachField(s.types[name], func(number protowire.Number, content []byte, _ uint64) {
		if number != messageField {
			return
		}
		f, required := s.field(content)
		m.byNumber[f.number], m.byName[f.name] = f, f
		if required {
			m.required = append(m.required, f)
		}
	})
	return m
}

func (s schemaBuilder) field(definition []byte) (f *field, required bool) {
	f = &field{}
	var typeName string
	eachField(definition, func(number protowire.Number, content []byte, value uint64) {
		switch number {
		case fieldName:
			f.name = string(content)
		case fieldNumber:
			f.number = value
		case fieldLabel:
			f.repeated = descriptor.FieldDescriptorProto_Label(value) == descriptor.FieldDescriptorProto_LABEL_REPEATED
			required = descriptor.FieldDescriptorProto_Label(value) == descriptor.FieldDescriptorProto_LABEL_REQUIRED
		case fieldType:
			f.kind = descriptor.FieldDescriptorProto_Type(value)
		case fieldTypeName:
			typeName = string(content)
		}
	})
	switch f.kind {
	case descriptor.FieldDescriptorProto_TYPE_MESSAGE:
		f.message = s.message(typeName)
		eachField(lastBytes(s.types[typeName], messageOpts), func(number protowire.Number, _ []byte, value uint64) {
			f.isMap = f.isMap || number == optsMapEntry && value != 0
		})
	case descriptor.FieldDescriptorProto_TYPE_ENUM:
		f.enum, f.newer = enumValues(s.enums[typeName]), newerValues(typeName)
	}
	return f, required
}

func enumValues(definition []byte) map[int32]string {
	values := map[int32]string{}
	eachField(definition, func(number protowire.Number, content []byte, _ uint64) {
		if number != enumValue {
			return
		}
		var of int32
		eachField(content, func(number protowire.Number, _ []byte, value uint64) {
			if number == valueNumber {
				of = int32(value)
			}
		})
		values[of] = string(lastBytes(content, valueName))
	})
	return values
}

// eachField calls visit for the fields of a message that are texts, bytes, messages (content) or whole numbers (value). It
// ends at what cannot be read.
func eachField(message []byte, visit func(number protowire.Number, content []byte, value uint64)) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		switch kind {
		case protowire.BytesType:
			content, n := protowire.ConsumeBytes(message)
			if n < 0 {
				return
			}
			visit(number, content, 0)
			message = message[n:]
		case protowire.VarintType:
			value, n := protowire.ConsumeVarint(message)
			if n < 0 {
				return
			}
			visit(number, nil, value)
			message = message[n:]
		default:
			n := protowire.ConsumeFieldValue(number, kind, message)
			if n < 0 {
				return
			}
			message = message[n:]
		}
	}
}

// lastBytes returns the last content of a field, as protobuf has it for one that is not repeated.
func lastBytes(message []byte, wanted protowire.Number) (last []byte) {
	eachField(message, func(number protowire.Number, content []byte, _ uint64) {
		if number == wanted {
			last = content
		}
	})
	return last
}
