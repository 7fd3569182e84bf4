package endtoend

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/localagent"
)

// policy writes a policy.yaml and returns how an executor is told of it.
func policy(t *testing.T, text string) (path, digest string, use func(*localagent.Options)) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	return path, hex.EncodeToString(sum[:]), func(o *localagent.Options) { o.Arguments = append(o.Arguments, "--policy="+path) }
}

func tomorrow() string { return time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly) }

// The embedded agent is this process, which starts the executor, so its word on principal and role counts.
func TestPolicyFileDecidesByIdentityAndProfile(t *testing.T) {
	shared := t.TempDir()
	must(t, os.Chmod(shared, 0o755))
	write(t, filepath.Join(shared, "greeting"), "from the host\n")
	_, digest, use := policy(t, `version: 1
principals:
  try: {app_id_trusted: true}
profiles:
  net-tools:
    capabilities: {allow: [+NET_ADMIN]}
identities:
  - match: {principals: [somebody]}
    rules: {network: {modes: [none]}}
  - match: {principals: [try], roles: ["*"]}
    rules:
      mounts:
        host_paths: [{path: `+shared+`}]
    profiles: [net-tools]
break_glass:
  - match: {principals: [try]}
    reason: looking for a leak
    expires: `+tomorrow()+`
    allow: {host_namespaces: [pid]}
`)
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		r := launch(t, mode, shell(t, "cat /shared/greeting; touch /shared/x || echo read-only; grep CapEff /proc/self/status; echo pid $$; sleep 1000 & wait",
			`"labels": {"labels": [{"key": "mesos-docker-executor.profile", "value": "net-tools"}]}`), use, func(o *localagent.Options) {
			o.Task.Container.Docker.Parameters = []mesos.Parameter{
				{Key: "cap-add", Value: "net_admin"}, {Key: "pid", Value: "host"}, {Key: "volume", Value: shared + ":/shared:ro"},
			}
		})
		starting := r.starting()
		for _, want := range []string{"policy policy.yaml@sha256:" + digest, "break glass", "looking for a leak", tomorrow()} {
			if !strings.Contains(starting, want) {
				t.Errorf("STARTING says %q, not %q", starting, want)
			}
		}
		r.state(mesos.TASK_RUNNING)
		r.awaitOutput("pid ")
		c, err := client(t).Inspect(r.ctx, r.containerName())
		must(t, err)
		if got := c.Labels["mesos-docker-executor.policy"]; got != "policy.yaml@sha256:"+digest {
			t.Errorf("label %q", got)
		}
		grace := time.Second
		r.Kill(&grace)
		r.ends(mesos.TASK_KILLED, 0)
		out := r.file("stdout")
		if !strings.Contains(out, "from the host\nread-only\nCapEff:\t00000000a00415fb\n") || !strings.Contains(r.file("mesos-docker-executor.log"), digest) {
			t.Errorf("stdout %q", out)
		}
		var pid int
		if _, after, ok := strings.Cut(out, "pid "); ok {
			pid, _ = strconv.Atoi(strings.TrimSpace(after))
		}
		if pid < 10 {
			t.Errorf("pid %d: not one of the host's namespace", pid)
		}
		r.nothingLeft()
	})
}

func TestTaskOfAnotherIdentityMayNotPickTheProfile(t *testing.T) {
	_, _, use := policy(t, `version: 1
identities:
  - match: {principals: [somebody]}
    profiles: [any]
profiles: {any: {}}
`)
	r := launch(t, localagent.DropIn, shell(t, "true", `"labels": {"labels": [{"key": "mesos-docker-executor.profile", "value": "any"}]}`), use)
	refused := r.ends(mesos.TASK_ERROR, 1)
	if refused.GetReason() != mesos.REASON_TASK_UNAUTHORIZED || !strings.Contains(refused.GetMessage(), "policy.yaml") || !strings.Contains(refused.GetMessage(), `"any"`) {
		t.Errorf("%v: %s", refused.GetReason(), refused.GetMessage())
	}
	r.nothingLeft()
}

func TestAuditedTaskRunsAsWrittenAndIsToldOf(t *testing.T) {
	_, _, use := policy(t, "version: 1\nmode: audit\n")
	r := launch(t, localagent.DropIn, shell(t, "grep -E 'CapEff|NoNewPrivs' /proc/1/status"), use, func(o *localagent.Options) {
		o.Task.Container.Docker.Parameters = []mesos.Parameter{{Key: "cap-add", Value: "SYS_TIME"}}
	})
	starting := r.starting()
	if !strings.Contains(starting, "audit: would trim CAP_SYS_TIME") || !strings.Contains(starting, "audit: would force ") {
		t.Errorf("STARTING says %q", starting)
	}
	r.ends(mesos.TASK_FINISHED, 0)
	if out := r.file("stdout"); !strings.Contains(out, "CapEff:\t00000000aa0425fb") || !strings.Contains(out, "NoNewPrivs:\t0") {
		t.Errorf("stdout %q", out)
	}
	r.nothingLeft()
}

func TestPolicyDoesNotOpenTheAgentsWorkDirectory(t *testing.T) {
	_, _, use := policy(t, "version: 1\ndefaults: {mounts: {host_paths: [{path: /tmp, writable: true}]}}\n")
	workDir := t.TempDir()
	for _, source := range []string{workDir, filepath.Dir(workDir), filepath.Join(workDir, "slaves/other")} {
		r := launch(t, localagent.Custom, shell(t, "true"), use, func(o *localagent.Options) {
			o.WorkDir = workDir
			o.Task.Container.Docker.Parameters = []mesos.Parameter{{Key: "volume", Value: source + ":/stolen"}}
		})
		refused := r.ends(mesos.TASK_ERROR, 1)
		if !strings.Contains(refused.GetMessage(), "mounts.denied") || !strings.Contains(refused.GetMessage(), workDir) {
			t.Errorf("%s: %s", source, refused.GetMessage())
		}
		r.nothingLeft()
	}
}

func TestPolicyThatCannotBeUsedStartsNothing(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		change func(t *testing.T, path string)
		want   []string
	}{
		"wrong key":          {"version: 1\ndefaults:\n  privileged: true\n", nil, []string{"policy.yaml:3", "privileged"}},
		"missing":            {"version: 1\n", func(t *testing.T, path string) { must(t, os.Remove(path)) }, []string{"does not exist"}},
		"writable by others": {"version: 1\n", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o666)) }, []string{"chmod go-w"}},
		"somebody else's":    {"version: 1\n", func(t *testing.T, path string) { must(t, os.Chown(path, 1000, 1000)) }, []string{"chown root"}},
	} {
		t.Run(name, func(t *testing.T) {
			path, _, use := policy(t, test.text)
			if test.change != nil {
				test.change(t, path)
			}
			for _, mode := range []localagent.Mode{localagent.DropIn, localagent.Custom} {
				r := launch(t, mode, shell(t, "true"), use)
				failed := r.ends(mesos.TASK_FAILED, 1)
				if failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED {
					t.Errorf("%s: %v", mode, failed.GetReason())
				}
				for _, want := range append(test.want, path) {
					if !strings.Contains(failed.GetMessage(), want) {
						t.Errorf("%s: %q lacks %q", mode, failed.GetMessage(), want)
					}
				}
				r.nothingLeft()
			}
		})
	}
}

func (r *run) starting() string {
	r.t.Helper()
	s := r.state(mesos.TASK_STARTING)
	return s.GetMessage()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
