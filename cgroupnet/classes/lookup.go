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
	Name string `json:"app"` // an app ID of Marathon, or a name that entries of identities give to tasks; of the past, any text
	ID   ID     `json:"id"`
	Line int    `json:"line"`
}

// Team is a team in one cluster.
type Team struct {
	Cluster string `json:"cluster"`
	Name    string `json:"team"`
	Line    int    `json:"line"`
	Major   uint16 `json:"-"`       // see [MajorString]
	Default ID     `json:"default"` // the default class
	Apps    []App  `json:"apps"`    // in the order of their IDs, as Retired
	Retired []App  `json:"retired"`
}

// RetiredTeam is a line `team: major` of a cluster's retired.
type RetiredTeam struct {
	Cluster string `json:"cluster"`
	Name    string `json:"team"` // any text
	Line    int    `json:"line"`
	Major   uint16 `json:"-"`
}

// Teams returns the teams of all clusters in the order of the file; those of the hosts with this file are in [Registry.Cluster]. The
// caller may change what it gets.
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

// RetiredTeams returns the teams of the past of all clusters, in the order of the file.
func (r *Registry) RetiredTeams() []RetiredTeam {
	var teams []RetiredTeam
	for _, c := range r.clusters {
		for _, u := range c.retired {
			teams = append(teams, RetiredTeam{Cluster: strings.Clone(c.name), Name: strings.Clone(u.team), Line: u.line, Major: u.major})
		}
	}
	return teams
}

// Classes returns the owner of every class that the file names, in the order of its lines: of all clusters, with the default classes and
// those that are retired. So it is the list of what [Registry.Lookup] finds, but for the classes of majors, which are too many.
func (r *Registry) Classes() []Owner {
	var all []Owner
	for _, c := range r.clusters {
		for _, t := range c.teams {
			all = append(all, r.owner(t, OwnerDefault, App{ID: t.defaultID(), Line: t.majorLine}))
			for _, app := range t.apps {
				all = append(all, r.owner(t, OwnerApp, app))
			}
			for _, app := range t.retired {
				all = append(all, r.owner(t, OwnerRetired, app))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Owner) int { return a.Line - b.Line })
	return all
}

// owner keeps nothing of the registry in memory.
func (r *Registry) owner(t *team, kind OwnerKind, app App) Owner {
	return Owner{
		ID: app.ID, Kind: kind, Cluster: strings.Clone(t.cluster), Team: strings.Clone(t.name), App: strings.Clone(app.Name),
		Line: app.Line, Place: rulefile.Place(r.name, app.Line),
	}
}

func byID(apps []App) []App {
	sorted := make([]App, len(apps))
	for i, app := range apps {
		sorted[i] = App{Name: strings.Clone(app.Name), ID: app.ID, Line: app.Line}
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
	ID   ID        `json:"id"`
	Kind OwnerKind `json:"kind"`
	// Cluster, Team and App are there as far as they are known. Those of the past can be any text.
	Cluster string `json:"cluster,omitempty"`
	Team    string `json:"team,omitempty"`
	App     string `json:"app,omitempty"`
	// Line is the one that says it, and Place names it with its file, "classes.yaml:14"; 0 and "" if there is none.
	Line  int    `json:"line,omitempty"`
	Place string `json:"place,omitempty"`
}

// Name is short for whose the class is: "gra1/web:/web/shop", "gra1/web:kafka", or "gra1/web" where it is known to be of no app. It is ""
// if the class is nobody's. What a name says of the past is printable, too.
func (o Owner) Name() string { return ownerName(o.Cluster, o.Team, o.App) }

// ownerName needs no quotes: neither clusters nor teams have a slash or a colon in their names.
func ownerName(cluster, team, app string) string {
	name := cluster + "/" + message.Printable(team)
	switch {
	case team == "":
		return ""
	case app == "":
		return name
	}
	return name + ":" + message.Printable(app)
}

// Lookup says whose a class ID is, in any of the clusters: one seen in a firewall's log, in a packet's mark or in net_cls.classid.
func (r *Registry) Lookup(id ID) Owner {
	if id.Special() != "" {
		return Owner{ID: id, Kind: OwnerSpecial}
	}
	for _, c := range r.clusters {
		for _, t := range c.teams {
			if t.major == id.Major() {
				return r.lookupApp(t, id)
			}
		}
		for _, u := range c.retired {
			if u.major == id.Major() {
				return r.owner(&team{cluster: c.name, name: u.team}, OwnerRetiredTeam, App{ID: id, Line: u.line})
			}
		}
	}
	return Owner{ID: id, Kind: OwnerNone}
}

func (r *Registry) lookupApp(t *team, id ID) Owner {
	if id == t.defaultID() {
		return r.owner(t, OwnerDefault, App{ID: id, Line: t.majorLine})
	}
	has := func(a App) bool { return a.ID == id }
	if at := slices.IndexFunc(t.apps, has); at >= 0 {
		return r.owner(t, OwnerApp, t.apps[at])
	}
	if at := slices.IndexFunc(t.retired, has); at >= 0 {
		return r.owner(t, OwnerRetired, t.retired[at])
	}
	return r.owner(t, OwnerTeam, App{ID: id, Line: t.majorLine})
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
