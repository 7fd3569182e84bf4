package policyfile

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
	"mesos-docker-executor/security"
)

// none takes a name out of an inherited map.
const none = "none"

// setting reads the value of a key by the type of its field. layered says that there is something to add to.
func (p *parser) setting(key rulefile.Entry, r rule, layered bool) (setting, bool) {
	s := setting{rule: r, line: key.Line}
	for _, element := range key.Value.Content { // of a map nobody asks for them
		s.elements = append(s.elements, element.Line)
	}
	before := len(p.Problems.Problems)
	switch {
	case r.kind.Kind() == reflect.Map:
		p.intoMap(key, &s)
	case r.kind.Kind() == reflect.Slice && r.kind.Elem().Kind() == reflect.String:
		s.value, s.adds = p.texts(key, r.key, r.kind, layered)
	default:
		s.value = p.value(key, r.key, r.kind)
	}
	return s, s.value.IsValid() && len(p.Problems.Problems) == before
}

// value reads one value, or returns the zero Value after noting why there is none.
func (p *parser) value(e rulefile.Entry, key string, kind reflect.Type) reflect.Value {
	out := reflect.New(kind).Elem()
	ok := false
	switch kind.Kind() {
	case reflect.Bool:
		var b bool
		b, ok = p.Boolean(e)
		out.SetBool(b)
	case reflect.Int, reflect.Int64:
		var n int64
		n, ok = p.number(e, key, "")
		ok = ok && !out.OverflowInt(n)
		out.SetInt(n)
	case reflect.String:
		var text string
		text, ok = p.checkedText(e, key)
		out.SetString(text)
	case reflect.Slice:
		return p.slice(e, key, kind)
	case reflect.Struct:
		return p.structure(e, key, kind)
	default:
		p.Note(e, "cannot be written in a policy file")
	}
	if !ok {
		return reflect.Value{}
	}
	return out
}

// slice reads a list of entries, or one of texts inside of one.
func (p *parser) slice(e rulefile.Entry, key string, kind reflect.Type) reflect.Value {
	if kind.Elem().Kind() == reflect.String {
		list, _ := p.texts(e, key, kind, false)
		return list
	}
	before := len(p.Problems.Problems)
	out := reflect.MakeSlice(kind, 0, 0)
	there := seen{}
	names := lastNames(p.fields(kind.Elem(), key+"."))
	for _, element := range p.List(e, "entries with "+message.OneOf(names)) {
		if p.Problems.IsFull() {
			break
		}
		if element.Value.Kind != yaml.MappingNode {
			p.Note(element, "has to be an entry with %s, and is %s; write {%s: ...}", message.OneOf(names), rulefile.What(element.Value), names[0])
			continue
		}
		value := p.value(element, key, kind.Elem())
		switch {
		case !value.IsValid():
		case there.before(value):
			p.Note(element, "is in the list twice; keep one")
		default:
			out = reflect.Append(out, value)
		}
	}
	if len(p.Problems.Problems) > before {
		return reflect.Value{}
	}
	return out
}

// fields is fieldsOf for entries of lists, which are many of a kind.
func (p *parser) fields(kind reflect.Type, prefix string) []rule {
	if p.entries[prefix] == nil {
		p.entries[prefix] = fieldsOf(kind, prefix)
	}
	return p.entries[prefix]
}

// structure reads an entry of a list.
func (p *parser) structure(e rulefile.Entry, key string, kind reflect.Type) reflect.Value {
	before := len(p.Problems.Problems)
	out := reflect.New(kind).Elem()
	fields := p.fields(kind, key+".")
	seen := map[string]bool{}
	for _, k := range p.Mapping(e) {
		at := slices.IndexFunc(fields, func(r rule) bool { return r.key == key+"."+k.Key })
		if at < 0 {
			p.unknown(k, lastNames(fields))
			continue
		}
		seen[fields[at].key] = true
		if v := p.value(k, fields[at].key, fields[at].kind); v.IsValid() {
			out.FieldByIndex(fields[at].index).Set(v)
		}
	}
	for _, f := range fields {
		if p.facts[f.key].required && !seen[f.key] {
			name := strings.TrimPrefix(f.key, key+".")
			p.Missing(e, name, "has no `%s`; write %s", name, p.facts[f.key].allowed)
		}
	}
	if len(p.Problems.Problems) > before {
		return reflect.Value{}
	}
	if rule, ok := out.Interface().(security.VolumeRule); ok && rule.Driver == "local" && len(rule.Options) > 0 {
		p.Problems.Add(e.Line, e.Path+".options", "allows nothing: options of the driver local can mount any folder of the host; remove them")
	}
	p.noteOpened(e, key, out.Interface())
	return out
}

