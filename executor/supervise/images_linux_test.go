package supervise

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/registryauth"
	"mesos-docker-executor/executor/registrytest"
	"mesos-docker-executor/executor/task"
)

// canary is the password of these tests. It may be in the request to the daemon and nowhere else.
const canary = "canary-in-the-coal-mine"

// startRegistry starts a registry that the private engine reaches.
func startRegistry(t *testing.T) *registrytest.Registry {
	t.Helper()
	listener, err := docker.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return registrytest.Start(t, listener)
}

// pushShell pushes an image that the engine does not have and that has a shell. What is in its file /version is up to the caller.
func pushShell(t *testing.T, r *registrytest.Registry, name, version string) registrytest.Image {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	shell, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	layer := registrytest.Layer(t, map[string][]byte{"bin/sh": shell})
	return r.Push(t, name, "v1", ocispec.ImageConfig{Env: []string{"VERSION=" + version}}, layer)
}

// shell is a task that says which version of the image it runs.
func shell(ref string, force bool) string {
	info := taskJSON(`{"shell": true, "value": "echo version $VERSION"}`, ref)
	return strings.Replace(info, `"network": "NONE"`, fmt.Sprintf(`"network": "NONE", "force_pull_image": %v`, force), 1)
}

// withDockerConfig puts a docker config into the sandbox and has it used.
func withDockerConfig(config string) lifeOption {
	return func(l *life, o *Options) {
		if err := os.Mkdir(filepath.Join(l.sandbox, ".docker"), 0o755); err != nil {
			l.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(l.sandbox, ".docker", "config.json"), []byte(config), 0o644); err != nil {
			l.t.Fatal(err)
		}
		o.Credentials = registryauth.Source{Sandbox: l.sandbox, HelperLimit: 10 * time.Second}.Lookup
	}
}

