package classes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// match says which identities an entry is for. Of each kind that is not empty, one pattern has to match.
type match struct {
	principals, roles, appIDs []string
}

func (m match) isEmpty() bool { return len(m.principals)+len(m.roles)+len(m.appIDs) == 0 }

// covers reports whether an entry is for an identity. appIDTrusted are the principals whose tasks have the app ID that they say.
func (m match) covers(id Identity, appIDTrusted map[string]bool) bool {
	return id.Trusted && !m.isEmpty() &&
		(len(m.principals) == 0 || matchesAny(m.principals, id.Principal)) &&
		(len(m.roles) == 0 || matchesAny(m.roles, id.Role)) &&
		(len(m.appIDs) == 0 || appIDTrusted[id.Principal] && matchesAny(m.appIDs, id.AppID))
}

func matchesAny(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, s) })
}

// matches reports whether a pattern stands for s: '*' for any number of characters but '/', "/**" at the end for everything below.
// Nothing stands for "". Its time is at most the product of the lengths.
func matches(pattern, s string) bool {
	if s == "" {
		return false
	}
	want, got := strings.Split(pattern, "/"), strings.Split(s, "/")
	if last := len(want) - 1; last > 0 && want[last] == "**" {
		if len(got) <= last || strings.Join(got[last:], "") == "" {
			return false
		}
		want, got = want[:last], got[:last]
	}
	return slices.EqualFunc(want, got, matchesSegment)
}

// matchesSegment takes the earliest place for each part between two '*', and the end for the last.
func matchesSegment(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	s, found := strings.CutPrefix(s, parts[0])
	if last == 0 || !found {
		return found && s == ""
	}
	for _, part := range parts[1:last] {
		if _, s, found = strings.Cut(s, part); !found {
			return false
		}
	}
	return strings.HasSuffix(s, parts[last])
}

// checkPattern says what is wrong with a pattern of principals, roles or app IDs.
func checkPattern(p string) error {
	switch head, _ := strings.CutSuffix(p, "/**"); {
	case p == "":
		return errors.New("is empty, which matches nothing; remove it")
	case p == "**":
		return fmt.Errorf("%s is no pattern; leave the kind out where anything may match, or write `*`", quote(p))
	case strings.Contains(head, "**"):
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

// maxName is the length of the names of clusters, teams and apps, in bytes; maxAppID that of an app ID.
const (
	maxName  = 64
	maxAppID = 256
)

// checkName says what is wrong with the name of a cluster, a team, or an app that has no app ID.
func checkName(name string) error {
	if len(name) > maxName || strings.ContainsFunc(name, notInName) || name == "" || strings.ContainsAny(name[:1], "_.-") {
		return fmt.Errorf("%s is no name; write at most %d letters, digits, '-', '_' and '.', the first a letter or digit", quote(name), maxName)
	}
	if strings.EqualFold(name, "null") {
		return fmt.Errorf("%s is no name: it is no value to YAML; write another", quote(name))
	}
	return nil
}

func notInName(r rune) bool {
	return notInAppID(r) && (r < 'A' || r > 'Z') && r != '_'
}

// isAppID reports whether an app goes by its app ID: all others have names that only entries of identities give to tasks.
func isAppID(app string) bool { return strings.HasPrefix(app, "/") }

// checkAppName says what is wrong with the name of an app: an app ID of Marathon as it is, or a name.
func checkAppName(name string) error {
	if !isAppID(name) {
		return checkName(name)
	}
	switch {
	case strings.Contains(name, "*"):
		return fmt.Errorf("%s is a pattern, and an app has one app ID; give the class a name, and write `app: NAME` into an entry of `identities` with that pattern", quote(name))
	case len(name) > maxAppID:
		return fmt.Errorf("%s is too long; an app ID has at most %d bytes here", quote(name), maxAppID)
	}
	for segment := range strings.SplitSeq(name[1:], "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, notInAppID) {
			return fmt.Errorf("%s is no app ID of Marathon; write one such as /web/shop: segments of a-z, 0-9, . and -", quote(name))
		}
	}
	return nil
}
