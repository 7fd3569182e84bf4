package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/internal/rootfile"
)

// Parse reads the content of a config.yaml; name is what errors call it. Every
// key that is not there has its default. "version: 1" has to be there.
//
// It is strict: an unknown key, a key twice, a value of another type, without a
// unit or out of range, an alias, a tag, a second document, all are errors with
// the number of their line. The error is an [*Error], with what the section
// about the agent says if that is certain ([Error.Agent]).
func Parse(name string, data []byte) (File, error) {
	f := Default()
	p := parser{
		settings: f.settings(),
		lines:    map[string]int{},
		problems: &Error{Source: name},
	}
	fault := func(line int, text string) { p.problems.addAt(line, "", "%s", text) }
	if root := rootfile.Document(data, fault); root != nil {
		p.section(root, "")
		p.checkVersion()
		if key, err := f.Agent.check(); err != nil && p.agentReadable() {
			p.problems.addAt(p.lines[key], key, "%v", err)
		}
		if key, err := f.Storage.check(); err != nil && !p.wrong("version") {
			line := p.lines[key]
			if line == 0 { // what contradicts a default
				line = p.lines["storage"]
			}
			p.problems.addAt(line, key, "%v", err)
		}
		if key, err := f.GC.check(); err != nil {
			p.problems.addAt(max(p.lines[key], p.lines["gc"]), key, "%v", err)
		}
		if p.agentReadable() {
			p.problems.Agent = &f.Agent
		}
	}
	if err := p.problems.orNil(); err != nil {
		return File{}, err
	}
	return f, nil
}

// parser walks the nodes of a file. It does not let the YAML library fill the
// structs: that would report neither all problems nor the allowed values.
type parser struct {
	settings []setting
	lines    map[string]int // keys seen so far, and where
	problems *Error
}

// section reads a mapping; prefix is its path with a dot at the end, "" for the
// whole file.
func (p *parser) section(node *yaml.Node, prefix string) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		path := prefix + key.Value
		if key.Kind != yaml.ScalarNode || strings.ContainsFunc(key.Value, notInKeys) {
			p.problems.addAt(key.Line, "", "%s is no key%s", quote(key.Value), p.known(prefix))
			continue
		}
		if line, seen := p.lines[path]; seen {
			p.problems.addAt(key.Line, path, "is here a second time, the first is on line %d", line)
			continue
		}
		p.lines[path] = key.Line
		p.entry(value, path, key.Line, prefix)
	}
}

// notInKeys is true for what is in no key's name. A dot would pass for the path
// of a key in a section.
func notInKeys(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }

// entry reads the value of one key, which may be a section.
func (p *parser) entry(value *yaml.Node, path string, line int, prefix string) {
	isSection := slices.ContainsFunc(p.settings, func(s setting) bool { return strings.HasPrefix(s.Path, path+".") })
	at := slices.IndexFunc(p.settings, func(s setting) bool { return s.Path == path })
	switch {
	case !isSection && at < 0:
		p.problems.addAt(line, path, "is an unknown key%s", p.known(prefix))
	case value.Kind == yaml.AliasNode || value.Anchor != "":
		p.problems.addAt(value.Line, path, "uses an anchor or alias; write the value out")
	case value.Style&yaml.TaggedStyle != 0:
		p.problems.addAt(value.Line, path, "has the tag %s; write the value without", quote(value.Tag))
	case isSection && value.Kind == yaml.MappingNode:
		p.section(value, path+".")
	case isSection && value.Tag == "!!null":
		// All keys of the section are commented out.
	case isSection:
		p.problems.addAt(value.Line, path, "is a section%s", p.known(path+"."))
	case value.Kind != yaml.ScalarNode:
		p.problems.addAt(value.Line, path, "needs one value; allowed: %s", p.settings[at].Allowed)
	case value.Tag == "!!null":
		p.problems.addAt(value.Line, path, "has no value; remove the key or write one; allowed: %s", p.settings[at].Allowed)
	default:
		if err := p.settings[at].set(scalar{text: value.Value, tag: value.Tag}); err != nil {
			p.problems.addAt(value.Line, path, "%v", err)
		}
	}
}

// known lists what a section may hold, for errors.
func (p *parser) known(prefix string) string {
	var names []string
	for _, s := range p.settings {
		if rest, ok := strings.CutPrefix(s.Path, prefix); ok {
			name, _, _ := strings.Cut(rest, ".")
			names = append(names, name)
		}
	}
	names = slices.Compact(names)
	if len(names) == 0 {
		return ""
	}
	return "; known here: " + strings.Join(names, ", ")
}

// checkVersion puts a missing version first, and leaves a wrong one alone: what
// else is in a file of another version cannot be judged.
func (p *parser) checkVersion() {
	if _, ok := p.lines["version"]; !ok {
		missing := Problem{Line: 1, Name: "version", Text: fmt.Sprintf("is missing; write `version: %d`", fileVersion)}
		p.problems.Problems = slices.Insert(p.problems.Problems, 0, missing)
		return
	}
	for _, problem := range p.problems.Problems {
		if problem.Name == "version" {
			p.problems.Problems = []Problem{problem}
			return
		}
	}
}

// wrong reports whether a key has a problem already.
func (p *parser) wrong(key string) bool {
	return slices.ContainsFunc(p.problems.Problems, func(one Problem) bool { return one.Name == key })
}

// agentReadable reports whether it is certain, for all the problems, what the
// section about the agent says. It is not if a key that nobody knows may be that
// section or one of its keys, misspelt or out of place.
func (p *parser) agentReadable() bool {
	_, written := p.lines["agent"]
	for _, problem := range p.problems.Problems {
		section, _, nested := strings.Cut(problem.Name, ".")
		known := slices.ContainsFunc(p.settings, func(s setting) bool { return s.Path == section || strings.HasPrefix(s.Path, section+".") })
		switch {
		case section == "" || section == "version" || section == "agent":
			return false
		case !known && !nested && (!written || p.isAgentKey(section)):
			return false
		}
	}
	return true
}

// isAgentKey reports whether a name is one of the section about the agent.
func (p *parser) isAgentKey(name string) bool {
	return slices.ContainsFunc(p.settings, func(s setting) bool {
		elements := strings.Split(s.Path, ".")
		return elements[0] == "agent" && slices.Contains(elements, name)
	})
}
