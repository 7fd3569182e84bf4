package rootfile

import (
	"fmt"
	"strings"
	"testing"
)

// read returns the keys of the document, or the fault.
func read(t *testing.T, data string) (keys []string, fault string) {
	t.Helper()
	root := Document([]byte(data), func(line int, text string) {
		if fault != "" {
			t.Errorf("%q: a second fault, %d: %s", data, line, text)
		}
		fault = fmt.Sprintf("%d: %s", line, text)
	})
	if (root == nil) != (fault != "") {
		t.Errorf("%q: %v with %q", data, root, fault)
	}
	if root != nil {
		for i := 0; i < len(root.Content); i += 2 {
			keys = append(keys, root.Content[i].Value)
		}
	}
	return keys, fault
}

func TestDocumentIsOneMapping(t *testing.T) {
	for data, want := range map[string]string{
		"":                                      "",
		"# nothing\n":                           "",
		"a: 1\nb: 2 # end":                      "a b",
		"\ufeffa: 1\n":                          "a",
		"---\r\na: 1\r\n...\r\n":                "a",
		"a: \"\\u0085\\u2028\\r\"\n# caf\u00e9": "a",
	} {
		if keys, fault := read(t, data); fault != "" || strings.Join(keys, " ") != want {
			t.Errorf("%q: %q, %s", data, keys, fault)
		}
	}
	for data, want := range map[string]string{
		"- a\n":                    "1: is not a list of keys",
		"~":                        "1: is not a list of keys",
		"a: 1\n---\nb: 1\n":        "2: a second document",
		"a: 1\n---\n[\n":           "3: is not valid YAML",
		"a:\n\tb: 1\n":             "2: is indented with a tab, and YAML is with blanks only",
		"a:\n  b: 1\n\tc: 1\n":     "3: is indented with a tab",
		"{\n\ta: 1,\n\tb: c: d}\n": "2: is not valid YAML here or just below: did not find expected",
		"a:\n  b: [\tc]\n  d: [\n": "3: is not valid YAML",
		"a: *b\n":                  "1: is not valid YAML here or just below: unknown anchor 'b' referenced; a text that begins with * or & has to be in quotes",
		"a: 1\n# \xff\n":           "2: holds bytes that are not UTF-8 text",
		"a: 1\n# \x00\n":           "2: holds bytes",
		"a\x00:\x00 \x001\x00":     "1: holds bytes",
	} {
		if _, fault := read(t, data); !strings.HasPrefix(fault, want) {
			t.Errorf("%q: %s", data, fault)
		}
	}
	if _, fault := read(t, "a: *"+strings.Repeat("b", 100000)); len(fault) > 400 {
		t.Errorf("%d bytes", len(fault))
	}
}

// To the YAML library these end a comment, and to a reader they do not.
func TestNoKeyHidesInAComment(t *testing.T) {
	for _, end := range []string{"\u0085", "\u2028", "\u2029", "\r"} {
		keys, fault := read(t, "a: 1\n# harmless"+end+"b: 2\n")
		if keys != nil || !strings.HasPrefix(fault, "2: holds '\\") || !strings.Contains(fault, "which ends a line of YAML and does not look like it") {
			t.Errorf("%q: %q, %s", end, keys, fault)
		}
	}
}
