package task

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

const dnsSettings = `{
	"mesos": [{"network_mode": "HOST", "dns": {"nameservers": ["10.0.0.1"]}}],
	"docker": [
		{"network_mode": "BRIDGE", "dns": {"nameservers": ["10.0.0.2", "fd00::2"], "search": ["a.example"], "options": ["ndots:2"]}},
		{"network_mode": "USER", "network_name": "web", "dns": {"nameservers": ["10.0.0.3"]}},
		{"network_mode": "USER", "dns": {"nameservers": ["10.0.0.4"], "domain": "without.effect"}}
	]
}`

func TestDefaultDNSGoesByTheNetwork(t *testing.T) {
	entries, err := ParseDefaultDNS(dnsSettings)
	if err != nil {
		t.Fatal(err)
	}
	user := func(name string) func(*mesos.TaskInfo) { return withUserNetwork(mesos.NetworkInfo{Name: &name}) }
	parameter := func(key, value string) func(*mesos.TaskInfo) {
		return func(task *mesos.TaskInfo) {
			docker(task).Parameters = append(docker(task).Parameters, mesos.Parameter{Key: key, Value: value})
		}
	}
	for _, test := range []struct {
		name    string
		change  func(*mesos.TaskInfo)
		servers []string
	}{
		{"bridge", func(*mesos.TaskInfo) {}, []string{"10.0.0.2", "fd00::2"}},
		{"user network with an entry", user("web"), []string{"10.0.0.3"}},
		{"any other user network", user("db"), []string{"10.0.0.4"}},
		{"no network", func(task *mesos.TaskInfo) { docker(task).Network = mesos.ContainerInfo_DockerInfo_NONE.Enum() }, nil},
		{"host network", func(task *mesos.TaskInfo) { docker(task).Network = nil }, nil},
		{"the task's own server", parameter("dns", "10.1.1.1"), []string{"10.1.1.1"}},
		{"the task's own search domain", parameter("dns-search", "b.example"), nil},
		{"the task's own option", parameter("dns-opt", "ndots:1"), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			task := fixtureTask(t, "hello")
			test.change(&task)
			in := testInputs()
			in.DefaultDNS = entries
			spec, findings := translatedIn(in, task)
			if diff := cmp.Diff(test.servers, spec.Host.DNS); diff != "" || len(findings) > 0 {
				t.Error(diff, findings)
			}
		})
	}
}

func TestMistakesInDefaultDNSAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                                     "ContainerDNSInfo",
		`{"dokcer": []}`:                         "dokcer",
		`{} {}`:                                  "text after",
		`{"docker": [{"network_mode": "HOST"}]}`: "docker[0]",
		`{"docker": [{"network_mode": "BRIDGE", "network_name": "x"}]}`:                                      "docker[0]",
		`{"docker": [{"network_mode": "USER", "network_name": "host"}]}`:                                     "docker[0]",
		`{"docker": [{"network_mode": "BRIDGE"}, {"network_mode": "BRIDGE"}]}`:                               "docker[1] is a second entry",
		`{"docker": [{"network_mode": "BRIDGE", "dns": {"nameservers": ["ns.example"]}}]}`:                   `docker[0].dns: DNS server "ns.example"`,
		`{"docker": [{"network_mode": "BRIDGE", "dns": {"nameservers": ["fe80::1%eth0"]}}]}`:                 "fe80::1%eth0",
		`{"docker": [{"network_mode": "BRIDGE", "dns": {"search": ["a b"]}}]}`:                               `"a b"`,
		`{"docker": [{"network_mode": "BRIDGE", "dns": {"nameservers": ["10.0.0.1"], "options": ["a b"]}}]}`: `"a b"`,
	} {
		if _, err := ParseDefaultDNS(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if entries, err := ParseDefaultDNS(""); err != nil || entries != nil {
		t.Error(entries, err)
	}
}
