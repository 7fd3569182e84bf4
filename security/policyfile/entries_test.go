package policyfile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/security"
)

func TestEntryErrors(t *testing.T) {
	refusals{
		{"principals as list", "version: 1\nprincipals: [a]\n", []string{"2: principals: has to be a section of keys"}},
		{"principal by pattern", "version: 1\nprincipals: {'m*': {app_id_trusted: true}}\n", []string{"2: principals.m*: is no pattern: trust in app IDs"}},
		{"trust by a word", "version: 1\nprincipals: {m: {app_id_trusted: yes}}\n", []string{`2: principals.m.app_id_trusted: "yes" is not a boolean`}},
		{"unknown key of a principal", "version: 1\nprincipals: {m: {app_ids: true}}\n", []string{"2: principals.m.app_ids: is an unknown key; known here: app_id_trusted"}},
		{"profile's name", "version: 1\nprofiles: {a b: {}}\n", []string{`2: profiles.a b: "a b" is no name`}},
		{"profile's long name", "version: 1\nprofiles: {" + strings.Repeat("a", 65) + ": {}}\n", []string{"2: profiles.aaa"}},
		{"profile twice", "version: 1\nprofiles:\n  a: {}\n  a: {}\n", []string{"4: profiles.a: is here a second time"}},
		{"unknown rule of a profile", "version: 1\nprofiles: {a: {x: 1}}\n", []string{"2: profiles.a.x: is an unknown key"}},
		{"identities as mapping", "version: 1\nidentities: {match: {}}\n", []string{"2: identities: has to be a list of entries with `match` and `rules`"}},
		{"no entry", entryText("~"), []string{"5: identities[0]: is empty; write `match`, `mode`", "5: identities[0]: has no `match`"}},
		{"no match", entryText("rules: {}"), []string{"5: identities[0]: has no `match`; write principals, roles or app_ids below it, or write what holds for everybody under `defaults`"}},
		{"empty match", entryText("match: {}"), []string{"5: identities[0].match: is empty, which matches nobody"}},
		{"null match", entryText("match:"), []string{"5: identities[0].match: is empty, which matches nobody"}},
		{"match as text", entryText("match: all"), []string{"5: identities[0].match: has to be a section of keys"}},
		{"unknown kind of match", entryText("match: {labels: [a]}"), []string{"5: identities[0].match.labels: is an unknown key; known here: principals, roles, app_ids"}},
		{"misspelt kind of match", entryText("match: {role: [a]}"), []string{`5: identities[0].match.role: is an unknown key; did you mean "roles"?`}},
		{"empty list of roles", entryText("match: {roles: [], principals: [m]}"), []string{"5: identities[0].match.roles: is an empty list, which would match nobody"}},
		{"roles as text", entryText("match: {roles: infra}"), []string{"5: identities[0].match.roles: has to be a list of patterns"}},
		{"empty pattern", entryText("match: {roles: ['']}"), []string{`5: identities[0].match.roles[0]: is empty, which matches nothing`}},
		{"null pattern", entryText("match: {principals: [~]}"), []string{`5: identities[0].match.principals[0]: has no value`}},
		{"pattern twice", entryText("match: {principals: [m, m]}"), []string{`5: identities[0].match.principals[1]: "m" is in the list twice`}},
		{"pattern that adds", entryText("match: {app_ids: [+/a]}"), []string{`5: identities[0].match.app_ids[0]: "+/a" is no app ID`}},
		{"all roles", entryText("match: {roles: ['**']}"), []string{`5: identities[0].match.roles[0]: "**" is no pattern; leave the kind out`}},
		{"stars inside", entryText("match: {roles: ['a/**/b']}"), []string{`5: identities[0].match.roles[0]: "a/**/b" has ** elsewhere than in /** at the end`}},
		{"stars at a segment", entryText("match: {roles: ['a**']}"), []string{`5: identities[0].match.roles[0]: "a**" has ** elsewhere`}},
		{"role with a slash first", entryText("match: {roles: ['/infra']}"), []string{`5: identities[0].match.roles[0]: "/infra" matches no role`}},
		{"app ID without a slash", entryText("match: {app_ids: [web]}"), []string{`5: identities[0].match.app_ids[0]: "web" is no app ID of Marathon; write one such as /web/shop`}},
		{"all app IDs", entryText("match: {app_ids: [/]}"), []string{`5: identities[0].match.app_ids[0]: "/" is no app ID`}},
		{"app ID with a slash last", entryText("match: {app_ids: [/web/]}"), []string{`5: identities[0].match.app_ids[0]: "/web/" is no app ID`}},
		{"part of a segment", entryText("match: {app_ids: ['/web*']}"), []string{`5: identities[0].match.app_ids[0]: "/web*" has a * that is not a whole segment`}},
		{"app ID in upper case", entryText("match: {app_ids: [/Web]}"), []string{`5: identities[0].match.app_ids[0]: "/Web" matches no app ID of Marathon`}},
		{"app ID with underscore", entryText("match: {app_ids: [/a_b]}"), []string{`5: identities[0].match.app_ids[0]: "/a_b" matches no app ID`}},
		{"app ID of an untrusted principal", entryText("match: {app_ids: [/web], principals: [m, n]}"), []string{`5: identities[0].match.principals: "n" is not trusted with app IDs, by which the entry goes; it may be one of m`}},
		{"app ID of an unknown principal", entryText("match: {app_ids: [/web], principals: [other]}"), []string{`5: identities[0].match.principals: "other" is not trusted with app IDs`}},
		{"app ID of a pattern without trusted ones", entryText("match: {app_ids: [/web], principals: ['n*']}"), []string{`5: identities[0].match.principals: "n*" is not trusted with app IDs`}},
		{"app ID and nobody trusted", "version: 1\nidentities: [{match: {app_ids: [/web]}}]\n", []string{"2: identities[0].match.app_ids: never applies: app IDs count only for principals"}},
		{"break_glass by an app ID of nobody trusted", glassText("match: {app_ids: [/a]}\nreason: x\nexpires: 2026-07-01\nallow: {unconfined: [seccomp]}"), []string{"3: break_glass[0].match.app_ids: never applies"}},
		{"unknown profile", entryText("match: {roles: [r]}\nprofiles: [b]"), []string{`6: identities[0].profiles[0]: there is no profile "b"; known are a`}},
		{"profile twice in an entry", entryText("match: {roles: [r]}\nprofiles: [a, a]"), []string{`6: identities[0].profiles[1]: "a" is in the list twice`}},
		{"profiles null", entryText("match: {roles: [r]}\nprofiles:"), []string{"6: identities[0].profiles: has no value"}},
		{"rules beside match", entryText("match: {roles: [r]}\ncapabilities: {}"), []string{"6: identities[0].capabilities: is a rule; write it under"}},
		{"unknown key of an entry", entryText("match: {roles: [r]}\nrule: {}"), []string{`6: identities[0].rule: is an unknown key; did you mean "rules"?; known here: match, mode, rules, profiles`}},
		{"mode of an entry", entryText("match: {roles: [r]}\nmode: dry"), []string{`6: identities[0].mode: "dry" is no mode`}},
		{"same match twice", "version: 1\nidentities:\n- match: {roles: [r]}\n- match: {roles: [r]}\n", []string{"4: identities[1]: is never reached: the first match wins, and the entry on line 3 matches the same"}},
		{"rules of an entry", entryText("match: {roles: [r]}\nrules: {host_namespaces: [pid]}"), []string{`6: identities[0].rules.host_namespaces[0]: "pid" is refused here; only an entry of`}},

		{"break_glass as mapping", "version: 1\nbreak_glass: {}\n", []string{"2: break_glass: has to be a list of entries with `match`, `reason`"}},
		{"nothing in it", glassText("{}"), []string{"3: break_glass[0]: has no `match`; write principals, roles or app_ids below it, or name those who need it", "3: break_glass[0]: has no `reason`", "3: break_glass[0]: has no `expires`; write the last day on which it holds, at most a year from now: 2027-06-01", "3: break_glass[0]: has no `allow`"}},
		{"everybody", glassText("match: {}\nreason: x\nexpires: 2026-07-01\nallow: {unconfined: [seccomp]}"), []string{"3: break_glass[0].match: is empty, which matches nobody; write principals, roles or app_ids, or name those who need it"}},
		{"no reason", glassText("match: {roles: [r]}\nreason: ' '\nexpires: 2026-07-01\nallow: {unconfined: [seccomp]}"), []string{"4: break_glass[0].reason: is empty; say why"}},
		{"long reason", glassText("match: {roles: [r]}\nreason: " + strings.Repeat("x", 301) + "\nexpires: 2026-07-01\nallow: {unconfined: [seccomp]}"), []string{"4: break_glass[0].reason: has 301 bytes; say it in 300"}},
		{"null reason", glassText("match: {roles: [r]}\nreason:\nexpires: 2026-07-01\nallow: {unconfined: [seccomp]}"), []string{"4: break_glass[0].reason: has no value"}},
		{"no day", glassText("match: {roles: [r]}\nreason: x\nexpires: soon\nallow: {unconfined: [seccomp]}"), []string{`5: break_glass[0].expires: "soon" is no day; write the last one on which the entry holds, such as 2027-06-01`}},
		{"null day", glassText("match: {roles: [r]}\nreason: x\nexpires:\nallow: {unconfined: [seccomp]}"), []string{`5: break_glass[0].expires: "" is no day`}},
		{"time of day", glassText("match: {roles: [r]}\nreason: x\nexpires: 2026-07-01T10:00:00Z\nallow: {unconfined: [seccomp]}"), []string{`5: break_glass[0].expires: "2026-07-01T10:00:00Z" is no day`}},
		{"no such day", glassText("match: {roles: [r]}\nreason: x\nexpires: 2026-02-30\nallow: {unconfined: [seccomp]}"), []string{`5: break_glass[0].expires: "2026-02-30" is no day`}},
		{"too far away", glassText("match: {roles: [r]}\nreason: x\nexpires: 2027-06-02\nallow: {unconfined: [seccomp]}"), []string{`5: break_glass[0].expires: "2027-06-02" is more than a year away, as today is 2026-06-01; write 2027-06-01 at the latest`}},
		{"nothing allowed", glassText("match: {roles: [r]}\nreason: x\nexpires: 2026-07-01\nallow: {unconfined: []}"), []string{"6: break_glass[0].allow: lifts nothing; write what it lifts: host_namespaces, paths"}},
		{"null allowed", glassText("match: {roles: [r]}\nreason: x\nexpires: 2026-07-01\nallow:"), []string{"6: break_glass[0].allow: lifts nothing"}},
		{"unknown allowance", glassText("match: {roles: [r]}\nreason: x\nexpires: 2026-07-01\nallow: {capabilities: {}}"), []string{"6: break_glass[0].allow.capabilities: is a rule; write it under `defaults`"}},
		{"reason in allow", glassText("match: {roles: [r]}\nreason: x\nexpires: 2026-07-01\nallow: {reason: y}"), []string{"6: break_glass[0].allow.reason: is an unknown key; known here: host_namespaces, paths, unconfined, propagation"}},
		{"ordinary namespace", glassText("match: {roles: [r]}\nreason: x\nexpires: 2026-07-01\nallow: {host_namespaces: [uts]}"), []string{"6: break_glass[0].allow.host_namespaces[0]: \"uts\" cannot be written here"}},
		{"the whole host", glassText("match: {roles: [r]}\nreason: x\nexpires: 2026-07-01\nallow: {paths: [{path: /}]}"), []string{`6: break_glass[0].allow.paths[0].path: "/" would be the whole host`}},
		{"adding", glassText("match: {roles: [r]}\nreason: x\nexpires: 2026-07-01\nallow: {unconfined: [+seccomp]}"), []string{`6: break_glass[0].allow.unconfined[0]: "+seccomp" adds to a list, and none is inherited here`}},
		{"adding paths", glassText("match: {roles: [r]}\nreason: x\nexpires: 2026-07-01\nallow: {+paths: [{path: /run/docker.sock}]}"), []string{`6: break_glass[0].allow.+paths: is an unknown key; did you mean "paths"?`}},
		{"errors of an expired one count", glassText("match: {roles: [r]}\nreason: x\nexpires: 2020-07-01\nallow: {unconfined: [x]}"), []string{`6: break_glass[0].allow.unconfined[0]: "x" cannot be written here`}},
	}.run(t)
}

