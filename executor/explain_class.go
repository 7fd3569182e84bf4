package main

import (
	"fmt"
	"strings"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/task"
)

// classShown is the class ID that an accepted task would get.
type classShown struct {
	classes.Class
	TC string `json:"tc"`
	// Preferred: the task runs untagged where the class cannot be given to it.
	Preferred bool `json:"preferred,omitempty"`
}

func newClassShown(plan *task.Plan) *classShown {
	if plan.Class.Outcome == "" { // nobody was asked
		return nil
	}
	return &classShown{plan.Class, plan.Class.ID.TC(), plan.ClassPreferred && plan.Class.ID != 0}
}

func (c *classShown) String() string {
	if c.ID == 0 {
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
	return c != nil && (note == c.Reason || strings.HasPrefix(note, "class ID "+c.ID.String()))
}
