package registryauth

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/registry"
	"golang.org/x/sys/unix"
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
		{"missing", `{"credsStore": "y"}`, answers, registry.AuthConfig{}, "docker-credential-y is not in /"},
		{"a path", `{"credsStore": "../../x"}`, answers, registry.AuthConfig{}, "no name of a helper"},
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
		{"at its limit", "sleep 600 & echo $! >CHILD; sleep 600", 500 * time.Millisecond, "no answer within 500ms"},
		{"when it has answered", "sleep 600 & echo $! >CHILD; " + answers, time.Minute, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlace(t)
			child := filepath.Join(p.host, "child")
			p.HelperLimit = tc.limit
			p.helper("x", strings.ReplaceAll(tc.script, "CHILD", child))
			p.hostConfig(`{"credsStore": "x"}`)
			began := time.Now()
			got, found := p.lookup("r.example/app")
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			if (got.Username == "helped") != (tc.note == "") || !strings.Contains(strings.Join(found.Notes, ""), tc.note) {
				t.Errorf("%+v", found)
			}
			awaitGone(t, child)
		})
	}
}

func TestLookupEndsWithItsContext(t *testing.T) {
	p := newPlace(t)
	started := filepath.Join(p.host, "started")
	p.helper("x", "echo $$ >"+started+"; sleep 600")
	p.hostConfig(`{"credsStore": "x"}`)
	p.HelperLimit = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if text, _ := os.ReadFile(started); len(text) > 0 {
				return
			}
		}
	}()
	if found := p.Lookup(ctx, "r.example/app"); found.Header != "" {
		t.Errorf("%+v", found)
	}
	awaitGone(t, started)
}

// awaitGone waits until the process is gone whose number is in a file.
func awaitGone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		// A dead child whose parent is init may stay unreaped for a moment, or for ever where init doesn't reap.
		status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if unix.Kill(pid, 0) == unix.ESRCH || err != nil || strings.Contains(string(status), ") Z ") {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}
