package task

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
	"mesos-docker-executor/security/policyfile"
)

const (
	policiesDir = "../../docs/policies"
	// marathonID is what follows an app ID in a task ID of Marathon.
	marathonID = ".instance-0b8d3f6e-3c1c-11ec-8a6d-0242ac120002._app.1"
	atDigest   = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// examplePolicy reads a policy of docs/policies; with examples, also what is commented out there.
func examplePolicy(t *testing.T, name string, examples bool) *policyfile.File {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(policiesDir, name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if examples {
		text = regexp.MustCompile(`(?m)^#([^ \n]|  [ -])`).ReplaceAll(text, []byte("$1"))
	}
	f, err := policyfile.Parse(name+".yaml", text, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestExamplePoliciesAreComplete(t *testing.T) {
	files, err := filepath.Glob(policiesDir + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	if diff := cmp.Diff([]string{"infrastructure", "migration", "strict", "web-team"}, names); diff != "" {
		t.Error(diff)
	}
	for _, name := range names {
		examplePolicy(t, name, false)
		examplePolicy(t, name, true)
	}
}

// asked is a task under a policy of docs/policies, and what becomes of it: "runs", or the rules that reject it, or those that
// change it ("trim RULE", "audit RULE", "lift RULE").
type asked struct {
	name                       string
	principal, role, appID     string
	profile, image             string
	parameters                 []string
	network                    string
	want                       string
	notTrusted, withBreakGlass bool
}

func (a asked) decide(t *testing.T, policy string) string {
	t.Helper()
	raw := helloTask(t, func(task *mesos.TaskInfo) {
		task.Command = &mesos.CommandInfo{Shell: ptr(false), Value: ptr("true")}
		docker := task.Container.Docker
		docker.Image = a.image
		docker.Network = mesos.ContainerInfo_DockerInfo_Network(mesos.ContainerInfo_DockerInfo_Network_value[a.network]).Enum()
		if strings.HasPrefix(a.network, "user ") {
			docker.Network = mesos.ContainerInfo_DockerInfo_USER.Enum()
			task.Container.NetworkInfos = []mesos.NetworkInfo{{Name: ptr(a.network[len("user "):])}}
		}
		docker.Parameters = parametersOf(a.parameters...)
		for i := range task.Resources {
			task.Resources[i].AllocationInfo.Role = ptr(a.role)
		}
		if a.appID != "" {
			task.TaskID.Value = strings.ReplaceAll(a.appID[1:], "/", "_") + marathonID
		}
		if a.profile != "" {
			task.Labels = &mesos.Labels{Labels: []mesos.Label{{Key: security.ProfileLabel, Value: ptr(a.profile)}}}
		}
	})
	in := testInputs()
	in.Principal, in.Trusted = a.principal, !a.notTrusted
	d := Decide(raw, in, examplePolicy(t, policy, a.withBreakGlass))
	var rules []string
	for _, f := range d.Findings {
		switch {
		case d.Refusal != nil && f.Action == security.Reject:
			rules = append(rules, f.Rule)
		case d.Refusal == nil && f.Action != security.Allow && f.Action != security.Force && f.Would != security.Force:
			rules = append(rules, string(f.Action)+" "+f.Rule)
		}
	}
	slices.Sort(rules)
	if len(rules) == 0 && d.Plan != nil {
		return "runs"
	}
	return strings.Join(slices.Compact(rules), ", ")
}

// run fills in what a row leaves open.
func run(t *testing.T, policy string, usual asked, rows []asked) {
	for _, a := range rows {
		if a.image == "" {
			a.image = usual.image
		}
		if a.network == "" {
			a.network = "BRIDGE"
		}
		if a.principal == "" {
			a.principal = usual.principal
		}
		if a.role == "" {
			a.role = usual.role
		}
		t.Run(a.name, func(t *testing.T) {
			if got := a.decide(t, policy); got != a.want {
				t.Errorf("%s, want %s", got, a.want)
			}
		})
	}
}

func TestStrictPolicy(t *testing.T) {
	user := "user 1000"
	run(t, "strict", asked{image: "registry.example/team/app" + atDigest, principal: "m", role: "r"}, []asked{
		{name: "user and digest", parameters: []string{user}, want: "runs"},
		{name: "port below 1024", parameters: []string{user, "cap-add NET_BIND_SERVICE"}, want: "runs"},
		{name: "small tmpfs", parameters: []string{user, "tmpfs /tmp:size=32m"}, want: "runs"},
		{name: "root", parameters: []string{"user 0"}, want: "user.non_root"},
		{name: "user by name", parameters: []string{"user app"}, want: "user.non_root"},
		{name: "capability", parameters: []string{user, "cap-add CHOWN"}, want: "capabilities.allow"},
		{name: "no network", parameters: []string{user}, network: "NONE", want: "network.modes"},
		{name: "host's network", parameters: []string{user}, network: "HOST", want: "network.modes"},
		{name: "by tag", image: "registry.example/team/app:1", parameters: []string{user}, want: "image.digest"},
		{name: "another registry", image: "docker.io/library/busybox" + atDigest, parameters: []string{user}, want: "image.allow"},
		{name: "Docker Hub by tag", image: "busybox:1", parameters: []string{user}, want: "image.allow, image.digest"},
		{name: "sysctl", parameters: []string{user, "sysctl net.ipv4.tcp_syncookies=1"}, want: "sysctls"},
		{name: "profile", parameters: []string{user}, profile: "debug", want: "profile"},
		{name: "privileged", parameters: []string{user, "privileged true"}, want: "privileged"},
		{name: "large tmpfs", parameters: []string{user, "tmpfs /tmp:size=65m"}, want: "trim mounts.tmpfs"},
		{name: "many processes", parameters: []string{user, "pids-limit 2000"}, want: "trim pids_limit"},
	})
}

func TestWebTeamPolicy(t *testing.T) {
	const nginx = "nginx:1"
	run(t, "web-team", asked{image: nginx, principal: "marathon-proxy", role: "marathon"}, []asked{
		{name: "app of the team", appID: "/web/shop", want: "runs"},
		{name: "image of the team", appID: "/web/shop/cart", image: "registry.example/web/cart:1", want: "runs"},
		{name: "image of another team", appID: "/web/shop", image: "registry.example/db/x:1", want: "image.allow"},
		{name: "another official image", appID: "/web/shop", image: "redis:1", want: "image.allow"},
		{name: "network of the team", appID: "/web/shop", network: "user web-front", want: "runs"},
		{name: "network of another team", appID: "/web/shop", network: "user db-front", want: "network.modes"},
		{name: "certificates", appID: "/web/shop", parameters: []string{"volume /etc/ssl/certs:/certs:ro"}, want: "runs"},
		{name: "certificates for writing", appID: "/web/shop", parameters: []string{"volume /etc/ssl/certs:/certs"}, want: "mounts.modes"},
		{name: "uploads", appID: "/web/shop", parameters: []string{"volume /srv/web/uploads/a:/u"}, want: "runs"},
		{name: "/etc", appID: "/web/shop", parameters: []string{"volume /etc:/x:ro"}, want: "mounts.sources"},
		{name: "ptrace without the profile", appID: "/web/shop", parameters: []string{"cap-add SYS_PTRACE"}, want: "trim capabilities.allow"},
		{name: "ptrace with the profile", appID: "/web/shop", profile: "debug", parameters: []string{"cap-add SYS_PTRACE"}, want: "runs"},
		{name: "many files", appID: "/web/shop", profile: "many-files", parameters: []string{"ulimit nofile=500000"}, want: "runs"},
		{name: "unknown profile", appID: "/web/shop", profile: "root", want: "profile"},
		{name: "app with a similar name", appID: "/webshop/a", parameters: []string{"volume /srv/web/uploads/a:/u"}, want: "mounts.sources"},
		{name: "profile of the team for another app", appID: "/db/a", profile: "debug", want: "profile"},
		{name: "another app", appID: "/db/a", image: "redis:1", want: "runs"},
		{name: "no Marathon task", image: "redis:1", network: "user web-front", want: "network.modes"},
		{name: "another principal with the app ID", principal: "other", appID: "/web/shop", network: "user web-front", want: "network.modes"},
		{name: "an agent that nobody vouches for", appID: "/web/shop", network: "user web-front", notTrusted: true, want: "network.modes"},
	})
}

func TestInfrastructurePolicy(t *testing.T) {
	user := "user 1000"
	run(t, "infrastructure", asked{image: "busybox:1", principal: "infra-scheduler", role: "infra/dns"}, []asked{
		{name: "everybody", role: "web", parameters: []string{user}, want: "runs"},
		{name: "everybody as root", role: "web", parameters: []string{"user 0"}, want: "user.non_root"},
		{name: "everybody's capability", role: "web", parameters: []string{user, "cap-add NET_RAW"}, want: "capabilities.allow"},
		{name: "everybody's profile", role: "web", parameters: []string{user}, profile: "net-tools", want: "profile"},
		{name: "logs", parameters: []string{user, "volume /var/log:/logs:ro"}, want: "runs"},
		{name: "logs for writing", parameters: []string{user, "volume /var/log:/logs"}, want: "mounts.modes"},
		{name: "network tools", profile: "net-tools", parameters: []string{"user 0", "cap-add NET_ADMIN"}, want: "runs"},
		{name: "network tools without the profile", parameters: []string{user, "cap-add NET_ADMIN"}, want: "capabilities.allow"},
		{name: "host's network", profile: "host-net", network: "HOST", parameters: []string{user}, want: "runs"},
		{name: "bridge with the profile for the host's", profile: "host-net", parameters: []string{user}, want: "runs"},
		{name: "host's network without the profile", network: "HOST", parameters: []string{user}, want: "network.modes"},
		{name: "storage of another team", profile: "storage", want: "profile"},
		{name: "storage", role: "infra/storage", profile: "storage", parameters: []string{"cap-add SYS_ADMIN", "device /dev/fuse:/dev/fuse:rw", "volume /srv/storage:/s"}, want: "runs"},
		{name: "more of the device", role: "infra/storage", profile: "storage", parameters: []string{"device /dev/fuse"}, want: "devices"},
		{name: "another device", role: "infra/storage", profile: "storage", parameters: []string{"device /dev/sda:/dev/sda:r"}, want: "devices"},
		{name: "another principal", principal: "marathon", parameters: []string{user, "volume /var/log:/logs:ro"}, want: "mounts.sources"},
		{name: "engine's socket", role: "infra/monitoring", parameters: []string{user, "volume /run/docker.sock:/d:ro"}, want: "mounts.sources"},
		{name: "host's processes", role: "infra/monitoring", parameters: []string{user, "pid host"}, want: "namespaces.pid"},
		{name: "engine's socket by break_glass", role: "infra/monitoring", parameters: []string{user, "volume /run/docker.sock:/d:ro"}, withBreakGlass: true, want: "lift break_glass.paths"},
		{name: "engine's socket for writing", role: "infra/monitoring", parameters: []string{user, "volume /run/docker.sock:/d"}, withBreakGlass: true, want: "mounts.sources"},
		{name: "host's processes by break_glass", role: "infra/monitoring", parameters: []string{user, "pid host"}, withBreakGlass: true, want: "lift break_glass.host_namespaces"},
		{name: "host's IPC", role: "infra/monitoring", parameters: []string{user, "ipc host"}, withBreakGlass: true, want: "namespaces.ipc"},
		{name: "host's processes of another team", parameters: []string{user, "pid host"}, withBreakGlass: true, want: "namespaces.pid"},
	})
}

func TestMigrationPolicy(t *testing.T) {
	run(t, "migration", asked{image: "busybox:1", principal: "m", role: "staging/a"}, []asked{
		{name: "ordinary", want: "runs"},
		{name: "ordinary elsewhere", role: "web", want: "runs"},
		{name: "host's network in audit mode", role: "web", network: "HOST", want: "audit network.modes"},
		{name: "device in audit mode", role: "web", parameters: []string{"device /dev/fuse"}, want: "audit devices"},
		{name: "device where it holds", parameters: []string{"device /dev/fuse"}, want: "devices"},
		{name: "host's network where it holds", network: "HOST", want: "network.modes"},
		{name: "host's network where it was decided", role: "edge", network: "HOST", want: "runs"},
		{name: "privileged in audit mode", role: "web", parameters: []string{"privileged true"}, want: "privileged"},
		{name: "host's processes in audit mode", role: "web", parameters: []string{"pid host"}, want: "namespaces.pid"},
	})
	f := examplePolicy(t, "migration", false)
	for role, want := range map[string]security.Mode{"web": security.Audit, "edge": security.Audit, "staging": security.BuiltInRules().Mode} {
		p, err := f.For(security.Identity{Role: role, Trusted: true})
		if err != nil || p.Rules().Mode != want {
			t.Errorf("%s: %v, mode %q", role, err, p.Rules().Mode)
		}
	}
}
