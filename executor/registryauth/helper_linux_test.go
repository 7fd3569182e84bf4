package registryauth

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/registry"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
)

const (
	answers = `read server; echo '{"ServerURL": "'$server'", "Username": "helped", "Secret": "canary"}'`
	lacks   = `echo credentials not found in native keychain; exit 1`
)

func TestHelpers(t *testing.T) {
	for _, tc := range []struct {
		name, config, script string
		want                 registry.AuthConfig
		note                 string
	}{
		{"helper of the registry", `{"credHelpers": {"r.example": "x"}, "credsStore": "none"}`, answers,
			registry.AuthConfig{Username: "helped", Password: "canary"}, ""},
		{"store", `{"credsStore": "x", "auths": {"r.example": {}}}`, answers, registry.AuthConfig{Username: "helped", Password: "canary"}, ""},
		{"identity token", `{"credsStore": "x"}`, `echo '{"Username": "<token>", "Secret": "canary"}'`, registry.AuthConfig{IdentityToken: "canary"}, ""},
		{"has none", `{"credsStore": "x"}`, lacks, registry.AuthConfig{}, ""},
		{"has none, but the file", `{"credsStore": "x", "auths": {"r.example": {"username": "web", "password": "canary"}}}`, lacks,
			registry.AuthConfig{Username: "web", Password: "canary"}, ""},
		{"of another registry", `{"credHelpers": {"other.example": "x"}}`, answers, registry.AuthConfig{}, ""},
		{"is asked for the registry", `{"credsStore": "x"}`, `read s; test "$s" = r.example && test "$1" = get && ` + strings.Replace(answers, "read server;", "", 1),
			registry.AuthConfig{Username: "helped", Password: "canary"}, ""},
		{"has a clean environment", `{"credsStore": "x"}`, `test "$(env | sed 's/=.*//' | sort | tr '\n' ' ')" = "HOME LANG PATH PWD " && test $PWD = / && ` + answers,
			registry.AuthConfig{Username: "helped", Password: "canary"}, ""},
		{"fails", `{"credsStore": "x"}`, `echo canary; echo canary >&2; exit 3`, registry.AuthConfig{}, "exit status 3; run `echo r.example | "},
		{"no JSON", `{"credsStore": "x"}`, `echo canary`, registry.AuthConfig{}, "its answer is not a credential helper's"},
		{"empty secret", `{"credsStore": "x"}`, `echo '{"Username": "canary"}'`, registry.AuthConfig{}, "its answer is not a credential helper's"},
		{"endless", `{"credsStore": "x"}`, `exec yes canary`, registry.AuthConfig{}, "longer than 65536 bytes"},
		{"store switched off for the registry", `{"credsStore": "x", "credHelpers": {"r.example": ""}, "auths": {"r.example": {"username": "web", "password": "canary"}}}`, answers,
			registry.AuthConfig{Username: "web", Password: "canary"}, ""},
		{"store switched off for another", `{"credsStore": "x", "credHelpers": {"other.example": ""}}`, answers,
			registry.AuthConfig{Username: "helped", Password: "canary"}, ""},
		{"missing", `{"credsStore": "y"}`, answers, registry.AuthConfig{}, "docker-credential-y is not in /"},
		{"a path", `{"credsStore": "../../x"}`, answers, registry.AuthConfig{}, "this is no name of a helper, but a path"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlace(t)
			p.hostConfig(tc.config)
			p.helper("x", tc.script)
			got, found := p.lookup("r.example/app")
			got.ServerAddress = ""
			if got != tc.want || (len(found.Notes) > 0) != (tc.note != "") || !strings.Contains(strings.Join(found.Notes, ""), tc.note) {
				t.Errorf("%+v, %+v", got, found)
			}
		})
	}
}

func TestHelperOfATaskRunsOnlyIfTheOperatorAllowsIt(t *testing.T) {
	p := newPlace(t)
	ran := filepath.Join(p.host, "ran")
	p.helper("x", "touch "+ran+"; "+answers)
	p.sandboxConfig(`{"credHelpers": {"r.example": "x"}}`)
	_, found := p.lookup("r.example/app")
	if _, err := os.Stat(ran); err == nil || found.Header != "" || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], `credential helper "x": a task's file may not run it`) {
		t.Errorf("%+v", found)
	}
	// The operator's own file may name it all the same.
	p.hostConfig(`{"credHelpers": {"r.example": "x"}}`)
	if got, found := p.lookup("r.example/app"); got.Username != "helped" || !strings.HasPrefix(found.From, p.HostConfig) {
		t.Errorf("%+v", found)
	}
	p.TaskHelpers = []string{"y", "x"}
	if got, found := p.lookup("r.example/app"); got.Username != "helped" || found.From != "the sandbox's .docker/config.json (credential helper x)" {
		t.Errorf("%+v", found)
	}
	if err := os.Chmod(filepath.Join(p.helperPath, "docker-credential-x"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, found := p.lookup("r.example/app"); found.Header != "" || !strings.Contains(found.Notes[0], "must be root's") {
		t.Errorf("a program that anybody may change: %+v", found)
	}
}

func TestHelperIsKilledWithItsChildren(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		limit        time.Duration
		note         string
	}{
		{"at its limit", "echo $$ >HELPER; sleep 600 & echo $! >CHILD; sleep 600", 500 * time.Millisecond, "no answer within 500ms (config.yaml's registry.helper_limit)"},
		{"when it has answered", "echo $$ >HELPER; sleep 600 & echo $! >CHILD; " + answers, time.Minute, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlace(t)
			self, child := filepath.Join(p.host, "helper"), filepath.Join(p.host, "child")
			p.HelperLimit = tc.limit
			p.helper("x", strings.NewReplacer("HELPER", self, "CHILD", child).Replace(tc.script))
			p.hostConfig(`{"credsStore": "x"}`)
			began := time.Now()
			got, found := p.lookup("r.example/app")
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			if (got.Username == "helped") != (tc.note == "") || !strings.HasSuffix(strings.Join(found.Notes, ""), tc.note) {
				t.Errorf("%+v", found)
			}
			awaitOrphan(t, child)
			awaitReaped(t, self)
		})
	}
}

