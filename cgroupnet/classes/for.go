package classes

import (
	"fmt"
	"slices"
	"strings"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
)

// Identity is what classes go by, because the cluster vouches for it and not the task's author. The fields mean what those of the
// same names in policies do.
type Identity struct {
	// Principal is FrameworkInfo.principal of the event SUBSCRIBED. It is "" if there is none.
	Principal string
	// Role is the one allocation_info.role of the task's resources.
	Role string
	// Trusted says that Principal and Role come from the agent that started the executor. If not, no entry matches.
	Trusted bool
	// AppID is Marathon's app ID ("/web/shop"), or "". It counts only for principals that the file trusts with it, since the
	// author of an app chooses it.
	AppID string
}

// String names what an identity has, for messages.
func (id Identity) String() string {
	if !id.Trusted {
		return "a task whose principal and role nobody vouches for"
	}
	var parts []string
	for _, part := range []struct{ name, value string }{{"principal", id.Principal}, {"role", id.Role}, {"app ID", id.AppID}} {
		if part.value != "" {
			parts = append(parts, part.name+" "+message.Quote(part.value))
		}
	}
	if len(parts) == 0 {
		return "a task without principal and role"
	}
	return strings.Join(parts, ", ")
}

// Outcome is how a task came to its class.
type Outcome string

const (
	// Known: the app has a line in the file.
	Known Outcome = "known"
	// ByDefault: it has none, and gets the default class of a team.
	ByDefault Outcome = "default"
	// NoClass: the task is untagged, [Class.ID] is 0.
	NoClass Outcome = "untagged"
)

// Class is what a task gets.
type Class struct {
	ID      ID      `json:"id"`
	Outcome Outcome `json:"outcome"`
	// Cluster, Team and App say whose class it is. App is "" but for known ones; all are "" for a task without a class.
	Cluster string `json:"cluster,omitempty"`
	Team    string `json:"team,omitempty"`
	App     string `json:"app,omitempty"`
	// Place is the line that made it so: "classes.yaml:14".
	Place string `json:"place"`
	// Reason is a sentence that says why the task has no class of its own, "" for known ones.
	Reason string `json:"reason,omitempty"`
}

// Name is short for whose the class is, as [Owner.Name].
func (c Class) Name() string { return ownerName(c.Cluster, c.Team, c.App) }

// String is for logs: "0x00100101 gra1/web:/web/shop", or "untagged".
func (c Class) String() string {
	if c.ID == 0 {
		return string(NoClass)
	}
	return c.ID.String() + " " + c.Name()
}

// DeniedError says that the file refuses a task a class. Class IDs being required or preferred makes no difference to it. No container is
// made then, and the framework gets TASK_FAILED with REASON_CONTAINER_LAUNCH_FAILED and this text: another host's file may have the
// line, so that it is worth to try again, which TASK_ERROR would forbid.
type DeniedError struct {
	// Team is the task's team, "" if no entry matches it.
	Team string
	// Reason says what the file lacks, and by what of its identity the task was looked for.
	Reason string
	// Remedy says what to add to the file, and where: with the number of a line.
	Remedy string
}

// Error is for the task's author and for the network team, and completes "class ID: ".
func (e *DeniedError) Error() string {
	return e.Reason + "; " + e.Remedy + "."
}

// For returns the class for a task of this identity. The error is a [*DeniedError]. While class IDs are off, every task is untagged.
func (r *Registry) For(id Identity) (Class, error) {
	if r.mode == Off || r.own == nil {
		return r.off(), nil
	}
	at := slices.IndexFunc(r.own.identities, func(i identity) bool { return i.match.Covers(rulefile.Identity(id), r.appIDTrusted) })
	if at < 0 {
		return r.unknownTeam(id)
	}
	entry := r.own.identities[at]
	app := entry.app
	// An app that has a name instead of an app ID is given by entries alone.
	if app == nil && isAppID(id.AppID) && r.appIDTrusted[id.Principal] {
		app = entry.team.app(id.AppID)
	}
	if app == nil {
		return r.unknownApp(id, entry)
	}
	return r.class(Known, app.ID, entry.team, app.Name, app.Line, ""), nil
}

// class makes a Class that keeps nothing of the registry in memory.
func (r *Registry) class(outcome Outcome, id ID, t *team, app string, line int, reason string) Class {
	return Class{
		ID: id, Outcome: outcome, Cluster: strings.Clone(t.cluster), Team: strings.Clone(t.name), App: strings.Clone(app),
		Place: rulefile.Place(r.name, line), Reason: reason,
	}
}

func (r *Registry) off() Class {
	if r.missing != "" {
		return Class{Outcome: NoClass, Place: r.missing, Reason: "Class IDs are off: there is no " + r.missing + "."}
	}
	return Class{Outcome: NoClass, Place: rulefile.Place(r.name, r.modeLine), Reason: "Class IDs are off (" + rulefile.Place(r.name, r.modeLine) + ")."}
}

