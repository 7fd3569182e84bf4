package task

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gogo/protobuf/protoc-gen-gogo/descriptor"
)

// What to write in a task file in place of what cannot be read. None of it repeats a value that may be a secret.

// unknownKey says what to write instead of a key that the message does not have.
func unknownKey(key string, m *message) string {
	const unknown = "There is no such field in mesos.proto; "
	if name := similar(key, maps.Keys(m.byName)); name != "" {
		return unknown + fmt.Sprintf("did you mean `%s`?", name)
	}
	return unknown + "the fields here are " + listed(slices.Sorted(maps.Keys(m.byName))) + "."
}

// objectForm completes "A JSON object is expected; ".
func objectForm(m *message) string {
	if len(m.byName) == 1 && m.byName["nanoseconds"] != nil {
		return `write {"nanoseconds": 10000000000} for ten seconds.`
	}
	if f := m.byName["value"]; len(m.byName) == 1 && f != nil {
		switch f.kind {
		case descriptor.FieldDescriptorProto_TYPE_DOUBLE:
			return `write {"value": 64}, say.`
		case descriptor.FieldDescriptorProto_TYPE_STRING:
			return `write {"value": "..."}.`
		}
	}
	return "its fields are " + listed(slices.Sorted(maps.Keys(m.byName))) + "."
}

// scalarForm ends the sentence that a value is not what is expected.
func scalarForm(path string, f *field, t json.Token) string {
	_, isText := t.(string)
	switch f.kind {
	case descriptor.FieldDescriptorProto_TYPE_STRING:
		return "; write it in quotes."
	case descriptor.FieldDescriptorProto_TYPE_BYTES:
		return "."
	case descriptor.FieldDescriptorProto_TYPE_ENUM:
		text, _ := t.(string)
		if name := similar(text, maps.Values(f.enum)); name != "" { // so much like it that it is no secret
			return fmt.Sprintf("; did you mean %s, not %q?", name, text)
		}
		return "."
	case descriptor.FieldDescriptorProto_TYPE_BOOL:
		if isText {
			return "; write it without quotes."
		}
		return "."
	}
	switch {
	case f.name == "nanoseconds":
		return "; write 10000000000 for ten seconds, say."
	case isText && strings.HasSuffix(path, ".scalar.value"):
		return "; write a number without quotes and unit, `mem` and `disk` in MiB."
	case isText:
		return "; write a number without quotes and unit."
	}
	return "."
}

// isMarathonApp recognises the app definition of Marathon, whose keys have other meanings in a TaskInfo or none.
func isMarathonApp(data []byte) bool {
	var file map[string]json.RawMessage
	if json.Unmarshal(data, &file) != nil {
		return false
	}
	if inner, ok := file["app"]; ok && json.Unmarshal(inner, &file) != nil {
		return false
	}
	_, command := file["cmd"]
	_, container := file["container"]
	_, id := file["id"]
	_, task := file["task_id"]
	return id && !task && (command || container)
}
