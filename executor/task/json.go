package task

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/gogo/protobuf/jsonpb"
	"github.com/gogo/protobuf/proto"
	"github.com/gogo/protobuf/protoc-gen-gogo/descriptor"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// FromJSON reads a TaskInfo from JSON with the field names of mesos.proto: enums by name, bytes in base64, 64-bit integers
// as numbers or strings. agent_id may be left out, since the agent that launches the task is the one to name; every
// other required field must be there.
//
// It is strict: an unknown or repeated key, an unknown enum name, a value of another type and text after the object are
// errors, each with its path ("container.docker.privilegd"). All are reported at once.
func FromJSON(data []byte) (mesos.TaskInfo, error) {
	var task mesos.TaskInfo
	if found := checkJSON(data, taskInfoSchema(), "agent_id"); len(found.list) > 0 {
		if isMarathonApp(data) {
			return mesos.TaskInfo{}, errors.New("not a TaskInfo: this looks like a Marathon app: scripts/marathon-task APP.json prints its TaskInfo")
		}
		var errs []error
		for _, p := range found.list {
			errs = append(errs, errors.New(p.String()))
		}
		return mesos.TaskInfo{}, fmt.Errorf("not a TaskInfo: %w", errors.Join(errs...))
	}
	if err := decodeJSON(data, &task); err != nil {
		return mesos.TaskInfo{}, fmt.Errorf("not a TaskInfo: %w", err)
	}
	return task, nil
}

func decodeJSON(data []byte, m proto.Message) error {
	return jsonpb.Unmarshal(bytes.NewReader(data), m)
}

// checkJSON walks JSON next to its schema. optional names required fields of the outermost message that may be missing.
// The messages of its problems hold keys, never values of strings.
func checkJSON(data []byte, m *message, optional ...string) problems {
	j := jsonCheck{data: data, dec: json.NewDecoder(bytes.NewReader(data)), optional: map[string]bool{}}
	for _, name := range optional {
		j.optional[name] = true
	}
	j.dec.UseNumber()
	if !utf8.Valid(data) {
		j.fail("", "The text is not valid UTF-8.")
		return j.problems
	}
	if j.open("", '{') {
		j.message("", m)
	}
	if _, err := j.dec.Token(); !j.broken && !errors.Is(err, io.EOF) {
		j.fail("", "There is text after the JSON object.")
	}
	return j.problems
}

type jsonCheck struct {
	problems
	data     []byte
	dec      *json.Decoder
	optional map[string]bool
}

// token reads the next token; on a syntax error the walk is over.
func (j *jsonCheck) token(path string) (json.Token, bool) {
	t, err := j.dec.Token()
	if err != nil {
		j.notJSON(path)
		return nil, false
	}
	return t, true
}

// notJSON says where the syntax error is. The decoder of tokens knows its place only roughly, so all of the text is
// scanned again.
func (j *jsonCheck) notJSON(path string) {
	var syntax *json.SyntaxError
	if err := json.Unmarshal(j.data, new(json.RawMessage)); !errors.As(err, &syntax) {
		j.fail(path, "The text is not JSON.")
		return
	}
	before := j.data[:max(syntax.Offset-1, 0)] // the byte at Offset-1 is the one that does not fit
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	j.fail(path, "The text is not JSON at line %d, column %d: %s.", line, column, security.Printable(syntax.Error()))
}

func (j *jsonCheck) open(path string, delim json.Delim) bool {
	t, ok := j.token(path)
	if ok && t != delim {
		j.fail(path, "A JSON %s.", map[json.Delim]string{'{': "object is expected", '[': "array is expected; write [ and ] around the value"}[delim])
		return false
	}
	return ok
}

// keys calls visit for every key of the object that was just opened.
func (j *jsonCheck) keys(path string, visit func(key string)) {
	seen := map[string]bool{}
	for !j.broken && j.dec.More() {
		t, ok := j.token(path)
		if !ok {
			return
		}
		key, _ := t.(string) // the decoder accepts nothing else here
		if seen[key] {
			j.add(join(path, security.Printable(key)), "The key is there more than once; write it once.")
		}
		seen[key] = true
		visit(key)
	}
	if !j.broken {
		j.token(path)
	}
}

