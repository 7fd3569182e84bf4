package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
)

// ListedImage is an image in a list of all.
type ListedImage struct {
	ID      string   // "sha256:<64 hex digits>"
	Names   []string // "busybox:1.36"; none for what lost its name, or never had one
	Digests []string // "busybox@sha256:..."
	Size    uint64   // bytes of all its layers, shared ones among them
	Parent  string   // ID of the image that it was built on, "" if that is not known
}

// Images returns all images of the engine, those that others are built on and that have no name among them. It is work for
// the daemon, 0.1 s with 300 images and more while it removes some: nothing for the path of a task. An answer that is broken in
// any part is an error as a whole. The limit is List.
func (e *Engine) Images(ctx context.Context) ([]ListedImage, error) {
	return list(ctx, e, "image list", "/images/json", everything, imagesOf)
}

// imagesOf checks an answer. Names that mean none are written out by daemons up to 24.
func imagesOf(answer []byte) ([]ListedImage, error) {
	var all []struct {
		ID          string `json:"Id"`
		ParentID    string `json:"ParentId"`
		RepoTags    []string
		RepoDigests []string
		Size        int64
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return nil, fmt.Errorf("the answer is no list: %w", err)
	}
	if all == nil {
		return nil, errors.New("the answer is no list but null")
	}
	none := func(name string) bool { return strings.HasPrefix(name, "<none>") }
	images := make([]ListedImage, 0, len(all))
	for _, one := range all {
		if !isImageID(one.ID) {
			return nil, fmt.Errorf("the answer has an entry with the ID %q", shorten(one.ID))
		}
		images = append(images, ListedImage{
			ID: one.ID, Names: leaveOut(one.RepoTags, none), Digests: leaveOut(one.RepoDigests, none),
			Size: uint64(max(one.Size, 0)), Parent: one.ParentID,
		})
	}
	return images, nil
}

func leaveOut(names []string, unwanted func(string) bool) (rest []string) {
	for _, name := range names {
		if !unwanted(name) {
			rest = append(rest, name)
		}
	}
	return rest
}

func isImageID(s string) bool {
	digits, ok := strings.CutPrefix(s, "sha256:")
	return ok && isFullID(digits)
}

// ImagesInUse returns how many containers, in whatever state and whoever made them, each image has, by image ID. As with
// [Engine.List], no container is waited for, and an answer that is broken in any part is an error as a whole. The limit is List.
func (e *Engine) ImagesInUse(ctx context.Context) (map[string]int, error) {
	return list(ctx, e, "list", "/containers/json", everything, usesOf)
}

func usesOf(answer []byte) (map[string]int, error) {
	var all []struct {
		ID      string `json:"Id"`
		ImageID string
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return nil, fmt.Errorf("the answer is no list: %w", err)
	}
	if all == nil {
		return nil, errors.New("the answer is no list but null")
	}
	uses := map[string]int{}
	for _, one := range all {
		switch {
		case !isFullID(one.ID):
			return nil, fmt.Errorf("the answer has an entry with the ID %q", shorten(one.ID))
		case !isImageID(one.ImageID):
			return nil, fmt.Errorf("the answer says of %s that its image is %q", one.ID, shorten(one.ImageID))
		}
		uses[one.ImageID]++
	}
	return uses, nil
}

// noImage begins the daemon's message for an image that does not exist (moby, daemon/images/image.go).
const noImage = "No such image: "

// RemoveImage removes a reference ("busybox:1.36", "busybox@sha256:...") or an image by its ID ("sha256:..."), without force; with
// the last reference the image goes, and with it what it was built on and has no name. Nil if there is no such image. An image
// with a container, or an ID with several references, is [ErrConflict]. The limit is Remove; when it is over, the removal may
// still go on: one wedged container keeps all removals of images waiting.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error {
	kind := call{name: "image remove", limit: e.limits.Remove, mutates: true, accept: []int{http.StatusOK}, missing: noImage}
	err := e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		if _, err := reference.ParseAnyReference(ref); err != nil {
			return fmt.Errorf("image %q: %w", ref, err)
		}
		_, err = p.docker.ImageRemove(ctx, ref, image.RemoveOptions{PruneChildren: true})
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