const identitiesText = `version: 1
mode: audit
principals:
  proxy: {app_id_trusted: true}
  other: {app_id_trusted: false}
defaults:
  pids_limit: 100
profiles:
  big: {pids_limit: 900, capabilities: {allow: [+NET_RAW]}}
  small: {pids_limit: 9}
identities:
  - match: {principals: [proxy], app_ids: [/web/**, /shop]}
    mode: enforce
    rules: {pids_limit: 201}
    profiles: [big]
  - match: {app_ids: [/db/*]}
    rules: {pids_limit: 202}
  - match: {principals: [pr*, other], roles: [infra/*, ops]}
    rules: {pids_limit: 203}
    profiles: [small, big]
  - match: {roles: [ops]}
    rules: {pids_limit: 204}
  - match: {principals: ["*"]}
    rules: {pids_limit: 205}
`

func TestFirstMatchingEntryCounts(t *testing.T) {
	f := parsed(t, identitiesText)
	for _, c := range []struct {
		principal, role, appID, profile string
		want                            int64
		mode                            security.Mode
	}{
		{"proxy", "x", "/web/a", "", 201, ""},
		{"proxy", "x", "/web/a/b", "", 201, ""},
		{"proxy", "x", "/shop", "", 201, ""},
		{"proxy", "infra/a", "/shop", "big", 900, ""},
		{"proxy", "infra/a", "/shop/a", "small", 9, security.Audit},
		{"proxy", "x", "/webshop/a", "", 205, security.Audit},
		{"proxy", "x", "/web", "", 205, security.Audit},
		{"proxy", "", "/db/a", "", 202, security.Audit},
		{"proxy", "", "/db/a/b", "", 205, security.Audit},
		{"other", "", "/db/a", "", 205, security.Audit},
		{"other", "infra/a", "/web/a", "", 203, security.Audit},
		{"proxy2", "ops", "/web/a", "", 203, security.Audit},
		{"p2", "ops", "", "", 204, security.Audit},
		{"", "ops", "", "", 204, security.Audit},
		{"", "infra/a", "/web/a", "", 100, security.Audit},
		{"", "", "", "", 100, security.Audit},
		{"a/b", "", "", "", 100, security.Audit},
	} {
		id := security.Identity{Principal: c.principal, Role: c.role, AppID: c.appID, Profile: c.profile, Trusted: true}
		r := rulesFor(t, f, id)
		if r.PidsLimit != c.want || r.Mode != c.mode {
			t.Errorf("%+v: %d %q, want %d %q", id, r.PidsLimit, r.Mode, c.want, c.mode)
		}
		id.Trusted = false
		if p, err := f.For(id); c.profile == "" && (err != nil || p.Rules().PidsLimit != 100) {
			t.Errorf("%+v: %v, %d", id, err, p.Rules().PidsLimit)
		} else if c.profile != "" && err == nil {
			t.Errorf("%+v may pick a profile", id)
		}
	}
	if !f.UsesIdentity() || parsed(t, "version: 1\nprincipals: {p: {app_id_trusted: true}}\nprofiles: {a: {}}\n").UsesIdentity() || BuiltIn().UsesIdentity() {
		t.Error("UsesIdentity")
	}
}

