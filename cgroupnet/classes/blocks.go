package classes

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A file of thousands of apps is read for each task, and nearly all of its lines have one form:
//
//	/web/shop: 0x00100101   # with or without a comment
//
// The YAML library takes some four microseconds and half a kilobyte for each. So blocks of such lines below a key `apps` or
// `retired` are read here, and the library gets the file without them. That decides nothing: a file is taken as read in this way
// only if every block turns out to be the value of its key, and there is no problem of any kind. Else the library reads
// all of it, and what it finds is what counts.

// block is the lines below a key.
type block struct {
	indent int // of the key
	inner  int // of the lines, 0 before the first
	apps   []App
}

// parseQuickly is parseWhole for files that it can read, nil for others.
func parseQuickly(name string, data []byte) *Registry {
	// Line ends of YAML 1.1 other than '\n': the library counts lines by them, too.
	for _, end := range []string{"\r", "\u0085", "\u2028", "\u2029"} {
		if bytes.Contains(data, []byte(end)) {
			return nil
		}
	}
	if len(data) > maxFileSize || badTextLine(data) > 0 {
		return nil
	}
	p := newParser(name)
	rest := p.takeBlocks(string(data))
	if len(p.blocks) == 0 {
		return nil
	}
	if root := p.document(rest); root != nil {
		p.file(&entry{line: 1, value: root})
	}
	if len(p.problems.Problems) > 0 || p.placed != len(p.blocks) {
		return nil
	}
	p.out.seal(data)
	return p.out
}

// takeBlocks fills p.blocks by the lines of their keys, and returns the text with empty lines in their place.
func (p *parser) takeBlocks(text string) []byte {
	rest := make([]byte, 0, len(text)/4)
	p.blocks = map[int]*block{}
	var open *block
	openLine, body, number := 0, 0, 0 // line of the key of the open block, offset of the line after it, lines so far
	done := 0                         // offset up to which text is in rest
	end := func(at int) {
		if open != nil && len(open.apps) > 0 {
			p.blocks[openLine] = open
			rest = append(rest, text[done:body]...)
			rest = append(rest, bytes.Repeat([]byte("\n"), number-1-openLine)...)
			done = at
		}
		open = nil
	}
	for at := 0; at < len(text); {
		line, _, _ := strings.Cut(text[at:], "\n")
		next := min(at+len(line)+1, len(text))
		number++
		indent := len(line) - len(strings.TrimLeft(line, " "))
		content := line[indent:]
		isApp := false
		if open != nil && !isNothing(content) {
			if isApp = open.add(indent, content, number); !isApp {
				if indent > open.indent {
					open = nil // lines of some other form: all of them are the library's
				}
				end(at)
			}
		}
		if !isApp && indent > 0 && isBlockKey(content) {
			open, openLine, body = &block{indent: indent}, number, next
		}
		at = next
	}
	number++
	end(len(text))
	return append(rest, text[done:]...)
}

// isNothing reports whether what follows the blanks of a line is empty or a comment.
func isNothing(s string) bool { return s == "" || s[0] == '#' }

func isBlockKey(s string) bool {
	name, rest, _ := strings.Cut(s, ":")
	return (name == "apps" || name == "retired") && len(s) > len(name) && endsLine(rest)
}

// endsLine reports whether only blanks and a comment follow, which a blank has to separate from what is before.
func endsLine(s string) bool {
	trimmed := strings.TrimLeft(s, " ")
	return trimmed == "" || trimmed[0] == '#' && len(trimmed) < len(s)
}

// add takes a line if it is one of the block: a name, a colon, a class ID in any spelling, without quotes.
func (b *block) add(indent int, s string, number int) bool {
	name, rest, found := strings.Cut(s, ": ")
	rest = strings.TrimLeft(rest, " ")
	value, _, _ := strings.Cut(rest, " ")
	if !found || !endsLine(rest[len(value):]) || indent <= b.indent || b.inner > 0 && indent != b.inner {
		return false
	}
	if checkAppName(name) != nil { // of characters that mean nothing to YAML, as those of class IDs do not
		return false
	}
	id, err := ParseID(value)
	if err != nil || id.Major() == 0 { // a team's major, below `retired` of a cluster
		return false
	}
	b.inner = indent
	b.apps = append(b.apps, App{Name: name, ID: id, Line: number})
	return true
}

// placeBlock returns the lines of the block below a key, if there is one and it is the key's value.
func (p *parser) placeBlock(e *entry) ([]App, bool) {
	b := p.blocks[e.line]
	if b == nil || !isNull(e.value) || e.value.Value != "" || e.up.value.Style&yaml.FlowStyle != 0 {
		return nil, false
	}
	p.placed++
	seen := make(map[string]bool, len(b.apps))
	for _, app := range b.apps {
		if seen[app.Name] {
			p.problems.add(app.Line, e.path(), "%s is here twice", printable(app.Name))
		}
		seen[app.Name] = true
	}
	return b.apps, true
}
