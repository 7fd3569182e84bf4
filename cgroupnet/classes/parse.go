package classes

import (
	"slices"
	"strings"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
)

// fileVersion is the version of classes.yaml that this package reads.
const fileVersion = 1

// Error lists every problem of a class file, in the order of its lines; of a file with more than a thousand, the first thousand.
type Error = rulefile.Error

// Problem is one thing to put right.
type Problem = rulefile.Problem

// parser walks the nodes of a file.
type parser struct {
	rulefile.Reader
	out    *Registry
	majors map[uint16]use // of all teams, those of the past too
	blocks map[int]*block // lines that the YAML library does not get, by the line of their key
	placed int            // blocks that are the value of their key
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
