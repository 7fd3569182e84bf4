package classes

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// head makes lines 1 and 2 of a file, for the tests' sake on two lines.
const head = "version: 1\nprincipals: {m: {app_id_trusted: true}, n: {}}\n"

func indented(lines, by string) string {
	return by + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n"+by) + "\n"
}

// teamText makes a file whose team t has the major 0x0010 and these lines, from line 8 on.
func teamText(lines string) string {
	return clusterText("teams:\n  t:\n    major: 0x0010\n" + indented(lines, "    "))
}

// appsText makes a file whose team t has these apps, from line 9 on.
func appsText(lines string) string { return teamText("apps:\n" + indented(lines, "  ")) }

// entryText makes a file with a team t and one entry of identities of these lines, from line 8 on.
func entryText(lines string) string {
	return head + "clusters:\n  c:\n    teams:\n      t: {major: 0x0010, apps: {/t/a: 0x00100100, b: 10:101}}\n    identities:\n      - " +
		strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n        ") + "\n"
}

// clusterText makes a file with a cluster of these lines, from line 5 on.
func clusterText(lines string) string { return head + "clusters:\n  c:\n" + indented(lines, "    ") }

// refusals are files and the beginnings of their problems: "line: key: part of the text".
type refusals []struct {
	name, text string
	want       []string
}

func (cases refusals) run(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, err := Parse("/etc/c.yaml", []byte(c.text))
			var e *Error
			if !errors.As(err, &e) || r != nil {
				t.Fatalf("accepted: %v\n%s", err, c.text)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("%d problems, want %d:\n%v\n%s", len(lines), len(c.want), err, c.text)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(lines[i], "/etc/c.yaml:"+want) {
					t.Errorf("got  %s\nwant /etc/c.yaml:%s", lines[i], want)
				}
			}
		})
	}
}