// texts reads a list of texts. Either all of them add to the inherited list, or none.
func (p *parser) texts(e rulefile.Entry, key string, kind reflect.Type, layered bool) (list reflect.Value, adds bool) {
	before := len(p.Problems.Problems)
	out := reflect.MakeSlice(kind, 0, len(e.Value.Content))
	there := seen{}
	elements := p.List(e, "texts")
	added := 0
	for _, element := range elements {
		if p.Problems.IsFull() {
			break
		}
		plus := strings.HasPrefix(element.Value.Value, "+") && element.Value.Kind == yaml.ScalarNode
		if plus {
			added++
			if !layered {
				p.Note(element, "%s adds to a list, and none is inherited here; remove the +", message.Quote(element.Value.Value))
				continue
			}
			node := *element.Value
			node.Value = node.Value[1:]
			if node.Tag == "!!int" { // "+5" is a number to YAML
				node.Tag = "!!str"
			}
			element.Value = &node
		}
		text, ok := p.checkedText(element, key)
		value := reflect.ValueOf(text).Convert(kind.Elem())
		switch {
		case !ok:
		case there.before(value):
			p.Note(element, "%s is in the list twice; keep one", message.Quote(text))
		default:
			out = reflect.Append(out, value)
		}
	}
	if 0 < added && added < len(elements) && layered {
		p.Note(e,
			"has elements with and without a + in front; write + before all to add them to the inherited list, or before none to replace it")
	}
	if p.facts[key].required && len(elements) == 0 && len(p.Problems.Problems) == before {
		p.Note(e, "is empty; write %s", p.facts[key].allowed)
	}
	if len(p.Problems.Problems) > before {
		return reflect.Value{}, false
	}
	return out, added > 0
}

// intoMap reads a map from names to texts or numbers.
func (p *parser) intoMap(e rulefile.Entry, s *setting) {
	key, kind := s.rule.key, s.rule.kind.Elem()
	if rulefile.IsNull(e.Value) {
		p.Wrong(e, "has no value; write `name: value` lines below it, {} for none at all, or remove the key")
		return
	}
	s.value, s.lines = reflect.MakeMap(s.rule.kind), map[string]int{}
	for _, name := range p.Mapping(e) {
		if check := p.facts[key].name; check != nil {
			if err := check(name.Key); err != nil {
				p.Note(name, "%v", err)
				continue
			}
		}
		s.lines[name.Key] = name.Line
		if name.Value.Kind == yaml.ScalarNode && name.Value.Value == none {
			s.gone = append(s.gone, name.Key)
			continue
		}
		value := reflect.New(kind).Elem()
		switch kind.Kind() {
		case reflect.Int64:
			n, _ := p.number(name, key, name.Key)
			value.SetInt(n)
		case reflect.String:
			text, ok := p.checkedText(name, key)
			if ok && key == "seccomp_profiles" {
				text = p.profile(name, text)
			}
			value.SetString(text)
		default:
			p.Note(name, "cannot be written in a policy file")
		}
		s.value.SetMapIndex(reflect.ValueOf(name.Key), value)
	}
}

// checkedText reads a text, and returns it in the one spelling that the rules know.
func (p *parser) checkedText(e rulefile.Entry, key string) (string, bool) {
	f := p.facts[key]
	what := f.allowed
	if what == "" {
		what = "a text"
	}
	text, ok := p.Text(e, what)
	if !ok || f.text == nil {
		return text, ok
	}
	text, err := f.text(text)
	if err != nil {
		p.Wrong(e, "%v", err)
	}
	return text, err == nil
}

// number reads a count, or a size with its unit. name is that of the value in a map.
func (p *parser) number(e rulefile.Entry, key, name string) (int64, bool) {
	f := p.facts[key]
	least, most := f.least, f.most
	if most == 0 {
		most = math.MaxInt64
	}
	node := e.Value
	if node.Kind != yaml.ScalarNode || rulefile.IsNull(node) {
		p.Wrong(e, "needs one value; write %s", f.allowedOr("a number"))
		return 0, false
	}
	if f.unlimited && (node.Value == "unlimited" || node.Value == "-1") {
		return -1, true
	}
	if strings.HasSuffix(key, "_size") || slices.Contains(f.sizes, name) {
		n, err := parseSize(node.Value)
		if err == nil && (n < least || n > most) {
			err = fmt.Errorf("%s is out of range; allowed: %s to %s", node.Value, formatSize(least), formatSize(most))
		}
		if err != nil {
			p.Wrong(e, "%v", err)
		}
		return n, err == nil
	}
	n, err := strconv.ParseInt(node.Value, 10, 64)
	switch {
	case err != nil || node.Tag != "!!int" || strconv.FormatInt(n, 10) != node.Value: // 010 is 8 to YAML, and + adds elsewhere
		p.Wrong(e, "%s is not a whole number; write %s", message.Quote(node.Value), f.allowedOr("one"))
	case n < least || n > most:
		p.Wrong(e, "%d is out of range; allowed: %d to %d", n, least, most)
	default:
		return n, true
	}
	return 0, false
}
