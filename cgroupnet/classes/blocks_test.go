package classes

import (
	"reflect"
	"strings"
	"testing"
)

// plainBlock has what can be in a block that is read without the YAML library.
const plainBlock = `version: 1
clusters:
  c:
    teams:
      t:
        major: 0x0010
        apps:   # of the team

          /a/b-c.d: 0x00100100
# not indented
          x_1:  0x00100101   # a comment: with a colon, and "quotes"
              # indented more
          12: 0x0010ABCD
          true: 10:103 #
          dec: 1048837
        retired:
            old: 0x00100104
      u: {major: 0x0011}
    retired:
      v: 0x0012
`

func TestPlainLinesAreReadWithoutTheLibrary(t *testing.T) {
	for name, text := range map[string]string{
		"block":                        plainBlock,
		"no line end":                  strings.TrimSpace(plainBlock),
		"block at the end of the file": appsText("a: 0x00100100\nb: 0x00100101"),
		"and comments after it":        appsText("a: 0x00100100\nb: 0x00100101") + "\n# x\n\n   # y\n",
		"names beyond ASCII elsewhere": plainBlock + "# é\n",
		"comments beyond ASCII":        appsText("a: 0x00100100 # é\n# ü\nb: 0x00100101"),
		"Windows' line ends":           strings.ReplaceAll(plainBlock, "\n", "\r\n"),
		"byte order mark":              "\ufeff" + plainBlock,
		"tab in a comment":             appsText("a: 0x00100100 # x\ty"),
		"in quotes":                    appsText("\"/a/b\": \"0x00100100\"\n'b': '10:101' # x\n\"c\": 1048834\nd: \"0x00100103\""),
		"large":                        string(largeFile()),
	} {
		quick := parseQuickly("c.yaml", []byte(text))
		whole, err := parseWhole("c.yaml", []byte(text))
		if quick == nil || err != nil {
			t.Errorf("%s: %v, %v", name, quick, err)
			continue
		}
		if !reflect.DeepEqual(quick, whole) {
			t.Errorf("%s: the two ways differ: %+v, %+v", name, quick, whole)
		}
	}
	if teams := parse(t, plainBlock).Teams(); len(teams[0].Apps) != 5 || teams[0].Apps[1] != (App{"x_1", 0x00100101, 11}) || teams[0].Retired[0].Line != 17 {
		t.Errorf("%+v", teams)
	}
}