func TestFormErrors(t *testing.T) {
	refusals{
		{"empty", "", []string{"1: version: is missing; write `version: 1`"}},
		{"comments only", "# nothing\n", []string{"1: version: is missing"}},
		{"version alone", "version: 1\n", []string{"1: clusters: is missing or empty; write teams and their class IDs below it, or `class_ids: off`"}},
		{"empty clusters", "version: 1\nclusters:\n", []string{"1: clusters: is missing or empty"}},
		{"no clusters", "version: 1\nclusters: {}\n", []string{"1: clusters: is missing or empty"}},
		{"off, and mistakes elsewhere", "version: 1\nclass_ids: off\nclusters: {c: {teams: {t: {major: 10}, u: {major: 0x10, apps: {a: 010}}}}}\n", []string{
			"3: clusters.c.teams.t.major: ", "3: clusters.c.teams.u.apps.a: "}},
		{"off, and an unknown cluster", "version: 1\nclass_ids: off\ncluster: x\n", []string{`3: cluster: there is no cluster "x"; known are none`}},
		{"carriage returns alone", "version: 1\rclass_ids: off\r", []string{`1: holds '\r', which ends a line of YAML and does not look like it`}},
		{"key hidden behind a comment", "version: 1\nclass_ids: off # x\u2028unknown: default\n", []string{`2: holds '\u2028', which ends a line`}},
		{"version in another spelling", "version: 0x1\n", []string{`1: version: "0x1"`}},
		{"version as a fraction", "version: 1.0\n", []string{`1: version: "1.0"`}},
		{"other version", "version: 2\nfuture: x\n", []string{`1: version: "2" is not a version that this program reads; write`}},
		{"version as text", `version: "1"`, []string{`1: version: "1"`}},
		{"version as list", `version: [1]`, []string{`1: version: ""`}},
		{"null document", "~", []string{"1: is not a list of keys; begin with the key `version`"}},
		{"sequence", "- a\n", []string{"1: is not a list of keys"}},
		{"two documents", "version: 1\n---\nversion: 1\n", []string{"2: a second document begins here; the file holds one"}},
		{"broken second document", "version: 1\n---\n[\n", []string{"3: is not valid YAML"}},
		{"tab", "version: 1\nclusters:\n\tc: {}\n", []string{"3: is indented with a tab, and YAML is with blanks only"}},
		{"not UTF-8", "version: 1\n# \xff\n", []string{"2: holds bytes that are not UTF-8 text"}},
		{"control character", "version: 1\nunknown: \x01\n", []string{"2: holds bytes"}},
		{"line end in a text", "version: 1\nunknown: |\n  deny\nclass_ids: off\n", []string{`2: unknown: "deny\n" holds a line end or another control character`}},
		{"control character in a key", "version: 1\nclass_ids: off\n\"a\\nb\": 1\n", []string{`3: has the key "a\nb", which is empty, too long or holds a control character`}},
		{"empty key", "version: 1\nclass_ids: off\n\"\": 1\n", []string{`3: has the key ""`}},
		{"null key", "version: 1\nclass_ids: off\n~: 1\n", []string{`3: has a key that is no plain text ("~")`}},
		{"merge key", teamText("<<: {apps: {}}"), []string{`8: clusters.c.teams.t: has a key that is no plain text ("<<")`}},
		{"anchor", teamText("apps: &a {}"), []string{"8: clusters.c.teams.t.apps: uses an anchor or alias; write the value out"}},
		{"alias", "version: 1\nprincipals: &a {m: {}}\nclusters: *a\n", []string{"2: principals: uses an anchor", "3: clusters: uses an anchor"}},
		{"anchor at an ID", appsText("a: &a 0x00100100"), []string{"9: clusters.c.teams.t.apps.a: uses an anchor"}},
		{"tag", appsText("a: !!int 0x00100100"), []string{`9: clusters.c.teams.t.apps.a: has the tag "!!int"; write the value without`}},
		{"tag at a key", "!!str version: 1\n", []string{`1: has a key that is no plain text ("version")`}},
		{"unknown alias", entryText("match: {roles: [*r]}\nteam: t"), []string{"1: is not valid YAML here or just below: unknown anchor 'r' referenced; a text that begins with * or & has to be in quotes"}},
		{"duplicate key", "version: 1\nunknown: deny\nunknown: default\nclass_ids: off\n", []string{"3: unknown: is here a second time, the first is on line 2; keep one of them"}},
		{"duplicate app", appsText("a: 0x00100100\nb: 0x00100101\na: 0x00100102"), []string{"11: clusters.c.teams.t.apps.a: is here a second time, the first is on line 9; keep one of them"}},
		{"duplicate app in quotes", appsText("a: 0x00100100\n\"a\": 0x00100101"), []string{"10: clusters.c.teams.t.apps.a: is here a second time, the first is on line 9"}},
		{"names that are no value", appsText("NULL: 10:100\n~: 10:101\n\"\": 10:102"), []string{`9: clusters.c.teams.t.apps: has a key that is no plain text ("NULL")`, `10: clusters.c.teams.t.apps: has a key that is no plain text ("~")`, `11: clusters.c.teams.t.apps: has the key ""`}},
		{"merge key among apps", appsText("a: 10:100\n<<: {b: 10:101}"), []string{`10: clusters.c.teams.t.apps: has a key that is no plain text ("<<")`}},
		{"duplicate team", clusterText("teams:\n  t: {major: 0x0010}\n  t: {major: 0x0011}"), []string{"7: clusters.c.teams.t: is here a second time"}},

		{"mode", "version: 1\nclass_ids: Required\n", []string{"2: class_ids: \"Required\" is no mode of class IDs; did you mean \"required\"?; allowed: `required`, `preferred`, `off`"}},
		{"mode as boolean", "version: 1\nclass_ids: false\n", []string{`2: class_ids: "false" is no text to YAML; put it in quotes`}},
		{"no mode", "version: 1\nclass_ids:\n", []string{"2: class_ids: has no value; write `required`, `preferred`, `off`, or remove the key"}},
		{"mode as list", "version: 1\nclass_ids: [off]\n", []string{"2: class_ids: needs one value; write `required`"}},
		{"unknown", "version: 1\nclass_ids: off\nunknown: Deny\n", []string{"3: unknown: \"Deny\" is no way with unknown tasks; did you mean \"deny\"?; allowed: `deny`, `default`, `untagged`"}},
		{"required and untagged", appsText("a: 0x00100100") + "class_ids: required\nunknown: untagged\n", []string{"11: unknown: lets tasks run without a class ID, and class IDs are required; write `class_ids: preferred` if that is meant"}},
		{"untagged without a mode", "unknown: untagged\n" + appsText("a: 0x00100100"), []string{"1: unknown: lets tasks run without a class ID"}},

		{"unknown key", "version: 1\nclass_ids: off\nprincipal: {}\n", []string{`3: principal: is an unknown key; did you mean "principals"?; known here: version, class_ids, unknown, cluster, principals, clusters`}},
		{"teams at the top", "version: 1\nclass_ids: off\nteams: {}\n", []string{"3: teams: belongs to a cluster; write it under `clusters` and the cluster's name"}},
		{"identities at the top", "version: 1\nclass_ids: off\nidentities: []\n", []string{"3: identities: belongs to a cluster"}},
		{"unknown in a cluster", clusterText("unknown: deny"), []string{"5: clusters.c.unknown: is for the whole file; write it at its top"}},
		{"apps in a cluster", clusterText("apps: {}"), []string{"5: clusters.c.apps: belongs to a team; write it under `teams` and the team's name"}},
		{"match in a team", teamText("match: {roles: [r]}"), []string{"8: clusters.c.teams.t.match: belongs to an entry of `identities` of the cluster: `- {match: {...}, team: NAME}`"}},
		{"default of a team", teamText("default: 0x00100001"), []string{"8: clusters.c.teams.t.default: needs no key: a team's default class is its major with the minor 0x0001"}},
		{"misspelt key of a team", teamText("app: {}\nretird: {}"), []string{"8: clusters.c.teams.t.app: belongs to an entry", `9: clusters.c.teams.t.retird: is an unknown key; did you mean "retired"?; known here: major, apps, retired`}},
		{"key of a principal", "version: 1\nclass_ids: off\nprincipals: {m: {trusted: true}}\n", []string{"3: principals.m.trusted: is an unknown key; known here: app_id_trusted"}},
		{"trust as text", "version: 1\nclass_ids: off\nprincipals: {m: {app_id_trusted: yes}}\n", []string{`3: principals.m.app_id_trusted: "yes" is not a boolean; write`}},
		{"principal as a pattern", "version: 1\nclass_ids: off\nprincipals: {\"m*\": {}}\n", []string{"3: principals.m*: is no pattern: trust in app IDs is given to one principal by its whole name"}},
		{"section as list", "version: 1\nclusters: []\n", []string{"2: clusters: has to be a section of keys with values, and is a list"}},
		{"team as list", clusterText("teams: {t: [a]}"), []string{"5: clusters.c.teams.t: has to be a section"}},

		{"all at once", "unknown: x\nclusters:\n  c:\n    teams:\n      t: {apps: {a: 010}}\n      u: {major: 10}\n    identities:\n      - {team: v}\nfoo: 1\n", []string{
			"1: version: is missing", "1: unknown: ", "5: clusters.c.teams.t: has no `major`", "5: clusters.c.teams.t.apps.a: ", "6: clusters.c.teams.u.major: ",
			"8: clusters.c.identities[0]: has no `match`", `8: clusters.c.identities[0].team: there is no team "v" in cluster c; known are t, u`, "9: foo: ",
		}},
	}.run(t)
}

