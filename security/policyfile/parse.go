package policyfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/internal/rootfile"
	"mesos-docker-executor/security"
)

// fileVersion is the version of policy.yaml that this package reads.
const fileVersion = 1

// Parse is [ParseWith] without reading any seccomp profile: each stands for one that forbids every call, and [File.Digest] is that
// of the file alone. It is for looking at a policy away from its host, never for running a task.
func Parse(name string, data []byte, now time.Time) (*File, error) {
	return ParseWith(name, data, now, nil)
}

// ParseWith reads the content of a policy.yaml; name is what errors call it, and its last element what [File.Name] is. profile
// returns the content of a seccomp profile that the file names by its path.
//
// It is strict: an unknown key, a key twice, a value of another type, without a unit or out of range, an alias, a tag, a second
// document, what no policy can allow or only break_glass, all are errors with the number of their line. The error is an
// [*Error].
func ParseWith(name string, data []byte, now time.Time, profile func(path string) ([]byte, error)) (*File, error) {
	p := newParser(name, now, profile)
	fault := func(line int, text string) { p.problems.add(line, "", "%s", text) }
	if len(data) > maxFileSize {
		fault(0, rootfile.TooLarge(maxFileSize).Error())
	} else if root := rootfile.Document(data, fault); root != nil {
		p.file(root)
	}
	if err := p.problems.orNil(); err != nil {
		return nil, err
	}
	p.out.seal(data, p.profiles)
	return p.out, nil
}

// parser walks the nodes of a file. It does not let the YAML library fill structs: that would report neither all problems nor the
// possible values.
type parser struct {
	out      *File
	problems *Error
	now      time.Time
	rules    []rule            // that a section of rules can write
	facts    map[string]fact   // by the rules' keys
	entries  map[string][]rule // fields of entries of lists, by the prefix of their keys
	read     func(path string) ([]byte, error)
	profiles map[string]string // seccomp profiles read so far, by their path
	opened   []openedPath      // of the host, in all sections of rules
}

func newParser(name string, now time.Time, read func(path string) ([]byte, error)) *parser {
	return &parser{
		out:      &File{name: baseName(name)},
		problems: &Error{Source: name},
		now:      now,
		rules:    ordinaryRules(),
		facts:    facts(),
		read:     read,
		profiles: map[string]string{},
		entries:  map[string][]rule{},
	}
}

// file reads the whole file. A version other than ours leaves nothing else to judge.
func (p *parser) file(root *yaml.Node) {
	known := []string{"version", "mode", "principals", "defaults", "profiles", "identities", "break_glass"}
	entries := p.mapping(root, "")
	at := slices.IndexFunc(entries, func(e entry) bool { return e.key == "version" })
	if at < 0 {
		p.missing(entry{path: "version", line: 1, value: root}, "version", "is missing; write `version: %d`", fileVersion)
	} else if v := entries[at].value; v.Tag != "!!int" || v.Value != strconv.Itoa(fileVersion) {
		p.problems.Problems = nil
		p.problems.add(v.Line, "version", "%s is not a version that this program reads; write `version: %d`", quote(v.Value), fileVersion)
		return
	}
	sections := map[string]entry{}
	for _, e := range entries {
		if !slices.Contains(known, e.key) {
			p.unknown(e, known)
			continue
		}
		sections[e.key] = e
	}
	// Profiles and principals first: entries refer to them.
	p.section(sections, "mode", func(e entry) { p.out.mode, p.out.modeLine = p.mode(e), e.line })
	p.section(sections, "principals", p.principals)
	p.section(sections, "defaults", func(e entry) { p.out.defaults = p.layer(e) })
	p.section(sections, "profiles", p.namedProfiles)
	p.section(sections, "identities", p.identities)
	p.section(sections, "break_glass", p.breakGlass)
	p.checkHostPaths()
}

func (p *parser) section(sections map[string]entry, key string, read func(entry)) {
	if e, written := sections[key]; written {
		read(e)
	}
}

// entry is a key of a mapping and its value.
type entry struct {
	key   string
	path  string // of the key, from the root: "identities[0].match"
	line  int    // of the key
	value *yaml.Node
}

