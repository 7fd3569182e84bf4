package policyfile

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"mesos-docker-executor/internal/rulefile"
	"mesos-docker-executor/security"
)

// rule is a key that a section of rules can write: a field of [security.Rules] that is no section itself.
type rule struct {
	key   string // by the JSON names, with dots: "capabilities.allow"
	index []int  // of the field, for reflect.Value.FieldByIndex
	kind  reflect.Type
}

// ordinaryRules returns every rule but those that have places of their own in the file.
func ordinaryRules() []rule {
	return fieldsOf(reflect.TypeFor[security.Rules](), "", "mode", "break_glass")
}

// fieldsOf returns the fields of a struct and of the structs in it, without those named.
func fieldsOf(t reflect.Type, prefix string, without ...string) []rule {
	var rules []rule
	for i := range t.NumField() {
		field := t.Field(i)
		name := jsonName(field)
		switch {
		case slices.Contains(without, name):
		case field.Type.Kind() == reflect.Struct:
			for _, r := range fieldsOf(field.Type, prefix+name+".") {
				r.index = append([]int{i}, r.index...)
				rules = append(rules, r)
			}
		default:
			rules = append(rules, rule{key: prefix + name, index: []int{i}, kind: field.Type})
		}
	}
	return rules
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// lastNames returns the last elements of the rules' keys.
func lastNames(rules []rule) []string {
	var names []string
	for _, r := range rules {
		names = append(names, r.key[strings.LastIndex(r.key, ".")+1:])
	}
	return names
}

// setting is one key of a section of rules, as it is written.
type setting struct {
	rule  rule
	line  int
	value reflect.Value
	// adds: a list is appended to the inherited one.
	adds bool
	// Of a list: where each of its elements is written.
	elements []int
	// Of a map: where each of its names is written, and which of them are taken away.
	lines map[string]int
	gone  []string
}

// layer is a section of rules.
type layer []setting

// layer reads a section of rules.
func (p *parser) layer(e rulefile.Entry) layer {
	var l layer
	p.rulesBelow(e, "", &l)
	return l
}

// rulesBelow reads one mapping of a section of rules; prefix is that of the keys in it.
func (p *parser) rulesBelow(e rulefile.Entry, prefix string, l *layer) {
	for _, key := range p.Mapping(e) {
		name, adds := strings.CutPrefix(key.Key, "+")
		full := prefix + name
		at := slices.IndexFunc(p.rules, func(r rule) bool { return r.key == full })
		switch {
		case strings.Contains(name, "."): // would pass for a key in a section
			p.unknown(key, p.knownBelow(prefix))
		case at >= 0:
			p.oneSetting(key, p.rules[at], adds, l)
		case !adds && p.isSection(full):
			p.rulesBelow(key, full+".", l)
		default:
			p.unknown(key, p.knownBelow(prefix))
		}
	}
}

func (p *parser) oneSetting(key rulefile.Entry, r rule, adds bool, l *layer) {
	for _, other := range *l {
		if other.rule.key == r.key {
			p.Note(key, "is here a second time, with and without a + in front; the first is on line %d", other.line)
			return
		}
	}
	isEntries := r.kind.Kind() == reflect.Slice && r.kind.Elem().Kind() == reflect.Struct
	if adds && !isEntries {
		remedy := "remove the +; what is written replaces the inherited value"
		switch r.kind.Kind() {
		case reflect.Slice:
			remedy = "write the + in front of each element: [+A, +B]"
		case reflect.Map:
			remedy = "remove the +; the names of a map are merged into the inherited ones anyway"
		}
		p.Note(key, "takes no + in front of the key; %s", remedy)
		return
	}
	if s, ok := p.setting(key, r, true); ok {
		s.adds = s.adds || adds
		*l = append(*l, s)
	}
}

func (p *parser) isSection(key string) bool {
	return slices.ContainsFunc(p.rules, func(r rule) bool { return strings.HasPrefix(r.key, key+".") })
}

func (p *parser) knownBelow(prefix string) []string {
	var names []string
	for _, r := range p.rules {
		if rest, ok := strings.CutPrefix(r.key, prefix); ok {
			name, _, _ := strings.Cut(rest, ".")
			names = append(names, name)
		}
	}
	return slices.Compact(names)
}

// apply lays a section over the rules, and notes where each key that it writes is. It never changes a list or map that the rules
// hold, as those may be another layer's.
func (l layer) apply(rules *security.Rules, places map[string]string, file string) {
	for _, s := range l {
		field := reflect.ValueOf(rules).Elem().FieldByIndex(s.rule.index)
		switch {
		case s.rule.kind.Kind() == reflect.Map:
			s.merge(field, places, file)
		case s.adds:
			field.Set(added(field, s.value))
		default:
			field.Set(orZero(s.value))
		}
		places[s.rule.key] = rulefile.Place(file, s.line)
	}
}

// merge lays the names of a map over the inherited ones; an empty map leaves none.
func (s setting) merge(field reflect.Value, places map[string]string, file string) {
	merged := reflect.MakeMap(s.rule.kind)
	if len(s.lines) == 0 {
		maps.DeleteFunc(places, func(key, _ string) bool { return strings.HasPrefix(key, s.rule.key+".") })
	} else {
		for name, value := range field.Seq2() {
			merged.SetMapIndex(name, value)
		}
	}
	for name, value := range s.value.Seq2() {
		merged.SetMapIndex(name, value)
	}
	for _, name := range s.gone {
		merged.SetMapIndex(reflect.ValueOf(name), reflect.Value{})
	}
	for name, line := range s.lines {
		places[s.rule.key+"."+name] = rulefile.Place(file, line)
	}
	field.Set(orZero(merged))
}

// orZero writes an empty list or map as the rules do.
func orZero(v reflect.Value) reflect.Value {
	if (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0 {
		return reflect.Zero(v.Type())
	}
	return v
}

// added returns a new list with what is not in it yet at its end.
func added(list, more reflect.Value) reflect.Value {
	out := reflect.MakeSlice(list.Type(), 0, list.Len()+more.Len())
	there := seen{}
	for _, from := range []reflect.Value{list, more} {
		for _, element := range from.Seq2() {
			if !there.before(element) {
				out = reflect.Append(out, element)
			}
		}
	}
	return out
}

// seen are the elements of a list so far.
type seen map[string]bool

// before reports whether it was called for an equal element before.
func (s seen) before(element reflect.Value) bool {
	text := element.String()
	if element.Kind() != reflect.String {
		text = fmt.Sprintf("%#v", element.Interface())
	}
	again := s[text]
	s[text] = true
	return again
}
