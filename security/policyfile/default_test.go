package policyfile

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/security"
)

// today is the day on which the tests read their files.
func today() time.Time { return time.Date(2026, 6, 1, 15, 0, 0, 0, time.UTC) }

func parsed(t testing.TB, text string) *File {
	t.Helper()
	f, err := Parse("/etc/policy.yaml", []byte(text), today())
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return f
}

func rulesFor(t testing.TB, f *File, id security.Identity) security.Rules {
	t.Helper()
	p, err := f.For(id)
	if err != nil {
		t.Fatal(err)
	}
	return p.Rules()
}

func TestDefaultIsTheBuiltInPolicy(t *testing.T) {
	text := Default()
	examples := regexp.MustCompile(`(?m)^#([^ \n]|  )`).ReplaceAllString(text, "$1")
	if examples == text || !strings.Contains(examples, "\nbreak_glass:\n") {
		t.Error("the text has no examples")
	}
	deleted := regexp.MustCompile(`(?m)^  .*\n`).ReplaceAllString(text, "")
	for name, text := range map[string]string{"as it is": text, "with its examples": examples, "without its rules": deleted, "version alone": "version: 1\n"} {
		got := rulesFor(t, parsed(t, text), security.Identity{})
		if diff := cmp.Diff(security.BuiltInRules(), got); diff != "" {
			t.Errorf("%s (-built in, +read):\n%s", name, diff)
		}
	}
	id := security.Identity{Trusted: true, Principal: "marathon-proxy", AppID: "/infra/a/b", Role: "infra/monitoring", Profile: "net-tools"}
	got := rulesFor(t, parsed(t, examples), id)
	if !strings.Contains(strings.Join(got.Capabilities.Allow, " "), "CAP_NET_ADMIN") || len(got.Mounts.HostPaths) != 1 || len(got.BreakGlass.HostNamespaces) != 1 {
		t.Errorf("the examples have no effect: %+v", got)
	}
	for line := range strings.Lines(text) {
		if len(line) > 140 {
			t.Errorf("long line: %s", line)
		}
	}
}
