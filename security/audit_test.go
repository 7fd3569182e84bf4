package security

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
)

func inAudit(r Rules) Policy {
	r.Mode = Audit
	return New("audit", r)
}

// otherFindings says what audit mode finds otherwise than enforcing does: each rejection, trim and force has to be there, in
// order, as itself or as what would have been, and what is accepted has no other findings. Only /dev/shm can have a second one: the
// policy's maximum, and the memory limit instead of it.
func otherFindings(enforced, audited Decision) string {
	left := audited.Findings
	for _, f := range enforced.Findings {
		if f.Action == Allow {
			continue
		}
		at := slices.IndexFunc(left, func(g Finding) bool {
			if g.Action == Audited {
				g.Action, g.Would = g.Would, ""
			}
			g.Place = f.Place // the names of the two policies differ
			return g == f
		})
		if at < 0 {
			return fmt.Sprintf("missing %+v", f)
		}
		left = left[at+1:]
	}
	others := func(d Decision) (n int) {
		for _, f := range d.Findings {
			if f.Rule != "shm_size" && f.Rule != "capabilities.base" {
				n++
			}
		}
		return n
	}
	if !enforced.Rejected() && (audited.Rejected() || others(enforced) != others(audited)) {
		return fmt.Sprintf("accepted with %d findings, and audited with %d: %+v", others(enforced), others(audited), audited.Rejections())
	}
	return ""
}

// TestAuditModeSendsWhatOtherRulesWouldAllow: and says what the ones that hold would have done.
func TestAuditModeSendsWhatOtherRulesWouldAllow(t *testing.T) {
	for _, test := range wishes() {
		t.Run(test.name, func(t *testing.T) {
			base := func(r *Rules) {
				if test.base != nil {
					test.base(r)
				}
			}
			enforced := reviewWith(base, test.change)
			d := reviewWith(func(r *Rules) { base(r); r.Mode = Audit }, test.change)
			// There is no profile to send, and the host's secrets stay its own.
			if test.name == "seccomp profile" || test.name == "part of /etc" {
				if diff := cmp.Diff(enforced.Rejections(), d.Rejections()); diff != "" {
					t.Error(diff)
				}
				return
			}
			if d.Rejected() {
				t.Fatal(d.Rejections())
			}
			if problem := otherFindings(enforced, d); problem != "" {
				t.Error(problem)
			}
			about := slices.DeleteFunc(slices.Clone(d.Findings), func(f Finding) bool { return f.Field != test.field })
			if len(about) != 1 || about[0].Action != Audited || about[0].Would != Reject || about[0].Rule != test.rule {
				t.Errorf("about %s: %+v", test.field, about)
			}
			sentAsAsked(t, d, test.change)
		})
	}
}

