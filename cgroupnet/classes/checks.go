package classes

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
)

// claim notes that a major is another team's already. Those of the past come first.
func (p *parser) claim(u use, path string) {
	first, taken := p.majors[u.major]
	switch {
	case !taken:
		p.majors[u.major] = u
	case first.retired && u.retired:
		p.Problems.Add(u.line, path, "%s is retired on line %d already, as that of team %s in cluster %s; no two teams ever had one major", MajorString(u.major), first.line, message.Printable(first.team), message.Printable(first.cluster))
	case first.retired:
		p.Problems.Add(u.line, path, "%s is retired (line %d): it was that of team %s in cluster %s, and logs may still have it; write another%s",
			MajorString(u.major), first.line, message.Printable(first.team), message.Printable(first.cluster), p.freeMajor())
	default:
		p.Problems.Add(u.line, path, "%s is the major of team %s in cluster %s (line %d); write another%s",
			MajorString(u.major), message.Printable(first.team), message.Printable(first.cluster), first.line, p.freeMajor())
	}
}

// freeMajor suggests a major above all that are in use, so that those who look for one do not meet.
func (p *parser) freeMajor() string {
	var highest uint16
	use := func(major uint16) { highest = max(highest, major) }
	for _, c := range p.out.clusters {
		for _, u := range c.retired {
			use(u.major)
		}
		for _, t := range c.teams {
			use(t.major)
		}
	}
	if highest >= mostNumber {
		return ""
	}
	return ", such as " + MajorString(highest+1)
}

// checkIDs holds the IDs of a team's apps against its major, the range of apps, and each other. As no two teams share a
// major, that is all that they could collide with.
func (p *parser) checkIDs(t *team) {
	if t.major == 0 {
		return
	}
	retired := make(map[ID]App, len(t.retired))
	for _, app := range t.retired {
		path := t.path() + ".retired." + message.Printable(app.Name)
		if first, twice := retired[app.ID]; twice {
			p.Problems.Add(app.Line, path, "%s is retired on line %d already, as that of %s; keep one", app.ID, first.Line, message.Printable(first.Name))
		} else if err := p.inRange(app.ID, t); err != nil {
			p.Problems.Add(app.Line, path, "%v", err)
		}
		retired[app.ID] = app
	}
	free := sync.OnceValue(func() string { return freeInstead(t) })
	used := make(map[ID]int32, len(t.apps))
	for i := range t.apps {
		app := &t.apps[i]
		if p.Problems.IsFull() {
			return
		}
		path := func() string { return t.path() + ".apps." + message.Printable(app.Name) }
		first, twice := used[app.ID]
		old, reused := retired[app.ID]
		switch err := p.inRange(app.ID, t); {
		case err != nil:
			p.Problems.Add(app.Line, path(), "%v", err)
		case twice:
			p.Problems.Add(app.Line, path(), "%s is the class ID of %s (line %d); %s", app.ID, message.Printable(t.apps[first].Name), t.apps[first].Line, free())
		case reused:
			p.Problems.Add(app.Line, path(), "%s is retired (line %d): it was that of %s, and logs may still have it; %s", app.ID, old.Line, message.Printable(old.Name), free())
		default:
			used[app.ID] = int32(i)
		}
	}
}

func freeInstead(t *team) string {
	if id, free := t.nextFree(); free {
		return "the next free one is " + id.String()
	}
	return "the team has no free one"
}

// inRange says why an app of a team cannot have a class ID.
func (p *parser) inRange(id ID, t *team) error {
	if id.Major() == t.major && leastMinor <= id.Minor() && id.Minor() <= mostNumber {
		return nil
	}
	major := MajorString(t.major)
	switch owner, known := p.majors[id.Major()]; {
	case id.Major() == 0 && leastMinor <= id.Minor() && id.Minor() <= mostNumber:
		return fmt.Errorf("%s has no major, which is the upper half; write the whole class ID, %s", id, makeID(t.major, id.Minor()))
	case id.Special() != "":
		return fmt.Errorf("%s is %s; write one from %s to %s", id, id.Special(), makeID(t.major, leastMinor), makeID(t.major, mostNumber))
	case id.Major() != t.major && known && owner.retired:
		return fmt.Errorf("%s has the major of team %s of the past (line %d), and this team's is %s", id, message.Printable(owner.team), owner.line, major)
	case id.Major() != t.major && known:
		return fmt.Errorf("%s has the major of team %s in cluster %s (line %d), and this team's is %s", id, message.Printable(owner.team), message.Printable(owner.cluster), owner.line, major)
	case id.Major() != t.major:
		return fmt.Errorf("%s does not have the team's major, which is %s", id, major)
	case id.Minor() == defaultMinor:
		return fmt.Errorf("%s is the team's default class, which needs no line; apps have those from %s", id, makeID(t.major, leastMinor))
	}
	return fmt.Errorf("%s is kept for later; apps have those from %s", id, makeID(t.major, leastMinor))
}

// unknown notes a key that is none, and where it belongs if that is known.
func (p *parser) unknown(e rulefile.Entry, known []string) {
	level := strings.Count(e.Path, ".")
	inCluster := strings.HasPrefix(e.Path, "clusters.")
	switch of := func(keys ...string) bool { return slices.Contains(keys, e.Key) }; {
	case !inCluster && of("teams", "identities", "default_team", "retired"):
		p.Note(e, "belongs to a cluster; write it under `clusters` and the cluster's name")
	case inCluster && of("class_ids", "unknown", "principals", "cluster", "version"):
		p.Note(e, "is for the whole file; write it at its top")
	case inCluster && level == 2 && of("major", "apps"):
		p.Note(e, "belongs to a team; write it under `teams` and the team's name")
	case inCluster && of("match", "principals", "roles", "app_ids", "app", "team") && !slices.Contains(known, "match") && !slices.Contains(known, "roles"):
		p.Note(e, "belongs to an entry of `identities` of the cluster: `- {match: {...}, team: NAME}`")
	case inCluster && of("default"):
		p.Note(e, "needs no key: a team's default class is its major with the minor 0x0001")
	default:
		p.Note(e, "is an unknown key%s; known here: %s", p.meant(e.Key, known), strings.Join(known, ", "))
	}
}
