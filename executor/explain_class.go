package main

import (
	"fmt"
	"strings"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/task"
)

// classShown is the class ID that an accepted task would get.
type classShown struct {
	ID      string          `json:"id,omitempty"` // empty: none
	TC      string          `json:"tc,omitempty"`
	Outcome classes.Outcome `json:"outcome"`
	Cluster string          `json:"cluster,omitempty"`
	Team    string          `json:"team,omitempty"`
	App     string          `json:"app,omitempty"`
	Place   string          `json:"place"`            // line of the file that makes it so
	Reason  string          `json:"reason,omitempty"` // why it is none of the task's own
	// Preferred: the task runs untagged where the class cannot be given to it.
	Preferred bool `json:"preferred,omitempty"`
}

func newClassShown(plan *task.Plan) *classShown {
	c := plan.Class
	if c.Outcome == "" { // nobody was asked
		return nil
	}
	shown := &classShown{Outcome: c.Outcome, Cluster: c.Cluster, Team: c.Team, App: c.App, Place: c.Place, Reason: c.Reason}
	if c.ID != 0 {
		shown.ID, shown.TC, shown.Preferred = c.ID.String(), c.ID.TC(), plan.ClassPreferred
	}
	return shown
}

func (c *classShown) String() string {
	if c.ID == "" {
		return "none: " + c.Reason
	}
	whose := "app " + c.App
	if c.Outcome == classes.ByDefault {
		whose = "the default class"
	}
	text := fmt.Sprintf("%s (tc %s), %s of team %s in cluster %s (%s)", c.ID, c.TC, whose, c.Team, c.Cluster, c.Place)
	if c.Preferred {
		text += ", preferred: the task runs untagged where it cannot be given"
	}
	return text + prefixed(": ", c.Reason)
}

// isNote reports whether a note of the plan says what the class's line says.
func (c *classShown) isNote(note string) bool {
	return c != nil && (strings.HasPrefix(note, "class ID "+c.ID) && c.ID != "" || c.ID == "" && note == c.Reason)
}