func TestErrorsOfClustersAndTeams(t *testing.T) {
	two := "clusters:\n  b: {teams: {t: {major: 0x0010}}}\n  c: {teams: {t: {major: 0x0011}}}\n"
	refusals{
		{"empty cluster", head + "clusters:\n  c:\n", []string{"4: clusters.c: is empty; write `teams` and `identities` below it, or remove it"}},
		{"empty team", clusterText("teams:\n  t:"), []string{"6: clusters.c.teams.t: is empty; write `major` and `apps` below it, or remove it"}},
		{"name of a cluster", head + "clusters: {\"a b\": {teams: {}}}\n", []string{`3: clusters.a b: "a b" is no name; write at most 64 letters, digits, '-', '_' and '.', the first a letter or digit`}},
		{"name of a team", clusterText("teams: {a/b: {major: 0x0010}}"), []string{`5: clusters.c.teams.a/b: "a/b" is no name`}},
		{"name that is null", clusterText("teams: {\"null\": {major: 0x0010}}"), []string{`5: clusters.c.teams.null: "null" is no name: it is no value to YAML`}},
		{"long name", clusterText("teams: {" + strings.Repeat("a", 65) + ": {major: 0x0010}}"), []string{`5: clusters.c.teams.aaaa`}},
		{"several clusters", head + two, []string{"1: cluster: is missing, and the file has several clusters; write the one that the hosts with this file are in, such as `cluster: b`"}},
		{"other cluster", head + "cluster: d\n" + two, []string{`3: cluster: there is no cluster "d"; known are b, c`}},
		{"other cluster of one", clusterText("teams: {}") + "cluster: far-away\n", []string{`6: cluster: there is no cluster "far-away"; known are c`}},
		{"no major", clusterText("teams: {t: {apps: {}}}"), []string{"5: clusters.c.teams.t: has no `major`; write the upper half of the team's class IDs, such as `major: 0x0010`"}},
		{"null major", clusterText("teams: {t: {major: }}"), []string{"5: clusters.c.teams.t.major: has no value; write a major such as 0x0010, or remove the key"}},
		{"list of majors", clusterText("teams: {t: {major: [0x10]}}"), []string{"5: clusters.c.teams.t.major: needs one value"}},
		{"decimal major", clusterText("teams: {t: {major: 16}}"), []string{`5: clusters.c.teams.t.major: "16" can be decimal or tc's hexadecimal; write 0x0010 or 0x0016`}},
		{"major of tc without quotes", clusterText("teams:\n  t:\n    major: 10:"), []string{"7: is not valid YAML here or just below: mapping values are not allowed in this context; a major such as \"10:\" has to be in quotes"}},
		{"major out of range", clusterText("teams: {t: {major: 0xffff}}"), []string{`5: clusters.c.teams.t.major: "0xffff" is out of range`}},
		{"two teams with a major", clusterText("teams:\n  t: {major: 0x0010}\n  u: {major: \"10:\"}"), []string{"7: clusters.c.teams.u.major: 0x0010 is the major of team t in cluster c (line 6); write another, such as 0x0011"}},
		{"teams of two clusters with a major", head + "cluster: c\nclusters:\n  b: {teams: {t: {major: 0x0010}, v: {major: 0x0030}}}\n  c: {teams: {t: {major: 0x0010}}}\n",
			[]string{"6: clusters.c.teams.t.major: 0x0010 is the major of team t in cluster b (line 5); write another, such as 0x0031"}},
		{"retired major", clusterText("teams: {t: {major: 0x0010}}\nretired: {old: 0x0010}"),
			[]string{"5: clusters.c.teams.t.major: 0x0010 is retired (line 6): it was that of team old in cluster c, and logs may still have it; write another, such as 0x0011"}},
		{"retired major of another cluster", head + "cluster: c\nclusters:\n  b: {retired: {old: 0xfffe}}\n  c: {teams: {t: {major: 0xfffe}}}\n", []string{"6: clusters.c.teams.t.major: 0xfffe is retired (line 5): it was that of team old in cluster b, and logs may still have it; write another"}},
		{"major retired twice", clusterText("retired: {old: 0x0010, older: 0x0010}"), []string{"5: clusters.c.retired.older: 0x0010 is retired on line 5 already, as that of team old in cluster c"}},
		{"class retired as a major", clusterText("retired: {old: 0x00100000}"), []string{`5: clusters.c.retired.old: "0x00100000" has more than the 16 bits`}},
		{"default team without its use", clusterText("teams: {t: {major: 0x0010}}\ndefault_team: t"), []string{"6: clusters.c.default_team: never applies: it is for `unknown: default`, and `unknown` is deny; change that, or remove the key"}},
		{"unknown default team", "unknown: default\n" + clusterText("teams: {team: {major: 0x0010}}\ndefault_team: taem"), []string{`7: clusters.c.default_team: there is no team "taem" in cluster c; did you mean "team"?; known are team`}},
	}.run(t)
}

