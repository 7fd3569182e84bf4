package classes

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// fileVersion is the version of classes.yaml that this package reads.
const fileVersion = 1

// maxText is the length of a text in bytes: that of a path (PATH_MAX, limits.h).
const maxText = 4096

// parser walks the nodes of a file. It does not let the YAML library fill structs: that would report neither all problems nor the
// possible values, and would read 010 as 8.
type parser struct {
	out      *Registry
	problems *Error
	majors   map[uint16]use // of all teams, those of the past too
	blocks   map[int]*block // lines that the YAML library does not get, by the line of their key
	placed   int            // blocks that are the value of their key
}

// entry is a key of a mapping or an element of a list, and its value. Its path is only made for messages: a file has
// thousands of them.
type entry struct {
	key   string // "[2]" for an element
	line  int    // of the key
	value *yaml.Node
	up    *entry
}

// path is that of the key from the root: "clusters.gra1.identities[0].match".
func (e *entry) path() string {
	if e == nil || e.up == nil {
		return ""
	}
	return join(e.up.path(), e.key)
}

func join(path, key string) string {
	if path == "" || strings.HasPrefix(key, "[") {
		return path + printable(key)
	}
	return path + "." + printable(key)
}

// note notes a problem of a key, wrong one of its value.
func (p *parser) note(e *entry, format string, args ...any) {
	p.problems.add(e.line, e.path(), format, args...)
}

func (p *parser) wrong(e *entry, format string, args ...any) {
	p.problems.add(e.value.Line, e.path(), format, args...)
}

// document returns the one mapping that the file consists of, nil after noting why there is none. For an empty file it is an empty
// mapping.
func (p *parser) document(data []byte) *yaml.Node {
	if len(data) > maxFileSize {
		p.problems.add(0, "", "%v", tooLarge(maxFileSize))
		return nil
	}
	if line := badTextLine(data); line > 0 {
		p.problems.add(line, "", "holds bytes that are not UTF-8 text; save the file as UTF-8")
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return &yaml.Node{Kind: yaml.MappingNode, Line: 1}
	} else if err != nil {
		p.syntax(err)
		return nil
	}
	if err := decoder.Decode(&more); err == nil {
		p.problems.add(more.Line, "", "a second document begins here; the file holds one")
		return nil
	} else if !errors.Is(err, io.EOF) {
		p.syntax(err)
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		p.problems.add(root.Line, "", "is not a list of keys; begin with `version: %d`", fileVersion)
		return nil
	}
	return root
}

// syntax notes an error of the YAML library, which has the line in its text ("yaml: line 3: ...") unless it is the first.
func (p *parser) syntax(err error) {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if rest, found := strings.CutPrefix(text, "line "); found {
		if number, message, found := strings.Cut(rest, ": "); found {
			if n, err := strconv.Atoi(number); err == nil {
				line, text = max(n, 1), message
			}
		}
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	switch {
	case strings.Contains(text, "unknown anchor") || strings.Contains(text, "alphabetic or numeric"):
		text += "; a pattern that begins with * or & has to be in quotes"
	case strings.Contains(text, "mapping values are not allowed"):
		text += "; a text that ends in a colon, such as \"10:\", has to be in quotes"
	}
	const limit = 300
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "..."
	}
	p.problems.add(line, "", "is not valid YAML here or just below: %s", text)
}

// mapping returns the entries of a mapping, without those that are wrong whatever they mean. A section all of whose keys are
// commented out is an empty one.
func (p *parser) mapping(of *entry) []entry {
	node := of.value
	if !p.plain(of) || isNull(node) {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		p.wrong(of, "is a section of keys with values; write `key: value` lines below it")
		return nil
	}
	entries := make([]entry, 0, len(node.Content)/2)
	seen := make(map[string]int, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content) && !p.problems.isFull(); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		e := entry{key: key.Value, line: key.Line, value: value, up: of}
		first := seen[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&yaml.TaggedStyle != 0 || key.Tag == "!!merge" || isNull(key):
			p.problems.add(key.Line, of.path(), "has a key that is no plain text (%s); write its name without anchor, alias or tag", quote(key.Value))
			continue
		case key.Value == "" || len(key.Value) > maxText || strings.ContainsFunc(key.Value, unicode.IsControl):
			p.problems.add(key.Line, of.path(), "has the key %s, which is empty, too long or holds a control character; write a name", quote(key.Value))
			continue
		case first > 0:
			p.note(&e, "is here a second time, the first is on line %d; keep one of them", first)
			continue
		}
		seen[key.Value] = key.Line
		if p.plain(&e) {
			entries = append(entries, e)
		}
	}
	return entries
}

