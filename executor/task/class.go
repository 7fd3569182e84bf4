package task

import (
	"slices"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet/classes"
)

// Classes say which class ID a task gets; a [*classes.Registry] does.
type Classes interface {
	// For returns an error, for people, if the task must not run without a class and there is none for it.
	For(classes.Identity) (classes.Class, error)
	Mode() classes.Mode
}

// class gives the plan its class ID, or refuses the task. It is asked about accepted tasks only: what another host, with another
// file, may accept is not a mistake of the task.
func (t *translation) class(plan *Plan) *Refusal {
	if t.in.Classes == nil {
		return nil
	}
	who := t.who()
	class, err := t.in.Classes.For(classes.Identity{Principal: who.Principal, Role: who.Role, Trusted: who.Trusted, AppID: who.AppID})
	if err != nil {
		return NoClass(err)
	}
	plan.Class, plan.ClassPreferred = class, t.in.Classes.Mode() == classes.Preferred
	plan.Notes = append(plan.Notes, classNote(class))
	return nil
}

func classNote(class classes.Class) string {
	if class.ID == 0 {
		return class.Reason
	}
	note := "class ID " + class.ID.String()
	switch {
	case class.Reason != "":
		note += ": " + strings.TrimSuffix(class.Reason, ".")
	case class.App != "":
		note += " of team " + class.Team + ", app " + class.App
	}
	return note
}

// NoClass refuses a task whose class ID cannot be guaranteed.
func NoClass(err error) *Refusal {
	return &Refusal{State: mesos.TASK_FAILED, Reason: mesos.REASON_CONTAINER_LAUNCH_FAILED, Message: "class ID: " + err.Error()}
}

// Untagged is the plan of a task that runs without its class ID, and why.
func (p Plan) Untagged(why error) Plan {
	said := classNote(p.Class)
	p.Class.Reason = "Untagged, without the class ID " + p.Class.ID.String() + ": " + why.Error()
	p.Class.ID, p.Class.Outcome = 0, classes.NoClass
	p.Notes = slices.Clone(p.Notes)
	p.Notes[slices.Index(p.Notes, said)] = p.Class.Reason
	return p
}