func TestErrorsOfClassIDs(t *testing.T) {
	many := func(form string, from, to int) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			fmt.Fprintf(&b, form+"\n", i, i)
		}
		return b.String()
	}
	refusals{
		{"octal", appsText("a: 00100001"), []string{`9: clusters.c.teams.t.apps.a: "00100001" begins with 0, which is octal to some programs; if it is hexadecimal, write 0x00100001`}},
		{"octal of YAML 1.2", appsText("a: 0o4000400"), []string{`9: clusters.c.teams.t.apps.a: "0o4000400" is octal`}},
		{"underscores", appsText("a: 1_048_832"), []string{`9: clusters.c.teams.t.apps.a: "1_048_832" has an underscore`}},
		{"underscore in hexadecimal", appsText("a: 0x0010_0100"), []string{`9: clusters.c.teams.t.apps.a: "0x0010_0100" is no hexadecimal number`}},
		{"fraction", appsText("a: 1048832.0"), []string{`9: clusters.c.teams.t.apps.a: "1048832.0" is no whole number`}},
		{"exponent", appsText("a: 1e6"), []string{`9: clusters.c.teams.t.apps.a: "1e6" is no whole number`}},
		{"sign", appsText("a: +1048832"), []string{`9: clusters.c.teams.t.apps.a: "+1048832" has a sign`}},
		{"33 bits", appsText("a: 0x100100100"), []string{`9: clusters.c.teams.t.apps.a: "0x100100100" has more than the 32 bits`}},
		{"33 bits in decimal", appsText("a: 4296016128"), []string{`9: clusters.c.teams.t.apps.a: "4296016128" has more than the 32 bits`}},
		{"65 bits", appsText("a: 18446744073710600448"), []string{`9: clusters.c.teams.t.apps.a: "18446744073710600448" has more than the 32 bits`}},
		{"text", appsText("a: web"), []string{`9: clusters.c.teams.t.apps.a: "web" is no number`}},
		{"boolean", appsText("a: true"), []string{`9: clusters.c.teams.t.apps.a: "true" is no number`}},
		{"null", appsText("a:"), []string{"9: clusters.c.teams.t.apps.a: has no value; write the app's class ID, such as 0x00100100, or remove the key"}},
		{"tilde", appsText("a: ~"), []string{"9: clusters.c.teams.t.apps.a: has no value"}},
		{"empty text", appsText(`a: ""`), []string{"9: clusters.c.teams.t.apps.a: is empty; write eight hexadecimal digits"}},
		{"list", appsText("a: [0x00100100]"), []string{"9: clusters.c.teams.t.apps.a: needs one value; write the app's class ID"}},
		{"time", appsText("a: 2026-01-01"), []string{`9: clusters.c.teams.t.apps.a: "2026-01-01" is no number`}},
		{"blank in quotes", appsText(`a: " 0x00100100"`), []string{`9: clusters.c.teams.t.apps.a: " 0x00100100" is no number`}},
		{"literal block", appsText("a: |\n  0x00100100"), []string{`9: clusters.c.teams.t.apps.a: "0x00100100\n" holds a line end`}},

		{"none", appsText("a: 0"), []string{"9: clusters.c.teams.t.apps.a: 0x00000000 is no class at all; write one from 0x00100100 to 0x0010fffe"}},
		{"minor alone that no app has", appsText("a: 1"), []string{"9: clusters.c.teams.t.apps.a: 0x00000001 is of the major 0, which is none; write one from 0x00100100 to 0x0010fffe"}},
		{"minor alone", appsText("a: 0x0100"), []string{"9: clusters.c.teams.t.apps.a: 0x00000100 has no major, which is the upper half; write the whole class ID, 0x00100100"}},
		{"minor 0", appsText("a: 10:0"), []string{"9: clusters.c.teams.t.apps.a: 0x00100000 is the qdisc 10: itself to tc, not a class of it; write one from 0x00100100 to 0x0010fffe"}},
		{"minor 0xffff", appsText("a: 0x0010ffff"), []string{"9: clusters.c.teams.t.apps.a: 0x0010ffff is of the minor 0xffff, which tc keeps for itself; write one from"}},
		{"root", appsText("a: 0xffffffff"), []string{"9: clusters.c.teams.t.apps.a: 0xffffffff is the root of all qdiscs to tc (TC_H_ROOT); write one from"}},
		{"ingress", appsText("a: 0xffff0100"), []string{"9: clusters.c.teams.t.apps.a: 0xffff0100 is of the major 0xffff, which tc keeps for itself"}},
		{"default", appsText("a: 10:1"), []string{"9: clusters.c.teams.t.apps.a: 0x00100001 is the team's default class, which needs no line; apps have those from 0x00100100"}},
		{"kept", appsText("a: 0x00100002\nb: 10:ff"), []string{"9: clusters.c.teams.t.apps.a: 0x00100002 is kept for later; apps have those from 0x00100100", "10: clusters.c.teams.t.apps.b: 0x001000ff is kept"}},
		{"nobody's major", appsText("a: 0x00110100"), []string{"9: clusters.c.teams.t.apps.a: 0x00110100 does not have the team's major, which is 0x0010"}},
		{"another team's major", clusterText("teams:\n  t: {major: 0x0010, apps: {a: 11:100}}\n  u: {major: 0x0011, apps: {a: 11:100}}"),
			[]string{"6: clusters.c.teams.t.apps.a: 0x00110100 has the major of team u in cluster c (line 7), and this team's is 0x0010"}},
		{"major of another cluster's team", head + "cluster: c\nclusters:\n  b: {teams: {u: {major: 0x0011}}}\n  c: {teams: {t: {major: 0x0010, apps: {a: 11:100}}}}\n",
			[]string{"6: clusters.c.teams.t.apps.a: 0x00110100 has the major of team u in cluster b (line 5), and this team's is 0x0010"}},
		{"major of the past", clusterText("teams: {t: {major: 0x0010, apps: {a: 11:100}}}\nretired: {old: \"11:\"}"), []string{"5: clusters.c.teams.t.apps.a: 0x00110100 has the major of team old of the past (line 6), and this team's is 0x0010"}},
		{"two apps with a class", appsText("a: 0x00100100\nb: 0x00100101\nc: 1048832"), []string{"11: clusters.c.teams.t.apps.c: 0x00100100 is the class ID of a (line 9); the next free one is 0x00100102"}},
		{"a class in all its spellings", appsText("a: 0x00100100\nb: 1048832\nc: 10:100\nd: \"0010:0100\"\ne: 0x100100"), []string{
			"10: clusters.c.teams.t.apps.b: 0x00100100 is the class ID of a (line 9); the next free one is 0x00100101", "11: clusters.c.teams.t.apps.c: 0x00100100 is the class ID of a (line 9)",
			"12: clusters.c.teams.t.apps.d: 0x00100100 is the class ID of a (line 9)", "13: clusters.c.teams.t.apps.e: 0x00100100 is the class ID of a (line 9)"}},
		{"base 60 of YAML 1.1", appsText("a: 10:59\nb: 4:51:20:32\nc: 1:00"), []string{
			"9: clusters.c.teams.t.apps.a: 0x00100059 is kept for later; apps have those from 0x00100100", `10: clusters.c.teams.t.apps.b: "4:51:20:32" is no class of tc`,
			"11: clusters.c.teams.t.apps.c: 0x00010000 is the qdisc 1: itself to tc"}},
		{"sign before hexadecimal", appsText("a: +0x00100100"), []string{`9: clusters.c.teams.t.apps.a: "+0x00100100" has a sign`}},
		{"capital X", appsText("a: 0X00100100"), []string{`9: clusters.c.teams.t.apps.a: "0X00100100" begins with a capital 0X; write 0x00100100`}},
		{"binary", appsText("a: 0b100"), []string{`9: clusters.c.teams.t.apps.a: "0b100" is binary`}},
		{"retired in another spelling", teamText("retired: {old: 1048832}\napps: {a: \"10:100\"}"), []string{"9: clusters.c.teams.t.apps.a: 0x00100100 is retired (line 8): it was that of old"}},
		{"the app's own class, which is retired, too", teamText("retired: {a: 10:100}\napps: {a: 10:100}"), []string{"9: clusters.c.teams.t.apps.a: 0x00100100 is retired (line 8): it was that of a"}},
		{"retired with the major of another cluster's team", head + "cluster: b\nclusters:\n  b: {teams: {t: {major: 0x10, apps: {a: 10:100}}}}\n  c: {teams: {u: {major: 0x11, retired: {old: 10:100}}}}\n",
			[]string{"6: clusters.c.teams.u.retired.old: 0x00100100 has the major of team t in cluster b (line 5), and this team's is 0x0011"}},
		{"three apps with a class", appsText("a: 10:100\nb: 10:100\nc: 10:100"), []string{"10: clusters.c.teams.t.apps.b: 0x00100100 is the class ID of a (line 9); the next free one is 0x00100101", "11: clusters.c.teams.t.apps.c: 0x00100100 is the class ID of a (line 9)"}},
		{"a hole is free when the top is taken", appsText("a: 10:fffe\nb: 10:fffe"), []string{"10: clusters.c.teams.t.apps.b: 0x0010fffe is the class ID of a (line 9); the next free one is 0x00100100"}},
		{"retired class", teamText("retired: {/t/old: 0x00100100}\napps: {a: 0x00100100}"), []string{"9: clusters.c.teams.t.apps.a: 0x00100100 is retired (line 8): it was that of /t/old, and logs may still have it; the next free one is 0x00100101"}},
		{"class retired below", teamText("apps: {a: 0x00100100}\nretired:\n  b: 0x00100100"), []string{"8: clusters.c.teams.t.apps.a: 0x00100100 is retired (line 10)"}},
		{"retired twice", teamText("retired: {a: 0x00100100, \"a (2)\": 10:100}"), []string{"8: clusters.c.teams.t.retired.a (2): 0x00100100 is retired on line 8 already, as that of a; keep one"}},
		{"retired out of range", teamText("retired: {a: 0x00100001}"), []string{"8: clusters.c.teams.t.retired.a: 0x00100001 is the team's default class"}},
		{"retired of another team", teamText("retired: {a: 0x00110100}"), []string{"8: clusters.c.teams.t.retired.a: 0x00110100 does not have the team's major"}},

		{"app in capitals", appsText("/t/A: 0x00100100"), []string{`9: clusters.c.teams.t.apps./t/A: "/t/A" is no app ID of Marathon; write one such as /web/shop: segments of a-z, 0-9, . and -`}},
		{"app with a slash at its end", appsText("/t/: 0x00100100"), []string{`9: clusters.c.teams.t.apps./t/: "/t/" is no app ID`}},
		{"app that is the root", appsText("/: 0x00100100"), []string{`9: clusters.c.teams.t.apps./: "/" is no app ID`}},
		{"app with dots", appsText("/t/../u: 0x00100100"), []string{`9: clusters.c.teams.t.apps./t/../u: "/t/../u" is no app ID`}},
		{"app as a pattern", appsText("/t/*: 0x00100100"), []string{`9: clusters.c.teams.t.apps./t/*: "/t/*" is a pattern, and an app has one app ID; give the class a name, and write `}},
		{"app by a name with a slash", appsText("t/a: 0x00100100"), []string{`9: clusters.c.teams.t.apps.t/a: "t/a" is no name`}},
		{"long app ID", appsText("/" + strings.Repeat("a", 256) + ": 0x00100100"), []string{`9: clusters.c.teams.t.apps./aaaa`}},
		{"more than are shown", appsText(many("a%d: 0o%d", 1, 25)), append(slices.Repeat([]string{""}, 20), " and 5 more problems")},
	}.run(t)
}