func TestOnlyOfferedProfilesCanBePicked(t *testing.T) {
	f := parsed(t, identitiesText)
	for _, c := range []struct {
		id   security.Identity
		want string
	}{
		{security.Identity{Profile: "big"}, `Profile "big" is refused: this task may pick none; remove the label, or ask the operator for a profile.`},
		{security.Identity{Profile: "small", Principal: "proxy", AppID: "/shop", Trusted: true}, `Profile "small" is refused: this task may pick big; write one of these, or remove the label.`},
		{security.Identity{Profile: "x\n", Principal: "proxy", Role: "ops", Trusted: true}, `Profile "x\n" is refused: this task may pick small, big; write one`},
		{security.Identity{Profile: strings.Repeat("x", 5000)}, `Profile "xxx`},
	} {
		_, err := f.For(c.id)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 500 {
			t.Errorf("%+v: %v", c.id, err)
		}
	}
	for id, want := range map[security.Identity]string{
		{Profile: "x"}: "built-in",
		{Profile: "x", Principal: "proxy", AppID: "/shop", Trusted: true}: "policy.yaml:12",
	} {
		_, err := f.For(id)
		if refused := (*security.ProfileError)(nil); !errors.As(err, &refused) || refused.Place != want {
			t.Errorf("%+v: %+v, want %s", id, err, want)
		}
	}
	if _, err := BuiltIn().For(security.Identity{Profile: "x"}); err == nil {
		t.Error("the built-in policy has a profile")
	}
}

