package task

import (
	"strings"
	"testing"

	"github.com/gogo/protobuf/protoc-gen-gogo/descriptor"
	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// TestSchemaIsTheLibrarysDescriptor compares the schema with what the library's own decoder reads, message by message.
func TestSchemaIsTheLibrarysDescriptor(t *testing.T) {
	file, root := descriptor.ForMessage(&mesos.TaskInfo{})
	types := map[string]*descriptor.DescriptorProto{}
	enums := map[string]*descriptor.EnumDescriptorProto{}
	var index func(scope string, t []*descriptor.DescriptorProto, e []*descriptor.EnumDescriptorProto)
	index = func(scope string, ts []*descriptor.DescriptorProto, es []*descriptor.EnumDescriptorProto) {
		for _, e := range es {
			enums[scope+"."+e.GetName()] = e
		}
		for _, d := range ts {
			types[scope+"."+d.GetName()] = d
			index(scope+"."+d.GetName(), d.NestedType, d.EnumType)
		}
	}
	index("."+file.GetPackage(), file.MessageType, file.EnumType)

	seen := map[*message]bool{}
	var compare func(name string, m *message, d *descriptor.DescriptorProto)
	compare = func(name string, m *message, d *descriptor.DescriptorProto) {
		if seen[m] {
			return
		}
		seen[m] = true
		if len(m.byNumber) != len(d.Field) || len(m.byName) != len(d.Field) {
			t.Errorf("%s has %d fields, want %d", name, len(m.byNumber), len(d.Field))
		}
		var required []string
		for _, want := range d.Field {
			f := m.byNumber[uint64(want.GetNumber())]
			if f == nil || f != m.byName[want.GetName()] || f.kind != want.GetType() || f.repeated != want.IsRepeated() {
				t.Errorf("%s.%s is %+v", name, want.GetName(), f)
				continue
			}
			if want.IsRequired() {
				required = append(required, f.name)
			}
			switch f.kind {
			case descriptor.FieldDescriptorProto_TYPE_MESSAGE:
				nested := types[want.GetTypeName()]
				if f.isMap != nested.GetOptions().GetMapEntry() {
					t.Errorf("%s.%s is a map: %v", name, f.name, f.isMap)
				}
				compare(want.GetTypeName(), f.message, nested)
			case descriptor.FieldDescriptorProto_TYPE_ENUM:
				values := map[int32]string{}
				for _, v := range enums[want.GetTypeName()].Value {
					values[v.GetNumber()] = v.GetName()
				}
				if diff := cmp.Diff(values, f.enum); diff != "" {
					t.Errorf("%s.%s: %s", name, f.name, diff)
				}
			}
		}
		var got []string
		for _, f := range m.required {
			got = append(got, f.name)
		}
		if diff := cmp.Diff(required, got); diff != "" {
			t.Errorf("required fields of %s: %s", name, diff)
		}
	}
	compare("TaskInfo", taskInfoSchema(), root)
	if len(seen) < 50 {
		t.Errorf("only %d messages were compared", len(seen))
	}
}

func TestADamagedDescriptorKnowsNoField(t *testing.T) {
	packed, _ := (&mesos.TaskInfo{}).Descriptor()
	for name, damaged := range map[string][]byte{"nothing": nil, "no gzip": []byte("x"), "cut": packed[:len(packed)/2]} {
		if m := schemaOf(damaged, "TaskInfo"); len(m.byNumber) != 0 {
			t.Errorf("%s: %d fields", name, len(m.byNumber))
		}
	}
	w := wireCheck{}
	w.message("", fixture(t, "hello"), schemaOf(nil, "TaskInfo"))
	if len(w.list) == 0 || !strings.Contains(w.list[0].message, "not known") {
		t.Errorf("%v", w.list)
	}
}
