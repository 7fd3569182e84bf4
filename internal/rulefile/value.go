package rulefile

import (
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/internal/message"
)

// maxText is the length of a text in bytes: that of a path (PATH_MAX, limits.h).
const maxText = 4096

// Scalar returns one value as it is written: what YAML takes a number for is of no account.
func (r *Reader) Scalar(e Entry, what string) (string, bool) {
	switch node := e.Value; {
	case !r.isOne(e, what):
	case len(node.Value) > maxText:
		r.Wrong(e, "has %d bytes; a text has at most %d", len(node.Value), maxText)
	case strings.ContainsFunc(node.Value, unicode.IsControl):
		r.Wrong(e, "%s holds a line end or another control character; write it on one line", message.Quote(node.Value))
	default:
		return node.Value, true
	}
	return "", false
}

// isOne reports whether a key has one value.
func (r *Reader) isOne(e Entry, what string) bool {
	switch {
	case IsNull(e.Value):
		r.Wrong(e, "has no value; write %s, or remove the key", what)
	case e.Value.Kind != yaml.ScalarNode:
		r.Wrong(e, "needs one value; write %s", what)
	default:
		return true
	}
	return false
}

// Text reads a scalar that is a text. Numbers are taken as they are written, where lists of names hold them (groups).
func (r *Reader) Text(e Entry, what string) (string, bool) {
	if !r.isOne(e, what) {
		return "", false
	}
	if !slices.Contains([]string{"!!str", "!!int", "!!timestamp"}, e.Value.Tag) {
		r.Wrong(e, "%s is no text to YAML; put it in quotes", message.Quote(e.Value.Value))
		return "", false
	}
	return r.Scalar(e, what)
}

// Boolean reads true or false.
func (r *Reader) Boolean(e Entry) (value, ok bool) {
	if e.Value.Kind == yaml.ScalarNode && e.Value.Tag == "!!bool" {
		return strings.EqualFold(e.Value.Value, "true"), true
	}
	r.Wrong(e, "%s is not a boolean; write `true` or `false`", message.Quote(e.Value.Value))
	return false, false
}