// mapping returns the entries of a mapping, without those that are wrong whatever they mean. A section all of whose keys are
// commented out is an empty one.
func (p *parser) mapping(node *yaml.Node, path string) []entry {
	if !p.plain(node, path) || isNull(node) {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		p.problems.add(node.Line, path, "has to be a section of keys with values, and is %s; write `key: value` lines below it", what(node))
		return nil
	}
	var entries []entry
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content) && !p.problems.isFull(); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&yaml.TaggedStyle != 0 || key.Tag == "!!merge" || isNull(key):
			p.problems.add(key.Line, path, "has a key that is no plain text (%s); write its name without anchor, alias or tag", quote(key.Value))
			continue
		case key.Value == "" || len(key.Value) > maxText || strings.ContainsFunc(key.Value, unicode.IsControl):
			p.problems.add(key.Line, path, "has the key %s, which is empty, too long or holds a control character; write a name", quote(key.Value))
			continue
		case seen[key.Value] > 0:
			p.problems.add(key.Line, join(path, key.Value), "is here a second time, the first is on line %d; keep one of them", seen[key.Value])
			continue
		}
		seen[key.Value] = key.Line
		e := entry{key: key.Value, path: join(path, key.Value), line: key.Line, value: value}
		if p.plain(value, e.path) {
			entries = append(entries, e)
		}
	}
	return entries
}

// missing notes that a mapping lacks a key, unless the key is there and was refused for its form.
func (p *parser) missing(e entry, key, format string, args ...any) {
	for i := 0; i < len(e.value.Content); i += 2 {
		if e.value.Content[i].Value == key {
			return
		}
	}
	p.problems.add(e.line, e.path, format, args...)
}

// list returns the elements of a list, without those that are wrong whatever they mean.
func (p *parser) list(e entry, of string) []entry {
	switch {
	case isNull(e.value):
		p.problems.add(e.value.Line, e.path, "has no value; write a list of %s, `[]` for none, or remove the key", of)
		return nil
	case e.value.Kind != yaml.SequenceNode:
		p.problems.add(e.value.Line, e.path, "has to be a list of %s, and is %s; write %s", of, what(e.value), "`[a, b]` or lines that begin with `- `")
		return nil
	}
	var elements []entry
	for i, node := range e.value.Content {
		element := entry{key: e.key, path: fmt.Sprintf("%s[%d]", e.path, i), line: node.Line, value: node}
		if p.plain(node, element.path) {
			elements = append(elements, element)
		}
	}
	return elements
}

// plain refuses what makes a value other than it looks.
func (p *parser) plain(node *yaml.Node, path string) bool {
	switch {
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		p.problems.add(node.Line, path, "uses an anchor or alias; write the value out, and patterns that begin with * or & in quotes")
	case node.Style&yaml.TaggedStyle != 0:
		p.problems.add(node.Line, path, "has the tag %s; write the value without", quote(node.Tag))
	default:
		return true
	}
	return false
}

// what names a value of another kind than is needed.
func what(node *yaml.Node) string {
	switch {
	case node.Kind == yaml.MappingNode:
		return "a section of keys"
	case node.Kind == yaml.SequenceNode:
		return "a list"
	case node.Tag == "!!int" || node.Tag == "!!float":
		return "the number " + security.Printable(node.Value)
	}
	return "the text " + quote(node.Value)
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

func join(path, key string) string {
	if path == "" {
		return shortKey(key)
	}
	return path + "." + shortKey(key)
}

// shortKey keeps a key of any length and content readable in a path.
func shortKey(key string) string { return security.Printable(key) }

// unknown notes a key that is none, and where it belongs if that is known.
func (p *parser) unknown(e entry, known []string) {
	isRule := slices.ContainsFunc(p.rules, func(r rule) bool {
		section, _, _ := strings.Cut(r.key, ".")
		return section == strings.TrimPrefix(e.key, "+")
	})
	inRules := strings.Contains(e.path, "rules.") || strings.HasPrefix(e.path, "defaults.") || strings.HasPrefix(e.path, "profiles.")
	switch {
	case strings.EqualFold(e.key, "privileged"):
		p.problems.add(e.line, e.path, "cannot be allowed by any section of any file; remove it, and allow single capabilities in `capabilities`")
	case inRules && e.key == "mode" && slices.Contains(known, "network"): // not in a section of its own keys
		p.problems.add(e.line, e.path, "is no rule; write it at the top of the file, or in an entry of `identities` beside `match`")
	case inRules && slices.Contains([]string{"break_glass", "paths", "propagation", "unconfined"}, e.key):
		p.problems.add(e.line, e.path, "is no rule: only an entry of `break_glass` at the top of the file can lift this, with reason and expiry")
	case isRule && !inRules:
		p.problems.add(e.line, e.path, "is a rule; write it under `defaults`, a profile, or `rules` of an entry of `identities`")
	default:
		p.problems.add(e.line, e.path, "is an unknown key%s; known here: %s", meant(e.key, known), strings.Join(known, ", "))
	}
}
