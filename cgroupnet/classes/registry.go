package classes

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
)

// Mode says whether tasks have to have a class ID.
type Mode string

const (
	// Required: a task that cannot have its class does not run. It holds when the file says nothing.
	Required Mode = "required"
	// Preferred: a task whose class cannot be given to it runs untagged, and its framework is told. One that the file refuses
	// a class does not run.
	Preferred Mode = "preferred"
	// Off: no task has a class. The file is read and checked all the same.
	Off Mode = "off"
)

// Unknown says what becomes of a task that has no line in the file: no entry matches it, or its team has no such app.
type Unknown string

const (
	// Deny refuses it. It holds when the file says nothing.
	Deny Unknown = "deny"
	// Default gives it the default class of its team, or of the cluster's default_team. A task without a team is refused where
	// there is none.
	Default Unknown = "default"
	// Untagged lets it run without a class; [Mode] is Preferred then.
	Untagged Unknown = "untagged"
)

// Registry is a classes.yaml, or what holds where there is no file. It is immutable.
type Registry struct {
	name         string
	digest       string
	missing      string // path at which there is no file
	mode         Mode
	modeLine     int
	unknown      Unknown
	unknownLine  int
	appIDTrusted map[string]bool // principals
	clusters     []*cluster
	own          *cluster // of this host; nil if the file has none
}

type cluster struct {
	name        string
	line        int
	teams       []*team
	identities  []identity
	entriesLine int // of the key identities, or that of the cluster
	defaultTeam *team
	retired     []use // majors of teams of the past
}

type team struct {
	cluster, name string
	line          int
	major         uint16 // 0 while reading, if it is wrong
	majorLine     int
	appsLine      int // of the key apps, or that of the team
	apps, retired []App
}

// use is who has a major, or had it.
type use struct {
	major         uint16
	cluster, team string
	line          int
	retired       bool
}

// identity is an entry of identities.
type identity struct {
	match rulefile.Match
	line  int
	team  *team
	app   *App // nil: by the task's app ID
}

// None returns the registry that holds where there is no file at a path: class IDs are off.
func None(path string) *Registry {
	return &Registry{name: baseName(path), missing: path, mode: Off, unknown: Deny}
}

func baseName(name string) string {
	if base := path.Base(name); base != "." && base != "/" {
		return base
	}
	return "classes.yaml"
}

// Name is what messages call the file: the last element of its path.
func (r *Registry) Name() string { return r.name }

// Digest is 64 hexadecimal digits: the SHA-256 of the file, as sha256sum(1) prints it; "" if there is no file.
func (r *Registry) Digest() string { return r.digest }

// Mode says whether tasks have to have a class ID.
func (r *Registry) Mode() Mode { return r.mode }

// Unknown says what becomes of tasks without a line.
func (r *Registry) Unknown() Unknown { return r.unknown }

// Cluster is the name of the cluster that the host is in, "" if there is no file or it has no cluster.
func (r *Registry) Cluster() string {
	if r.own == nil {
		return ""
	}
	return strings.Clone(r.own.name)
}

// UsesIdentity reports whether any class goes by principal, role or app ID, so that it matters whether they are known.
func (r *Registry) UsesIdentity() bool {
	return r.mode != Off && r.own != nil && len(r.own.identities) > 0
}

// Summary returns sentences for the log of each task about what is no error, but may surprise: class IDs that are off or not required, and
// tasks that run untagged or are all refused.
func (r *Registry) Summary() []string {
	if r.missing != "" {
		return []string{"Class IDs are off: there is no " + r.missing + "."}
	}
	var notes notes
	switch r.mode {
	case Off:
		notes.add(r.name, r.modeLine, "class IDs are off.")
	case Preferred:
		notes.add(r.name, r.modeLine, "class IDs are preferred: a task whose class cannot be given to it runs untagged.")
	}
	switch {
	case r.unknown == Untagged:
		notes.add(r.name, r.unknownLine, "tasks without a line in the file run untagged.")
	case r.unknown == Default && r.own != nil && r.own.defaultTeam == nil:
		notes.add(r.name, r.unknownLine, "tasks of no team are refused, since cluster %s has no default_team.", r.own.name)
	}
	if r.own != nil && len(r.own.identities) == 0 && r.mode != Off {
		notes.add(r.name, r.own.entriesLine, "cluster %s has no identities, so that every task is of no team.", r.own.name)
	}
	return notes
}

// Notes returns [Registry.Summary], and for those who write the file also the lines by which no task can get a class, in any cluster.
func (r *Registry) Notes() []string {
	notes := notes(r.Summary())
	for _, c := range r.clusters {
		r.noteUnreached(c, &notes)
		entries := map[*team][]identity{}
		for _, i := range c.identities {
			entries[i.team] = append(entries[i.team], i)
		}
		for _, t := range c.teams {
			r.noteUnused(t, entries[t], c.defaultTeam == t, &notes)
		}
	}
	return notes
}

type notes []string

func (n *notes) add(name string, line int, format string, args ...any) {
	*n = append(*n, rulefile.Place(name, line)+": "+fmt.Sprintf(format, args...))
}

// comparedEntries is the number of entries of identities beyond which they are not compared with each other and with all apps.
const comparedEntries = 500

// noteUnreached notes entries that are never the first to match.
func (r *Registry) noteUnreached(c *cluster, notes *notes) {
	entries := c.identities[:min(comparedEntries, len(c.identities))]
	for i, entry := range entries {
		if by := slices.IndexFunc(entries[:i], func(earlier identity) bool { return earlier.match.CoversAll(entry.match) }); by >= 0 {
			notes.add(r.name, entry.line, "the entry of identities (%s) is never reached: the first match wins, and the one on line %d (%s) matches all of it.",
				entry.match, entries[by].line, entries[by].match)
		}
	}
}

// noteUnused notes a team or apps that no task can be known to be of. entries are those of the team.
func (r *Registry) noteUnused(t *team, entries []identity, isDefault bool, notes *notes) {
	if len(entries) == 0 && !isDefault {
		notes.add(r.name, t.line, "team %s in cluster %s is in no entry of identities, so no task gets a class of it.", t.name, t.cluster)
		return
	}
	named, byAppID := map[string]bool{}, []rulefile.Match(nil)
	for _, i := range entries {
		if i.app != nil {
			named[i.app.Name] = true
		} else if len(r.appIDTrusted) > 0 {
			byAppID = append(byAppID, i.match)
		}
	}
	if len(byAppID) > comparedEntries {
		return
	}
	reached := func(m rulefile.Match, app string) bool {
		return len(m.AppIDs) == 0 || rulefile.MatchesAny(m.AppIDs, app)
	}
	var unused []string
	first := 0
	for _, app := range t.apps {
		if !named[app.Name] && !(isAppID(app.Name) && slices.ContainsFunc(byAppID, func(m rulefile.Match) bool { return reached(m, app.Name) })) {
			if unused = append(unused, app.Name); first == 0 {
				first = app.Line
			}
		}
	}
	if len(unused) > 0 {
		notes.add(r.name, first, "no entry of identities gives a task of team %s in cluster %s the class of %s.", t.name, t.cluster, message.Listed(unused))
	}
}
