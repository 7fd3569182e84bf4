package gcproof

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// overhead is how many inodes the engine takes for an image beside those of its files, and some more.
const overhead = 20

// images loads images of so many files each, named app0:1 and so on below a repository, and with other tags if there are some, and returns
// their IDs. They were used weeks ago, the first one first.
func (h *host) images(repository string, count, files int, tags ...string) []string {
	h.t.Helper()
	tags = append([]string{"1"}, tags...)
	docker, err := client.NewClientWithOpts(client.WithHost(private.Host), client.WithVersion("1.41"))
	must(h.t, err)
	defer docker.Close()
	answer, err := docker.ImageLoad(h.t.Context(), bytes.NewReader(archive(h.t, repository, count, files, tags)))
	must(h.t, err)
	_, err = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	must(h.t, err)
	var ids []string
	for n := range count {
		image, err := h.engine.Image(h.t.Context(), fmt.Sprintf("%s/app%d:1", repository, n))
		must(h.t, err)
		h.used(image.ID, time.Duration(1000-n)*time.Hour)
		ids = append(ids, image.ID)
	}
	h.t.Cleanup(func() {
		for n := range count {
			for _, tag := range tags {
				if err := h.engine.RemoveImage(after(h.t), fmt.Sprintf("%s/app%d:%s", repository, n, tag)); err != nil {
					h.t.Error(err)
				}
			}
		}
	})
	return ids
}

// archive holds images in the format of docker save. Each has a layer of its own.
func archive(t *testing.T, repository string, count, files int, tags []string) []byte {
	t.Helper()
	type manifest struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	var all bytes.Buffer
	w := tar.NewWriter(&all)
	add := func(w *tar.Writer, name string, content []byte) {
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := w.Write(content)
		must(t, err)
	}
	var manifests []manifest
	for n := range count {
		var layer bytes.Buffer
		l := tar.NewWriter(&layer)
		for f := range files {
			add(l, fmt.Sprintf("%s-%d-%d", filepath.Base(repository), n, f), nil)
		}
		must(t, l.Close())
		config, err := json.Marshal(ocispec.Image{
			Platform: ocispec.Platform{Architecture: runtime.GOARCH, OS: "linux"},
			RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer.Bytes())}},
		})
		must(t, err)
		one := manifest{Config: fmt.Sprintf("%d.json", n), Layers: []string{fmt.Sprintf("%d.tar", n)}}
		for _, tag := range tags {
			one.RepoTags = append(one.RepoTags, fmt.Sprintf("%s/app%d:%s", repository, n, tag))
		}
		add(w, one.Config, config)
		add(w, one.Layers[0], layer.Bytes())
		manifests = append(manifests, one)
	}
	text, err := json.Marshal(manifests)
	must(t, err)
	add(w, "manifest.json", text)
	must(t, w.Close())
	return all.Bytes()
}
