package rulefile

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/internal/glob"
	"mesos-docker-executor/internal/message"
)

// Identity is what entries go by, because the cluster vouches for it and not the task's author.
type Identity struct {
	Principal, Role string // of the framework and of the task's resources; "" if there is none
	Trusted         bool   // they come from the agent that started the executor; if not, no entry matches
	AppID           string // Marathon's, or ""; it counts only for principals that the file trusts with it
}

// Match says which identities an entry is for. Of each kind that is not empty, one pattern has to match.
type Match struct {
	Principals, Roles, AppIDs []string
}

// IsEmpty reports whether the match is for nobody.
func (m Match) IsEmpty() bool { return len(m.Principals)+len(m.Roles)+len(m.AppIDs) == 0 }

// Covers reports whether an entry is for an identity. appIDTrusted are the principals whose tasks have the app ID that they say.
func (m Match) Covers(id Identity, appIDTrusted map[string]bool) bool {
	return id.Trusted && !m.IsEmpty() &&
		(len(m.Principals) == 0 || MatchesAny(m.Principals, id.Principal)) &&
		(len(m.Roles) == 0 || MatchesAny(m.Roles, id.Role)) &&
		(len(m.AppIDs) == 0 || appIDTrusted[id.Principal] && MatchesAny(m.AppIDs, id.AppID))
}

// MatchesAny reports whether one of the patterns of an entry stands for s. Nothing stands for "".
func MatchesAny(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, s) })
}

func matches(pattern, s string) bool { return s != "" && glob.MatchBelow(pattern, s) }

// String lists the patterns for people.
func (m Match) String() string {
	var parts []string
	for _, kind := range m.kinds() {
		if len(kind.patterns) > 0 {
			parts = append(parts, kind.name+" "+strings.Join(kind.patterns, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

type kind struct {
	name     string
	patterns []string
}

func (m Match) kinds() [3]kind {
	return [...]kind{{"principals", m.Principals}, {"roles", m.Roles}, {"app_ids", m.AppIDs}}
}

// CoversAll reports whether every identity that the other is for is one of m's, as far as the patterns prove it one by one.
func (m Match) CoversAll(other Match) bool {
	others := other.kinds()
	for i, mine := range m.kinds() {
		if len(mine.patterns) == 0 {
			continue
		}
		narrower := func(p string) bool {
			return slices.ContainsFunc(mine.patterns, func(wide string) bool { return glob.Covers(wide, p) })
		}
		if len(others[i].patterns) == 0 || slices.ContainsFunc(others[i].patterns, func(p string) bool { return !narrower(p) }) {
			return false
		}
	}
	return true
}

// Principals reads what a file says of principals, by their exact names, and returns those that are trusted with app IDs.
func (r *Reader) Principals(e Entry) map[string]bool {
	trusted := map[string]bool{}
	for _, principal := range r.Mapping(e) {
		if strings.Contains(principal.Key, "*") {
			r.Note(principal, "is no pattern: trust in app IDs is given to one principal by its whole name")
		}
		for _, key := range r.Mapping(principal) {
			if key.Key != "app_id_trusted" {
				r.Unknown(key, []string{"app_id_trusted"})
			} else if trust, ok := r.Boolean(key); ok && trust {
				trusted[principal.Key] = true
			}
		}
	}
	return trusted
}

// Match reads whom an entry is for. appIDTrusted is what [Reader.Principals] returned; remedy completes the error about an entry for
// everybody: ", or ...".
func (r *Reader) Match(of Entry, e *Entry, appIDTrusted map[string]bool, remedy string) Match {
	var m Match
	if e == nil {
		r.Missing(of, "match", "has no `match`; write principals, roles or app_ids below it%s", remedy)
		return m
	}
	before := len(r.Problems.Problems)
	keys := map[string]*Entry{}
	if !IsNull(e.Value) {
		keys = r.Keys(*e, "principals", "roles", "app_ids")
	}
	m.Principals = r.patterns(keys["principals"], checkPattern)
	m.Roles = r.patterns(keys["roles"], checkRolePattern)
	m.AppIDs = r.patterns(keys["app_ids"], checkAppPattern)
	if m.IsEmpty() && len(r.Problems.Problems) == before {
		r.Note(*e, "is empty, which matches nobody; write principals, roles or app_ids%s", remedy)
	}
	if len(m.AppIDs) > 0 {
		r.checkAppTrust(*keys["app_ids"], keys["principals"], m, appIDTrusted)
	}
	return m
}

func (r *Reader) patterns(e *Entry, check func(string) error) []string {
	if e == nil {
		return nil
	}
	before := len(r.Problems.Problems)
	var patterns []string
	seen := map[string]bool{}
	for _, element := range r.List(*e, "patterns") {
		pattern, ok := r.Text(element, "a pattern")
		if !ok {
			continue
		}
		if err := check(pattern); err != nil {
			r.Note(element, "%v", err)
		} else if seen[pattern] {
			r.Note(element, "%s is in the list twice; keep one", message.Quote(pattern))
		} else {
			patterns = append(patterns, pattern)
			seen[pattern] = true
		}
	}
	if len(patterns) == 0 && len(r.Problems.Problems) == before {
		r.Note(*e, "is an empty list, which would match nobody; write patterns, or remove the key")
	}
	return patterns
}

// checkAppTrust refuses an entry that goes by app ID for principals whose app IDs anybody can choose: it would never apply.
func (r *Reader) checkAppTrust(appIDs Entry, principals *Entry, m Match, appIDTrusted map[string]bool) {
	trusted := slices.Sorted(maps.Keys(appIDTrusted))
	if len(trusted) == 0 {
		r.Note(appIDs, "never applies: app IDs count only for principals whose authors cannot choose them freely; if a proxy sees to that, "+
			"write `principals: {NAME: {app_id_trusted: true}}` at the top")
		return
	}
	for _, pattern := range m.Principals {
		if r.Problems.IsFull() {
			return
		}
		if slices.ContainsFunc(trusted, func(name string) bool { return matches(pattern, name) }) {
			continue
		}
		at := slices.IndexFunc(principals.Value.Content, func(n *yaml.Node) bool { return n.Value == pattern })
		r.Problems.Add(principals.Value.Content[at].Line, principals.Path,
			"%s is not trusted with app IDs, by which the entry goes; it may be one of %s, or gets `app_id_trusted: true` in `principals`",
			message.Quote(pattern), message.Listed(trusted))
	}
}
