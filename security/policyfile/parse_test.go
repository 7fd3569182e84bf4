package policyfile

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/security"
)

// rulesText makes a file whose defaults are these lines.
func rulesText(lines string) string {
	return "version: 1\ndefaults:\n  " + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n  ") + "\n"
}

// entryText makes a file with one entry of identities, of these lines.
func entryText(lines string) string {
	return "version: 1\nprincipals: {m: {app_id_trusted: true}, n: {}}\nprofiles: {a: {}}\nidentities:\n  - " +
		strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n    ") + "\n"
}

// glassText makes a file with one entry of break_glass, of these lines.
func glassText(lines string) string {
	return "version: 1\nbreak_glass:\n  - " + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n    ") + "\n"
}

// refusals are files and the beginnings of their problems: "line: key: part of the text".
type refusals []struct {
	name, text string
	want       []string
}

func (cases refusals) run(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse("p.yaml", []byte(c.text), today())
			var e *Error
			if !errors.As(err, &e) || f != nil {
				t.Fatalf("accepted: %v\n%s", err, c.text)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("%d problems, want %d:\n%v\n%s", len(lines), len(c.want), err, c.text)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(lines[i], "p.yaml:"+want) {
					t.Errorf("got  %s\nwant p.yaml:%s", lines[i], want)
				}
			}
		})
	}
}

