package task

import (
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

func TestAppIDIsThatOfMarathonsTaskID(t *testing.T) {
	const id, other = "0b8d3f6e-3c1c-11ec-8a6d-0242ac120002", "11111111-2222-3333-4444-555555555555"
	for taskID, want := range map[string]string{
		"web_shop." + id:                                 "/web/shop",
		"web_shop.marathon-" + id:                        "/web/shop",
		"web_shop.instance-" + id + "._app.12":           "/web/shop",
		"web_v1.2.instance-" + id + "._app.1":            "/web/v1.2",
		"pod.instance-" + id + ".box.2":                  "/pod",
		"web." + other + "_x.instance-" + id + "._app.1": "/web." + other + "/x",
		"web.front.1":                                    "",
		"WEB." + id:                                      "",
		"." + id:                                         "",
		id:                                               "",
		"":                                               "",
	} {
		if got := MarathonAppID(taskID); got != want {
			t.Errorf("%s: app ID %q, not %q", taskID, got, want)
		}
	}
}

// TestATaskPicksOneProfile: of two, none is meant more.
func TestATaskPicksOneProfile(t *testing.T) {
	labelled := func(profiles ...string) []byte {
		return helloTask(t, func(task *mesos.TaskInfo) {
			task.Labels = &mesos.Labels{}
			for _, profile := range profiles {
				task.Labels.Labels = append(task.Labels.Labels, mesos.Label{Key: security.ProfileLabel, Value: &profile}, mesos.Label{Key: "other"})
			}
		})
	}
	refused(t, labelled("a", "a", "b"), testInputs(), mesos.REASON_TASK_INVALID, labelField, `"a"`, `"b"`, "one profile")
	var asked []string
	policies := policiesFunc(func(id security.Identity) (security.Policy, error) {
		asked = append(asked, id.Profile)
		return security.BuiltIn(), nil
	})
	Decide(labelled("a", "a"), testInputs(), policies)
	Decide(labelled(), testInputs(), policies)
	if len(asked) != 2 || asked[0] != "a" || asked[1] != "" {
		t.Errorf("%q", asked)
	}
}

// TestARefusedProfileHasItsPlace: the policy can offer it. What else is refused is said as well.
func TestARefusedProfileHasItsPlace(t *testing.T) {
	raw := helloTask(t, func(task *mesos.TaskInfo) {
		task.Labels = &mesos.Labels{Labels: []mesos.Label{{Key: security.ProfileLabel, Value: ptr("a")}}}
		docker(task).Privileged = ptr(true)
	})
	d := Decide(raw, testInputs(), policiesFunc(func(id security.Identity) (security.Policy, error) {
		if id.Profile == "" {
			return security.BuiltIn(), nil
		}
		return security.Policy{}, &security.ProfileError{Place: "policy.yaml:7", Message: "Profile \"a\" is refused."}
	}))
	if d.Refusal == nil || d.Refusal.Reason != mesos.REASON_TASK_UNAUTHORIZED || !strings.Contains(d.Refusal.Message, `Profile "a" is refused. [rule profile; policy.yaml:7]`) ||
		!strings.Contains(d.Refusal.Message, "[rule privileged; fixed]") {
		t.Errorf("%+v", d.Refusal)
	}
}

type policiesFunc func(security.Identity) (security.Policy, error)

func (f policiesFunc) For(id security.Identity) (security.Policy, error) { return f(id) }