func TestErrorsOfIdentities(t *testing.T) {
	refusals{
		{"no list", clusterText("identities: {}"), []string{"5: clusters.c.identities: has to be a list of entries with `match` and `team`, and is a section of keys; write"}},
		{"empty entry", clusterText("identities:\n- "), []string{"6: clusters.c.identities[0]: is empty; write `match`, `team`, `app` below it", "6: clusters.c.identities[0]: has no `match`", "6: clusters.c.identities[0]: has no `team`"}},
		{"text as an entry", clusterText("identities: [t]"), []string{"5: clusters.c.identities[0]: has to be a section of keys with values, and is the text \"t\""}},
		{"no match", entryText("team: t"), []string{"8: clusters.c.identities[0]: has no `match`; write principals, roles or app_ids below it"}},
		{"no team", entryText("match: {roles: [r]}"), []string{"8: clusters.c.identities[0]: has no `team`; write the name of the team whose tasks match"}},
		{"empty match", entryText("match: {}\nteam: t"), []string{"8: clusters.c.identities[0].match: is empty, which matches nobody; write principals, roles or app_ids"}},
		{"null match", entryText("match:\nteam: t"), []string{"8: clusters.c.identities[0].match: is empty, which matches nobody"}},
		{"unknown key", entryText("match: {role: [r]}\nteam: t"), []string{`8: clusters.c.identities[0].match.role: is an unknown key; did you mean "roles"?; known here: principals, roles, app_ids`}},
		{"rules as in a policy", entryText("match: {roles: [r]}\nteam: t\nrules: {}"), []string{"10: clusters.c.identities[0].rules: is an unknown key; known here: match, team, app"}},
		{"unknown team", entryText("match: {roles: [r]}\nteam: u"), []string{`9: clusters.c.identities[0].team: there is no team "u" in cluster c; known are t`}},
		{"unknown app", entryText("match: {roles: [r]}\nteam: t\napp: /t/aa"), []string{`10: clusters.c.identities[0].app: team t has no app "/t/aa"; did you mean "/t/a"?; known are /t/a, b`}},
		{"retired app", clusterText("teams:\n  t: {major: 0x0010, retired: {old: 0x00100100}}\nidentities:\n- {match: {roles: [r]}, team: t, app: old}"),
			[]string{`8: clusters.c.identities[0].app: app "old" of team t is retired (line 6); remove the entry, or give the app a new class ID`}},
		{"list of teams", entryText("match: {roles: [r]}\nteam: [t]"), []string{"9: clusters.c.identities[0].team: needs one value; write the name of a team"}},
		{"empty list", entryText("match: {roles: []}\nteam: t"), []string{"8: clusters.c.identities[0].match.roles: is an empty list, which would match nobody"}},
		{"null list", entryText("match: {roles: }\nteam: t"), []string{"8: clusters.c.identities[0].match.roles: has no value; write a list of patterns, `[]` for none, or remove the key"}},
		{"text for a list", entryText("match: {roles: r}\nteam: t"), []string{"8: clusters.c.identities[0].match.roles: has to be a list of patterns, and is the text \"r\"; write"}},
		{"pattern twice", entryText("match: {roles: [r, s, r]}\nteam: t"), []string{`8: clusters.c.identities[0].match.roles[2]: "r" is in the list twice; keep one`}},
		{"boolean pattern", entryText("match: {roles: [true]}\nteam: t"), []string{`8: clusters.c.identities[0].match.roles[0]: "true" is no text to YAML; put it in quotes`}},
		{"empty pattern", entryText(`match: {principals: [""]}` + "\nteam: t"), []string{"8: clusters.c.identities[0].match.principals[0]: is empty, which matches nothing; remove it"}},
		{"two stars", entryText(`match: {principals: ["**"]}` + "\nteam: t"), []string{"8: clusters.c.identities[0].match.principals[0]: \"**\" is no pattern; leave the kind out where anything may match, or write `*`"}},
		{"two stars inside", entryText(`match: {roles: ["a/**/b"]}` + "\nteam: t"), []string{`8: clusters.c.identities[0].match.roles[0]: "a/**/b" has ** elsewhere than in /** at the end`}},
		{"role with a slash", entryText("match: {roles: [/r]}\nteam: t"), []string{`8: clusters.c.identities[0].match.roles[0]: "/r" matches no role of Mesos`}},
		{"app ID without a slash", entryText("match: {app_ids: [t/a]}\nteam: t"), []string{`8: clusters.c.identities[0].match.app_ids[0]: "t/a" is no app ID of Marathon; write one such as /web/shop`}},
		{"part of a segment", entryText(`match: {app_ids: ["/t*"]}` + "\nteam: t"), []string{`8: clusters.c.identities[0].match.app_ids[0]: "/t*" has a * that is not a whole segment, and could match another team's app`}},
		{"app ID in capitals", entryText("match: {app_ids: [/T]}\nteam: t"), []string{`8: clusters.c.identities[0].match.app_ids[0]: "/T" matches no app ID`}},
		{"app IDs nobody is trusted with", "version: 1\nclusters: {c: {teams: {t: {major: 0x10}},\n  identities: [{match: {app_ids: [/a]}, team: t}]}}\n",
			[]string{"3: clusters.c.identities[0].match.app_ids: never applies: app IDs count only for principals whose authors cannot choose them freely; if a proxy sees to that, write `principals: {NAME: {app_id_trusted: true}}` at the top"}},
		{"principals not trusted with app IDs", entryText("match:\n  principals: [m, n]\n  app_ids: [/a]\nteam: t"), []string{`9: clusters.c.identities[0].match.principals: "n" is not trusted with app IDs, by which the entry goes; it may be one of m, or gets`}},
		{"the same match twice", clusterText("teams: {t: {major: 0x10}, u: {major: 0x11}}\nidentities:\n- {match: {roles: [r]}, team: t}\n- {match: {roles: [r]}, team: u}"),
			[]string{"8: clusters.c.identities[1]: is never reached: the first match wins, and the entry on line 7 matches the same; make one of the two"}},
	}.run(t)
}

