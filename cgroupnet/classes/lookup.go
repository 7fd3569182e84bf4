package classes

import (
	"fmt"
	"slices"
	"strings"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
)

// App is a line `app: id`.
type App struct {
	Name string // an app ID of Marathon, or a name that entries of identities give to tasks
	ID   ID
	Line int
}

// Team is a team in one cluster.
type Team struct {
	Cluster, Name string
	Line          int
	Major         uint16
	Default       ID
	Apps, Retired []App // in the order of their IDs
}

// Teams returns the teams of all clusters in the order of the file. The caller may change what it gets.
func (r *Registry) Teams() []Team {
	var teams []Team
	for _, c := range r.clusters {
		for _, t := range c.teams {
			teams = append(teams, Team{
				Cluster: strings.Clone(c.name), Name: strings.Clone(t.name), Line: t.line, Major: t.major, Default: t.defaultID(),
				Apps: byID(t.apps), Retired: byID(t.retired),
			})
		}
	}
	return teams
}

func byID(apps []App) []App {
	sorted := slices.Clone(apps)
	for i := range sorted {
		sorted[i].Name = strings.Clone(sorted[i].Name)
	}
	slices.SortFunc(sorted, func(a, b App) int { return int(a.ID.Minor()) - int(b.ID.Minor()) })
	return sorted
}

// OwnerKind says what a class ID is to the file.
type OwnerKind string

const (
	// OwnerApp: the class of an app.
	OwnerApp OwnerKind = "app"
	// OwnerDefault: the default class of a team.
	OwnerDefault OwnerKind = "default"
	// OwnerRetired: the class that an app had.
	OwnerRetired OwnerKind = "retired"
	// OwnerRetiredTeam: a class of a team of the past.
	OwnerRetiredTeam OwnerKind = "retired team"
	// OwnerTeam: the class has a team's major, and no app has it.
	OwnerTeam OwnerKind = "team"
	// OwnerNone: no team has the major.
	OwnerNone OwnerKind = "none"
	// OwnerSpecial: 0, or one that tc keeps for itself; see [ID.Special].
	OwnerSpecial OwnerKind = "special"
)

// Owner is the answer to the question whose a class ID is.
type Owner struct {
	ID                 ID
	Kind               OwnerKind
	Cluster, Team, App string // as far as they are known
	Place              string // "classes.yaml:14", "" if no line says it
}

// Lookup says whose a class ID is, in any of the clusters: one seen in a firewall's log, in a packet's mark or in net_cls.classid.
func (r *Registry) Lookup(id ID) Owner {
	o := Owner{ID: id, Kind: OwnerNone}
	if id.Special() != "" {
		o.Kind = OwnerSpecial
		return o
	}
	for _, c := range r.clusters {
		for _, t := range c.teams {
			if t.major == id.Major() {
				o.Cluster, o.Team = strings.Clone(c.name), strings.Clone(t.name)
				r.lookupApp(t, &o)
				return o
			}
		}
		for _, u := range c.retired {
			if u.major == id.Major() {
				return Owner{ID: id, Kind: OwnerRetiredTeam, Cluster: strings.Clone(c.name), Team: strings.Clone(u.team), Place: rulefile.Place(r.name, u.line)}
			}
		}
	}
	return o
}

func (r *Registry) lookupApp(t *team, o *Owner) {
	if o.ID == t.defaultID() {
		o.Kind, o.Place = OwnerDefault, rulefile.Place(r.name, t.majorLine)
		return
	}
	for _, lines := range []struct {
		kind OwnerKind
		apps []App
	}{{OwnerApp, t.apps}, {OwnerRetired, t.retired}} {
		if at := slices.IndexFunc(lines.apps, func(a App) bool { return a.ID == o.ID }); at >= 0 {
			app := lines.apps[at]
			o.Kind, o.App, o.Place = lines.kind, strings.Clone(app.Name), rulefile.Place(r.name, app.Line)
			return
		}
	}
	o.Kind, o.Place = OwnerTeam, rulefile.Place(r.name, t.majorLine)
}

// String says it in one line, with both spellings of the ID.
func (o Owner) String() string {
	name := fmt.Sprintf("%s (tc %s): ", o.ID, o.ID.TC())
	team := "team " + o.Team + " in cluster " + o.Cluster
	where := ""
	if o.Place != "" {
		where = " (" + o.Place + ")"
	}
	switch o.Kind {
	case OwnerApp:
		return name + "app " + o.App + " of " + team + where
	case OwnerDefault:
		return name + "default class of " + team + where
	case OwnerRetired:
		return name + "retired, was app " + message.Printable(o.App) + " of " + team + where
	case OwnerRetiredTeam:
		return name + "retired, was a class of team " + message.Printable(o.Team) + " in cluster " + o.Cluster + where
	case OwnerTeam:
		return name + "given to no app, and of the major of " + team + where
	case OwnerSpecial:
		return name + o.ID.Special()
	}
	return name + "given to nobody"
}
