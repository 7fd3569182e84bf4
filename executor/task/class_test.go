package task

import (
	"errors"
	"slices"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/security"
)

const classFile = `version: 1
principals:
  marathon: {app_id_trusted: true}
clusters:
  gra1:
    teams:
      web:
        major: 0x0010
        apps:
          /web/shop: 0x00100101
    identities:
      - {match: {principals: [marathon], app_ids: ["/web/**"]}, team: web}
`

func registry(t *testing.T, more string) *classes.Registry {
	t.Helper()
	r, err := classes.Parse("classes.yaml", []byte(classFile+more))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// marathonTask is a task of an app, of which the agent vouches for the principal.
func marathonTask(t *testing.T, app string, r Classes) ([]byte, Inputs) {
	raw := helloTask(t, func(task *mesos.TaskInfo) {
		task.TaskID.Value = app + ".instance-0b8d3f6e-3c1c-11ec-8a6d-0242ac120002._app.1"
	})
	in := testInputs()
	in.Principal, in.Trusted, in.Classes = "marathon", true, r
	return raw, in
}

func TestATaskHasTheClassOfItsIdentity(t *testing.T) {
	raw, in := marathonTask(t, "web_shop", registry(t, ""))
	plan := accepted(t, raw, in)
	if plan.Class.ID != 0x00100101 || plan.Class.Team != "web" || plan.Class.App != "/web/shop" || plan.ClassPreferred {
		t.Errorf("%+v", plan.Class)
	}
	if notes := strings.Join(plan.Notes, "; "); !strings.HasSuffix(notes, "; class ID 0x00100101 of team web, app /web/shop") {
		t.Error(notes)
	}
	in.Trusted = false
	if d := Decide(raw, in, security.BuiltIn()); d.Refusal == nil {
		t.Errorf("a class by an identity that nobody vouches for: %+v", d.Plan.Class)
	}
}

func TestATaskWithoutALineIsRefusedAndMayBeTakenElsewhere(t *testing.T) {
	raw, in := marathonTask(t, "web_new", registry(t, ""))
	d := Decide(raw, in, security.BuiltIn())
	if d.Plan != nil || d.Refusal == nil || d.Refusal.State != mesos.TASK_FAILED || d.Refusal.Reason != mesos.REASON_CONTAINER_LAUNCH_FAILED {
		t.Fatalf("%+v", d.Refusal)
	}
	for _, part := range []string{"class ID: ", "/web/new: 0x00100102", "classes.yaml:9"} {
		if !strings.Contains(d.Refusal.Message, part) {
			t.Errorf("no %s in: %s", part, d.Refusal.Message)
		}
	}
}

// TestThePolicysRefusalComesFirst: it is final, whereas another host may have the class.
func TestThePolicysRefusalComesFirst(t *testing.T) {
	raw := helloTask(t, func(task *mesos.TaskInfo) { docker(task).Privileged = ptr(true) })
	in := testInputs()
	in.Classes = registry(t, "")
	refused(t, raw, in, mesos.REASON_TASK_UNAUTHORIZED, "privileged")
}

func TestATaskMayRunWithoutAClassWhereTheFileSaysSo(t *testing.T) {
	for name, test := range map[string]struct {
		classes Classes
		note    string
	}{
		"nothing is known of class IDs": {nil, ""},
		"no file":                       {classes.None("/etc/mesos-docker-executor/classes.yaml"), "Class IDs are off: there is no /etc/mesos-docker-executor/classes.yaml."},
		"off":                           {registry(t, "class_ids: off\n"), "Class IDs are off (classes.yaml:13)."},
		"untagged":                      {registry(t, "class_ids: preferred\nunknown: untagged\n"), "Untagged: "},
	} {
		raw, in := marathonTask(t, "web_new", test.classes)
		plan := accepted(t, raw, in)
		if last := plan.Notes[len(plan.Notes)-1]; plan.Class.ID != 0 || test.note != "" && !strings.HasPrefix(last, test.note) {
			t.Errorf("%s: %+v, %s", name, plan.Class, last)
		}
	}
}

func TestAnUntaggedPlanSaysWhatItLost(t *testing.T) {
	raw, in := marathonTask(t, "web_shop", registry(t, "class_ids: preferred\n"))
	plan := accepted(t, raw, in)
	before := slices.Clone(plan.Notes)
	untagged := plan.Untagged(errors.New("net_cls is not mounted"))
	if !plan.ClassPreferred || plan.Class.ID == 0 || !slices.Equal(plan.Notes, before) {
		t.Errorf("the plan itself has changed: %+v", plan.Class)
	}
	const said = "Untagged, without the class ID 0x00100101: net_cls is not mounted"
	if last := untagged.Notes[len(before)-1]; untagged.Class.ID != 0 || untagged.Class.Reason != said || last != said {
		t.Errorf("%+v, %s", untagged.Class, last)
	}
}