func TestFormsThatAreFine(t *testing.T) {
	for name, text := range map[string]string{
		"off":                       "version: 1\nclass_ids: off\n",
		"comments":                  "# x\n\nversion: 1 # y\nclass_ids: 'off' # z\n",
		"empty sections":            "version: 1\nclass_ids: off\nprincipals:\nclusters:\n",
		"no entries":                clusterText("teams: {t: {major: 0x0010, apps: , retired: {}}}\nidentities:\n# - a\nretired:"),
		"document marks":            "---\n" + appsText("a: 0x00100100") + "...\n",
		"Windows line ends":         strings.ReplaceAll(appsText("a: 0x00100100"), "\n", "\r\n"),
		"a name again, of the past": teamText("retired: {a: 0x00100100}\napps: {a: 0x00100101}"),
		"one name in two teams":     clusterText("teams: {t: {major: 0x10, apps: {a: 10:100}}, u: {major: 0x11, apps: {a: 11:100}}}"),
		"one team in two clusters":  "version: 1\ncluster: b\nclusters: {b: {teams: {t: {major: 0x10}}}, c: {teams: {t: {major: 0x11}}}}\n",
		"a team's name of the past": clusterText("teams: {t: {major: 0x10}}\nretired: {t: 0x11}"),
		"off and no clusters":       "version: 1\nclass_ids: off\nclusters: {}\n",
		"byte order mark":           "\ufeff" + appsText("a: 0x00100100"),
		"no newline at the end":     strings.TrimSpace(appsText("a: 0x00100100")),
		"preferred, untagged":       "class_ids: preferred\nunknown: untagged\n" + appsText("a: 0x00100100"),
		"off and untagged":          "class_ids: off\nunknown: untagged\nversion: 1\n",
		"default":                   "unknown: default\n" + clusterText("teams: {t: {major: 0x10}}\ndefault_team: t"),
		"names like values":         appsText("yes: 0x00100100\n\"true\": 0x00100101\nno: 10:106\n0x1: 10:107\n1_0: 10:108\n0o7: 10:109\ny: 10:10a\n12: 0x00100102\n1.5: 0x00100103\n2026-01-01: 0x00100104"),
		"names of the past":         teamText("retired: {/web/cart (2): 0x00100100, \"*\": 0x00100101}"),
		"cluster by a number":       "version: 1\ncluster: 1\nclusters: {1: {teams: {t: {major: 0x10}}}}\n",
		"the whole range":           appsText("a: 0x00100100\nb: 0x0010fffe"),
	} {
		if _, err := Parse("c.yaml", []byte(text)); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// In each form and place, a spelling is read from what is written and not from what YAML takes it for.
func TestSpellingsInTheFile(t *testing.T) {
	for _, spelling := range []string{"0x00100100", "0x100100", "1048832", "10:100", "0010:0100", `"0x00100100"`, "'1048832'", `"10:100"`} {
		for form, text := range map[string]string{
			"block": appsText("a: " + spelling),
			"flow":  teamText("apps: {a: " + spelling + "}"),
			"lines": teamText("apps: {a: " + spelling + ",\n  b: 10:101}"),
		} {
			r, err := Parse("c.yaml", []byte(text))
			if err != nil {
				t.Errorf("%s in %s: %v", spelling, form, err)
				continue
			}
			if app := r.Teams()[0].Apps[0]; app.ID != 0x00100100 || app.Name != "a" {
				t.Errorf("%s in %s: %+v", spelling, form, app)
			}
		}
	}
}

func TestExampleFile(t *testing.T) {
	const path = "../../docs/classes/two-clusters.yaml"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(path, text)
	if err != nil {
		t.Fatal(err)
	}
	if notes := r.Notes(); len(notes) > 0 {
		t.Errorf("notes: %q", notes)
	}
	for _, c := range []struct {
		id   Identity
		want ID
	}{
		{Identity{Principal: "marathon-proxy", Role: "prod", AppID: "/web/shop/search", Trusted: true}, 0x00100103},
		{Identity{Principal: "marathon-proxy", Role: "prod", AppID: "/web/previews/pr-12/front", Trusted: true}, 0x00100104},
		{Identity{Principal: "kafka-scheduler", Role: "data/kafka", Trusted: true}, 0x00110100},
		{Identity{Principal: "other", Role: "data/kafka", Trusted: true}, 0x00110101},
		{Identity{Principal: "marathon-proxy", Role: "prod", AppID: "/web/new", Trusted: true}, 0},
		{Identity{Principal: "other", Role: "prod", AppID: "/web/shop", Trusted: true}, 0},
	} {
		if class, err := r.For(c.id); class.ID != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%+v: %+v, %v", c.id, class, err)
		}
	}
}
