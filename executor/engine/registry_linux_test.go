package engine

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// registry serves one image, NAME:latest, by the pull half of the OCI distribution specification. A blob is
// sent up to the byte stallAt (if positive), and then nothing more.
type registry struct {
	name    string
	stallAt int
	stopped <-chan struct{} // lets stalled answers go
	blobs   map[digest.Digest][]byte
	top     digest.Digest
}

// startRegistry starts a registry that the private engine reaches, and returns the image's reference.
func startRegistry(t *testing.T, name string, stallAt int) (ref string) {
	t.Helper()
	listener, err := private.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &registry{name: name, stallAt: stallAt, stopped: t.Context().Done(), blobs: map[digest.Digest][]byte{}}
	layer := randomLayer(t)
	config := r.add(t, ocispec.Image{
		Platform: ocispec.Platform{Architecture: "amd64", OS: "linux"},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer)}},
		Config:   ocispec.ImageConfig{StopSignal: "SIGINT", WorkingDir: "/w", Labels: map[string]string{"team": "web"}},
	})
	r.blobs[digest.FromBytes(layer)] = layer
	r.top = r.add(t, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: config, Size: int64(len(r.blobs[config]))},
		Layers:    []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageLayer, Digest: digest.FromBytes(layer), Size: int64(len(layer))}},
	})
	server := &http.Server{Handler: r}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Serve(listener) //nolint:errcheck // ends by Close
	}()
	t.Cleanup(func() { server.Close(); <-ended })
	return fmt.Sprintf("%s/%s:latest", listener.Addr(), name)
}

func (r *registry) add(t *testing.T, document any) digest.Digest {
	t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	id := digest.FromBytes(text)
	r.blobs[id] = text
	return id
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	_, object, _ := strings.Cut(req.URL.Path, "/v2/"+r.name+"/")
	kind, id, _ := strings.Cut(object, "/")
	if kind == "manifests" && id == "latest" {
		id = r.top.String()
	}
	content, ok := r.blobs[digest.Digest(id)]
	switch {
	case req.URL.Path == "/v2/":
	case !ok:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
	default:
		if kind == "manifests" {
			w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		}
		w.Header().Set("Docker-Content-Digest", id)
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		if r.stallAt > 0 && len(content) > r.stallAt {
			w.Write(content[:r.stallAt]) //nolint:errcheck // the daemon may be gone
			w.(http.Flusher).Flush()
			select {
			case <-req.Context().Done():
			case <-r.stopped:
			}
			return
		}
		w.Write(content) //nolint:errcheck // the daemon may be gone
	}
}

// randomLayer returns a layer that no engine has seen, with a file of 4 MiB.
func randomLayer(t *testing.T) []byte {
	t.Helper()
	content := make([]byte, 4<<20)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return layer.Bytes()
}