func TestLayersInheritReplaceAndAdd(t *testing.T) {
	f := parsed(t, `version: 1
defaults:
  capabilities: {allow: [+NET_RAW, +chown]}
  network: {names: [a]}
  mounts:
    host_paths: [{path: /srv/a}]
    volumes: [{driver: local, names: [x]}]
  ulimits: {nofile: 1, core: none}
  sysctls: []
profiles:
  more:
    capabilities: {allow: [+SYS_PTRACE]}
    network: {names: [+c]}
    mounts:
      +host_paths:
        - {path: /srv/a}
        - {path: /srv/c, writable: true}
    ulimits: {core: 1MiB, nproc: none}
  none:
    ulimits: {}
    mounts: {host_paths: []}
  again:
    ulimits: {}
identities:
  - match: {roles: [r]}
    profiles: [more, none, again]
    rules:
      network: {names: [+b, +a]}
      mounts:
        +host_paths: [{path: /srv/b}]
        volumes: []
      ulimits:
        nproc: 5
`)
	base := rulesFor(t, f, security.Identity{})
	entry := rulesFor(t, f, security.Identity{Role: "r", Trusted: true})
	more := rulesFor(t, f, security.Identity{Role: "r", Trusted: true, Profile: "more"})
	none := rulesFor(t, f, security.Identity{Role: "r", Trusted: true, Profile: "none"})
	builtIn := security.BuiltInRules()
	paths := func(r security.Rules) string { return fmt.Sprint(r.Mounts.HostPaths) }
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"added capability", base.Capabilities.Allow, append(slices.Clone(builtIn.Capabilities.Allow), "CAP_NET_RAW")},
		{"base stays", base.Capabilities.Base, builtIn.Capabilities.Base},
		{"emptied list", base.Sysctls, []string(nil)},
		{"names of defaults", base.Network.Names, []string{"a"}},
		{"names of the entry", entry.Network.Names, []string{"a", "b"}},
		{"names of the profile", more.Network.Names, []string{"a", "b", "c"}},
		{"inherited through", more.Capabilities.Allow, append(slices.Clone(builtIn.Capabilities.Allow), "CAP_NET_RAW", "CAP_SYS_PTRACE")},
		{"paths of defaults", paths(base), "[{/srv/a false}]"},
		{"paths of the entry", paths(entry), "[{/srv/a false} {/srv/b false}]"},
		{"paths of the profile", paths(more), "[{/srv/a false} {/srv/b false} {/srv/c true}]"},
		{"no paths", paths(none), "[]"},
		{"no volumes", len(entry.Mounts.Volumes), 0},
		{"ulimits: merged", base.Ulimits["nofile"], int64(1)},
		{"ulimits: taken away", slices.Contains(slices.Collect(maps.Keys(base.Ulimits)), "core"), false},
		{"ulimits: of the entry", entry.Ulimits["nproc"], int64(5)},
		{"ulimits: others stay", entry.Ulimits["memlock"], builtIn.Ulimits["memlock"]},
		{"ulimits: given again", more.Ulimits["core"], int64(1 << 20)},
		{"ulimits: one less", len(more.Ulimits), len(builtIn.Ulimits) - 1},
		{"ulimits: none", none.Ulimits, map[string]int64(nil)},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
	// What one identity gets must not leak into what another one has.
	if diff := cmp.Diff(base, rulesFor(t, f, security.Identity{})); diff != "" {
		t.Errorf("the defaults changed:\n%s", diff)
	}
	if diff := cmp.Diff(entry, rulesFor(t, f, security.Identity{Role: "r", Trusted: true})); diff != "" {
		t.Errorf("the entry changed:\n%s", diff)
	}
}