// A child that left the group keeps stdout open: the helper's answer is there all the same.
func TestAnswerCountsAlthoughAChildKeepsStdout(t *testing.T) {
	p := newPlace(t)
	child, group := filepath.Join(p.host, "child"), filepath.Join(p.host, "group")
	p.helper("x", "setsid sh -c 'echo $$ >"+child+"; exec sleep 600' & sleep 600 & echo $! >"+group+
		"; until test -s "+child+"; do sleep 0.01; done; "+answers)
	p.hostConfig(`{"credsStore": "x"}`)
	if got, found := p.lookup("r.example/app"); got.Username != "helped" || got.Password != "canary" || len(found.Notes) > 0 {
		t.Errorf("%+v", found)
	}
	awaitOrphan(t, group)
	if err := unix.Kill(pidIn(t, child), unix.SIGKILL); err != nil {
		t.Error(err)
	}
	awaitOrphan(t, child)
}

func TestLookupEndsWithItsContext(t *testing.T) {
	p := newPlace(t)
	started := filepath.Join(p.host, "started")
	p.helper("x", "echo $$ >"+started+"; exec sleep 600")
	p.hostConfig(`{"credsStore": "x"}`)
	p.HelperLimit = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	go cancelWhenWritten(cancel, started)
	if found := p.Lookup(ctx, "r.example/app"); found.Header != "" {
		t.Errorf("%+v", found)
	}
	awaitReaped(t, started)
}

// cancelWhenWritten cancels when a file has content, and after some seconds at the latest.
func cancelWhenWritten(cancel func(), file string) {
	defer cancel()
	eventually(func() bool {
		text, _ := os.ReadFile(file)
		return len(text) > 0
	})
}

// A frozen process does not die of SIGKILL before it is thawed, as one in the kernel's D state.
func TestLookupDoesNotWaitForAHelperThatCannotBeEnded(t *testing.T) {
	for _, tc := range []struct {
		name  string
		limit time.Duration
		kill  bool
		most  time.Duration
		note  string
	}{
		{"limit", 500 * time.Millisecond, false, 500*time.Millisecond + afterKill + 3*time.Second, "no answer within 500ms (config.yaml's registry.helper_limit), and it cannot be ended"},
		{"kill", time.Hour, true, 13 * time.Second, "context canceled"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlace(t)
			cgroup := freezer(t)
			frozen := filepath.Join(p.host, "pid")
			p.HelperLimit = tc.limit
			// The file is written by the one that freezes the helper, when that is done.
			p.helper("x", fmt.Sprintf(`echo $$ >%s/cgroup.procs
				(echo 0 >%s/cgroup.procs; echo FROZEN >%[3]s/freezer.state; echo %s >%s) &
				wait; sleep 600`, cgroup, filepath.Dir(cgroup), cgroup, "$$", frozen))
			p.hostConfig(`{"credsStore": "x"}`)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tc.kill {
				go cancelWhenWritten(cancel, frozen)
			}
			result := make(chan Found, 1)
			go func() { result <- p.Lookup(ctx, "r.example/app") }()
			select {
			case found := <-result:
				if !strings.Contains(strings.Join(found.Notes, ""), tc.note) {
					t.Errorf("%+v", found)
				}
			case <-time.After(tc.most):
				t.Errorf("still waiting after %s", tc.most)
			}
			thaw(t, cgroup)
			awaitReaped(t, frozen)
		})
	}
}

// freezer makes a cgroup of the v1 freezer below ours, and removes it in the end.
func freezer(t *testing.T) string {
	t.Helper()
	all, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(h cgroupnet.Hierarchy) bool { return h.Has("freezer") && !h.Unified })
	if at < 0 {
		t.Fatal("no cgroup v1 freezer is mounted; mount -t cgroup -o freezer")
	}
	dir := filepath.Join(all[at].Dir, "registryauth-test-"+rand.Text())
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		thaw(t, dir)
		if !eventually(func() bool { return os.Remove(dir) == nil }) {
			t.Errorf("%s cannot be removed", dir)
		}
	})
	return dir
}

func thaw(t *testing.T, cgroup string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(cgroup, "freezer.state"), []byte("THAWED"), 0); err != nil {
		t.Error(err)
	}
}
