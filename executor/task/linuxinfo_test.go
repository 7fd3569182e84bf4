package task

import (
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// TestCapabilitiesOfAllFieldsTogether: the effective ones take the place of the policy's base, the bounding ones cap what the
// container has by default, and parameters add and drop; what they contradict is refused.
func TestCapabilitiesOfAllFieldsTogether(t *testing.T) {
	rules := security.BuiltInRules()
	rules.Capabilities = security.CapabilityRules{
		Base:  []string{"CAP_CHOWN", "CAP_KILL", "CAP_SETUID"},
		Allow: []string{"CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SETUID"},
	}
	named := func(names string) *mesos.CapabilityInfo {
		if names == "" {
			return nil
		}
		info := &mesos.CapabilityInfo{}
		for _, name := range strings.Fields(names) {
			if name != "none" {
				info.Capabilities = append(info.Capabilities, mesos.CapabilityInfo_Capability(mesos.CapabilityInfo_Capability_value[name]))
			}
		}
		return info
	}
	const refused = "refused"
	tests := []struct {
		effective, bounding, former string // "none" is a list without a name
		parameters                  []string
		want                        string // what the container has, without CAP_
		trimmed                     string
	}{
		{want: "CHOWN KILL SETUID"},
		{effective: "KILL", want: "KILL"},
		{former: "KILL", want: "KILL"},
		{effective: "KILL", former: "KILL", want: refused},
		{effective: "none", former: "KILL", want: refused},
		{effective: "none"},
		{former: "none"},
		{effective: "NET_RAW KILL", want: "KILL NET_RAW"},
		{effective: "NET_ADMIN KILL NET_ADMIN", want: "KILL", trimmed: "CAP_NET_ADMIN"},
		{former: "NET_ADMIN KILL", want: "KILL", trimmed: "CAP_NET_ADMIN"},

		{bounding: "KILL", want: "KILL"},
		{bounding: "none"},
		{bounding: "KILL NET_RAW", want: "KILL"},   // NET_RAW is not one of those that the container has by default
		{bounding: "KILL SYS_ADMIN", want: "KILL"}, // nor is this
		{bounding: "SYS_ADMIN"},
		{bounding: "KILL CHOWN", effective: "KILL", want: "KILL"},
		{bounding: "KILL CHOWN", former: "CHOWN", want: "CHOWN"},
		{bounding: "KILL", effective: "KILL CHOWN", want: refused},
		{bounding: "KILL", former: "CHOWN", want: refused},
		{bounding: "none", effective: "KILL", want: refused},
		{bounding: "KILL CHOWN", effective: "none"},
		{bounding: "NET_ADMIN KILL", effective: "NET_ADMIN KILL", want: "KILL", trimmed: "CAP_NET_ADMIN"},

		{effective: "KILL", parameters: []string{"cap-add net_raw"}, want: "KILL NET_RAW"},
		{effective: "KILL", parameters: []string{"cap-add CAP_KILL"}, want: "KILL"},
		{effective: "KILL", parameters: []string{"cap-add ALL"}, want: "CHOWN KILL NET_RAW SETUID", trimmed: "ALL"},
		{effective: "KILL", parameters: []string{"cap-add SYS_ADMIN"}, want: "KILL", trimmed: "CAP_SYS_ADMIN"},
		{effective: "KILL", parameters: []string{"cap-drop CHOWN"}, want: "KILL"},
		{effective: "KILL", parameters: []string{"cap-drop ALL"}, want: "KILL"},
		{effective: "KILL", parameters: []string{"cap-drop Cap_Kill"}, want: refused},
		{former: "KILL", parameters: []string{"cap-drop kill"}, want: refused},
		{effective: "KILL", parameters: []string{"cap-add CHOWN", "cap-drop CHOWN"}, want: "CHOWN KILL"}, // as Docker does

		{bounding: "KILL", parameters: []string{"cap-add KILL"}, want: "KILL"},
		{bounding: "KILL NET_RAW", parameters: []string{"cap-add NET_RAW"}, want: "KILL NET_RAW"},
		{bounding: "KILL", parameters: []string{"cap-add CHOWN"}, want: refused},
		{bounding: "KILL", parameters: []string{"cap-add \u017fETUID"}, want: refused},
		{bounding: "KILL NET_RAW", parameters: []string{"cap-add ALL"}, want: "KILL NET_RAW"}, // nothing is kept from the task
		{bounding: "KILL", parameters: []string{"cap-drop KILL"}},
		{bounding: "KILL CHOWN", parameters: []string{"cap-drop ALL"}},
		{bounding: "KILL CHOWN", parameters: []string{"cap-drop ALL", "cap-add KILL"}, want: "KILL"},
	}
	for _, test := range tests {
		info := mesos.LinuxInfo{EffectiveCapabilities: named(test.effective), BoundingCapabilities: named(test.bounding), CapabilityInfo: named(test.former)}
		raw := helloTask(t, func(task *mesos.TaskInfo) {
			task.Container.LinuxInfo = &info
			task.Container.Docker.Parameters = parametersOf(test.parameters...)
		})
		d := Decide(raw, testInputs(), security.New("test", rules))
		got, trimmed := refused, ""
		if d.Refusal == nil {
			got = strings.ReplaceAll(strings.Join(d.Plan.Spec.Host.CapAdd, " "), "CAP_", "")
			for _, f := range d.Findings {
				if f.Action == security.Trim {
					trimmed = strings.TrimSpace(trimmed + " " + f.Value)
				}
			}
		}
		if got != test.want || trimmed != test.trimmed {
			t.Errorf("%+v:\ngot %q, trimmed %q: %+v", test, got, trimmed, d.Refusal)
		}
	}
}