func (j *jsonCheck) message(path string, m *message) {
	present := map[string]bool{}
	j.keys(path, func(key string) {
		at := join(path, security.Printable(key))
		f := m.byName[key]
		if f == nil {
			if slices.Contains(slices.Collect(maps.Values(m.newer)), key) {
				j.add(at, "The field is not supported by this version; remove it from the task.")
			} else {
				j.add(at, "%s", unknownKey(key, m))
			}
			j.skip(at)
			return
		}
		present[key] = j.field(at, f)
	})
	for _, f := range m.required {
		if !present[f.name] && !j.broken && !(path == "" && j.optional[f.name]) {
			j.add(join(path, f.name), "The field is required and missing; set it.")
		}
	}
}

func (j *jsonCheck) skip(path string) {
	var value json.RawMessage
	if err := j.dec.Decode(&value); err != nil {
		j.notJSON(path)
	}
}

// field checks one value and reports whether it sets the field: null does not.
func (j *jsonCheck) field(path string, f *field) bool {
	switch {
	case f.isMap:
		if j.open(path, '{') {
			j.keys(path, func(key string) { j.single(join(path, security.Printable(key)), f.message.byName["value"]) })
		}
		return true
	case f.repeated:
		if !j.open(path, '[') {
			return true
		}
		for i := 0; !j.broken && j.dec.More(); i++ {
			at := fmt.Sprintf("%s[%d]", path, i)
			if !j.single(at, f) {
				j.add(at, "null cannot be an element; remove it.")
			}
		}
		if !j.broken {
			j.token(path)
		}
		return true
	default:
		return j.single(path, f)
	}
}

func (j *jsonCheck) single(path string, f *field) bool {
	j.visit(path)
	t, ok := j.token(path)
	if !ok {
		return true
	}
	if t == nil {
		return false
	}
	if f.kind == descriptor.FieldDescriptorProto_TYPE_MESSAGE {
		if t != json.Delim('{') {
			expected := "A JSON object is expected; " + objectForm(f.message)
			if _, nested := t.(json.Delim); nested {
				j.fail(path, "%s", expected)
			} else {
				j.add(path, "%s", expected)
			}
			return true
		}
		j.message(path, f.message)
		return true
	}
	if _, nested := t.(json.Delim); nested {
		j.fail(path, "A single value is expected, not an object or an array.")
		return true
	}
	if expected := scalarMismatch(f, t); expected != "" {
		j.add(path, "The value is not %s%s", expected, scalarForm(path, f, t))
	}
	return true
}

// scalarMismatch returns what would be expected instead of a token, or "".
func scalarMismatch(f *field, t json.Token) string {
	text, isText := t.(string)
	number, isNumber := t.(json.Number)
	switch f.kind {
	case descriptor.FieldDescriptorProto_TYPE_STRING:
		if !isText {
			return "a string"
		}
	case descriptor.FieldDescriptorProto_TYPE_BYTES:
		if _, err := base64.StdEncoding.DecodeString(text); !isText || err != nil {
			return "a string in base64"
		}
	case descriptor.FieldDescriptorProto_TYPE_BOOL:
		if _, isBool := t.(bool); !isBool {
			return "true or false"
		}
	case descriptor.FieldDescriptorProto_TYPE_ENUM:
		for _, name := range f.enum {
			if isText && name == text {
				return ""
			}
		}
		return "one of the names " + enumNames(f)
	case descriptor.FieldDescriptorProto_TYPE_DOUBLE, descriptor.FieldDescriptorProto_TYPE_FLOAT:
		if isText && (text == "NaN" || text == "Infinity" || text == "-Infinity") {
			return ""
		}
		if _, err := strconv.ParseFloat(string(number), 64); !isNumber || err != nil {
			return "a number"
		}
	case descriptor.FieldDescriptorProto_TYPE_INT32, descriptor.FieldDescriptorProto_TYPE_UINT32:
		if !isNumber || !isInteger(f, string(number), 32) {
			return "a whole number of 32 bits"
		}
	default:
		if isText {
			number = json.Number(text)
		}
		if !(isText || isNumber) || !isInteger(f, string(number), 64) {
			return "a whole number of 64 bits"
		}
	}
	return ""
}

func isInteger(f *field, s string, bits int) bool {
	var err error
	switch f.kind {
	case descriptor.FieldDescriptorProto_TYPE_UINT32, descriptor.FieldDescriptorProto_TYPE_UINT64,
		descriptor.FieldDescriptorProto_TYPE_FIXED32, descriptor.FieldDescriptorProto_TYPE_FIXED64:
		_, err = strconv.ParseUint(s, 10, bits)
	default:
		_, err = strconv.ParseInt(s, 10, bits)
	}
	return err == nil
}
