package endtoend

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/localagent"
	"mesos-docker-executor/executor/registrytest"
)

// password is in the docker config and nowhere else.
const password = "canary-in-the-coal-mine"

// privateImage starts a registry that demands a password, and pushes an image with a shell to it.
func privateImage(t *testing.T) (ref, dockerConfig string) {
	t.Helper()
	listener, err := docker.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := registrytest.Start(t, listener)
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	busybox, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pushed := r.Push(t, "team/app", "v1", ocispec.ImageConfig{}, registrytest.Layer(t, map[string][]byte{"bin/sh": busybox}))
	r.Demand(registrytest.Login{User: "web", Password: password})
	auth := base64.StdEncoding.EncodeToString([]byte("web:" + password))
	return pushed.Ref, fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, r.Host, auth)
}

func TestPrivateImageIsPulledWithTheDockerConfigOfTheSandbox(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		ref, config := privateImage(t)
		r := prepare(t, mode, greeting(t, ref))
		write(t, filepath.Join(r.Sandbox(), ".docker", "config.json"), config)
		r.greets()
	})
}

func TestPrivateImageIsPulledWithTheDockerConfigOfTheHost(t *testing.T) {
	ref, config := privateImage(t)
	path := filepath.Join(t.TempDir(), "config.json")
	write(t, path, config)
	prepare(t, localagent.Custom, greeting(t, ref), func(o *localagent.Options) {
		for _, a := range o.Arguments {
			if file, ok := strings.CutPrefix(a, "--config="); ok {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				write(t, file, string(text)+"registry:\n  config: "+path+"\n")
			}
		}
	}).greets()
}

func greeting(t *testing.T, ref string) mesos.TaskInfo {
	return parse(t, withCommand(`{"shell": true, "value": "echo from the registry"}`, ref))
}

// greets runs a greeting to its end.
func (r *run) greets() {
	r.t.Helper()
	r.start()
	r.ends(mesos.TASK_FINISHED, 0)
	if got := r.file("stdout"); got != "from the registry\n" {
		r.t.Errorf("stdout %q", got)
	}
	r.wantNoPassword()
	r.nothingLeft()
}

func TestPrivateImageIsRefusedToStrangers(t *testing.T) {
	ref, config := privateImage(t)
	r := prepare(t, localagent.Custom, greeting(t, ref))
	wrong := strings.ReplaceAll(config, base64.StdEncoding.EncodeToString([]byte("web:"+password)), base64.StdEncoding.EncodeToString([]byte("nobody:"+password)))
	write(t, filepath.Join(r.Sandbox(), ".docker", "config.json"), wrong)
	r.start()
	failed := r.ends(mesos.TASK_FAILED, 1)
	if !strings.Contains(failed.GetMessage(), "(auth)") || failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED {
		t.Errorf("%v: %s", failed.GetReason(), failed.GetMessage())
	}
	r.wantNoPassword()
}

// wantNoPassword looks for the password, as it is and as a docker config has it, in everything that was said and written.
func (r *run) wantNoPassword() {
	r.t.Helper()
	// Base64 codes three bytes at a time, and "web:ca" is six of them.
	encoded := base64.RawStdEncoding.EncodeToString([]byte(password[2 : 2+18]))
	look := func(where, text string) {
		if strings.Contains(text, password) || strings.Contains(text, encoded) {
			r.t.Errorf("the password is in %s", where)
		}
	}
	for _, s := range r.Statuses() {
		look("a status", s.String()+string(s.Data))
	}
	err := filepath.WalkDir(r.Sandbox(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, "/.docker/") {
			return err
		}
		text, err := os.ReadFile(path)
		look(path, string(text))
		return err
	})
	if err != nil {
		r.t.Error(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
