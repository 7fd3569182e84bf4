package imagegc

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage"
	"mesos-docker-executor/storage/cleanup"
	"mesos-docker-executor/storage/imageuse"
)

const gib = 1 << 30

func id(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// fakeEngine has images of 1 GiB each on a disk of 100, and can fail.
type fakeEngine struct {
	images     []engine.ListedImage
	tagged     map[string]time.Time
	containers map[string]int
	fail       map[string]error // by what is to be removed
	asked      []string         // to be removed
	broken     error            // the answer to every question
}

func newFake(images int) *fakeEngine {
	f := &fakeEngine{tagged: map[string]time.Time{}, containers: map[string]int{}, fail: map[string]error{}}
	for n := range images {
		f.images = append(f.images, engine.ListedImage{ID: id(n), Names: []string{fmt.Sprintf("app%d:1", n)}, Size: gib})
	}
	return f
}

func (f *fakeEngine) engine() Engine {
	return Engine{Images: f.Images, ImagesInUse: f.ImagesInUse, Image: f.Image, RemoveImage: f.RemoveImage}
}

func (f *fakeEngine) Images(context.Context) ([]engine.ListedImage, error) {
	return slices.Clone(f.images), f.broken
}

func (f *fakeEngine) ImagesInUse(context.Context) (map[string]int, error) {
	return f.containers, f.broken
}

func (f *fakeEngine) find(ref string) int {
	return slices.IndexFunc(f.images, func(i engine.ListedImage) bool { return i.ID == ref || slices.Contains(i.Names, ref) })
}

func (f *fakeEngine) Image(_ context.Context, ref string) (engine.Image, error) {
	at := f.find(ref)
	if at < 0 {
		return engine.Image{}, engine.ErrNotFound
	}
	return engine.Image{ID: f.images[at].ID, Tagged: f.tagged[f.images[at].ID]}, f.broken
}

func (f *fakeEngine) RemoveImage(_ context.Context, ref string) error {
	f.asked = append(f.asked, ref)
	if err := f.fail[ref]; err != nil {
		return err
	}
	at := f.find(ref)
	if at < 0 {
		return nil
	}
	names := slices.DeleteFunc(slices.Clone(f.images[at].Names), func(n string) bool { return n == ref })
	if f.images[at].Names = names; ref == f.images[at].ID || len(names) == 0 {
		f.images = slices.Delete(f.images, at, at+1)
	}
	return nil
}

func (f *fakeEngine) rooms(context.Context) []storage.Room {
	used := uint64(len(f.images)) * gib
	return []storage.Room{{
		Places: []storage.Place{{Path: "/d", Use: storage.Layers}}, Bytes: storage.Amount{Free: 100*gib - used, Total: 100 * gib},
	}}
}

// calls the engine's failures as its client makes them.
func refused(err error) error {
	return &engine.CallError{Call: "image remove", Outcome: engine.Refused, Err: err}
}
func unknown() error {
	return &engine.CallError{Call: "image remove", Outcome: engine.Unknown, Err: context.DeadlineExceeded}
}

// host is a fake engine with a record. The images were used days ago, the first one first.
type host struct {
	*fakeEngine
	Options
	record *imageuse.Folder
	dir    string
}

func newHost(t *testing.T, images int) *host {
	t.Helper()
	f, dir := newFake(images), filepath.Join(t.TempDir(), "images")
	record, err := imageuse.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(record.Close)
	h := &host{fakeEngine: f, record: record, dir: dir}
	h.Options = Options{Engine: f.engine(), Rooms: f.rooms, Rules: cleanup.DefaultRules(), Thresholds: storage.DefaultThresholds()}
	for n := range images {
		h.used(t, id(n), time.Duration(1000-n)*time.Hour)
	}
	return h
}

// used notes a use so long ago.
func (h *host) used(t *testing.T, imageID string, ago time.Duration) {
	t.Helper()
	if _, err := imageuse.Note(t.Context(), h.dir, imageID); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-ago)
	if err := os.Chtimes(filepath.Join(h.dir, strings.TrimPrefix(imageID, "sha256:")), then, then); err != nil {
		t.Fatal(err)
	}
}

func (h *host) cycle(t *testing.T) Report {
	t.Helper()
	r, err := Run(t.Context(), h.Options, h.record)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// removed are the images that a cycle removed, by their number.
func (r Report) removed() string {
	var ids []string
	for _, one := range r.Done {
		if one.Removed {
			ids = append(ids, cmp.Or(strings.TrimLeft(strings.TrimPrefix(one.Image.ID, "sha256:"), "0"), "0"))
		}
	}
	return strings.Join(ids, " ")
}