const glassFile = `version: 1
principals: {p: {app_id_trusted: true}}
break_glass:
  - match: {roles: [a]}
    reason: first
    expires: 2026-06-01
    allow: {host_namespaces: [pid], paths: [{path: /run/docker.sock}]}
  - match: {roles: [a, b]}
    reason: "  second "
    expires: "2027-06-01"
    allow:
      host_namespaces: [ipc, pid]
      paths: [{path: /run/docker.sock, writable: true}, {path: /etc/mesos-docker-executor}]
      unconfined: [apparmor, seccomp, selinux, systempaths]
      propagation: [rslave]
  - match: {roles: [a, b, c]}
    reason: third
    expires: 2026-05-31
    allow: {host_namespaces: [userns]}
  - match: {app_ids: [/x/*]}
    reason: fourth
    expires: 2026-12-31
    allow: {unconfined: [seccomp]}
`

func TestBreakGlassIsTheUnionOfWhatIsInForce(t *testing.T) {
	f := parsed(t, glassFile)
	both := security.BreakGlass{
		Reason: "first; second", Expires: "2026-06-01",
		HostNamespaces: []string{"pid", "ipc"},
		Paths:          []security.HostPath{{Path: "/run/docker.sock"}, {Path: "/run/docker.sock", Writable: true}, {Path: "/etc/mesos-docker-executor"}},
		Unconfined:     []string{"apparmor", "seccomp", "selinux", "systempaths"},
		Propagation:    []string{"rslave"},
	}
	second := both
	second.Reason, second.Expires, second.HostNamespaces, second.Paths = "second", "2027-06-01", []string{"ipc", "pid"}, both.Paths[1:]
	for name, c := range map[string]struct {
		id   security.Identity
		want security.BreakGlass
	}{
		"two":              {security.Identity{Role: "a", Trusted: true}, both},
		"one":              {security.Identity{Role: "b", Trusted: true}, second},
		"expired":          {security.Identity{Role: "c", Trusted: true}, security.BreakGlass{}},
		"not trusted":      {security.Identity{Role: "a"}, security.BreakGlass{}},
		"nobody":           {security.Identity{Trusted: true}, security.BreakGlass{}},
		"by app ID":        {security.Identity{Principal: "p", AppID: "/x/y", Trusted: true}, security.BreakGlass{Reason: "fourth", Expires: "2026-12-31", Unconfined: []string{"seccomp"}}},
		"app ID of nobody": {security.Identity{Principal: "q", AppID: "/x/y", Trusted: true}, security.BreakGlass{}},
	} {
		if diff := cmp.Diff(c.want, rulesFor(t, f, c.id).BreakGlass); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(both, rulesFor(t, f, security.Identity{Role: "a", Trusted: true}).BreakGlass); diff != "" {
		t.Errorf("what one identity gets, another one has:\n%s", diff)
	}
}

func TestBreakGlassEndsWithItsLastDayInUTC(t *testing.T) {
	text := glassText("match: {roles: [a]}\nreason: x\nexpires: 2026-06-01\nallow: {unconfined: [seccomp]}")
	west := time.FixedZone("west", -10*3600)
	for now, want := range map[time.Time]bool{
		time.Date(2026, 6, 1, 23, 59, 59, 999, time.UTC): true,
		time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC):      false,
		time.Date(2026, 6, 1, 13, 59, 0, 0, west):        true,
		time.Date(2026, 6, 1, 14, 0, 0, 0, west):         false,
		time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC):      true,
	} {
		f, err := Parse("p.yaml", []byte(text), now)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(rulesFor(t, f, security.Identity{Role: "a", Trusted: true}).BreakGlass.Unconfined) > 0; got != want || f.UsesIdentity() != want {
			t.Errorf("%v: in force %v, want %v", now, got, want)
		}
	}
	if _, err := Parse("p.yaml", []byte(text), time.Date(2025, 5, 31, 23, 0, 0, 0, time.UTC)); err == nil {
		t.Error("more than a year ahead is accepted")
	}
}
