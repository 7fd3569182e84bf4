package security

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEffectiveCapabilities(t *testing.T) {
	base := BuiltIn().rules.Capabilities.Base
	without := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(base), func(n string) bool { return slices.Contains(names, n) })
	}
	tests := []struct {
		name      string
		add, drop string
		want      []string
		trimmed   []string
	}{
		{"nothing asked", "", "", base, nil},
		{"allowed one is there already", "CHOWN", "", base, nil},
		{"drop one", "", "chown", without("CAP_CHOWN"), nil},
		{"add wins over drop", "CHOWN", "CHOWN", base, nil},
		{"drop all", "", "ALL", nil, nil},
		{"drop all, add one", "KILL", "all", []string{"CAP_KILL"}, nil},
		{"every spelling", "cap_kill Cap_Chown kill", "ALL", []string{"CAP_CHOWN", "CAP_KILL"}, nil},
		{"not allowed", "NET_ADMIN SYS_ADMIN", "", base, []string{"CAP_NET_ADMIN", "CAP_SYS_ADMIN"}},
		{"not allowed twice", "NET_ADMIN cap_net_admin", "", base, []string{"CAP_NET_ADMIN"}},
		{"Docker's own defaults that are left out", "NET_RAW MKNOD", "", base, []string{"CAP_NET_RAW", "CAP_MKNOD"}},
		{"add all", "ALL", "", base, []string{"ALL"}},
		{"add all, drop one", "All", "KILL", without("CAP_KILL"), []string{"ALL"}},
		{"add all, drop all", "ALL", "ALL", base, []string{"ALL"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := reviewOf(func(s *Spec) {
				s.Host.CapAdd, s.Host.CapDrop = strings.Fields(test.add), strings.Fields(test.drop)
			})
			if d.Rejected() {
				t.Fatal(d.Rejections())
			}
			if diff := cmp.Diff(test.want, []string(d.Spec.Host.CapAdd)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"ALL"}, []string(d.Spec.Host.CapDrop)); diff != "" {
				t.Error(diff)
			}
			var trimmed []string
			for _, c := range d.Changes() {
				if c.Action == Trim {
					trimmed = append(trimmed, c.Value)
				}
			}
			if diff := cmp.Diff(test.trimmed, trimmed); diff != "" {
				t.Error("trimmed:", diff)
			}
		})
	}
}

func TestMistypedCapabilitiesAreRejected(t *testing.T) {
	for _, name := range []string{
		"", "FOO", "CAP_", "CAP_CAP_KILL", "CAP_ALL", "KILL ", " KILL", "KILL,CHOWN", "37", "KILL\n", "NET ADMIN", "NET-ADMIN",
		// What strings.ToUpper or a reader takes for an ASCII letter.
		"\u017fys_admin", "CAP_\u017fys_admin", "\u017fetuid", "k\u0131ll", "net_adm\u0131n", "\u212aILL", "\uff2bILL", "K\u0406LL", "\u0391LL", "al\u217c", "KILL\u200b", "\xff",
	} {
		for _, change := range []func(*Spec){
			func(s *Spec) { s.Host.CapAdd = []string{name} },
			func(s *Spec) { s.Host.CapDrop = []string{name} },
		} {
			d := reviewOf(change)
			if !slices.ContainsFunc(d.Rejections(), func(f Finding) bool { return f.Rule == "capabilities.known" || f.Rule == "text" }) {
				t.Errorf("%q: %+v", name, d.Findings)
			}
		}
		if canonical, ok := ParseCapability(name); ok {
			t.Errorf("%q is %s", name, canonical)
		}
	}
}

func TestEverySpellingOfACapability(t *testing.T) {
	for _, want := range capabilityNames() {
		short := strings.TrimPrefix(want, "CAP_")
		for _, written := range []string{want, short, strings.ToLower(want), strings.ToLower(short), strings.ToLower(want[:6]) + want[6:], "Cap_" + strings.ToLower(short)} {
			if name, ok := ParseCapability(written); !ok || name != want {
				t.Errorf("%q: %q, %v", written, name, ok)
			}
		}
	}
}

