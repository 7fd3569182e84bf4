package task

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gogo/protobuf/protoc-gen-gogo/descriptor"

	"mesos-docker-executor/security"
)

// Wire types of the protobuf encoding.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// checkWire walks protobuf bytes next to their schema. mesos-go's decoder drops unknown fields, keeps unknown enum
// numbers, truncates numbers that are too large, lets the last of several values of a field win, and can panic on a
// length near the end of the int range, so nothing may be decoded before this has passed to the last byte, which is when
// the result is not broken.
func checkWire(data []byte, m *message) problems {
	w := wireCheck{}
	w.message("", data, m)
	return w.problems
}

type wireCheck struct{ problems }

func (w *wireCheck) message(path string, data []byte, m *message) {
	count := map[*field]int{}
	keys := map[*field]map[string]bool{}
	for len(data) > 0 && !w.broken {
		tag, n := binary.Uvarint(data)
		number, wire := tag>>3, tag&7
		if n <= 0 || number == 0 || number > math.MaxInt32 {
			w.fail(path, "The bytes are not a protobuf message.")
			return
		}
		data = data[n:]
		value, size, ok := wireValue(data, wire)
		if !ok {
			w.fail(path, "The bytes end in the middle of field number %d, or are not a protobuf message.", number)
			return
		}
		content := data[size-len(value) : size]
		data = data[size:]

		f := m.byNumber[number]
		if f == nil {
			w.unknown(path, m, number)
			continue
		}
		at := join(path, f.name)
		if f.isMap && wire == wireBytes {
			if keys[f] == nil {
				keys[f] = map[string]bool{}
			}
			key := mapKey(content)
			if keys[f][key] {
				w.add(join(at, security.Printable(key)), "The key is there more than once; send it once.")
			}
			keys[f][key] = true
		}
		if f.repeated {
			if !f.isMap {
				at = fmt.Sprintf("%s[%d]", at, count[f])
			}
		} else if count[f] > 0 {
			w.add(at, "The field is there more than once; send it once.")
		}
		count[f]++
		w.value(at, f, wire, content)
	}
	for _, f := range m.required {
		if count[f] == 0 && !w.broken {
			w.add(join(path, f.name), "The field is required and missing; set it.")
		}
	}
}

func (w *wireCheck) unknown(path string, m *message, number uint64) {
	if name := m.newer[number]; name != "" {
		w.add(join(path, name), "The field is not supported by this version; remove it from the task.")
		return
	}
	where := path
	if where == "" {
		where = "the message"
	}
	w.add(path, "Field number %d of %s is not known to this version, so it cannot be honoured; remove it from the task.", number, where)
}

// mapKey returns the key of a map's entry, field 1 of a message with a text; "" if the entry has none or is damaged, which
// is found when its fields are walked. All maps of the protocol have texts as keys.
func mapKey(entry []byte) string {
	for len(entry) > 0 {
		tag, n := binary.Uvarint(entry)
		if n <= 0 {
			return ""
		}
		value, size, ok := wireValue(entry[n:], tag&7)
		if !ok {
			return ""
		}
		if tag == 1<<3|wireBytes {
			return string(value)
		}
		entry = entry[n+size:]
	}
	return ""
}

// wireValue returns the content of the next value and the number of bytes that it takes with its length.
func wireValue(data []byte, wire uint64) (value []byte, size int, ok bool) {
	switch wire {
	case wireVarint:
		_, size = binary.Uvarint(data)
		if size <= 0 {
			return nil, 0, false
		}
		return data[:size], size, true
	case wireFixed64, wireFixed32:
		size = 8
		if wire == wireFixed32 {
			size = 4
		}
		if len(data) < size {
			return nil, 0, false
		}
		return data[:size], size, true
	case wireBytes:
		length, n := binary.Uvarint(data)
		if n <= 0 || length > uint64(len(data)-n) {
			return nil, 0, false
		}
		return data[n : n+int(length)], n + int(length), true
	default: // groups are not used by the protocol
		return nil, 0, false
	}
}

func (w *wireCheck) value(path string, f *field, wire uint64, content []byte) {
	w.visit(path)
	expected := wireTypeOf(f.kind)
	if f.repeated && expected == wireVarint && wire == wireBytes { // packed
		for len(content) > 0 && !w.broken {
			v, n := binary.Uvarint(content)
			if n <= 0 {
				w.fail(path, "The packed numbers are cut off.")
				return
			}
			w.visit(path)
			w.number(path, f, v)
			content = content[n:]
		}
		return
	}
	if wire != expected {
		w.fail(path, "The field has wire type %d instead of %d.", wire, expected)
		return
	}
	switch f.kind {
	case descriptor.FieldDescriptorProto_TYPE_MESSAGE:
		w.message(path, content, f.message)
	case descriptor.FieldDescriptorProto_TYPE_STRING:
		// The Docker API is JSON: other bytes would reach the container changed.
		if !utf8.Valid(content) {
			w.add(path, "The text is not valid UTF-8; write it as UTF-8.")
		}
	default:
		if wire == wireVarint {
			v, _ := binary.Uvarint(content)
			w.number(path, f, v)
		}
	}
}

func (w *wireCheck) number(path string, f *field, v uint64) {
	switch f.kind {
	case descriptor.FieldDescriptorProto_TYPE_ENUM:
		_, known := f.enum[int32(v)]
		fits := uint64(int64(int32(v))) == v
		if name := f.newer[int32(v)]; name != "" && fits {
			w.add(path, "The value %s is not supported by this version; use one of %s.", name, enumNames(f))
		} else if !known || !fits {
			w.add(path, "The number %d is not a value of this field; use one of %s.", int64(v), enumNames(f))
		}
	case descriptor.FieldDescriptorProto_TYPE_UINT32:
		if v > math.MaxUint32 {
			w.add(path, "The number %d does not fit into 32 bits.", v)
		}
	case descriptor.FieldDescriptorProto_TYPE_INT32:
		if uint64(int64(int32(v))) != v {
			w.add(path, "The number %d does not fit into 32 bits.", int64(v))
		}
	}
}

func wireTypeOf(kind descriptor.FieldDescriptorProto_Type) uint64 {
	switch kind {
	case descriptor.FieldDescriptorProto_TYPE_MESSAGE,
		descriptor.FieldDescriptorProto_TYPE_STRING, descriptor.FieldDescriptorProto_TYPE_BYTES:
		return wireBytes
	case descriptor.FieldDescriptorProto_TYPE_DOUBLE,
		descriptor.FieldDescriptorProto_TYPE_FIXED64, descriptor.FieldDescriptorProto_TYPE_SFIXED64:
		return wireFixed64
	case descriptor.FieldDescriptorProto_TYPE_FLOAT,
		descriptor.FieldDescriptorProto_TYPE_FIXED32, descriptor.FieldDescriptorProto_TYPE_SFIXED32:
		return wireFixed32
	default:
		return wireVarint
	}
}

// enumNames lists the values of an enum in the order of their numbers, without UNKNOWN, which nobody should send.
func enumNames(f *field) string {
	var numbers []int32
	for number, name := range f.enum {
		if name != "UNKNOWN" {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	var names []string
	for _, number := range numbers {
		names = append(names, f.enum[number])
	}
	return strings.Join(names, ", ")
}
