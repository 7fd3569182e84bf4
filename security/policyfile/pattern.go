package policyfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"mesos-docker-executor/security"
)

// match says which identities an entry is for. Of each kind that is not empty, one pattern has to match.
type match struct {
	principals, roles, appIDs []string
}

func (m match) isEmpty() bool { return len(m.principals)+len(m.roles)+len(m.appIDs) == 0 }

// covers reports whether an entry is for an identity. appIDTrusted are the principals whose tasks have the app ID that they say.
func (m match) covers(id security.Identity, appIDTrusted map[string]bool) bool {
	return id.Trusted && !m.isEmpty() &&
		(len(m.principals) == 0 || matchesAny(m.principals, id.Principal)) &&
		(len(m.roles) == 0 || matchesAny(m.roles, id.Role)) &&
		(len(m.appIDs) == 0 || appIDTrusted[id.Principal] && matchesAny(m.appIDs, id.AppID))
}

// String lists the patterns for people.
func (m match) String() string {
	var parts []string
	for _, kind := range []struct {
		name     string
		patterns []string
	}{{"principals", m.principals}, {"roles", m.roles}, {"app_ids", m.appIDs}} {
		if len(kind.patterns) > 0 {
			parts = append(parts, kind.name+" "+strings.Join(kind.patterns, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

func matchesAny(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, s) })
}

// matches is [security.Matches], but that nothing stands for "".
func matches(pattern, s string) bool { return s != "" && security.Matches(pattern, s) }

// coversAll reports whether every identity that the other is for is one of m's, as far as the patterns prove it one by one.
func (m match) coversAll(other match) bool {
	for _, kind := range [][2][]string{{m.principals, other.principals}, {m.roles, other.roles}, {m.appIDs, other.appIDs}} {
		mine, others := kind[0], kind[1]
		if len(mine) == 0 {
			continue
		}
		narrower := func(p string) bool {
			return slices.ContainsFunc(mine, func(wide string) bool { return coversPattern(wide, p) })
		}
		if len(others) == 0 || slices.ContainsFunc(others, func(p string) bool { return !narrower(p) }) {
			return false
		}
	}
	return true
}

// coversPattern reports whether a pattern stands for all that another one does. Names with an empty element, which nothing has, do
// not count.
func coversPattern(wide, narrow string) bool {
	w, wideBelow := strings.CutSuffix(wide, "/**")
	n, narrowBelow := strings.CutSuffix(narrow, "/**")
	outer, inner := strings.Split(w, "/"), strings.Split(n, "/")
	switch {
	case wideBelow && (len(inner) > len(outer) || narrowBelow && len(inner) == len(outer)):
		inner = inner[:len(outer)]
	case wideBelow || narrowBelow:
		return false
	}
	// '*' in the inner text is a character that only a '*' of the outer pattern takes, and with it all that it stands for.
	return security.Matches(w, strings.Join(inner, "/"))
}

// checkPattern says what is wrong with a pattern of principals, roles or app IDs.
func checkPattern(p string) error {
	switch head, below := strings.CutSuffix(p, "/**"); {
	case p == "":
		return errors.New("is empty, which matches nothing; remove it")
	case strings.Contains(head, "**"):
		if !below && p == "**" {
			return fmt.Errorf("%s is no pattern; leave the kind out where anything may match, or write `*`", quote(p))
		}
		return fmt.Errorf("%s has ** elsewhere than in /** at the end; write `*` for a part without a slash", quote(p))
	}
	return nil
}

func checkRolePattern(p string) error {
	switch err := checkPattern(p); {
	case err != nil:
		return err
	case strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/") || strings.ContainsFunc(p, unicode.IsSpace):
		return fmt.Errorf("%s matches no role of Mesos, which has no blanks and no slash at its ends; write one such as infra/*", quote(p))
	}
	return nil
}

// checkAppPattern lets '*' stand for whole segments only: a proxy in front of Marathon enforces segments, and "/web*" would be for
// the apps of another team, too.
func checkAppPattern(p string) error {
	if err := checkPattern(p); err != nil {
		return err
	}
	if !strings.HasPrefix(p, "/") || p == "/" || strings.HasSuffix(p, "/") || strings.Contains(p, "//") {
		return fmt.Errorf("%s is no app ID of Marathon; write one such as /web/shop, or /web/** for all below /web", quote(p))
	}
	for segment := range strings.SplitSeq(p[1:], "/") {
		switch {
		case segment == "*" || segment == "**":
		case strings.Contains(segment, "*"):
			return fmt.Errorf("%s has a * that is not a whole segment, and could match another team's app; write `/*` or `/**` behind whole names", quote(p))
		case strings.ContainsFunc(segment, notInAppID):
			return fmt.Errorf("%s matches no app ID of Marathon, whose segments have a-z, 0-9, - and . only", quote(p))
		}
	}
	return nil
}

func notInAppID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
}
