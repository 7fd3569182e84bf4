package registrytest

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is an image in the registry.
type Image struct {
	Ref      string   // "HOST/NAME:TAG"
	ByDigest string   // "HOST/NAME@sha256:..."
	Digest   string   // of the manifest
	Layers   []string // digests
}

// Push puts an image into the registry under a name and a tag. Layers are tar archives.
func (r *Registry) Push(t testing.TB, name, tag string, config ocispec.ImageConfig, layers ...[]byte) Image {
	t.Helper()
	image := Image{Ref: fmt.Sprintf("%s/%s:%s", r.Host, name, tag)}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	var ids []digest.Digest
	for _, layer := range layers {
		id := r.put(t, "/v2/"+name+"/blobs/uploads/?digest=", "", layer)
		ids = append(ids, id)
		image.Layers = append(image.Layers, id.String())
		manifest.Layers = append(manifest.Layers, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: id, Size: int64(len(layer))})
	}
	text := document(t, ocispec.Image{
		Platform: ocispec.Platform{Architecture: runtime.GOARCH, OS: "linux"},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: ids},
		Config:   config,
	})
	id := r.put(t, "/v2/"+name+"/blobs/uploads/?digest=", "", text)
	manifest.Config = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: id, Size: int64(len(text))}
	image.Digest = r.put(t, "/v2/"+name+"/manifests/"+tag, ocispec.MediaTypeImageManifest, document(t, manifest)).String()
	image.ByDigest = fmt.Sprintf("%s/%s@%s", r.Host, name, image.Digest)
	return image
}

// put uploads a blob (in one request) or, with a media type, a manifest, past everything that is between the network
// and the registry.
func (r *Registry) put(t testing.TB, path, mediaType string, content []byte) digest.Digest {
	t.Helper()
	id := digest.FromBytes(content)
	method := http.MethodPut
	if mediaType == "" {
		method, path = http.MethodPost, path+id.String()
	}
	request := httptest.NewRequest(method, path, bytes.NewReader(content))
	request.Header.Set("Content-Type", mediaType)
	answer := httptest.NewRecorder()
	r.images.ServeHTTP(answer, request)
	if answer.Code != http.StatusCreated {
		t.Fatalf("push %s: %d %s", path, answer.Code, answer.Body)
	}
	return id
}

func document(t testing.TB, content any) []byte {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// RandomLayer returns a layer that no engine has seen: a file of size random bytes.
func RandomLayer(t testing.TB, size int) []byte {
	t.Helper()
	content := make([]byte, size)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	return Layer(t, map[string][]byte{"file": content})
}

// Layer returns a layer with executable files.
func Layer(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return layer.Bytes()
}
