package policyfile

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/security"
)

// maxText is the length of a text in bytes: that of a path (PATH_MAX, limits.h).
const maxText = 4096

// none takes a name out of an inherited map.
const none = "none"

// setting reads the value of a key by the type of its field. layered says that there is something to add to.
func (p *parser) setting(key entry, r rule, layered bool) (setting, bool) {
	s := setting{rule: r, line: key.line}
	for _, element := range key.value.Content { // of a map nobody asks for them
		s.elements = append(s.elements, element.Line)
	}
	before := len(p.problems.Problems)
	switch {
	case r.kind.Kind() == reflect.Map:
		p.intoMap(key, &s)
	case r.kind.Kind() == reflect.Slice && r.kind.Elem().Kind() == reflect.String:
		s.value, s.adds = p.texts(key, r.key, r.kind, layered)
	default:
		s.value = p.value(key, r.key, r.kind)
	}
	return s, s.value.IsValid() && len(p.problems.Problems) == before
}

// value reads one value, or returns the zero Value after noting why there is none.
func (p *parser) value(e entry, key string, kind reflect.Type) reflect.Value {
	out := reflect.New(kind).Elem()
	ok := false
	switch kind.Kind() {
	case reflect.Bool:
		var b bool
		b, ok = p.boolean(e)
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
		p.problems.add(e.line, e.path, "cannot be written in a policy file")
	}
	if !ok {
		return reflect.Value{}
	}
	return out
}

