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
	for _, name := range []string{"", "FOO", "CAP_", "CAP_CAP_KILL", "CAP_ALL", "KILL ", "KILL,CHOWN", "37", "KILL\n"} {
		for _, change := range []func(*Spec){
			func(s *Spec) { s.Host.CapAdd = []string{name} },
			func(s *Spec) { s.Host.CapDrop = []string{name} },
		} {
			if d := reviewOf(change); len(d.Rejections()) != 1 || d.Rejections()[0].Rule != "capabilities.known" {
				t.Errorf("%q: %+v", name, d.Rejections())
			}
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