func TestFormErrors(t *testing.T) {
	refusals{
		{"empty", "", []string{"1: version: is missing; write `version: 1`"}},
		{"comments only", "# nothing\n", []string{"1: version: is missing"}},
		{"other version", "version: 2\nfuture: x\n", []string{`1: version: "2" is not a version that this program reads`}},
		{"version as text", `version: "1"`, []string{`1: version: "1"`}},
		{"version as list", `version: [1]`, []string{`1: version: ""`}},
		{"null document", "~", []string{"1: is not a list of keys; begin with the key `version`"}},
		{"sequence", "- a\n", []string{"1: is not a list of keys"}},
		{"two documents", "version: 1\n---\nversion: 1\n", []string{"2: a second document"}},
		{"broken second document", "version: 1\n---\n[\n", []string{"3: is not valid YAML"}},
		{"tab", "version: 1\ndefaults:\n\tinit: true\n", []string{"3: is indented with a tab, and YAML is with blanks only"}},
		{"not UTF-8", "version: 1\n# \xff\n", []string{"2: holds bytes"}},
		{"control character", "version: 1\nmode: \x01\n", []string{"2: holds bytes"}},
		{"NUL", "version: 1\n\x00", []string{"2: holds bytes"}},
		{"NUL as an escape", rulesText(`runtimes: ["a\0"]`), []string{`3: defaults.runtimes[0]: "a\x00" holds a line end or another control character`}},
		{"line end in a text", rulesText("runtimes:\n- |\n  a"), []string{`4: defaults.runtimes[0]: "a\n" holds a line end`}},
		{"control character in a key", "version: 1\n\"a\\nb\": 1\n", []string{`2: has the key "a\nb", which is empty, too long or holds a control character`}},
		{"empty key", "version: 1\n\"\": 1\n", []string{`2: has the key ""`}},
		{"null key", "version: 1\n~: 1\n", []string{`2: has a key that is no plain text ("~")`}},
		{"mapping as key", "version: 1\n? {a: b}\n: x\n", []string{`2: has a key that is no plain text ("")`}},
		{"merge key", "version: 1\ndefaults:\n  <<: {init: true}\n", []string{`3: defaults: has a key that is no plain text ("<<")`}},
		{"anchor at a key", "version: 1\n&a mode: audit\n", []string{`2: has a key that is no plain text ("mode")`}},
		{"tag at a key", "version: 1\n!!str mode: audit\n", []string{`2: has a key that is no plain text ("mode")`}},
		{"anchor", rulesText("init: &a true"), []string{"3: defaults.init: uses an anchor or alias; write the value out"}},
		{"alias", "version: 1\ndefaults: &a {init: true}\nprofiles: {x: *a}\n", []string{"2: defaults: uses an anchor", "3: profiles.x: uses an anchor"}},
		{"anchor in a list", rulesText("runtimes: [&a kata]"), []string{"3: defaults.runtimes[0]: uses an anchor"}},
		{"unknown alias", rulesText("runtimes: [*kata]"), []string{"1: is not valid YAML here or just below: unknown anchor 'kata' referenced; a text that begins with * or & has to be in quotes"}},
		{"star without quotes", rulesText("images: {allow: [**]}"), []string{"3: is not valid YAML here or just below: did not find expected alphabetic or numeric character; a text that begins with *"}},
		{"tag", rulesText("init: !!bool true"), []string{`3: defaults.init: has the tag "!!bool"; write the value without`}},
		{"own tag", "version: 1\ndefaults: !x {}\n", []string{`2: defaults: has the tag "!x"`}},
		{"duplicate key", "version: 1\nmode: audit\nmode: enforce\n", []string{"3: mode: is here a second time, the first is on line 2; keep one of them"}},
		{"duplicate section", "version: 1\ndefaults: {}\ndefaults: {}\n", []string{"3: defaults: is here a second time"}},
		{"duplicate rule", rulesText("init: true\ninit: true"), []string{"4: defaults.init: is here a second time, the first is on line 3"}},
		{"duplicate ulimit", rulesText("ulimits: {core: 0, core: 1KiB}"), []string{"3: defaults.ulimits.core: is here a second time"}},
		{"duplicate version", "version: 1\nversion: 1\n", []string{"2: version: is here a second time"}},
		{"with and without a plus", rulesText("devices: []\n+devices: []"), []string{"4: defaults.+devices: is here a second time, with and without a + in front; the first is on line 3"}},

		{"anchor at the version", "version: &a 1\n", []string{"1: version: uses an anchor"}},
		{"version as a key with a tag", "!!str version: 1\n", []string{`1: has a key that is no plain text ("version")`}},
		{"tag at a needed key of an entry", rulesText("devices: [{path: !!str /dev/fuse, permissions: r}]"), []string{"3: defaults.devices[0].path: has the tag"}},
		{"tag at a needed key of break_glass", glassText("match: {roles: [r]}\nreason: !x y\nexpires: 2026-07-01\nallow: {unconfined: [seccomp]}"), []string{"4: break_glass[0].reason: has the tag"}},

		{"mode", "version: 1\nmode: Audit\n", []string{"2: mode: \"Audit\" is no mode; did you mean \"audit\"?; allowed: `enforce`, `audit`"}},
		{"no mode", "version: 1\nmode:\n", []string{"2: mode: has no value; write `enforce`, `audit`, or remove the key"}},
		{"mode as list", "version: 1\nmode: [audit]\n", []string{"2: mode: needs one value"}},
		{"mode as boolean", "version: 1\nmode: on\n", []string{`2: mode: "on" is no mode`}},
		{"unknown key", "version: 1\ndefault: {}\n", []string{`2: default: is an unknown key; did you mean "defaults"?; known here: version, mode, principals, defaults, profiles, identities, break_glass`}},
		{"rule at the top", "version: 1\ncapabilities: {}\n", []string{"2: capabilities: is a rule; write it under `defaults`, a profile, or `rules` of an entry of `identities`"}},
		{"mode among rules", rulesText("mode: audit"), []string{"3: defaults.mode: is no rule; write it at the top of the file, or in an entry of `identities`"}},
		{"break_glass among rules", rulesText("break_glass: {}"), []string{"3: defaults.break_glass: is no rule: only an entry of `break_glass` at the top"}},
		{"unconfined among rules", rulesText("unconfined: [seccomp]"), []string{"3: defaults.unconfined: is no rule: only an entry of `break_glass`"}},
		{"privileged", rulesText("privileged: true"), []string{"3: defaults.privileged: cannot be allowed by any section of any file; remove it"}},
		{"privileged at the top", "version: 1\nprivileged: allow\n", []string{"2: privileged: cannot be allowed by any section"}},
		{"privileged in capabilities", rulesText("capabilities: {Privileged: true}"), []string{"3: defaults.capabilities.Privileged: cannot be allowed by any section"}},
		{"privileged in a profile", "version: 1\nprofiles: {x: {privileged: true}}\n", []string{"2: profiles.x.privileged: cannot be allowed by any section"}},
		{"privileged by break_glass", glassText("match: {roles: [r]}\nreason: x\nexpires: 2026-07-01\nallow: {privileged: true}"), []string{"6: break_glass[0].allow.privileged: cannot be allowed by any section"}},
		{"unknown rule", rulesText("network: {mode: [host]}"), []string{`3: defaults.network.mode: is an unknown key; did you mean "modes"?; known here: modes, names`}},
		{"misspelt rule", rulesText("network: {modse: [host]}"), []string{`3: defaults.network.modse: is an unknown key; did you mean "modes"?; known here: modes, names, aliases`}},
		{"dotted rule", rulesText("network.modes: [host]"), []string{"3: defaults.network.modes: is an unknown key"}},
		{"section as value", rulesText("network: host"), []string{"3: defaults.network: has to be a section of keys with values"}},
		{"section with a plus", rulesText("+network: {modes: [host]}"), []string{"3: defaults.+network: is an unknown key"}},
		{"section as list", "version: 1\ndefaults: []\n", []string{"2: defaults: has to be a section of keys"}},
		{"unknown key of an entry", rulesText("devices: [{path: /dev/fuse, permission: r}]"),
			[]string{`3: defaults.devices[0].permission: is an unknown key; did you mean "permissions"?; known here: path, permissions`, "3: defaults.devices[0]: has no `permissions`; write letters of `rwm`"}},

		{"all at once", "mode: x\ndefaults:\n  init: 1\n  pids_limit: 0\n  devices:\n  - path: x\nfoo: 1\n", []string{
			"1: version: is missing", "1: mode: ", "3: defaults.init: ", "4: defaults.pids_limit: ", "6: defaults.devices[0].path: ", "6: defaults.devices[0]: has no `permissions`", "7: foo: ",
		}},
	}.run(t)
}

