package classes

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rootfile"
	"mesos-docker-executor/internal/rulefile"
)

// fileVersion is the version of classes.yaml that this package reads.
const fileVersion = 1

// Error lists every problem of a class file, in the order of its lines; of a file with more than a thousand, the first thousand.
type Error = rulefile.Error

// Problem is one thing to put right.
type Problem = rulefile.Problem

// Parse reads the content of a classes.yaml; name is what errors call it, and its last element what [Registry.Name] is.
//
// It is strict: an unknown key, a key twice, a value of another type or out of range, an alias, a tag, a second document, a major
// or a class that two have or that is retired, an entry that can never apply, all are errors with the number of their line.
// The error is an [*Error].
func Parse(name string, data []byte) (*Registry, error) {
	if len(data) > maxFileSize {
		return nil, fileError(name, "%v", rootfile.TooLarge(maxFileSize))
	}
	if r := parseQuickly(name, data); r != nil {
		return r, nil
	}
	return parseWhole(name, data)
}

func parseWhole(name string, data []byte) (*Registry, error) {
	p := newParser(name)
	p.document(data)
	if err := p.Problems.OrNil(); err != nil {
		return nil, err
	}
	p.out.seal(data)
	return p.out, nil
}

// parser walks the nodes of a file.
type parser struct {
	rulefile.Reader
	out    *Registry
	majors map[uint16]use // of all teams, those of the past too
	blocks map[int]*block // lines that the YAML library does not get, by the line of their key
	placed int            // blocks that are the value of their key
}

func newParser(name string) *parser {
	p := &parser{
		Reader: rulefile.Reader{Problems: &Error{Source: name}},
		out:    &Registry{name: baseName(name), mode: Required, unknown: Deny},
		majors: map[uint16]use{},
	}
	p.Unknown = p.unknown
	return p
}

func (p *parser) document(data []byte) {
	fault := func(line int, text string) {
		if strings.Contains(text, "mapping values are not allowed") {
			text += "; a major such as \"10:\" has to be in quotes"
		}
		p.Problems.Add(line, "", "%s", text)
	}
	if root := rootfile.Document(data, fault); root != nil {
		p.file(rulefile.Entry{Line: 1, Value: root})
	}
}

// seal finishes a registry that was read without a problem.
func (r *Registry) seal(data []byte) {
	sum := sha256.Sum256(data)
	r.digest = hex.EncodeToString(sum[:])
}

// word reads one of some words; kind completes "is no ...".
func (p *parser) word(e rulefile.Entry, kind string, words ...string) (string, bool) {
	text, ok := p.Text(e, message.OneOf(words))
	if ok && !slices.Contains(words, text) {
		p.Wrong(e, "%s is no %s%s; allowed: %s", message.Quote(text), kind, message.Meant(strings.ToLower(text), words), message.OneOf(words))
		return "", false
	}
	return text, ok
}

// meant is the function of this name while messages are few: names are many.
func (p *parser) meant(word string, known []string) string {
	if len(p.Problems.Problems) > rulefile.MaxShown {
		return ""
	}
	return message.Meant(word, known)
}
