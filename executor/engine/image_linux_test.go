package engine

import (
	"testing"

	"github.com/distribution/reference"

	"mesos-docker-executor/executor/enginetest"
)

// TestANameCanBeTheIDOfAnImage: what is a repository called sha256, by the grammar of references, is an ID to the engine. The
// policy refuses it (package security, imageSource).
func TestANameCanBeTheIDOfAnImage(t *testing.T) {
	e := openReal(t)
	image, err := e.Image(t.Context(), enginetest.Image)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{image.ID, image.ID[:len("sha256:")+12]} {
		named, err := reference.ParseNormalizedNamed(id)
		if err != nil || named.Name() != "docker.io/library/sha256" {
			t.Errorf("%s: %v, %v", id, named, err)
		}
		if same, err := e.Image(t.Context(), id); err != nil || same.ID != image.ID {
			t.Errorf("%s: %+v, %v", id, same, err)
		}
	}
	// The other forms of an ID are none any more with a tag, and the executor sends no name without one.
	for _, ref := range []string{image.ID[len("sha256:"):][:12] + ":latest", "sha512:" + image.ID[len("sha256:"):][:12]} {
		if same, err := e.Image(t.Context(), ref); err == nil {
			t.Errorf("%s is %s", ref, same.ID)
		}
	}
}
