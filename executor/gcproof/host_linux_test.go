package gcproof

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage/imageuse"
)

// host is a host with the private engine, a configuration, and a record of its own.
type host struct {
	t      *testing.T
	config string
	run    string // directory
	record string
	engine *engine.Engine
}

func newHost(t *testing.T) *host {
	t.Helper()
	dir := t.TempDir()
	h := &host{t: t, config: filepath.Join(dir, "config.yaml"), run: filepath.Join(dir, "run"), record: filepath.Join(dir, "images")}
	text := fmt.Sprintf(`version: 1
engine: {host: %q, limits: {remove: 2s}}
run_directory: %q
gc: {directory: %q, min_age: 1h, pause: 0s, max_load: 0, max_io_pressure: 0, keep: "kept.example/*"}
`, private.Host, h.run, h.record)
	if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.engine, err = engine.Open(private.Host, engine.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.engine.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// images loads images of so many files each, named app0:1 and so on below a repository, and returns their IDs. They were used days ago, the first one first.
func (h *host) images(repository string, count, files int) []string {
	h.t.Helper()
	docker, err := client.NewClientWithOpts(client.WithHost(private.Host), client.WithVersion("1.41"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer docker.Close()
	answer, err := docker.ImageLoad(h.t.Context(), bytes.NewReader(archive(h.t, repository, count, files)))
	if err != nil {
		h.t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if err != nil {
		h.t.Fatal(err)
	}
	var ids []string
	for n := range count {
		name := fmt.Sprintf("%s/app%d:1", repository, n)
		image, err := h.engine.Image(h.t.Context(), name)
		if err != nil {
			h.t.Fatal(err)
		}
		h.used(image.ID, time.Duration(1000-n)*time.Hour)
		ids = append(ids, image.ID)
	}
	h.t.Cleanup(func() {
		for n := range count {
			if err := h.engine.RemoveImage(after(h.t), fmt.Sprintf("%s/app%d:1", repository, n)); err != nil {
				h.t.Error(err)
			}
		}
	})
	return ids
}

// used notes a use so long ago.
func (h *host) used(id string, ago time.Duration) {
	h.t.Helper()
	if _, err := imageuse.Note(h.t.Context(), h.record, id); err != nil {
		h.t.Fatal(err)
	}
	then := time.Now().Add(-ago)
	if err := os.Chtimes(filepath.Join(h.record, strings.TrimPrefix(id, "sha256:")), then, then); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) gc(args ...string) *exec.Cmd {
	return exec.CommandContext(h.t.Context(), binary, append([]string{"gc", "--config", h.config}, args...)...)
}

// result is what gc --json prints, as far as it matters here.
type result struct {
	PutOff string `json:"put_off"`
	Images struct {
		Wanted, Left struct{ Bytes, Inodes uint64 }
		Ended        string
		Images       []struct {
			ID, Action, Why string
			Removed         bool
		}
	}
	Failed []string
}

func (h *host) gcOnce() (r result) {
	h.t.Helper()
	cmd := h.gc("--json")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if jsonErr := json.Unmarshal(out, &r); jsonErr != nil {
		h.t.Fatalf("%v, %v: %s", err, jsonErr, out)
	}
	if (err != nil) != (len(r.Failed) > 0) {
		h.t.Errorf("%v, although: %q", err, r.Failed)
	}
	return r
}

// there are the images that the engine has, each looked up. The daemon goes on with a removal whose gc was killed: what is not found is not there.
func (h *host) there() map[string]bool {
	h.t.Helper()
	listed, err := h.engine.Images(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	there := map[string]bool{}
	for _, l := range listed {
		for _, name := range append(l.Names, l.ID) { // the ID comes last, and decides
			said, err := h.engine.Image(h.t.Context(), name)
			if err != nil && !errors.Is(err, engine.ErrNotFound) || err == nil && said.ID != l.ID {
				h.t.Errorf("%s is listed, and looked up it is %s: %v", name, said.ID, err)
			}
			there[l.ID] = err == nil
		}
	}
	return there
}

// free are the inodes that are free on the engine's disk.
func (h *host) free() uint64 {
	h.t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(private.DataRoot(), &st); err != nil {
		h.t.Fatal(err)
	}
	return st.Ffree
}

// archive holds images in the format of docker save. Each has a layer of its own.
func archive(t *testing.T, repository string, count, files int) []byte {
	t.Helper()
	type manifest struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	var all bytes.Buffer
	w := tar.NewWriter(&all)
	add := func(w *tar.Writer, name string, content []byte) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	var manifests []manifest
	for n := range count {
		var layer bytes.Buffer
		l := tar.NewWriter(&layer)
		for f := range files {
			add(l, fmt.Sprintf("%s-%d-%d", filepath.Base(repository), n, f), nil)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		config, err := json.Marshal(ocispec.Image{
			Platform: ocispec.Platform{Architecture: runtime.GOARCH, OS: "linux"},
			RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer.Bytes())}},
		})
		if err != nil {
			t.Fatal(err)
		}
		one := manifest{fmt.Sprintf("%d.json", n), []string{fmt.Sprintf("%s/app%d:1", repository, n)}, []string{fmt.Sprintf("%d.tar", n)}}
		add(w, one.Config, config)
		add(w, one.Layers[0], layer.Bytes())
		manifests = append(manifests, one)
	}
	text, err := json.Marshal(manifests)
	if err != nil {
		t.Fatal(err)
	}
	add(w, "manifest.json", text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}
