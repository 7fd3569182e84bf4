package task

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/mount"

	"mesos-docker-executor/security"
)

// TestAuditModeGivesHostileTasksNothingThatNoRulesCanAllow: a policy that only looks on lets many of them run, and each of these says
// so; but none with what no rules can allow.
func TestAuditModeGivesHostileTasksNothingThatNoRulesCanAllow(t *testing.T) {
	rules := security.BuiltInRules()
	rules.Mode = security.Audit
	policy := security.New("audit", rules)
	run := 0
	for _, name := range fixtureNames(t, "hostile") {
		for _, mode := range []Mode{DropIn, Custom} {
			raw, in := inMode(t, mode, fixtureTask(t, name))
			d := Decide(raw, in, policy)
			showsNoSecret(t, d)
			if d.Plan == nil {
				continue
			}
			if problem := beyondAnyRules(d.Plan.Spec); problem != "" {
				t.Errorf("%s, %s: %s", name, mode, problem)
			}
			if slices.ContainsFunc(d.Findings, func(f security.Finding) bool { return f.Action == security.Audited }) {
				run++
			}
		}
	}
	if run < 100 {
		t.Errorf("only %d of the tasks run by audit mode", run)
	}
}

// beyondAnyRules says what a container has that no rules can allow, "" if nothing.
func beyondAnyRules(s security.Spec) string {
	h := s.Host
	switch {
	case h.Privileged:
		return "privileged"
	case h.PidMode != "" || h.UsernsMode != "" || h.IpcMode != "private" && h.IpcMode != "none" || h.NetworkMode.IsContainer():
		return "namespaces"
	case len(h.VolumesFrom)+len(h.Links)+len(h.Binds) > 0 || h.CgroupParent != "" || h.RestartPolicy.Name != "no" || h.AutoRemove || h.PublishAllPorts:
		return "what is another's"
	case slices.ContainsFunc(h.SecurityOpt, func(o string) bool { return strings.Contains(o, "unconfined") || strings.Contains(o, "label=disable") }):
		return "no confinement"
	}
	for _, m := range h.Mounts {
		for _, never := range strings.Fields("/run/docker.sock /var/run/docker.sock /run/containerd /etc /proc /sys /dev /root /home /boot /var/lib/docker /var/lib/mesos") {
			if m.Type == mount.TypeBind && strings.HasPrefix(never+"/", strings.TrimSuffix(m.Source, "/")+"/") {
				return "a mount of " + m.Source // or of what holds it; what lies below some of them a policy could open
			}
		}
		if o := m.VolumeOptions; o != nil && o.DriverConfig != nil && len(o.DriverConfig.Options) > 0 && o.DriverConfig.Name == "local" {
			return "a folder of the host as a volume"
		}
	}
	return ""
}