// slice reads a list of entries, or one of texts inside of one.
func (p *parser) slice(e entry, key string, kind reflect.Type) reflect.Value {
	if kind.Elem().Kind() == reflect.String {
		list, _ := p.texts(e, key, kind, false)
		return list
	}
	before := len(p.problems.Problems)
	out := reflect.MakeSlice(kind, 0, 0)
	there := seen{}
	names := lastNames(p.fields(kind.Elem(), key+"."))
	for _, element := range p.list(e, "entries with "+oneOf(names)) {
		if p.problems.isFull() {
			break
		}
		if element.value.Kind != yaml.MappingNode {
			p.problems.add(element.line, element.path, "has to be an entry with %s, and is %s; write {%s: ...}", oneOf(names), what(element.value), names[0])
			continue
		}
		value := p.value(element, key, kind.Elem())
		switch {
		case !value.IsValid():
		case there.before(value):
			p.problems.add(element.line, element.path, "is in the list twice; keep one")
		default:
			out = reflect.Append(out, value)
		}
	}
	if len(p.problems.Problems) > before {
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
func (p *parser) structure(e entry, key string, kind reflect.Type) reflect.Value {
	before := len(p.problems.Problems)
	out := reflect.New(kind).Elem()
	fields := p.fields(kind, key+".")
	seen := map[string]bool{}
	for _, k := range p.mapping(e.value, e.path) {
		at := slices.IndexFunc(fields, func(r rule) bool { return r.key == key+"."+k.key })
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
			p.missing(e, name, "has no `%s`; write %s", name, p.facts[f.key].allowed)
		}
	}
	if len(p.problems.Problems) > before {
		return reflect.Value{}
	}
	if rule, ok := out.Interface().(security.VolumeRule); ok && rule.Driver == "local" && len(rule.Options) > 0 {
		p.problems.add(e.line, e.path+".options", "allows nothing: options of the driver local can mount any folder of the host; remove them")
	}
	p.noteOpened(e, key, out.Interface())
	return out
}

// texts reads a list of texts. Either all of them add to the inherited list, or none.
func (p *parser) texts(e entry, key string, kind reflect.Type, layered bool) (list reflect.Value, adds bool) {
	before := len(p.problems.Problems)
	out := reflect.MakeSlice(kind, 0, len(e.value.Content))
	there := seen{}
	elements := p.list(e, "texts")
	added := 0
	for _, element := range elements {
		if p.problems.isFull() {
			break
		}
		plus := strings.HasPrefix(element.value.Value, "+") && element.value.Kind == yaml.ScalarNode
		if plus {
			added++
			if !layered {
				p.problems.add(element.line, element.path, "%s adds to a list, and none is inherited here; remove the +", quote(element.value.Value))
				continue
			}
			node := *element.value
			node.Value = node.Value[1:]
			if node.Tag == "!!int" { // "+5" is a number to YAML
				node.Tag = "!!str"
			}
			element.value = &node
		}
		text, ok := p.checkedText(element, key)
		value := reflect.ValueOf(text).Convert(kind.Elem())
		switch {
		case !ok:
		case there.before(value):
			p.problems.add(element.line, element.path, "%s is in the list twice; keep one", quote(text))
		default:
			out = reflect.Append(out, value)
		}
	}
	if 0 < added && added < len(elements) && layered {
		p.problems.add(e.line, e.path,
			"has elements with and without a + in front; write + before all to add them to the inherited list, or before none to replace it")
	}
	if p.facts[key].required && len(elements) == 0 && len(p.problems.Problems) == before {
		p.problems.add(e.line, e.path, "is empty; write %s", p.facts[key].allowed)
	}
	if len(p.problems.Problems) > before {
		return reflect.Value{}, false
	}
	return out, added > 0
}

// intoMap reads a map from names to texts or numbers.
func (p *parser) intoMap(e entry, s *setting) {
	key, kind := s.rule.key, s.rule.kind.Elem()
	if isNull(e.value) {
		p.problems.add(e.value.Line, e.path, "has no value; write `name: value` lines below it, {} for none at all, or remove the key")
		return
	}
	s.value, s.lines = reflect.MakeMap(s.rule.kind), map[string]int{}
	for _, name := range p.mapping(e.value, e.path) {
		if check := p.facts[key].name; check != nil {
			if err := check(name.key); err != nil {
				p.problems.add(name.line, name.path, "%v", err)
				continue
			}
		}
		s.lines[name.key] = name.line
		if name.value.Kind == yaml.ScalarNode && name.value.Value == none {
			s.gone = append(s.gone, name.key)
			continue
		}
		value := reflect.New(kind).Elem()
		switch kind.Kind() {
		case reflect.Int64:
			n, _ := p.number(name, key, name.key)
			value.SetInt(n)
		case reflect.String:
			text, ok := p.checkedText(name, key)
			if ok && key == "seccomp_profiles" {
				text = p.profile(name, text)
			}
			value.SetString(text)
		default:
			p.problems.add(name.line, name.path, "cannot be written in a policy file")
		}
		s.value.SetMapIndex(reflect.ValueOf(name.key), value)
	}
}

// text reads a scalar that is a text. Numbers are taken as they are written, where lists of names hold them (groups).
func (p *parser) text(e entry, what string) (string, bool) {
	node := e.value
	switch {
	case isNull(node):
		p.problems.add(node.Line, e.path, "has no value; write %s, or remove the key", what)
	case node.Kind != yaml.ScalarNode:
		p.problems.add(node.Line, e.path, "needs one value; write %s", what)
	case !slices.Contains([]string{"!!str", "!!int", "!!timestamp"}, node.Tag):
		p.problems.add(node.Line, e.path, "%s is no text to YAML; put it in quotes", quote(node.Value))
	case len(node.Value) > maxText:
		p.problems.add(node.Line, e.path, "has %d bytes; a text has at most %d", len(node.Value), maxText)
	case strings.ContainsFunc(node.Value, unicode.IsControl):
		p.problems.add(node.Line, e.path, "%s holds a line end or another control character; write it on one line", quote(node.Value))
	default:
		return node.Value, true
	}
	return "", false
}

// checkedText reads a text, and returns it in the one spelling that the rules know.
func (p *parser) checkedText(e entry, key string) (string, bool) {
	f := p.facts[key]
	what := f.allowed
	if what == "" {
		what = "a text"
	}
	text, ok := p.text(e, what)
	if !ok || f.text == nil {
		return text, ok
	}
	text, err := f.text(text)
	if err != nil {
		p.problems.add(e.value.Line, e.path, "%v", err)
	}
	return text, err == nil
}

func (p *parser) boolean(e entry) (value, ok bool) {
	if e.value.Kind == yaml.ScalarNode && e.value.Tag == "!!bool" {
		return strings.EqualFold(e.value.Value, "true"), true
	}
	p.problems.add(e.value.Line, e.path, "%s is not a boolean; write `true` or `false`", quote(e.value.Value))
	return false, false
}

// number reads a count, or a size with its unit. name is that of the value in a map.
func (p *parser) number(e entry, key, name string) (int64, bool) {
	f := p.facts[key]
	least, most := f.least, f.most
	if most == 0 {
		most = math.MaxInt64
	}
	node := e.value
	if node.Kind != yaml.ScalarNode || isNull(node) {
		p.problems.add(node.Line, e.path, "needs one value; write %s", f.allowedOr("a number"))
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
			p.problems.add(node.Line, e.path, "%v", err)
		}
		return n, err == nil
	}
	n, err := strconv.ParseInt(node.Value, 10, 64)
	switch {
	case err != nil || node.Tag != "!!int" || strconv.FormatInt(n, 10) != node.Value: // 010 is 8 to YAML, and + adds elsewhere
		p.problems.add(node.Line, e.path, "%s is not a whole number; write %s", quote(node.Value), f.allowedOr("one"))
	case n < least || n > most:
		p.problems.add(node.Line, e.path, "%d is out of range; allowed: %d to %d", n, least, most)
	default:
		return n, true
	}
	return 0, false
}
