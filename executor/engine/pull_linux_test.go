package engine

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/registrytest"
)

// startRegistry starts a registry that the private engine reaches.
func startRegistry(t *testing.T) *registrytest.Registry {
	t.Helper()
	listener, err := private.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return registrytest.Start(t, listener)
}

// pushSome pushes an image of one layer of 4 MiB that no engine has seen.
func pushSome(t *testing.T, r *registrytest.Registry, name string) registrytest.Image {
	t.Helper()
	config := ocispec.ImageConfig{
		StopSignal: "SIGINT", WorkingDir: "/w", Labels: map[string]string{"team": "web"},
		Env: []string{"A=b", "PATH=/b"}, Volumes: map[string]struct{}{"/v": {}},
	}
	return r.Push(t, name, "v1", config, registrytest.RandomLayer(t, 4<<20))
}

func TestPullFromARegistry(t *testing.T) {
	e := openReal(t)
	checkDescriptors(t)
	pushed := pushSome(t, startRegistry(t), "tiny")
	if _, err := e.Image(t.Context(), pushed.Ref); !errors.Is(err, ErrNotFound) {
		t.Fatalf("before: %v", err)
	}
	var steps []Progress
	if err := e.Pull(t.Context(), pushed.Ref, PullOptions{Progress: func(p Progress) { steps = append(steps, p) }}); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(steps, func(p Progress) bool {
		return p.Status == "Downloading" && p.Total == 4<<20+512+1024 && p.Layer != ""
	}) {
		t.Errorf("no downloading step with the layer's size in %+v", steps)
	}
	image, err := e.Image(t.Context(), pushed.Ref)
	want := Image{ID: image.ID, RepoDigests: []string{pushed.ByDigest}, StopSignal: "SIGINT", WorkingDir: "/w", Labels: map[string]string{"team": "web"}, Path: "/b", Volumes: []string{"/v"}}
	if diff := cmp.Diff(want, image); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestPullByDigest(t *testing.T) {
	e := openReal(t)
	r := startRegistry(t)
	for name, reference := range map[string]func(registrytest.Image) string{
		"digest":         func(i registrytest.Image) string { return i.ByDigest },
		"tag and digest": func(i registrytest.Image) string { return i.Ref + "@" + i.Digest },
		// The tag is not looked at, as docker pull has it.
		"other tag and digest": func(i registrytest.Image) string { return strings.TrimSuffix(i.Ref, "v1") + "v2@" + i.Digest },
	} {
		t.Run(name, func(t *testing.T) {
			pushed := pushSome(t, r, strings.ReplaceAll(name, " ", "-"))
			ref := reference(pushed)
			if _, err := e.Image(t.Context(), ref); !errors.Is(err, ErrNotFound) {
				t.Fatalf("before: %v", err)
			}
			if err := e.Pull(t.Context(), ref, PullOptions{}); err != nil {
				t.Fatal(err)
			}
			image, err := e.Image(t.Context(), ref)
			if err != nil || image.WorkingDir != "/w" {
				t.Errorf("%+v, %v", image, err)
			}
			other := strings.Replace(ref, pushed.Digest, "sha256:"+strings.Repeat("0", 64), 1)
			if _, err := e.Image(t.Context(), other); !errors.Is(err, ErrNotFound) {
				t.Errorf("a digest that is not local: %v", err)
			}
			if err := e.Pull(t.Context(), other, PullOptions{}); !errors.Is(err, ErrNotFound) {
				t.Errorf("a digest that the registry lacks: %v", err)
			}
		})
	}
}

func TestPullWithCredentials(t *testing.T) {
	e := openReal(t)
	for _, tc := range []struct {
		name  string
		login registrytest.Login
		good  registry.AuthConfig
		bad   registry.AuthConfig
	}{
		{"basic authentication", registrytest.Login{User: "web", Password: "right"},
			registry.AuthConfig{Username: "web", Password: "right"}, registry.AuthConfig{Username: "web", Password: "canary"}},
		{"token for user and password", registrytest.Login{User: "web", Password: "right", Bearer: "t0k3n"},
			registry.AuthConfig{Username: "web", Password: "right"}, registry.AuthConfig{Username: "web", Password: "canary"}},
		{"token for an identity token", registrytest.Login{Refresh: "right", Bearer: "t0k3n"},
			registry.AuthConfig{IdentityToken: "right"}, registry.AuthConfig{IdentityToken: "canary"}},
		{"registry token", registrytest.Login{Bearer: "t0k3n"},
			registry.AuthConfig{RegistryToken: "t0k3n"}, registry.AuthConfig{RegistryToken: "canary"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := startRegistry(t)
			pushed := pushSome(t, r, "private")
			r.Demand(tc.login)
			for name, with := range map[string]string{"none": "", "wrong ones": encode(t, tc.bad)} {
				if err := e.Pull(t.Context(), pushed.Ref, PullOptions{Auth: with}); !errors.Is(err, ErrAuth) || strings.Contains(err.Error(), "canary") {
					t.Errorf("%s: %v", name, err)
				}
			}
			if err := e.Pull(t.Context(), pushed.Ref, PullOptions{Auth: encode(t, tc.good)}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func encode(t *testing.T, a registry.AuthConfig) string {
	t.Helper()
	header, err := registry.EncodeAuthConfig(a)
	if err != nil {
		t.Fatal(err)
	}
	return header
}

func TestPullFromABrokenRegistry(t *testing.T) {
	e := openReal(t)
	const forever = -1
	for _, tc := range []struct {
		name  string
		kind  registrytest.Kind
		fault registrytest.Fault
		class error
		tries int
		says  string
	}{
		{"stalls before it says anything", registrytest.Manifest, registrytest.Stall(0), ErrNetwork, 3, "pull_begin"},
		{"stalls in the manifest", registrytest.Manifest, registrytest.Stall(100), ErrNetwork, 3, "pull_begin"},
		{"stalls in a blob", registrytest.Blob, registrytest.Stall(100), ErrNetwork, 3, "pull_idle"},
		{"cuts the manifest", registrytest.Manifest, registrytest.Cut(100), ErrNetwork, 3, "EOF"},
		{"cuts connections", registrytest.Manifest, registrytest.Cut(0), ErrNetwork, 3, "EOF"},
		{"401", registrytest.Manifest, registrytest.Status(http.StatusUnauthorized, "UNAUTHORIZED", "authentication required"), ErrAuth, 1, "unauthorized"},
		{"403", registrytest.Manifest, registrytest.Status(http.StatusForbidden, "DENIED", "not yours"), ErrAuth, 1, "denied"},
		{"403 for a blob", registrytest.Blob, registrytest.Status(http.StatusForbidden, "DENIED", "not yours"), ErrAuth, 1, "denied"},
		{"404", registrytest.Manifest, registrytest.Status(http.StatusNotFound, "MANIFEST_UNKNOWN", "gone"), ErrNotFound, 1, "not found"},
		{"404 for a blob", registrytest.Blob, registrytest.Status(http.StatusNotFound, "BLOB_UNKNOWN", "gone"), ErrNotFound, 1, "unknown blob"},
		{"429", registrytest.Manifest, registrytest.Status(http.StatusTooManyRequests, "TOOMANYREQUESTS", "slow down"), errLimited, 3, "slow down (rate limited, 3 tries): the registry limits pulls"},
		{"500", registrytest.Manifest, registrytest.Status(http.StatusInternalServerError, "UNKNOWN", "sick"), ErrNetwork, 3, "500"},
		{"503", registrytest.Manifest, registrytest.Status(http.StatusServiceUnavailable, "UNAVAILABLE", "sick"), ErrNetwork, 3, "503"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := startRegistry(t)
			pushed := pushSome(t, r, "x")
			r.Break(tc.kind, forever, tc.fault)
			mine := &Engine{host: e.host, limits: e.limits, guard: e.guard, wait: noWait}
			mine.agreed.Store(e.agreed.Load())
			switch tc.says { // the limit that is to be over, and no other, on a loaded machine
			case "pull_begin":
				mine.limits.PullBegin = time.Second
			case "pull_idle":
				mine.limits.PullIdle = time.Second
			}
			err := mine.Pull(t.Context(), pushed.Ref, PullOptions{})
			var failed *PullError
			if !errors.As(err, &failed) || failed.Class != tc.class || failed.Tries != tc.tries || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
			if _, err := mine.Image(t.Context(), pushed.Ref); !errors.Is(err, ErrNotFound) {
				t.Errorf("after: %v", err)
			}
		})
	}
}

func TestPullRecoversFromWhatPasses(t *testing.T) {
	e := openReal(t)
	e.wait = noWait
	for name, fault := range map[string]registrytest.Fault{
		"503": registrytest.Status(http.StatusServiceUnavailable, "UNAVAILABLE", "sick"),
		"cut": registrytest.Cut(0),
	} {
		t.Run(name, func(t *testing.T) {
			r := startRegistry(t)
			pushed := pushSome(t, r, "x")
			r.Break(registrytest.Manifest, 2, fault)
			if err := e.Pull(t.Context(), pushed.Ref, PullOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// The daemon itself fetches a damaged layer some more times before it fails.
func TestDamagedLayerIsFetchedAgain(t *testing.T) {
	e := openReal(t)
	e.wait = noWait
	r := startRegistry(t)
	pushed := pushSome(t, r, "x")
	r.Break(registrytest.Blob, -1, registrytest.Corrupt())
	var failed error
	err := e.Pull(t.Context(), pushed.Ref, PullOptions{Retry: func(why error, _ time.Duration) {
		failed = why
		r.Break(registrytest.Blob, 0, nil)
	}})
	if err != nil || !errors.Is(failed, ErrNetwork) || !strings.Contains(failed.Error(), "verification failed") {
		t.Errorf("%v, first %v", err, failed)
	}
}

func TestPullWithoutARegistry(t *testing.T) {
	e := openReal(t)
	e.wait = noWait
	err := e.Pull(t.Context(), "127.0.0.1:1/nobody/there:latest", PullOptions{})
	if !errors.Is(err, ErrNetwork) || OutcomeOf(err) != Refused || !strings.Contains(err.Error(), "3 tries") {
		t.Errorf("outcome %v, %v", OutcomeOf(err), err)
	}
}

// Executors are processes with an Engine each; the daemon fetches what several ask for once.
func TestConcurrentPullsFetchOnce(t *testing.T) {
	r := startRegistry(t)
	pushed := pushSome(t, r, "popular")
	release := make(chan struct{})
	r.Break(registrytest.Blob, -1, registrytest.Hold(release))
	const pulls = 8
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	var began sync.WaitGroup
	errs := make([]error, pulls)
	for i := range pulls {
		began.Add(1)
		all.Go(func() {
			first := sync.OnceFunc(began.Done)
			defer first()
			mine := t.Context()
			if i == 0 {
				mine = ctx
			}
			errs[i] = openReal(t).Pull(mine, pushed.Ref, PullOptions{Progress: func(p Progress) {
				if p.Status == "Pulling fs layer" {
					first()
				}
			}})
		})
	}
	began.Wait()
	cancel()
	if !eventually(func() bool { return r.Count(pushed.Layers[0]) > 0 }) {
		t.Error("nobody asked for the layer")
	}
	close(release)
	all.Wait()
	if !errors.Is(errs[0], context.Canceled) {
		t.Errorf("the one that gave up: %v", errs[0])
	}
	for _, err := range errs[1:] {
		if err != nil {
			t.Error(err)
		}
	}
	if n := r.Count(pushed.Layers[0]); n != 1 {
		t.Errorf("the layer was fetched %d times", n)
	}
	if _, err := openReal(t).Image(t.Context(), pushed.Ref); err != nil {
		t.Error(err)
	}
}

func TestPullToAFullDisk(t *testing.T) {
	data := t.TempDir()
	// Room for the engine's own images and for some of the layer.
	if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=16m"); err != nil {
		t.Fatal(err)
	}
	full, err := enginetest.Start(t.Context(), nil, "--data-root="+data)
	if err != nil {
		t.Fatal(errors.Join(err, unix.Unmount(data, unix.MNT_DETACH)))
	}
	t.Cleanup(func() {
		if err := errors.Join(full.Stop(), unix.Unmount(data, unix.MNT_DETACH)); err != nil {
			t.Error(err)
		}
	})
	listener, err := full.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := registrytest.Start(t, listener)
	pushed := r.Push(t, "big", "v1", ocispec.ImageConfig{}, registrytest.RandomLayer(t, 24<<20))
	e, err := Open(full.Host, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = e.Pull(t.Context(), pushed.Ref, PullOptions{})
	var failed *PullError
	if !errors.Is(err, ErrDisk) || !errors.As(err, &failed) || failed.Tries != 1 || !strings.Contains(err.Error(), "(disk): free space") {
		t.Error(err)
	}
	t.Log(err)
}