func loginConfig(r *registrytest.Registry, user, password string) string {
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, r.Host, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// failsToPull follows a task to its failure and returns the message, after a look for the canary.
func (l *life) failsToPull() string {
	l.t.Helper()
	l.await(mesos.TASK_STARTING)
	failed := l.await(mesos.TASK_FAILED)
	if failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED {
		l.t.Errorf("reason %v", failed.GetReason())
	}
	l.exits(1)
	if strings.Contains(failed.String()+l.log.String(), canary) {
		l.t.Errorf("the password shows in %v or in the log", failed)
	}
	return failed.GetMessage()
}

func TestImageIsPulledWithTheSandboxsCredentials(t *testing.T) {
	r := startRegistry(t)
	pushed := pushShell(t, r, "private", "1")
	r.Demand(registrytest.Login{User: "web", Password: canary, Bearer: "b34r3r"})
	l := begin(t, withDockerConfig(loginConfig(r, "web", canary)))
	l.launch(shell(pushed.Ref, false))
	l.await(mesos.TASK_STARTING)
	running := l.await(mesos.TASK_RUNNING)
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	wantFile(t, l.stdout, "version 1\n")
	if !strings.Contains(l.log.String(), "pulling "+pushed.Ref+" with credentials from the sandbox's .docker/config.json") {
		t.Error("the log does not say where the credentials are from")
	}
	if strings.Contains(l.log.String()+string(running.Data), canary) {
		t.Error("the password shows in the log or in the container's description")
	}
}

func TestFailedPullSaysClassAndRemedy(t *testing.T) {
	r := startRegistry(t)
	r.Demand(registrytest.Login{User: "web", Password: "right"})
	pushed := pushShell(t, r, "private", "1")
	open := startRegistry(t)
	for _, test := range []struct {
		name   string
		ref    string
		option lifeOption
		says   []string
	}{
		{"wrong password", pushed.Ref, withDockerConfig(loginConfig(r, "web", canary)),
			[]string{"image " + pushed.Ref + ": docker pull: ", "unauthorized", "(auth): check the spelling", "pulled with credentials from the sandbox's .docker/config.json"}},
		{"no credentials", pushed.Ref, func(*life, *Options) {}, []string{"(auth): ", "pulled without credentials"}},
		{"a helper of the task's", pushed.Ref, withDockerConfig(`{"credsStore": "ecr-login"}`),
			[]string{"(auth): ", `pulled without credentials; the sandbox's .docker/config.json: credential helper "ecr-login": a task's file may not run it`, "registry.task_helpers"}},
		{"no such image", open.Host + "/nobody/there:1", func(*life, *Options) {}, []string{"(not found): check the image's name"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := begin(t, test.option)
			l.launch(shell(test.ref, false))
			message := l.failsToPull()
			for _, part := range test.says {
				if !strings.Contains(message, part) {
					t.Errorf("%q\nlacks %q", message, part)
				}
			}
		})
	}
}

func TestForcedPullIsTheAgentsInDropInMode(t *testing.T) {
	r := startRegistry(t)
	pushed := pushShell(t, r, "moving", "1")
	runs := func(force bool, mode task.Mode, version string) {
		t.Helper()
		l := begin(t, func(_ *life, o *Options) { o.Mode = mode })
		l.launch(shell(pushed.Ref, force))
		l.await(mesos.TASK_STARTING)
		l.await(mesos.TASK_RUNNING)
		l.await(mesos.TASK_FINISHED)
		l.exits(0)
		wantFile(t, l.stdout, "version "+version+"\n")
	}
	runs(false, task.Custom, "1")
	pushShell(t, r, "moving", "2")
	runs(false, task.Custom, "1")
	runs(true, task.DropIn, "1")
	runs(true, task.Custom, "2")

	// As the agent's own pull, one that fails fails the task, though there is a local image.
	r.Break(registrytest.Manifest, -1, registrytest.Status(http.StatusNotFound, "MANIFEST_UNKNOWN", "gone"))
	runs(false, task.Custom, "2")
	l := begin(t)
	l.launch(shell(pushed.Ref, true))
	if message := l.failsToPull(); !strings.Contains(message, "(not found)") {
		t.Error(message)
	}
}

// Another task's pull may give the name to another image after the review.
func TestReviewedImageIsTheOneThatRuns(t *testing.T) {
	r := startRegistry(t)
	pushed := pushShell(t, r, "swapped", "1")
	other := openEngine(t, docker.Host)
	if _, err := other.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	var reviewed engine.Image
	l := begin(t, func(_ *life, o *Options) {
		o.Settings.ReviewImage = func(image engine.Image, _ *task.Plan) *task.Refusal {
			reviewed = image
			pushShell(t, r, "swapped", "2")
			if err := other.Pull(t.Context(), pushed.Ref, engine.PullOptions{}); err != nil {
				t.Error(err)
			}
			return nil
		}
	})
	l.launch(shell(pushed.Ref, false))
	l.await(mesos.TASK_STARTING)
	running := l.await(mesos.TASK_RUNNING)
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	wantFile(t, l.stdout, "version 1\n")
	if now, err := other.Image(t.Context(), pushed.Ref); err != nil || now.ID == reviewed.ID {
		t.Errorf("the name was not given to another image: %v", err)
	}
	var shown []struct {
		Image  string
		Config struct {
			Image  string
			Labels map[string]string
		}
	}
	if err := json.Unmarshal(running.Data, &shown); err != nil || len(shown) != 1 ||
		shown[0].Image != reviewed.ID || shown[0].Config.Image != reviewed.ID || shown[0].Config.Labels[labelImage] != pushed.Ref {
		t.Errorf("%v: %s", err, running.Data)
	}
}

// removedAfterReview has the image removed between the review and the create, and does something before.
func removedAfterReview(t *testing.T, ref string, before func()) lifeOption {
	other := openEngine(t, docker.Host)
	if _, err := other.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func(_ *life, o *Options) {
		o.Settings.ReviewImage = func(engine.Image, *task.Plan) *task.Refusal {
			before()
			if err := other.RemoveImage(t.Context(), ref); err != nil {
				t.Error(err)
			}
			return nil
		}
	}
}

// A gc that has died may have asked for that.
func TestImageThatIsRemovedAfterTheReviewComesBack(t *testing.T) {
	r := startRegistry(t)
	only := uuid.NewString() // an image of the same content has another name and would stay
	pushed := pushShell(t, r, "removed", only)
	l := begin(t, removedAfterReview(t, pushed.Ref, func() {}))
	l.launch(shell(pushed.Ref, false))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	wantFile(t, l.stdout, "version "+only+"\n")
	if log := l.log.String(); !strings.Contains(log, "the image was removed after the review") {
		t.Error(log)
	}
}

// The container is made from an ID, of which the task's owner knows nothing. What comes back under the name is an image that nobody has
// reviewed.
func TestImageThatIsGoneAfterTheReviewIsNamed(t *testing.T) {
	r := startRegistry(t)
	pushed := pushShell(t, r, "gone", "of no other name "+uuid.NewString())
	l := begin(t, removedAfterReview(t, pushed.Ref, func() { pushShell(t, r, "gone", "of another image") }))
	l.launch(shell(pushed.Ref, false))
	message := l.failsToPull()
	for _, part := range []string{"image " + pushed.Ref + " was removed", "No such image: sha256:"} {
		if !strings.Contains(message, part) {
			t.Errorf("%q\nlacks %q", message, part)
		}
	}
	if log := l.log.String(); !strings.Contains(log, "the image is not back") || !strings.Contains(log, "it is another one now, sha256:") {
		t.Error(log)
	}
}

func TestImageByDigestRuns(t *testing.T) {
	r := startRegistry(t)
	first := pushShell(t, r, "by-digest", "1")
	pushShell(t, r, "by-digest", "2") // the tag moves on
	for _, ref := range []string{first.ByDigest, first.Ref + "@" + first.Digest} {
		l := begin(t)
		l.launch(shell(ref, true))
		l.await(mesos.TASK_STARTING)
		l.await(mesos.TASK_RUNNING)
		l.await(mesos.TASK_FINISHED)
		l.exits(0)
		wantFile(t, l.stdout, "version 1\n")
	}
}

func TestKillEndsTheLookUpOfCredentials(t *testing.T) {
	asked := make(chan struct{})
	l := begin(t, func(_ *life, o *Options) {
		o.Credentials = func(ctx context.Context, _ string) registryauth.Found {
			close(asked)
			<-ctx.Done()
			return registryauth.Found{}
		}
	})
	l.launch(shell("127.0.0.1:1/nobody/there", false))
	l.await(mesos.TASK_STARTING)
	<-asked
	kill(l, time.Minute)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits(1)
}

func TestKillDuringPullEndsItAtOnce(t *testing.T) {
	for name, kind := range map[string]registrytest.Kind{"manifest": registrytest.Manifest, "layer": registrytest.Blob} {
		t.Run(name, func(t *testing.T) {
			r := startRegistry(t)
			pushed := pushShell(t, r, "stuck", name)
			r.Break(kind, -1, registrytest.Stall(100))
			l := begin(t)
			l.launch(shell(pushed.Ref, false))
			l.await(mesos.TASK_STARTING)
			await(t, "the daemon to ask", func() bool { return len(r.Requests(kind)) > 0 })
			began := time.Now()
			kill(l, time.Minute)
			l.await(mesos.TASK_KILLING)
			killed := l.await(mesos.TASK_KILLED)
			if took := time.Since(began); took > 10*time.Second || killed.GetReason() != mesos.REASON_TASK_KILLED_DURING_LAUNCH {
				t.Errorf("%v after %s", killed.GetReason(), took)
			}
			l.exits(1)
		})
	}
}
