package rootfile

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Document returns the one mapping that a YAML file consists of, for an empty file an empty one. It is nil after a call of fault, with
// the line and with what is wrong there: a sentence about the file without its end.
func Document(data []byte, fault func(line int, text string)) *yaml.Node {
	if line, text := badText(data); line > 0 {
		fault(line, text)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return &yaml.Node{Kind: yaml.MappingNode, Line: 1}
	} else if err != nil {
		fault(syntax(err, data))
		return nil
	}
	if err := decoder.Decode(&more); err == nil {
		fault(more.Line, "a second document begins here; the file holds one")
		return nil
	} else if !errors.Is(err, io.EOF) {
		fault(syntax(err, data))
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		fault(root.Line, "is not a list of keys; begin with the key `version`")
		return nil
	}
	return root
}

// longest is the length of what the library says, in bytes: the name of an anchor has no limit.
const longest = 200

// syntax takes an error of the YAML library apart, which has the line in its text unless it is the first.
func syntax(err error, data []byte) (line int, text string) {
	m := regexp.MustCompile(`(?s)^yaml: (?:line ([0-9]+): )?(.*)$`).FindStringSubmatch(err.Error())
	if m == nil {
		m = []string{"", "", err.Error()}
	}
	line, _ = strconv.Atoi(m[1])
	text = strings.ReplaceAll(m[2], "\n", " ")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "..."
	}
	if strings.Contains(text, "unknown anchor") || strings.Contains(text, "alphabetic or numeric") {
		text += "; a text that begins with * or & has to be in quotes"
	}
	line = max(line, 1)
	// What the library says of tabs. In {} and [] they can indent.
	isTab := strings.Contains(text, "tab character") || strings.Contains(text, "character that cannot start any token")
	if tabbed := tabAt(data, line); isTab && tabbed > 0 {
		return tabbed, "is indented with a tab, and YAML is with blanks only; write blanks"
	}
	return line, "is not valid YAML here or just below: " + text
}

// tabAt returns the first of the lines around one that has a tab in its indentation, or 0.
func tabAt(data []byte, line int) int {
	number := 0
	for text := range bytes.Lines(data) {
		number++
		indentation := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
		if number >= line-1 && number <= line+1 && bytes.Contains(indentation, []byte("\t")) {
			return number
		}
	}
	return 0
}

// badText returns the line of the first byte that is not UTF-8 or that YAML does not print (c-printable in section 5.1 of YAML 1.2), of
// which the YAML library would give no line, or that ends a line for that library and for hardly any editor: behind it a comment
// could hold a key. The line is 0 if there is none.
func badText(data []byte) (line int, text string) {
	line = 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		control := r < ' ' && r != '\n' && r != '\r' && r != '\t' || 0x7f <= r && r <= 0x9f && r != '\u0085'
		switch {
		case r == utf8.RuneError && size == 1 || control || r == 0xfffe || r == 0xffff:
			return line, "holds bytes that are not UTF-8 text; save the file as UTF-8"
		case r == '\u0085' || r == '\u2028' || r == '\u2029' || r == '\r' && !bytes.HasPrefix(rest, []byte("\r\n")):
			return line, "holds " + strconv.QuoteRuneToASCII(r) +
				", which ends a line of YAML and does not look like it; write line ends as \\n or \\r\\n"
		case r == '\n':
			line++
		}
		rest = rest[size:]
	}
	return 0, ""
}