func TestFormsThatAreFine(t *testing.T) {
	for name, text := range map[string]string{
		"version alone":         "version: 1\n",
		"comments":              "# x\n\nversion: 1 # y\n",
		"empty sections":        "version: 1\nprincipals:\ndefaults:\n  network:\n  # modes: []\nprofiles: {}\nidentities:\nbreak_glass: []\n",
		"document marks":        "---\nversion: 1\n...\n",
		"Windows line ends":     "version: 1\r\ndefaults:\r\n  pids_limit: 4096\r\n",
		"byte order mark":       "\ufeffversion: 1\n",
		"no newline at the end": "version: 1",
		"mode":                  "version: 1\nmode: enforce\n",
	} {
		if diff := cmp.Diff(security.BuiltInRules(), rulesFor(t, parsed(t, text), security.Identity{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestMessagesAreBounded: they become part of a status update.
func TestMessagesAreBounded(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for name, text := range map[string]string{
		"alias":     "version: 1\nmode: *" + long,
		"tag":       "version: 1\nmode: !" + long + " x",
		"key":       "version: 1\n? " + long + "\n: x",
		"short key": "version: 1\n? " + long[:4000] + "\n: x",
		"text":      "version: 1\nmode: " + long,
		"number":    rulesText("pids_limit: 1" + strings.Repeat("0", 100_000)),
		"size":      rulesText("shm_size: " + long + "MiB"),
		"float":     rulesText("runtimes: [1." + strings.Repeat("1", 100_000) + "]"),
		"image":     rulesText("images: {allow: [" + long[:4000] + "]}"),
		"ulimit":    rulesText("ulimits: {? " + long[:4000] + " : 1}"),
		"path":      rulesText("mounts: {host_paths: [{path: /" + long[:4000] + "/../x}]}"),
		"profiles":  "version: 1\nprofiles: {" + strings.Join(manyNames(), ": {}, ") + ": {}}\nidentities: [{match: {roles: [r]}, profiles: [no]}]",
	} {
		_, err := Parse("p.yaml", []byte(text), today())
		if err == nil || len(err.Error()) > 2000 {
			t.Errorf("%s: %.3000v", name, err)
		}
	}
}

func manyNames() []string {
	var names []string
	for i := range 2000 {
		names = append(names, "profile-"+strconv.Itoa(i))
	}
	return names
}

func TestManyProblemsAreCounted(t *testing.T) {
	_, err := Parse("p.yaml", []byte("version: 1\n"+rules(30)), today())
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 21 || lines[20] != "p.yaml: and 10 more problems" {
		t.Errorf("error of %d lines:\n%v", len(lines), err)
	}
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) != 30 {
		t.Errorf("%d problems", len(e.Problems))
	}
}

// rules returns n lines with unknown keys.
func rules(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("x" + strings.Repeat("y", i) + ": 1\n")
	}
	return b.String()
}

func TestLongAndDeepInputIsRefusedQuickly(t *testing.T) {
	most := maxFileSize - 100
	for name, text := range map[string]string{
		"deep lists":         strings.Repeat("[", most),
		"deep mappings":      "defaults: " + strings.Repeat("{a: ", most/4),
		"deep known section": "version: 1\ndefaults: {network: " + strings.Repeat("{network: ", 9000) + strings.Repeat("}", 9001),
		"deep blocks":        strings.Repeat("- ", most/2),
		"deep indentation":   deepBlocks(600),
		"aliases":            "a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n",
		"many keys":          "version: 1\n" + strings.Repeat("x: 1\n", most/5-4),
		"many elements":      "version: 1\ndefaults: {network: {names: [" + strings.Repeat("a,", most/2-40) + "a]}}",
		"many entries":       "version: 1\ndefaults: {devices: [" + strings.Repeat("{},", most/3-40) + "{}]}",
		"one long text":      "version: 1\ndefaults: {network: {names: [" + strings.Repeat("*a", most/2-40) + "*/]}}",
		"many quotes":        "version: 1\nx: " + strings.Repeat(`"`, most),
		"too large":          strings.Repeat("#", maxFileSize+1),
	} {
		start := time.Now()
		if _, err := Parse("p.yaml", []byte(text), today()); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %v", name, took)
		} else {
			t.Logf("%s: %v", name, took)
		}
	}
}

func deepBlocks(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}
