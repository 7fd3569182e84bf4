package classes

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
)

// A file of thousands of apps is read for each task, and nearly all of its lines have one form:
//
//	/web/shop: 0x00100101   # with or without a comment
//
// So blocks of such lines below a key `apps` or `retired` are read here, and the YAML library gets the file without them. 10,000 apps
// take 13 ms of CPU time and 4.3 MB of memory, where with the library alone it is 68 ms and 8.6 MB (BenchmarkLoad10000Apps, the medians
// of new processes that load the file once). That decides nothing: a file is taken as read in this way only if every block turns
// out to be the value of its key, and there is no problem of any kind. Else the library reads all of it, and what it finds is
// what counts.

// block is the lines below a key.
type block struct {
	indent int // of the key
	inner  int // of the lines, 0 before the first
	apps   []App
	rest   []byte // what the library gets of the lines: line ends and comments
}

// parseQuickly is parseWhole for files that it can read, nil for others.
func parseQuickly(name string, data []byte) *Registry {
	p := newParser(name)
	rest := p.takeBlocks(string(data))
	if len(p.blocks) == 0 {
		return nil
	}
	p.document(rest)
	if len(p.Problems.Problems) > 0 || p.placed != len(p.blocks) {
		return nil
	}
	p.out.seal(data)
	return p.out
}

// takeBlocks fills p.blocks by the lines of their keys, and returns the text without them, in as many lines. All that is taken out is
// printable ASCII: the library and [rootfile.Document] see every other character.
func (p *parser) takeBlocks(text string) []byte {
	rest := make([]byte, 0, len(text)/4)
	p.blocks = map[int]*block{}
	var open *block
	openLine, body, number := 0, 0, 0 // line of the key of the open block, offset of the line after it, lines so far
	done := 0                         // offset up to which text is in rest
	end := func(at int) {
		if open != nil && len(open.apps) > 0 {
			p.blocks[openLine] = open
			rest = append(append(rest, text[done:body]...), open.rest...)
			done = at
		}
		open = nil
	}
	for at := 0; at < len(text); {
		line, _, _ := strings.Cut(text[at:], "\n")
		next := min(at+len(line)+1, len(text))
		number++
		content := strings.TrimLeft(line, " ")
		indent := len(line) - len(content)
		taken := open != nil && open.take(indent, content, number)
		if open != nil && !taken {
			if indent > open.indent {
				open = nil // lines of some other form: all of them are the library's
			}
			end(at)
		}
		if !taken && indent > 0 && isBlockKey(content) {
			open, openLine, body = &block{indent: indent}, number, next
		}
		at = next
	}
	end(len(text))
	return append(rest, text[done:]...)
}

func isBlockKey(s string) bool {
	name, rest, _ := strings.Cut(s, ":")
	return (name == "apps" || name == "retired") && len(s) > len(name) && endsLine(rest)
}

// endsLine reports whether only blanks and a comment follow, which a blank has to separate from what is before.
func endsLine(s string) bool {
	trimmed := strings.TrimLeft(s, " \r")
	return trimmed == "" || trimmed[0] == '#' && len(trimmed) < len(s)
}

// take takes a line if it is one of the block: a name, a colon, a class ID in any spelling, each with or without quotes. Empty lines and
// comments are, too.
func (b *block) take(indent int, s string, number int) bool {
	if s == "" || s == "\r" || s[0] == '#' {
		b.rest = append(append(b.rest, s...), '\n')
		return true
	}
	name, rest, found := strings.Cut(s, ": ")
	rest = strings.TrimLeft(rest, " ")
	value, after := rest, ""
	if at := strings.IndexAny(rest, " \r"); at >= 0 {
		value, after = rest[:at], rest[at:]
	}
	if !found || !endsLine(after) || indent <= b.indent || b.inner > 0 && indent != b.inner {
		return false
	}
	name = unquoted(name)
	if checkAppName(name) != nil { // of characters that mean nothing to YAML, quoted or not, as those of class IDs do not
		return false
	}
	id, err := ParseID(unquoted(value))
	if err != nil || id.Major() == 0 { // a team's major, below `retired` of a cluster
		return false
	}
	b.inner = indent
	b.apps = append(b.apps, App{Name: name, ID: id, Line: number})
	b.rest = append(append(b.rest, after...), '\n')
	return true
}

// unquoted returns what is between quotes, or else the text as it is.
func unquoted(s string) string {
	if last := len(s) - 1; last > 0 && (s[0] == '"' || s[0] == '\'') && s[last] == s[0] {
		return s[1:last]
	}
	return s
}

// placeBlock returns the lines of the block below a key of a team, if there is one and it is the key's value.
func (p *parser) placeBlock(team, e rulefile.Entry) ([]App, bool) {
	b := p.blocks[e.Line]
	if b == nil || !rulefile.IsNull(e.Value) || e.Value.Value != "" || team.Value.Style&yaml.FlowStyle != 0 {
		return nil, false
	}
	p.placed++
	seen := make(map[string]bool, len(b.apps))
	for _, app := range b.apps {
		if seen[app.Name] {
			p.Problems.Add(app.Line, e.Path, "%s is here twice", message.Printable(app.Name))
		}
		seen[app.Name] = true
	}
	return b.apps, true
}
