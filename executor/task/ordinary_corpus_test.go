package task

import (
	"testing"

	"mesos-docker-executor/security"
)

// TestOrdinaryTasksRunAsWritten: the built-in policy takes nothing from tasks as platforms make them, in neither launch mode. What
// it forces on every container is no finding against one.
func TestOrdinaryTasksRunAsWritten(t *testing.T) {
	for _, name := range fixtureNames(t, "ordinary") {
		for _, mode := range []Mode{DropIn, Custom} {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				raw, in := inMode(t, mode, fixtureTask(t, name))
				d := Decide(raw, in, security.BuiltIn())
				showsNoSecret(t, d)
				if d.Plan == nil {
					t.Fatalf("the task was refused: %+v", d.Refusal)
				}
				for _, f := range d.Findings {
					if f.Action != security.Allow && f.Action != security.Force {
						t.Errorf("%+v", f)
					}
				}
				if problem := escapes(d.Plan.Spec, in); problem != "" {
					t.Error(problem)
				}
			})
		}
	}
}
