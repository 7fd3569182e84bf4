package rulefile

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/internal/message"
)

// Entry is a key of a mapping and its value, or an element of a list.
type Entry struct {
	Key   string // of an element, that of its list
	Path  string // from the root: "identities[0].match"
	Line  int    // of the key
	Value *yaml.Node
}

// Reader walks the nodes of a file and notes what is wrong with them.
type Reader struct {
	Problems *Error
	// Unknown notes a key that is none of those that are known where it stands.
	Unknown func(e Entry, known []string)
}

// Note notes a problem of a key.
func (r *Reader) Note(e Entry, format string, args ...any) {
	r.Problems.Add(e.Line, e.Path, format, args...)
}

// Wrong notes a problem of the value of a key.
func (r *Reader) Wrong(e Entry, format string, args ...any) {
	r.Problems.Add(e.Value.Line, e.Path, format, args...)
}

// Mapping returns the entries of a mapping, without those that are wrong whatever they mean. A section all of whose keys are
// commented out is an empty one.
func (r *Reader) Mapping(of Entry) []Entry {
	node := of.Value
	if !r.plain(of) || IsNull(node) {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		r.Wrong(of, "has to be a section of keys with values, and is %s; write `key: value` lines below it", What(node))
		return nil
	}
	entries := make([]Entry, 0, len(node.Content)/2)
	seen := make(map[string]int, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content) && !r.Problems.IsFull(); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		first := seen[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&yaml.TaggedStyle != 0 || key.Tag == "!!merge" || IsNull(key):
			r.Problems.Add(key.Line, of.Path, "has a key that is no plain text (%s); write its name without anchor, alias or tag", message.Quote(key.Value))
			continue
		case key.Value == "" || len(key.Value) > maxText || strings.ContainsFunc(key.Value, unicode.IsControl):
			r.Problems.Add(key.Line, of.Path, "has the key %s, which is empty, too long or holds a control character; write a name", message.Quote(key.Value))
			continue
		case first > 0:
			r.Problems.Add(key.Line, Join(of.Path, key.Value), "is here a second time, the first is on line %d; keep one of them", first)
			continue
		}
		seen[key.Value] = key.Line
		e := Entry{Key: key.Value, Path: Join(of.Path, key.Value), Line: key.Line, Value: value}
		if r.plain(e) {
			entries = append(entries, e)
		}
	}
	return entries
}

// Keys returns the entries of a mapping of known keys.
func (r *Reader) Keys(e Entry, known ...string) map[string]*Entry {
	found := map[string]*Entry{}
	if IsNull(e.Value) {
		r.Note(e, "is empty; write %s below it, or remove it", message.OneOf(known))
		return found
	}
	for _, key := range r.Mapping(e) {
		if slices.Contains(known, key.Key) {
			found[key.Key] = &key
		} else {
			r.Unknown(key, known)
		}
	}
	return found
}

// Missing notes that a mapping, or nothing, lacks a key, unless the key is there and was refused for its form. A value of another type is
// refused as a whole, by [Reader.Mapping].
func (r *Reader) Missing(e Entry, key, format string, args ...any) {
	if e.Value.Kind != yaml.MappingNode && !IsNull(e.Value) {
		return
	}
	for i := 0; i < len(e.Value.Content); i += 2 {
		if e.Value.Content[i].Value == key {
			return
		}
	}
	r.Note(e, format, args...)
}

// List returns the elements of a list, without those that are wrong whatever they mean.
func (r *Reader) List(e Entry, of string) []Entry {
	switch {
	case IsNull(e.Value):
		r.Wrong(e, "has no value; write a list of %s, `[]` for none, or remove the key", of)
		return nil
	case e.Value.Kind != yaml.SequenceNode:
		r.Wrong(e, "has to be a list of %s, and is %s; write %s", of, What(e.Value), "`[a, b]` or lines that begin with `- `")
		return nil
	}
	var elements []Entry
	for i, node := range e.Value.Content {
		if r.Problems.IsFull() {
			break
		}
		element := Entry{Key: e.Key, Path: fmt.Sprintf("%s[%d]", e.Path, i), Line: node.Line, Value: node}
		if r.plain(element) {
			elements = append(elements, element)
		}
	}
	return elements
}

// plain refuses what makes a value other than it looks.
func (r *Reader) plain(e Entry) bool {
	switch node := e.Value; {
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		r.Wrong(e, "uses an anchor or alias; write the value out, and patterns that begin with * or & in quotes")
	case node.Style&yaml.TaggedStyle != 0:
		r.Wrong(e, "has the tag %s; write the value without", message.Quote(node.Tag))
	default:
		return true
	}
	return false
}

// What names a value of another kind than is needed.
func What(node *yaml.Node) string {
	switch {
	case node.Kind == yaml.MappingNode:
		return "a section of keys"
	case node.Kind == yaml.SequenceNode:
		return "a list"
	case node.Tag == "!!int" || node.Tag == "!!float":
		return "the number " + message.Printable(node.Value)
	}
	return "the text " + message.Quote(node.Value)
}

// IsNull reports whether a key has no value.
func IsNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// Join is the path of a key in the section of a path.
func Join(path, key string) string {
	if path == "" {
		return message.Printable(key)
	}
	return path + "." + message.Printable(key)
}
