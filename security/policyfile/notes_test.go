package policyfile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/security"
)

func TestNotesTellOfAuditAndBreakGlass(t *testing.T) {
	for text, want := range map[string][]string{
		"version: 1\n":                nil,
		"version: 1\nmode: enforce\n": nil,
		"version: 1\nidentities:\n  - match: {roles: [a]}\n    mode: audit\n": {
			"policy.yaml:4: the mode for identities[0] (roles a) is audit. The built-in policy does not act on these either: tasks run that are refused without a file.",
		},
		identitiesText: {
			"policy.yaml:2: the mode is audit: what the policy would reject or change runs as it was asked for, and is only reported. " +
				"The built-in policy does not act either: tasks run that are refused without a file.",
			"policy.yaml:13: the mode for identities[0] (principals proxy; app_ids /web/**, /shop) is enforce.",
		},
		withProfile("/x.json"): {
			"policy.yaml: the seccomp profiles that it names were not read, and the digest is that of the file alone; on its host they have a part in it.",
		},
		glassFile: {
			"policy.yaml:4: break_glass[0] (roles a; reason: first) is in force to the end of 2026-06-01, in UTC.",
			"policy.yaml:8: break_glass[1] (roles a, b; reason: second) is in force to the end of 2027-06-01, in UTC.",
			"policy.yaml:16: break_glass[2] (roles a, b, c; reason: third) expired on 2026-05-31 and lifts nothing any more; remove it.",
			"policy.yaml:20: break_glass[3] (app_ids /x/*; reason: fourth) is in force to the end of 2026-12-31, in UTC.",
		},
	} {
		var got []string
		for _, n := range parsed(t, text).Notes() {
			if got = append(got, n.String()); n.Warning != strings.Contains(n.Text, "expired") || n.Line > 0 != strings.HasPrefix(n.Place, "policy.yaml:") {
				t.Errorf("%+v", n)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// warnings are those of a file, by their lines.
func warnings(t *testing.T, text string) []string {
	t.Helper()
	var lines []string
	for _, n := range parsed(t, text).Warnings() {
		if lines = append(lines, fmt.Sprintf("%d: %s", n.Line, n.Text)); !n.Warning {
			t.Errorf("%+v", n)
		}
	}
	return lines
}

func TestNotesWarnOfWhatIsWrittenInVain(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // beginnings
	}{
		"base beyond allow": {"version: 1\ndefaults:\n  capabilities:\n    base: [NET_RAW, CHOWN, KILL]\n    allow: [CHOWN]\n",
			[]string{"4: defaults.capabilities.base: no container gets NET_RAW, KILL: `allow` has the most"}},
		"base that is added":                    {"version: 1\ndefaults: {capabilities: {base: [+NET_RAW]}}\n", []string{"2: defaults.capabilities.base: no container gets NET_RAW"}},
		"allow narrower than the built-in base": {"version: 1\ndefaults: {capabilities: {allow: [CHOWN]}}\n", nil},
		"base that some are allowed": {"version: 1\ndefaults: {capabilities: {base: [+NET_RAW]}}\nidentities: [{match: {roles: [a]}, rules: {capabilities: {allow: [+NET_RAW]}}}]\n",
			nil},
		"base of an entry": {"version: 1\ndefaults: {capabilities: {allow: [KILL]}}\nidentities:\n- match: {roles: [a]}\n  rules: {capabilities: {base: [CHOWN]}}\n- match: {roles: [b]}\n  rules: {capabilities: {allow: [CHOWN]}}\n",
			[]string{"5: identities[0].rules.capabilities.base: no container gets CHOWN"}},
		"base of a profile": {"version: 1\nprofiles: {p: {capabilities: {base: [NET_RAW]}}}\nidentities: [{match: {roles: [a]}, profiles: [p]}]\n",
			[]string{"2: profiles.p.capabilities.base: no container gets NET_RAW"}},
		"profile of nobody": {"version: 1\nprofiles:\n  p: {}\n  q: {}\nidentities: [{match: {roles: [a]}, profiles: [p]}]\n", []string{"4: profiles.q: no task may pick it"}},

		"closed path": {"version: 1\ndefaults:\n  mounts:\n    host_paths:\n      - {path: /srv/a/b}\n      - {path: /srv/ab}\n      - {path: /srv}\n    denied_paths: [/srv/a]\n",
			[]string{`5: defaults.mounts.host_paths[0]: "/srv/a/b" opens nothing: ` + "`denied_paths` has \"/srv/a\""}},
		"path closed for some": {"version: 1\ndefaults: {mounts: {host_paths: [{path: /srv/a}]}}\nidentities: [{match: {roles: [a]}, rules: {mounts: {denied_paths: [/srv/a]}}}]\n", nil},
		"path closed by the defaults": {"version: 1\ndefaults: {mounts: {denied_paths: [/srv/a]}}\nidentities: [{match: {roles: [a]}, rules: {mounts: {+host_paths: [{path: /srv/a}]}}}]\n",
			[]string{`3: identities[0].rules.mounts.host_paths[0]: "/srv/a" opens nothing: `}},
		"two modes": {"version: 1\ndefaults:\n  mounts:\n    host_paths:\n    - {path: /srv, writable: true}\n    - {path: /srv}\n",
			[]string{`6: defaults.mounts.host_paths[1]: "/srv" is in the list read-only and writable, and so can be mounted for writing`}},
		"a wider mode for some": {"version: 1\ndefaults: {mounts: {host_paths: [{path: /srv}]}}\nidentities: [{match: {roles: [a]}, rules: {mounts: {+host_paths: [{path: /srv, writable: true}]}}}]\n", nil},

		"shadowed": {"version: 1\nidentities:\n- match: {roles: [infra/**]}\n- match: {roles: [infra/mon], principals: [p]}\n",
			[]string{"4: identities[1] (principals p; roles infra/mon) is never reached: the first match wins, and identities[0] on line 3 (roles infra/**) is for all of its tasks"}},
		"not shadowed":                  {"version: 1\nprincipals: {p: {app_id_trusted: true}}\nidentities:\n- match: {roles: [infra/*], principals: [p]}\n- match: {roles: [infra/mon]}\n- match: {roles: [infra/mon, x]}\n- match: {app_ids: [/a/**]}\n- match: {principals: [p]}\n", nil},
		"all of the examples are right": {Default(), nil},
	} {
		got := warnings(t, c.text)
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, want := range c.want {
			if !strings.HasPrefix(got[i], want) {
				t.Errorf("%s: got  %s\nwant %s", name, got[i], want)
			}
		}
	}
}

func TestNotesForAnIdentityAreOfItsEntries(t *testing.T) {
	text := glassFile + "identities:\n- match: {roles: [a, b]}\n  mode: audit\n- match: {roles: [a, z]}\n  mode: audit\n"
	for role, want := range map[string]string{
		"":  "",
		"a": "identities[0] break_glass[0] break_glass[1] break_glass[2]",
		"c": "break_glass[2]",
		"z": "identities[1]",
	} {
		var got []string
		for _, n := range parsed(t, text).NotesFor(security.Identity{Role: role, Trusted: true}) {
			entry, _, _ := strings.Cut(strings.TrimPrefix(n.Text, "the mode for "), " ")
			got = append(got, entry)
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", role, diff)
		}
	}
}

func TestNotesTellEntriesOnOneLineApart(t *testing.T) {
	f := parsed(t, "version: 1\nidentities: [{match: {roles: [a]}, mode: audit}, {match: {roles: [b]}, mode: audit}]\n")
	notes := f.NotesFor(security.Identity{Role: "b", Trusted: true})
	if len(notes) != 1 || !strings.HasPrefix(notes[0].Text, "the mode for identities[1] ") {
		t.Errorf("%v", notes)
	}
}

func TestChoiceNamesTheEntryThatCounts(t *testing.T) {
	f := parsed(t, identitiesText)
	for _, c := range []struct {
		id   security.Identity
		want string
	}{
		{security.Identity{Principal: "proxy", AppID: "/shop", Trusted: true}, "by identities[0] (policy.yaml:12)"},
		{security.Identity{Principal: "other", AppID: "/shop", Role: "ops", Trusted: true},
			"by identities[2] (policy.yaml:18), its app ID not believed (principal without app_id_trusted)"},
		{security.Identity{Role: "ops", Trusted: true}, "by identities[3] (policy.yaml:21)"},
		{security.Identity{Role: "x", Trusted: true}, "by no entry of identities"},
		{security.Identity{Role: "ops"}, "by no entry of identities"},
	} {
		if got := f.Choose(c.id).String(); got != c.want {
			t.Errorf("%+v: %s", c.id, got)
		}
	}
	if got := parsed(t, "version: 1\n").Choose(security.Identity{Principal: "p", AppID: "/shop", Trusted: true}).String(); got != "" {
		t.Errorf("there is nothing to choose from: %s", got)
	}
	glass := parsed(t, "version: 1\nprincipals: {p: {app_id_trusted: true}}\n"+
		"break_glass: [{match: {app_ids: [/shop]}, reason: x, expires: 2026-07-01, allow: {unconfined: [seccomp]}}]\n")
	if got, want := glass.Choose(security.Identity{AppID: "/shop", Trusted: true}).String(), "its app ID not believed"; !strings.HasPrefix(got, want) {
		t.Errorf("no entry, and an exception by app ID: %s", got)
	}
	if got := fmt.Sprint(f.Entries()); !strings.HasPrefix(got, "[identities[0] (policy.yaml:12) identities[1] (policy.yaml:16) ") || len(f.Entries()) != 5 {
		t.Errorf("entries: %s", got)
	}
}

// Who was served by an exception until yesterday learns why today's task is refused.
func TestRefusalsNameTheExceptionThatExpired(t *testing.T) {
	f := parsed(t, glassFile)
	for role, want := range map[string]string{"c": " (break_glass[2], policy.yaml:16, lifted this until 2026-05-31.)", "x": ""} {
		p, err := f.For(security.Identity{Role: role, Trusted: true})
		if err != nil {
			t.Fatal(err)
		}
		var spec security.Spec
		spec.Host.UsernsMode = "host"
		for _, finding := range p.Review(spec, security.Grants{}).Rejections() {
			if finding.Rule == "namespaces.userns" {
				if _, after, _ := strings.Cut(finding.Message, "one of its own."); after != want {
					t.Errorf("role %s: %s", role, finding.Message)
				}
			}
		}
		if p.Digest() != f.Digest() {
			t.Error("the digest is another one")
		}
	}
}
