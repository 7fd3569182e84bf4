package rootfile

import (
	"strings"
	"testing"
)

func TestPathsAreAbsoluteAndInTheirShortestForm(t *testing.T) {
	for p, want := range map[string]string{
		"/":                "",
		"/etc/a.yaml":      "",
		"/etc/a b/..c":     "",
		"":                 "is empty; an absolute path is needed",
		"a":                `"a" is not an absolute path`,
		"./a":              "is not an absolute path",
		"/etc/\n":          "contains a control character",
		"/etc/":            `"/etc/" is not in its shortest form, which is "/etc"`,
		"//etc":            "is not in its shortest form",
		"/etc/../a":        `which is "/a"`,
		"/etc/./a":         "is not in its shortest form",
		"/\x1b[2K":         "contains a control character",
		"https://example/": "is not an absolute path",
	} {
		if err := CheckPath(p); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %s", p, err, want)
		}
	}
	if err := CheckAbsolute("/a/../b/"); err != nil {
		t.Error(err)
	}
}
