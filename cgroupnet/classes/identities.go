package classes

import (
	"fmt"
	"maps"
	"slices"
)

// identities reads the entries that say by what identity a task is known to be of a team and an app.
func (p *parser) identities(e *entry, c *cluster) {
	if isNull(e.value) { // all entries are commented out
		return
	}
	lines := map[string]int{} // of the matches so far
	for _, element := range p.list(e, "entries with `match` and `team`") {
		id := identity{line: element.line}
		keys := p.keys(&element, "match", "team", "app")
		id.match = p.match(&element, keys["match"])
		if team := keys["team"]; team == nil {
			p.missing(&element, "team", "has no `team`; write the name of the team whose tasks match")
		} else {
			id.team = p.teamNamed(team, c)
		}
		if app := keys["app"]; app != nil && id.team != nil {
			id.app = p.appNamed(app, id.team)
		}
		key := fmt.Sprintf("%q", [][]string{id.match.principals, id.match.roles, id.match.appIDs})
		if line := lines[key]; line > 0 {
			p.note(&element, "is never reached: the first match wins, and the entry on line %d matches the same; make one of the two", line)
		} else if !id.match.isEmpty() {
			lines[key] = id.line
		}
		c.identities = append(c.identities, id)
	}
}

// teamNamed reads the name of a team of the cluster; nil if there is none.
func (p *parser) teamNamed(e *entry, c *cluster) *team {
	name, ok := p.text(e, "the name of a team")
	if !ok {
		return nil
	}
	if at := slices.IndexFunc(c.teams, func(t *team) bool { return t.name == name }); at >= 0 {
		return c.teams[at]
	}
	names := c.teamNames()
	p.wrong(e, "there is no team %s in cluster %s%s; known are %s", quote(name), printable(c.name), p.meant(name, names), printable(listed(names)))
	return nil
}

func (c *cluster) teamNames() []string {
	var names []string
	for _, t := range c.teams {
		names = append(names, t.name)
	}
	slices.Sort(names)
	return names
}

// appNamed reads the name of an app that has a line; nil if it has none.
func (p *parser) appNamed(e *entry, t *team) *App {
	name, ok := p.text(e, "the name of one of the team's apps")
	if !ok {
		return nil
	}
	if app := t.app(name); app != nil {
		return app
	}
	if at := slices.IndexFunc(t.retired, func(a App) bool { return a.Name == name }); at >= 0 {
		p.wrong(e, "app %s of team %s is retired (line %d); remove the entry, or give the app a new class ID", quote(name), printable(t.name), t.retired[at].Line)
		return nil
	}
	var names []string
	for _, app := range t.apps {
		names = append(names, app.Name)
	}
	p.wrong(e, "team %s has no app %s%s; known are %s", printable(t.name), quote(name), p.meant(name, names), printable(listed(names)))
	return nil
}

// match reads whom an entry is for.
func (p *parser) match(of, e *entry) match {
	var m match
	if e == nil {
		p.missing(of, "match", "has no `match`; write principals, roles or app_ids below it")
		return m
	}
	before := len(p.problems.Problems)
	keys := map[string]*entry{}
	if !isNull(e.value) {
		keys = p.keys(e, "principals", "roles", "app_ids")
	}
	m.principals = p.patterns(keys["principals"], checkPattern)
	m.roles = p.patterns(keys["roles"], checkRolePattern)
	m.appIDs = p.patterns(keys["app_ids"], checkAppPattern)
	if m.isEmpty() && len(p.problems.Problems) == before {
		p.note(e, "is empty, which matches nobody; write principals, roles or app_ids")
	}
	if len(m.appIDs) > 0 {
		p.checkAppTrust(keys["app_ids"], keys["principals"], m)
	}
	return m
}

func (p *parser) patterns(e *entry, check func(string) error) []string {
	if e == nil {
		return nil
	}
	before := len(p.problems.Problems)
	var patterns []string
	seen := map[string]bool{}
	for _, element := range p.list(e, "patterns") {
		pattern, ok := p.text(&element, "a pattern")
		if !ok {
			continue
		}
		if err := check(pattern); err != nil {
			p.wrong(&element, "%v", err)
		} else if seen[pattern] {
			p.wrong(&element, "%s is in the list twice; keep one", quote(pattern))
		} else {
			patterns = append(patterns, pattern)
		}
		seen[pattern] = true
	}
	if len(patterns) == 0 && len(p.problems.Problems) == before {
		p.note(e, "is an empty list, which would match nobody; write patterns, or remove the key")
	}
	return patterns
}

// checkAppTrust refuses an entry that goes by app ID for principals whose app IDs anybody can choose: it would never apply.
func (p *parser) checkAppTrust(appIDs, principals *entry, m match) {
	if len(p.out.appIDTrusted) == 0 {
		p.note(appIDs, "never applies: app IDs count only for principals whose author cannot choose them freely; write `principals: {NAME: {app_id_trusted: true}}` at the top if a proxy sees to that")
		return
	}
	trusted := slices.Sorted(maps.Keys(p.out.appIDTrusted))
	for i, pattern := range m.principals {
		if p.problems.isFull() {
			return
		}
		if !slices.ContainsFunc(trusted, func(name string) bool { return matches(pattern, name) }) {
			p.problems.add(principals.value.Content[min(i, len(principals.value.Content)-1)].Line, principals.path(),
				"%s is not trusted with app IDs, by which the entry goes; it may be one of %s, or gets `app_id_trusted: true` in `principals`",
				quote(pattern), printable(listed(trusted)))
		}
	}
}
