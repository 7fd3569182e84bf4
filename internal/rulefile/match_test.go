package rulefile

import (
	"strings"
	"testing"

	"mesos-docker-executor/internal/rootfile"
)

func TestEntriesAreForIdentitiesOfAllTheirKinds(t *testing.T) {
	trusted := map[string]bool{"proxy": true}
	web := Match{Principals: []string{"proxy", "other"}, Roles: []string{"web", "web/*"}, AppIDs: []string{"/web/**"}}
	for _, c := range []struct {
		name string
		m    Match
		id   Identity
		want bool
	}{
		{"all kinds", web, Identity{"proxy", "web/a", true, "/web/shop"}, true},
		{"another role", web, Identity{"proxy", "data", true, "/web/shop"}, false},
		{"another app", web, Identity{"proxy", "web", true, "/data/shop"}, false},
		{"principal whose app IDs are not believed", web, Identity{"other", "web", true, "/web/shop"}, false},
		{"nobody vouches", web, Identity{"proxy", "web", false, "/web/shop"}, false},
		{"nothing matches no principal", Match{Principals: []string{"*"}}, Identity{"", "web", true, ""}, false},
		{"nothing matches no role", Match{Roles: []string{"*"}}, Identity{"proxy", "", true, ""}, false},
		{"nothing matches no app", Match{AppIDs: []string{"/**", "*"}}, Identity{"proxy", "web", true, ""}, false},
		{"an empty match is for nobody", Match{}, Identity{"proxy", "web", true, "/web"}, false},
	} {
		if got := c.m.Covers(c.id, trusted); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if got := web.String(); got != "principals proxy, other; roles web, web/*; app_ids /web/**" {
		t.Error(got)
	}
	wide := Match{Roles: []string{"*/*", "web"}}
	if !wide.CoversAll(web) || web.CoversAll(wide) || wide.CoversAll(Match{Principals: []string{"proxy"}}) {
		t.Errorf("%v, %v", wide.CoversAll(web), web.CoversAll(wide))
	}
}

// read returns the match of the first entry of a file, and what is wrong.
func read(t *testing.T, text string) (Match, string) {
	t.Helper()
	r := Reader{Problems: &Error{Source: "f"}}
	r.Unknown = func(e Entry, _ []string) { r.Note(e, "is unknown") }
	root := rootfile.Document([]byte(text), func(line int, text string) { t.Fatal(line, text) })
	keys := r.Keys(Entry{Value: root}, "principals", "match")
	var trusted map[string]bool
	if p := keys["principals"]; p != nil {
		trusted = r.Principals(*p)
	}
	m := r.Match(Entry{Value: root, Line: 1}, keys["match"], trusted, "")
	if err := r.Problems.OrNil(); err != nil {
		return m, err.Error()
	}
	return m, ""
}

func TestMatchesAreReadStrictly(t *testing.T) {
	const trust = "principals: {m: {app_id_trusted: true}, n: {app_id_trusted: false}}\n"
	if m, wrong := read(t, trust+"match: {principals: [m, 12], roles: [a/*], app_ids: [/a/**]}\n"); !strings.HasPrefix(wrong, `f:2: match.principals: "12" is not trusted`) ||
		m.String() != "principals m, 12; roles a/*; app_ids /a/**" {
		t.Errorf("%v, %s", m, wrong)
	}
	for text, want := range map[string]string{
		"{}":                                  "f:1: has no `match`; write principals, roles or app_ids below it",
		"match: {}":                           "f:1: match: is empty, which matches nobody",
		"match: [a]":                          "f:1: match: has to be a section of keys with values, and is a list",
		"match: {roles: a}":                   `f:1: match.roles: has to be a list of patterns, and is the text "a"`,
		"match: {roles: [a, b, a]}":           `f:1: match.roles[2]: "a" is in the list twice`,
		"match: {roles: []}":                  "f:1: match.roles: is an empty list, which would match nobody",
		"match: {roles: [/a]}":                `f:1: match.roles[0]: "/a" matches no role of Mesos`,
		"match: {roles: [true]}":              `f:1: match.roles[0]: "true" is no text to YAML`,
		"match: {rolls: [a]}":                 "f:1: match.rolls: is unknown",
		"match: &a {roles: [a]}":              "f:1: match: uses an anchor or alias",
		"match: {app_ids: [/a]}":              "f:1: match.app_ids: never applies",
		trust + "match: {app_ids: [/a*]}":     `f:2: match.app_ids[0]: "/a*" has a * that is not a whole segment`,
		"principals: {\"m*\": {}}\nmatch: {}": "f:1: principals.m*: is no pattern",
		"principals: {m: {x: 1}}\nmatch: {}":  "f:1: principals.m.x: is unknown",
		"match: {roles: [a]}\nmatch: {}":      "f:2: match: is here a second time, the first is on line 1",
	} {
		if _, wrong := read(t, text); !strings.HasPrefix(wrong, want) {
			t.Errorf("%s: %s", text, wrong)
		}
	}
}
