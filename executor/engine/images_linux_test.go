package engine

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"mesos-docker-executor/executor/enginetest"
)

func TestImagesAndTheirContainersOfARealEngine(t *testing.T) {
	e := openReal(t)
	const name = "removed.example/app:1"
	docker, err := client.NewClientWithOpts(client.WithHost(private.Host), client.WithVersion(oldestAPI))
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	before := time.Now().Add(-time.Minute)
	if err := docker.ImageTag(t.Context(), enginetest.StopSignalImage, name); err != nil {
		t.Fatal(err)
	}
	known, err := e.Image(t.Context(), name)
	if err != nil || known.Tagged.Before(before) {
		t.Fatalf("tagged %s, %v", known.Tagged, err)
	}
	listed := func() ListedImage {
		all, err := e.Images(t.Context())
		at := slices.IndexFunc(all, func(i ListedImage) bool { return i.ID == known.ID })
		if err != nil || at < 0 {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[at]
	}
	if i := listed(); len(i.Names) != 2 || !slices.Contains(i.Names, name) || i.Size == 0 {
		t.Errorf("%+v", i)
	}
	if err := e.RemoveImage(t.Context(), known.ID); !errors.Is(err, ErrConflict) {
		t.Errorf("by the ID of an image with two names: %v", err)
	}
	id := create(t, e, container.Config{Image: enginetest.StopSignalImage})
	if uses, err := e.ImagesInUse(t.Context()); err != nil || uses[known.ID] != 1 {
		t.Errorf("containers by image: %v, %v", uses, err)
	}
	for range 2 { // the second time it is gone
		if err := e.RemoveImage(t.Context(), name); err != nil {
			t.Errorf("one name of two: %v", err)
		}
	}
	if err := e.RemoveImage(t.Context(), enginetest.StopSignalImage); !errors.Is(err, ErrConflict) {
		t.Errorf("the last name, with container %s: %v", id, err)
	}
	if i := listed(); !slices.Equal(i.Names, []string{enginetest.StopSignalImage}) {
		t.Errorf("%+v", i)
	}
}