func (r *Registry) untagged(reason string) Class {
	return Class{Outcome: NoClass, Place: rulefile.Place(r.name, r.unknownLine), Reason: "Untagged: " + reason + "."}
}

// unknownTeam decides about a task that no entry matches.
func (r *Registry) unknownTeam(id Identity) (Class, error) {
	reason := "no entry of identities matches " + id.String()
	switch {
	case r.unknown == Untagged:
		return r.untagged(reason), nil
	case r.unknown == Default && r.own.defaultTeam != nil:
		t := r.own.defaultTeam
		return r.class(ByDefault, t.defaultID(), t, "", r.unknownLine, "Default class of team "+t.name+": "+reason+"."), nil
	}
	keys := rulefile.Place(r.name, r.own.entriesLine) + ", clusters." + r.own.name + ".identities"
	d := &DeniedError{Reason: reason}
	switch {
	case !id.Trusted:
		d.Remedy = "start the executor by an agent that vouches for them, or write `unknown: default` and a default_team for such tasks (" + keys + ")"
	case isAppID(id.AppID) && checkAppName(id.AppID) == nil && r.appIDTrusted[id.Principal]:
		d.Remedy = fmt.Sprintf("the network team adds an entry such as `- {match: {principals: [%s], app_ids: [%s]}, team: TEAM}` (%s)", inYAML(id.Principal), inYAML(id.AppID), keys)
	case isNoPattern(id.Role):
		d.Remedy = fmt.Sprintf("the network team adds an entry such as `- {match: {roles: [%s]}, team: TEAM, app: APP}` (%s)", inYAML(id.Role), keys)
	case isNoPattern(id.Principal):
		d.Remedy = fmt.Sprintf("the network team adds an entry such as `- {match: {principals: [%s]}, team: TEAM, app: APP}` (%s)", inYAML(id.Principal), keys)
	default:
		d.Remedy = "give the framework a principal or a role, and have the network team add an entry for it (" + keys + ")"
	}
	return Class{}, d
}

// isNoPattern reports whether a text stands for itself in a list of patterns: whoever calls himself "*" must not be advised to be let in
// by that.
func isNoPattern(s string) bool { return s != "" && !strings.Contains(s, "*") }

// inYAML writes a text for a list of patterns: in quotes, unless it is a word that cannot be anything else.
func inYAML(s string) string {
	word := checkName(s) == nil && 'a' <= s[0] && s[0] <= 'z' && s != "true" && s != "false"
	if word || isAppID(s) && checkAppName(s) == nil {
		return s
	}
	return message.Quote(s)
}

// unknownApp decides about a task whose team is known.
func (r *Registry) unknownApp(id Identity, entry identity) (Class, error) {
	t := entry.team
	believed := r.appIDTrusted[id.Principal]
	reason := "team " + t.name + " has no app " + message.Quote(id.AppID)
	switch {
	case id.AppID == "":
		reason = "nothing says which app of team " + t.name + " the task is of"
	case !believed:
		reason += " by an identity that is believed: app IDs of principal " + message.Quote(id.Principal) + " can be anybody's"
	default:
		if at := slices.IndexFunc(t.retired, func(a App) bool { return a.Name == id.AppID }); at >= 0 {
			reason += " any more (it is retired, " + rulefile.Place(r.name, t.retired[at].Line) + ")"
		}
	}
	switch r.unknown {
	case Untagged:
		return r.untagged(reason), nil
	case Default:
		return r.class(ByDefault, t.defaultID(), t, "", r.unknownLine, "Default class of team "+t.name+": "+reason+"."), nil
	}
	d := &DeniedError{Team: strings.Clone(t.name), Reason: reason}
	d.Remedy = "the network team adds `app: APP` to the entry of identities that matches " + id.String() + " (" + rulefile.Place(r.name, entry.line) + ")"
	if believed && isAppID(id.AppID) {
		if line, err := r.nextLine(t, id.AppID); err == nil {
			d.Remedy = "the network team adds the line `" + line.Text + "` (" + rulefile.Place(r.name, t.appsLine) + ", " + line.Key + ")"
		} else {
			d.Remedy = err.Error() + " (" + rulefile.Place(r.name, t.line) + ")"
		}
	}
	return Class{}, d
}

// app returns the team's app of a name, nil if it has none.
func (t *team) app(name string) *App {
	if at := slices.IndexFunc(t.apps, func(a App) bool { return a.Name == name }); at >= 0 {
		return &t.apps[at]
	}
	return nil
}

// defaultID is the team's default class.
func (t *team) defaultID() ID { return makeID(t.major, defaultMinor) }
