package classes

import (
	"fmt"
	"slices"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
)

// identities reads the entries that say by what identity a task is known to be of a team and an app.
func (p *parser) identities(e rulefile.Entry, c *cluster) {
	if rulefile.IsNull(e.Value) { // all entries are commented out
		return
	}
	lines := map[string]int{} // of the matches so far
	for _, element := range p.List(e, "entries with `match` and `team`") {
		id := identity{line: element.Line}
		keys := p.Keys(element, "match", "team", "app")
		id.match = p.Match(element, keys["match"], p.out.appIDTrusted, "")
		if team := keys["team"]; team == nil {
			p.Missing(element, "team", "has no `team`; write the name of the team whose tasks match")
		} else {
			id.team = p.teamNamed(*team, c)
		}
		if app := keys["app"]; app != nil && id.team != nil {
			id.app = p.appNamed(*app, id.team)
		}
		key := fmt.Sprintf("%q", [][]string{id.match.Principals, id.match.Roles, id.match.AppIDs})
		if line := lines[key]; line > 0 {
			p.Note(element, "is never reached: the first match wins, and the entry on line %d matches the same; make one of the two", line)
		} else if !id.match.IsEmpty() {
			lines[key] = id.line
		}
		c.identities = append(c.identities, id)
	}
}

// teamNamed reads the name of a team of the cluster; nil if there is none.
func (p *parser) teamNamed(e rulefile.Entry, c *cluster) *team {
	name, ok := p.Text(e, "the name of a team")
	if !ok {
		return nil
	}
	if at := slices.IndexFunc(c.teams, func(t *team) bool { return t.name == name }); at >= 0 {
		return c.teams[at]
	}
	names := c.teamNames()
	p.Wrong(e, "there is no team %s in cluster %s%s; known are %s", message.Quote(name), message.Printable(c.name), p.meant(name, names), message.Listed(names))
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
func (p *parser) appNamed(e rulefile.Entry, t *team) *App {
	name, ok := p.Text(e, "the name of one of the team's apps")
	if !ok {
		return nil
	}
	if app := t.app(name); app != nil {
		return app
	}
	if at := slices.IndexFunc(t.retired, func(a App) bool { return a.Name == name }); at >= 0 {
		p.Wrong(e, "app %s of team %s is retired (line %d); remove the entry, or give the app a new class ID", message.Quote(name), message.Printable(t.name), t.retired[at].Line)
		return nil
	}
	var names []string
	for _, app := range t.apps {
		names = append(names, app.Name)
	}
	p.Wrong(e, "team %s has no app %s%s; known are %s", message.Printable(t.name), message.Quote(name), p.meant(name, names), message.Listed(names))
	return nil
}