// TestAuditModeLeavesOutTrimsAndForces: each is reported once, and the container is as the task has it.
func TestAuditModeLeavesOutTrimsAndForces(t *testing.T) {
	few, unlimited, more := int64(10), int64(-1), int64(5000)
	none := func(*Rules) {}
	tests := []struct {
		name   string
		rules  func(*Rules)
		change func(*Spec)
		would  Action
		field  string
		sent   func(Spec) any
		want   any
	}{
		{"no-new-privileges", none, func(*Spec) {}, Force, "Host.SecurityOpt", func(s Spec) any { return len(s.Host.SecurityOpt) }, 0},
		{"no swap", none, func(*Spec) {}, Force, "Host.MemorySwap", func(s Spec) any { return s.Host.MemorySwap }, int64(0)},
		{"no core dumps", none, func(*Spec) {}, Force, "Host.Ulimits[core]", func(s Spec) any { return len(s.Host.Ulimits) }, 0},
		{"no init", none, func(*Spec) {}, Force, "Host.Init", func(s Spec) any { return s.Host.Init == nil }, true},
		{"an init", func(r *Rules) { r.Init = true }, func(*Spec) {}, Force, "Host.Init", func(s Spec) any { return s.Host.Init == nil }, true},
		{"read-only root", func(r *Rules) { r.ReadonlyRootfs = true }, func(*Spec) {}, Force, "Host.ReadonlyRootfs", func(s Spec) any { return s.Host.ReadonlyRootfs }, false},
		{"GPU by variable", none, func(s *Spec) { s.Config.Env = []string{"NVIDIA_VISIBLE_DEVICES=all"} }, Trim, "Config.Env[NVIDIA_VISIBLE_DEVICES]",
			func(s Spec) any { return s.Config.Env }, []string{"NVIDIA_VISIBLE_DEVICES=all"}},
		{"GPU by an old variable", none, func(s *Spec) { s.Config.Env = []string{"CUDA_VERSION=9"} }, Force, "Config.Env",
			func(s Spec) any { return s.Config.Env }, []string{"CUDA_VERSION=9"}},
		{"ulimit", none, func(s *Spec) { s.Host.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: 10, Hard: -1}} }, Trim, "Host.Ulimits[nofile]",
			func(s Spec) any { return s.Host.Ulimits }, []*container.Ulimit{{Name: "nofile", Soft: 10, Hard: -1}}},
		{"/dev/shm", func(r *Rules) { r.ShmSize = 1 << 10 }, func(s *Spec) { s.Host.ShmSize = 1 << 20 }, Trim, "Host.ShmSize", func(s Spec) any { return s.Host.ShmSize }, int64(1 << 20)},
		{"no /dev/shm of its own", func(r *Rules) { r.ShmSize = 0 }, func(s *Spec) { s.Host.Memory, s.Host.MemoryReservation, s.Host.ShmSize = 0, 1<<20, 1<<20 }, Trim, "Host.ShmSize",
			func(s Spec) any { return s.Host.ShmSize }, int64(1 << 20)},
		{"/dev/shm above the memory", func(r *Rules) { r.ShmSize = 1 << 10 }, func(s *Spec) { s.Host.ShmSize = 1 << 30 }, Trim, "Host.ShmSize", func(s Spec) any { return s.Host.ShmSize }, int64(32 << 20)},
		{"tmpfs size", none, func(s *Spec) { s.Host.Tmpfs = map[string]string{"/x": "size=2g"} }, Trim, "Host.Tmpfs[/x]",
			func(s Spec) any { return s.Host.Tmpfs["/x"] }, "nodev,noexec,nosuid,size=2147483648"},
		{"tmpfs without a size", none, func(s *Spec) { s.Host.Tmpfs = map[string]string{"/x": ""} }, Force, "Host.Tmpfs[/x]",
			func(s Spec) any { return s.Host.Tmpfs["/x"] }, "nodev,noexec,nosuid"},
		{"tmpfs where there is none", func(r *Rules) { r.Mounts.TmpfsSize = 0 }, mounting(mount.Mount{Type: mount.TypeTmpfs}), Reject, "Host.Mounts[/x]",
			func(s Spec) any { return s.Host.Mounts[1].TmpfsOptions.SizeBytes }, int64(0)},
		{"capability", none, func(s *Spec) { s.Host.CapAdd, s.Host.CapDrop = []string{"net_admin"}, []string{"ALL"} }, Trim, "Host.CapAdd[net_admin]",
			func(s Spec) any { return []string(s.Host.CapAdd) }, []string{"CAP_NET_ADMIN"}},
		{"all capabilities but one", none, func(s *Spec) { s.Host.CapAdd, s.Host.CapDrop = []string{"ALL"}, []string{"SYS_ADMIN"} }, Trim, "Host.CapAdd[ALL]",
			func(s Spec) any {
				return slices.DeleteFunc(engineAll(), func(name string) bool { return slices.Contains(s.Host.CapAdd, name) })
			}, []string{"CAP_SYS_ADMIN"}},
		{"more processes", none, func(s *Spec) { s.Host.PidsLimit = &more }, Trim, "Host.PidsLimit", func(s Spec) any { return *s.Host.PidsLimit }, more},
		{"any number of processes", none, func(s *Spec) { s.Host.PidsLimit = &unlimited }, Trim, "Host.PidsLimit", func(s Spec) any { return *s.Host.PidsLimit }, unlimited},
		{"a process limit of the policy's", func(r *Rules) { r.PidsLimit = few }, func(*Spec) {}, "", "Host.PidsLimit", func(s Spec) any { return *s.Host.PidsLimit }, few},
		{"no health checks", none, func(*Spec) {}, "", "Config.Healthcheck", func(s Spec) any { return s.Config.Healthcheck.Test }, []string{"NONE"}},
		{"reserved label", none, func(s *Spec) { s.Config.Labels = map[string]string{ReservedLabelPrefix + "x": "y"} }, "", "Config.Labels[" + ReservedLabelPrefix + "x]",
			func(s Spec) any { return len(s.Config.Labels) }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			enforced := reviewWith(test.rules, test.change)
			d := reviewWith(func(r *Rules) { test.rules(r); r.Mode = Audit }, test.change)
			if problem := otherFindings(enforced, d); problem != "" || d.Rejected() {
				t.Fatal(problem, d.Rejections())
			}
			at := slices.IndexFunc(d.Findings, func(f Finding) bool { return f.Field == test.field })
			if f := d.Findings[at]; f.Would != test.would || (f.Action == Audited) != (test.would != "") {
				t.Errorf("%+v", f)
			}
			if diff := cmp.Diff(test.want, test.sent(d.Spec)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnUnknownModeIsEnforced(t *testing.T) {
	d := reviewWith(func(r *Rules) { r.Mode = "Audit" }, func(s *Spec) { s.Host.NetworkMode = "host" })
	if !d.Rejected() {
		t.Errorf("%+v", d.Findings)
	}
}

func TestAuditModeNeedsAProcessLimitOfThePolicy(t *testing.T) {
	d := inAudit(Rules{}).Review(goodSpec(), testRoots)
	if r := d.Rejections(); len(r) != 1 || r[0].Rule != "pids_limit" {
		t.Errorf("%+v", r)
	}
}

func TestAuditModeTakesTheImageAsItIs(t *testing.T) {
	rules := BuiltInRules()
	rules.RunAsNonRoot, rules.Mounts.ImageVolumes, rules.Images.RequireDigest = true, false, true
	image := Image{User: "www-data:docker", Volumes: []string{"/data"}, WorkingDir: "/proc/self", Labels: map[string]string{ReservedLabelPrefix + "x": "y"}}
	spec := Spec{Image: "busybox@sha256:" + strings.Repeat("0", 64)}
	enforced := Decision{Findings: New("test", rules).ReviewImage(image, spec, testRoots)}
	audited := Decision{Findings: inAudit(rules).ReviewImage(image, spec, testRoots)}
	if problem := otherFindings(enforced, audited); problem != "" || len(enforced.Findings) != len(audited.Findings) {
		t.Errorf("%s: %+v", problem, audited.Findings)
	}
	var left []string
	for _, f := range audited.Rejections() {
		left = append(left, f.Rule+" "+f.Place)
	}
	if want := []string{"image.labels fixed", "image.workdir fixed"}; !slices.Equal(left, want) {
		t.Errorf("left %q", left)
	}
	if found := inAudit(rules).ReviewImage(Image{User: "1000"}, Spec{Image: "busybox:local"}, testRoots); len(found) != 0 {
		t.Errorf("for a reference without a digest, which the review finds: %+v", found)
	}
}

// TestAuditModeKeepsWhatTheEngineGives: a task may need what Docker gives by default, and cannot have asked for it.
func TestAuditModeKeepsWhatTheEngineGives(t *testing.T) {
	p := inAudit(BuiltInRules())
	for _, test := range []struct{ drop, more []string }{
		{nil, []string{"CAP_MKNOD", "CAP_NET_RAW"}},
		{[]string{"NET_RAW"}, []string{"CAP_MKNOD"}},
		{[]string{"NET_RAW", "MKNOD"}, nil},
		{[]string{"ALL"}, nil},
	} {
		spec := goodSpec()
		spec.Host.CapDrop = test.drop
		d := p.Review(spec, testRoots)
		for _, name := range engineCapabilities() {
			dropped := slices.Contains(test.drop, "ALL") || slices.Contains(test.drop, strings.TrimPrefix(name, "CAP_"))
			if slices.Contains(d.Spec.Host.CapAdd, name) == dropped {
				t.Errorf("drop %v: %v", test.drop, d.Spec.Host.CapAdd)
			}
		}
		said := slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Rule == "capabilities.base" && f.Would == Force })
		if said != (test.more != nil) {
			t.Errorf("drop %v: %+v", test.drop, d.Findings)
		}
	}
}
