package classes

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
)

// Line is a line to add to the file.
type Line struct {
	ID    ID     `json:"id"`
	Text  string `json:"text"`  // "/web/shop: 0x00100104", without the blanks in front
	Key   string `json:"key"`   // that it belongs under: "clusters.gra1.teams.web.apps"
	After int    `json:"after"` // the line of the team's app with the highest ID, or that of `apps` or the team if it has none
}

// NotFreeError says that there is no line to add for an app: it has one, or its team has no class ID left.
type NotFreeError struct {
	Text string // which of the two, and what to do
}

func (e *NotFreeError) Error() string { return e.Text }

// NextFree returns the line that gives an app of a team its class. A team is named as in the host's own cluster, or with its cluster:
// "gra1/web". It is the ID above all that the team's apps have or had, so that one whose line was removed instead of retired is
// not taken again; only when there is none above, the lowest that is free. Nothing is reserved: the ID is the app's once
// the line is in the file. The error is a [*NotFreeError], unless there is no such team, or an app cannot have that name.
func (r *Registry) NextFree(team, app string) (Line, error) {
	t, err := r.findTeam(team)
	if err != nil {
		return Line{}, err
	}
	return r.nextLine(t, app)
}

func (r *Registry) nextLine(t *team, app string) (Line, error) {
	if err := checkAppName(app); err != nil {
		return Line{}, fmt.Errorf("app %w", err)
	}
	if own := t.app(app); own != nil {
		return Line{}, &NotFreeError{fmt.Sprintf("app %s of team %s has the class ID %s already (%s)", app, t.name, own.ID, rulefile.Place(r.name, own.Line))}
	}
	id, free := t.nextFree()
	if !free {
		return Line{}, &NotFreeError{fmt.Sprintf("team %s has no free class ID: give it a second team with a major of its own", t.name)}
	}
	line := Line{ID: id, Text: app + ": " + id.String(), Key: t.path() + ".apps", After: t.appsLine}
	var highest ID
	for _, a := range t.apps {
		if a.ID > highest {
			highest, line.After = a.ID, a.Line
		}
	}
	return line, nil
}

// nextFree returns the ID for the team's next app.
func (t *team) nextFree() (ID, bool) {
	highest := makeID(t.major, leastMinor-1)
	used := make(map[ID]bool, len(t.apps)+len(t.retired))
	for _, apps := range [][]App{t.apps, t.retired} {
		for _, a := range apps {
			if a.ID.Major() == t.major { // while reading, it may be another
				used[a.ID] = true
				if a.ID.Minor() <= mostNumber {
					highest = max(highest, a.ID)
				}
			}
		}
	}
	if highest.Minor() < mostNumber {
		return highest + 1, true
	}
	for minor := leastMinor; minor <= mostNumber; minor++ {
		if id := makeID(t.major, uint16(minor)); !used[id] {
			return id, true
		}
	}
	return 0, false
}

func (r *Registry) findTeam(name string) (*team, error) {
	clusters := r.clusters
	if in, of, qualified := strings.Cut(name, "/"); qualified {
		at := slices.IndexFunc(r.clusters, func(c *cluster) bool { return c.name == in })
		if at < 0 {
			return nil, fmt.Errorf("there is no cluster %s in %s", message.Quote(in), r.name)
		}
		clusters, name = clusters[at:at+1], of
	} else if r.own != nil {
		clusters = []*cluster{r.own}
	}
	var names []string
	for _, c := range clusters {
		for _, t := range c.teams {
			if t.name == name {
				return t, nil
			}
		}
		names = append(names, c.teamNames()...)
	}
	if len(clusters) == 0 {
		return nil, errors.New(r.name + " has no teams")
	}
	return nil, fmt.Errorf("there is no team %s in cluster %s%s; known are %s", message.Quote(name), clusters[0].name, message.Meant(name, names), message.Listed(names))
}
