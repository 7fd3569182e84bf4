package glob

import "testing"

func TestStarsStandForAnythingButASlash(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"*", "a/b", false},
		{"a*", "abc", true}, {"a*c", "abc", true}, {"a*c", "abcd", false}, {"*c", "abcbc", true}, {"a*b*c", "axbybzc", true}, {"a*b*c", "acb", false},
		{"**", "x", true}, {"/dev/*", "/dev/x", true}, {"/dev/*", "/dev/x/y", false}, {"/dev/*/y", "/dev/x/y", true}, {"a*a", "a", false},
		{"[a-z]", "b", false}, {"[a-z]", "[a-z]", true}, {"a?c", "abc", false}, {"net.*.x", "net.ipv4.conf.x", true},
	} {
		if got := Match(test.pattern, test.s); got != test.want {
			t.Errorf("%q, %q: %v", test.pattern, test.s, got)
		}
	}
}

func TestTwoStarsAtTheEndStandForAllBelow(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"web", []string{"web"}, []string{"", "we", "webs", "web/a", "/web"}},
		{"*", []string{"", "a", "*"}, []string{"a/b", "/"}},
		{"a*c", []string{"ac", "abc", "abcc"}, []string{"a", "ab", "acb", "a/c", "c"}},
		{"*-x-*", []string{"-x-", "a-x-b", "-x--x-"}, []string{"-x", "-x/-", "a-b"}},
		{"ab*ba", []string{"abba", "abxba"}, []string{"aba", "ab", "ba"}},
		{"infra/*", []string{"infra/a"}, []string{"infra", "infra/a/b", "xinfra/a", "infraa"}},
		{"infra/**", []string{"infra/a", "infra/a/b"}, []string{"infra", "infra/", "infrastructure", "infrastructure/a", "a/infra/b"}},
		{"/web/*", []string{"/web/a"}, []string{"/web", "/webshop", "/webshop/a", "/web/a/b"}},
		{"/web/**", []string{"/web/a", "/web/a/b"}, []string{"/web", "/web/", "/webshop", "/webshop/a", "/x/web/a"}},
		{"/**", []string{"/a", "/a/b"}, []string{"", "/", "a"}},
		{"/*/db", []string{"/web/db"}, []string{"/db", "/a/b/db", "/web/dbs"}},
		{"/*/**", []string{"/a/b", "/a/b/c"}, []string{"/a", "/"}},
		{"**", nil, []string{"", "a", "a/b"}},
		{"a/**/b", nil, []string{"a/x/b", "a/**/b"}},
	} {
		for _, s := range c.yes {
			if !MatchBelow(c.pattern, s) {
				t.Errorf("%q does not match %q", c.pattern, s)
			}
		}
		for _, s := range c.no {
			if MatchBelow(c.pattern, s) {
				t.Errorf("%q matches %q", c.pattern, s)
			}
		}
	}
}

func TestPatternsThatCoverOthers(t *testing.T) {
	for _, c := range []struct {
		wide   string
		yes    []string
		beyond []string
	}{
		{"a", []string{"a"}, []string{"*", "b", "a/b", "a/**"}},
		{"*", []string{"a", "a*", "*", "a*b"}, []string{"a/b", "*/**", "a/**"}},
		{"a*c", []string{"ac", "a*c", "ab*c", "a*b*c"}, []string{"a*", "*c", "*", "a/c"}},
		{"infra/**", []string{"infra/a", "infra/*", "infra/a/b", "infra/**", "infra/a/**", "infra/*/**"}, []string{"infra", "*/a", "*/**", "infrastructure/a", "infrastructure/**"}},
		{"/*/db", []string{"/a/db", "/*/db"}, []string{"/a/*", "/a/b/db", "/**"}},
		{"/**", []string{"/a", "/a/b", "/*", "/a/**"}, []string{"a", "a/**"}},
		{"/*/**", []string{"/a/b", "/a/**", "/*/*"}, []string{"/a", "/**"}},
	} {
		for _, narrow := range c.yes {
			if !Covers(c.wide, narrow) {
				t.Errorf("%q does not cover %q", c.wide, narrow)
			}
		}
		for _, other := range c.beyond {
			if Covers(c.wide, other) {
				t.Errorf("%q covers %q", c.wide, other)
			}
		}
	}
}