// What is not certain to be a block is the library's: both ways have to end in the same.
func TestLinesThatOnlyLookPlain(t *testing.T) {
	for name, text := range map[string]string{
		"in a block text":           "version: |\n  apps:\n    a: 0x00100100\n",
		"in quotes":                 "version: \"1\n  apps:\n    a: 0x00100100\n\"\n",
		"in a flow mapping":         clusterText("teams: {t: {major: 0x0010,\n  apps:\n    a: 0x00100100\n  }}"),
		"in a flow mapping, fine":   clusterText("teams: {t: {major: 0x0010,\n  apps:\n    # nothing\n  }}"),
		"below a text":              teamText("retired: a\n  apps:\n    a: 0x00100100"),
		"at the top":                "version: 1\napps:\n  a: 0x00100100\n",
		"in an entry":               entryText("match: {roles: [r]}\nteam: t\napps:\n  a: 0x00100100"),
		"of a cluster":              clusterText("teams: {t: {major: 0x0010}}\nretired:\n  a: 0x00100100"),
		"in a second document":      appsText("a: 0x00100100") + "---\n  apps:\n    a: 0x00100100\n",
		"after the end":             appsText("a: 0x00100100") + "...\n  apps:\n    a: 0x00100100\n",
		"indented unevenly":         appsText("a: 0x00100100\n b: 0x00100101"),
		"indented less":             teamText("apps:\n  a: 0x00100100\n b: 0x00100101"),
		"as deep as the key":        teamText("apps:\na: 0x00100100"),
		"with a tab":                appsText("a: 0x00100100\n\tb: 0x00100101"),
		"tab before a comment":      appsText("a: 0x00100100\t# x"),
		"comment without a blank":   appsText("a: 0x00100100# x"),
		"comment at the key":        teamText("apps:# x\n  a: 0x00100100"),
		"no blank after the colon":  appsText("a:0x00100100"),
		"text goes on":              appsText("a: 0x00100100\n    more"),
		"two values":                appsText("a: 0x00100100 0x00100101"),
		"nine digits":               appsText("a: 0x001001000"),
		"seven digits":              appsText("a: 0x0100100"),
		"quotes that do not match":  appsText("a: '10:100\""),
		"a quote alone":             appsText("a: \""),
		"empty quotes":              appsText("\"\": 0x00100100"),
		"quotes in quotes":          appsText("\"'a'\": 0x00100100"),
		"escaped":                   appsText("\"\\x61\": 0x00100100"),
		"doubled quotes":            appsText("'a''b': 0x00100101"),
		"with and without quotes":   appsText("a: 0x00100100\n\"a\": 0x00100101"),
		"blank before the colon":    appsText("\"a\" : 0x00100100"),
		"blank in quotes":           appsText("\" a\": 0x00100100\nb: \"10:101 \""),
		"text after quotes":         appsText("a: \"0x00100100\"x"),
		"null in quotes":            appsText("\"null\": 0x00100100"),
		"colon at the end":          appsText("a: 10:"),
		"blank after the colon":     appsText("a: 10: 100"),
		"minor alone":               appsText("a: 0x0100"),
		"no value":                  appsText("a: 0x00100100\nb: "),
		"duplicate":                 appsText("a: 0x00100100\na: 0x00100101"),
		"duplicate section":         teamText("apps:\n  a: 0x00100100\napps:\n  b: 0x00100101"),
		"the same class twice":      appsText("a: 0x00100100\nb: 0x00100100"),
		"null as a name":            appsText("null: 0x00100100"),
		"anchor at the key":         teamText("apps: &a\n  a: 0x00100100"),
		"tag at the key":            teamText("apps: !!map\n  a: 0x00100100"),
		"tilde at the key":          teamText("apps: ~\n  a: 0x00100100"),
		"quoted key":                teamText("\"apps\":\n  a: 0x00100100"),
		"complex key":               teamText("? apps\n:\n  a: 0x00100100"),
		"line separator":            appsText("a: 0x00100100 # x\u2028b: 0x00100101"),
		"next line":                 appsText("a: 0x00100100 # x\u0085  b: 0x00100101"),
		"carriage return":           appsText("a: 0x00100100 # x\r  b: 0x00100101"),
		"bad bytes in a comment":    appsText("a: 0x00100100 # \xff"),
		"NUL in a comment":          appsText("a: 0x00100100 # \x00"),
		"one block in other forms":  teamText("apps:\n  a: 1048832\nretired:\n  b: 0x00100101"),
		"empty block and a real":    teamText("apps:\nretired:\n  b: 0x00100101"),
		"error elsewhere":           appsText("a: 0x00100100") + "foo: 1\n",
		"syntax error elsewhere":    appsText("a: 0x00100100") + "foo: [\n",
		"carriage return in a line": appsText("a: 0x00100100\r b: 0x00100101"),
		"and before a comment":      appsText("a: 0x00100100\r# b: 0x00100101"),
		"carriage return at a key":  teamText("apps:\r\n  a: 0x00100100\r\n"),
		"in a list":                 clusterText("teams:\n- apps:\n    a: 0x00100100"),
		"key of a list":             clusterText("teams: {t: {major: 0x10}}\nidentities:\n- match: {roles: [r]}\n  apps:\n    a: 0x00100100"),
		"in a folded text":          "version: 1\nclass_ids: >-\n  apps:\n    a: 0x00100100\n",
		"in a text's continuation":  "version: 1\nclass_ids: off\n  apps:\n    a: 0x00100100\n",
		"byte order mark in a line": appsText("\ufeffa: 0x00100100"),
	} {
		compareWays(t, name, []byte(text))
	}
}

// compareWays reports where the two ways to read a file end in different things.
func compareWays(t *testing.T, name string, text []byte) {
	t.Helper()
	quick := parseQuickly("c.yaml", text)
	if quick == nil {
		return
	}
	whole, err := parseWhole("c.yaml", text)
	if err != nil || !reflect.DeepEqual(quick, whole) {
		t.Errorf("%s: the two ways differ: %+v; %+v, %v\n%s", name, quick, whole, err, text)
	}
}
