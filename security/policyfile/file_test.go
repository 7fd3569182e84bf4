package policyfile

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/security"
)

func placesFor(t *testing.T, f *File, id security.Identity) map[string]string {
	t.Helper()
	rules, places := security.BuiltInRules(), map[string]string{}
	f.layered(id, &rules, places)
	return places
}

func TestPlacesAreThoseOfTheLayerThatWon(t *testing.T) {
	f := parsed(t, `version: 1
mode: enforce
defaults:
  pids_limit: 100
  capabilities:
    base: []
    allow: [+NET_RAW]
  mounts: {host_paths: [{path: /a}]}
  ulimits:
    nofile: 1
    core: none
profiles:
  p:
    capabilities: {allow: [+KILL]}
    ulimits: {}
identities:
  - match: {roles: [r]}
    mode: audit
    profiles: [p]
    rules:
      pids_limit: 7
      mounts:
        +host_paths: [{path: /b}]
      ulimits: {nofile: 2}
break_glass:
  - match: {roles: [r]}
    reason: x
    expires: 2026-12-31
    allow:
      host_namespaces: [pid]
  - match: {roles: [r]}
    reason: y
    expires: 2026-12-31
    allow: {host_namespaces: [ipc], unconfined: [seccomp]}
`)
	for name, c := range map[string]struct {
		id   security.Identity
		want string
	}{
		"defaults": {security.Identity{}, "mode 2, pids_limit 4, capabilities.base 6, capabilities.allow 7, mounts.host_paths 8, ulimits 9, ulimits.nofile 10, ulimits.core 11"},
		"entry": {security.Identity{Role: "r", Trusted: true},
			"mode 18, pids_limit 21, capabilities.base 6, capabilities.allow 7, mounts.host_paths 23, ulimits 24, ulimits.nofile 24, ulimits.core 11, break_glass 26, break_glass.host_namespaces 30, break_glass.unconfined 34"},
		"profile": {security.Identity{Role: "r", Trusted: true, Profile: "p"},
			"mode 18, pids_limit 21, capabilities.base 6, capabilities.allow 14, mounts.host_paths 23, ulimits 15, break_glass 26, break_glass.host_namespaces 30, break_glass.unconfined 34"},
	} {
		want := map[string]string{}
		for pair := range strings.SplitSeq(c.want, ", ") {
			key, line, _ := strings.Cut(pair, " ")
			want[key] = "policy.yaml:" + line
		}
		if diff := cmp.Diff(want, placesFor(t, f, c.id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if p := placesFor(t, parsed(t, "version: 1\n"), security.Identity{}); len(p) != 0 {
		t.Errorf("places of an empty file: %v", p)
	}
}

func TestDigestIsThatOfTheFile(t *testing.T) {
	text := identitiesText
	digest := sha256.Sum256([]byte(text))
	f := parsed(t, text)
	if f.Digest() != hex.EncodeToString(digest[:]) || f.Name() != "policy.yaml" {
		t.Errorf("digest %s, name %s", f.Digest(), f.Name())
	}
	for _, id := range []security.Identity{{}, {Principal: "proxy", Trusted: true, AppID: "/shop", Profile: "big"}} {
		p, err := f.For(id)
		if err != nil || p.Digest() != f.Digest() || p.Hash() != "policy.yaml:"+f.Digest()[:12] {
			t.Errorf("%v, %s, %s", err, p.Digest(), p.Hash())
		}
	}
	for name, want := range map[string]string{"": "policy.yaml", "/": "policy.yaml", "/etc/a.yaml": "a.yaml", "b.yaml": "b.yaml"} {
		f, err := Parse(name, []byte(text), today())
		if err != nil || f.Name() != want {
			t.Errorf("%q: %v, %s", name, err, f.Name())
		}
	}
}

func TestBuiltInFileIsTheBuiltInPolicy(t *testing.T) {
	f := BuiltIn()
	p, err := f.For(security.Identity{Principal: "p", Role: "r", AppID: "/a", Trusted: true})
	if err != nil || p.Hash() != security.BuiltIn().Hash() || f.Digest() != security.BuiltIn().Digest() || f.Name() != "built-in" || f.Notes() != nil {
		t.Errorf("%v: %s, %s %s %v", err, p.Hash(), f.Name(), f.Digest(), f.Notes())
	}
	if diff := cmp.Diff(security.BuiltInRules(), p.Rules()); diff != "" {
		t.Error(diff)
	}
}

func TestFileServesManyGoroutines(t *testing.T) {
	f := parsed(t, identitiesText)
	want := rulesFor(t, f, security.Identity{Principal: "proxy", AppID: "/shop", Profile: "big", Trusted: true})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				p, err := f.For(security.Identity{Principal: "proxy", AppID: "/shop", Profile: "big", Trusted: true})
				if err != nil || !cmp.Equal(want, p.Rules()) {
					t.Errorf("%v: %+v", err, p.Rules())
				}
				f.Notes()
			}
		})
	}
	wait.Wait()
}

// TestFindingsNameTheLineOfTheFile: what a review finds is said with the line that decided.
func TestFindingsNameTheLineOfTheFile(t *testing.T) {
	f := parsed(t, `version: 1
defaults:
  network:
    modes: [none]
identities:
  - match: {roles: [r]}
    rules:
      devices: []
      network: {modes: [host]}
`)
	for role, want := range map[string]string{"r": "policy.yaml:9", "other": "policy.yaml:4"} {
		p, err := f.For(security.Identity{Role: role, Trusted: true})
		if err != nil {
			t.Fatal(err)
		}
		spec := security.Spec{Name: "mesos-x", Image: "busybox:1"}
		spec.Config.Image, spec.Host.NetworkMode, spec.Host.PidMode = spec.Image, "bridge", "container:x"
		spec.Host.Runtime, spec.Host.Memory, spec.Host.CPUShares = "kata", 64<<20, 102
		places := map[string]string{}
		for _, finding := range p.Review(spec, security.Grants{}).Rejections() {
			places[finding.Rule] = finding.Place
		}
		wanted := map[string]string{"network.modes": want, "runtime": "built-in", "namespaces.pid": "fixed"}
		if diff := cmp.Diff(wanted, places); diff != "" {
			t.Errorf("role %s (-want +got):\n%s", role, diff)
		}
	}
}