// keys returns the entries of a mapping of known keys.
func (p *parser) keys(e *entry, known ...string) map[string]*entry {
	found := map[string]*entry{}
	if isNull(e.value) {
		p.note(e, "is empty; write %s below it, or remove it", oneOf(known))
		return found
	}
	for _, key := range p.mapping(e) {
		if slices.Contains(known, key.key) {
			found[key.key] = &key
		} else {
			p.unknown(&key, known)
		}
	}
	return found
}

// missing notes that a mapping lacks a key, unless the key is there and was refused for its form.
func (p *parser) missing(e *entry, key, format string, args ...any) {
	for i := 0; i < len(e.value.Content); i += 2 {
		if e.value.Content[i].Value == key {
			return
		}
	}
	p.note(e, format, args...)
}

// list returns the elements of a list, without those that are wrong whatever they mean.
func (p *parser) list(e *entry, of string) []entry {
	switch {
	case isNull(e.value):
		p.wrong(e, "has no value; write a list of %s, or remove the key", of)
		return nil
	case e.value.Kind != yaml.SequenceNode:
		p.wrong(e, "is a list of %s; write %s", of, "`[a, b]` or lines that begin with `- `")
		return nil
	}
	var elements []entry
	for i, node := range e.value.Content {
		element := entry{key: "[" + strconv.Itoa(i) + "]", line: node.Line, value: node, up: e}
		if p.problems.isFull() {
			break
		}
		if p.plain(&element) {
			elements = append(elements, element)
		}
	}
	return elements
}

// plain refuses what makes a value other than it looks.
func (p *parser) plain(e *entry) bool {
	switch node := e.value; {
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		p.wrong(e, "uses an anchor or alias; write the value out, and patterns that begin with * or & in quotes")
	case node.Style&yaml.TaggedStyle != 0:
		p.wrong(e, "has the tag %s; write the value without", quote(node.Tag))
	default:
		return true
	}
	return false
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// scalar returns one value as it is written: what YAML takes a number for is of no account.
func (p *parser) scalar(e *entry, what string) (string, bool) {
	switch node := e.value; {
	case isNull(node):
		p.wrong(e, "has no value; write %s, or remove the key", what)
	case node.Kind != yaml.ScalarNode:
		p.wrong(e, "needs one value; write %s", what)
	case len(node.Value) > maxText:
		p.wrong(e, "has %d bytes; a text has at most %d", len(node.Value), maxText)
	case strings.ContainsFunc(node.Value, unicode.IsControl):
		p.wrong(e, "%s holds a line end or another control character; write it on one line", quote(node.Value))
	default:
		return node.Value, true
	}
	return "", false
}

// text reads a scalar that is a text. Numbers are taken as they are written.
func (p *parser) text(e *entry, what string) (string, bool) {
	text, ok := p.scalar(e, what)
	if ok && !slices.Contains([]string{"!!str", "!!int", "!!timestamp"}, e.value.Tag) {
		p.wrong(e, "%s is no text to YAML; put it in quotes", quote(text))
		return "", false
	}
	return text, ok
}

// word reads one of some words; kind completes "is no ...".
func (p *parser) word(e *entry, kind string, words ...string) (string, bool) {
	text, ok := p.text(e, oneOf(words))
	if ok && !slices.Contains(words, text) {
		p.wrong(e, "%s is no %s%s; allowed: %s", quote(text), kind, meant(strings.ToLower(text), words), oneOf(words))
		return "", false
	}
	return text, ok
}

func (p *parser) boolean(e *entry) (value, ok bool) {
	if e.value.Kind == yaml.ScalarNode && e.value.Tag == "!!bool" {
		return strings.EqualFold(e.value.Value, "true"), true
	}
	p.wrong(e, "%s is not a boolean; write `true` or `false`", quote(e.value.Value))
	return false, false
}

// meant is the function of this name while messages are few: names are many.
func (p *parser) meant(word string, known []string) string {
	if len(p.problems.Problems) > maxShown {
		return ""
	}
	return meant(word, known)
}

// badTextLine returns the line of the first byte that is not UTF-8 or that YAML does not print (c-printable in section 5.1 of
// YAML 1.2), 0 if there is none. The YAML library would give no line for it.
func badTextLine(data []byte) int {
	line := 1
	for rest := data; len(rest) > 0; {
		if c := rest[0]; ' ' <= c && c < 0x7f {
			rest = rest[1:]
			continue
		}
		r, size := utf8.DecodeRune(rest)
		control := r < ' ' && r != '\n' && r != '\r' && r != '\t' || 0x7f <= r && r <= 0x9f && r != 0x85
		if r == utf8.RuneError && size == 1 || control || r == 0xfffe || r == 0xffff {
			return line
		}
		if r == '\n' {
			line++
		}
		rest = rest[size:]
	}
	return 0
}