// TestCapabilitiesBeyondTheAllowedOnes: a policy may reject what another takes away.
func TestCapabilitiesBeyondTheAllowedOnes(t *testing.T) {
	everything := strings.Join(capabilityNames(), " ")
	const base, allow = "CAP_CHOWN", "CAP_CHOWN CAP_KILL"
	tests := []struct {
		name      string
		allow     string
		action    Action
		add, drop string
		want      []string // what the container has
		found     string   // action and value of each finding about what is added
	}{
		{"within", allow, Reject, "kill", "", []string{"CAP_CHOWN", "CAP_KILL"}, "allow CAP_KILL"},
		{"beyond, unset", allow, "", "net_raw", "", []string{"CAP_CHOWN"}, "trim CAP_NET_RAW"},
		{"beyond, trim", allow, Trim, "net_raw kill", "", []string{"CAP_CHOWN", "CAP_KILL"}, "trim CAP_NET_RAW, allow CAP_KILL"},
		{"beyond, reject", allow, Reject, "net_raw Cap_Net_Raw kill", "", nil, "reject CAP_NET_RAW, allow CAP_KILL"},
		{"beyond, reject, although dropped too", allow, Reject, "net_raw", "net_raw", nil, "reject CAP_NET_RAW"},
		{"beyond, an action that there is not", allow, "ignore", "net_raw", "", nil, "reject CAP_NET_RAW"},
		{"all, trim", allow, Trim, "all", "", []string{"CAP_CHOWN", "CAP_KILL"}, "trim ALL"},
		{"all, trim, less one", allow, Trim, "all", "kill", []string{"CAP_CHOWN"}, "trim ALL"},
		{"all, reject", allow, Reject, "all", "", nil, "reject ALL"},
		{"all of nothing, reject", "", Reject, "ALL", "", nil, "reject ALL"},
		{"all, and all are allowed", everything, Reject, "ALL", "", slices.Sorted(slices.Values(capabilityNames())), "allow ALL"},
		{"all, and all but a dropped one are allowed", strings.Replace(everything, "CAP_BPF ", "", 1), Reject, "ALL", "bpf",
			slices.DeleteFunc(slices.Sorted(slices.Values(capabilityNames())), func(n string) bool { return n == "CAP_BPF" }), "allow ALL"},
		{"drop what the policy does not allow", allow, Reject, "", "SYS_ADMIN", []string{"CAP_CHOWN"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules := BuiltInRules()
			rules.Capabilities = CapabilityRules{Base: strings.Fields(base), Allow: strings.Fields(test.allow), OnViolation: test.action}
			spec := goodSpec()
			spec.Host.CapAdd, spec.Host.CapDrop = strings.Fields(test.add), strings.Fields(test.drop)
			d := New("test", rules).Review(spec, testRoots)
			var found []string
			for _, f := range d.Findings {
				if f.Rule != "capabilities.allow" {
					continue
				}
				found = append(found, string(f.Action)+" "+f.Value)
				if !strings.HasSuffix(f.Message, ".") || f.Action == Reject && !strings.Contains(f.Message, "remove it") {
					t.Errorf("message %q", f.Message)
				}
			}
			if got := strings.Join(found, ", "); got != test.found {
				t.Errorf("found %q, want %q", got, test.found)
			}
			if diff := cmp.Diff(test.want, []string(d.Spec.Host.CapAdd)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAuditModeSendsNoCapabilityThatAnEngineMayNotKnow, unless the task names it.
func TestAuditModeSendsNoCapabilityThatAnEngineMayNotKnow(t *testing.T) {
	rules := BuiltInRules()
	rules.Mode = Audit
	for add, want := range map[string]int{"ALL": 38, "ALL BPF": 39} {
		spec := goodSpec()
		spec.Host.CapAdd = strings.Fields(add)
		if d := New("test", rules).Review(spec, testRoots); len(d.Spec.Host.CapAdd) != want {
			t.Errorf("%s: %q", add, d.Spec.Host.CapAdd)
		}
	}
}

func TestAllowedCapabilitiesAreKnown(t *testing.T) {
	known, rules := knownCapabilities(), BuiltIn().rules
	for _, name := range slices.Concat(rules.Capabilities.Base, rules.Capabilities.Allow) {
		if !known[name] {
			t.Errorf("%s is not a capability", name)
		}
	}
	if len(known) < 38 {
		t.Errorf("only %d capabilities are known", len(known))
	}
}

func knownCapabilities() map[string]bool {
	known := map[string]bool{}
	for _, name := range capabilityNames() {
		known[name] = true
	}
	return known
}
