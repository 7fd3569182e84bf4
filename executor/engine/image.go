package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
)

// Image is what a container inherits from its image.
type Image struct {
	ID string // "sha256:<64 hex digits>"
	// RepoDigests are what registries know it by ("busybox@sha256:..."); none if it was built here or loaded.
	RepoDigests []string
	Tagged      time.Time // when it was last tagged here; zero: never, or not known. Docker 20.10 does not count a pull.

	StopSignal string // "" = SIGTERM
	User       string // "" = root
	WorkingDir string // "" = /
	Entrypoint []string
	Cmd        []string
	Labels     map[string]string
	Path       string   // PATH of its environment, "" if it sets none; the rest of that is nobody's business here
	Volumes    []string // targets of VOLUME, in no order
}

// Image returns the local image that ref names. A missing one is [ErrNotFound], and so is one for a reference with a digest
// that does not carry this digest.
func (e *Engine) Image(ctx context.Context, ref string) (Image, error) {
	var found Image
	kind := call{name: "image inspect", limit: e.limits.ImageInspect, accept: []int{http.StatusOK}}
	err := e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		parsed, err := reference.ParseAnyReference(ref)
		if err != nil {
			return fmt.Errorf("image %q: %w", ref, err)
		}
		said, err := p.docker.ImageInspect(ctx, ref)
		if err != nil {
			return err
		}
		if said.ID == "" {
			return errors.New("the answer describes no image")
		}
		if want, ok := parsed.(reference.Canonical); ok && !carries(said.RepoDigests, want) {
			return fmt.Errorf("%w: the image that the daemon has for %s does not carry this digest", ErrNotFound, ref)
		}
		found = Image{ID: said.ID, RepoDigests: said.RepoDigests, Tagged: said.Metadata.LastTagTime}
		if c := said.Config; c != nil {
			found.StopSignal, found.User, found.WorkingDir, found.Labels = c.StopSignal, c.User, c.WorkingDir, c.Labels
			found.Entrypoint, found.Cmd = c.Entrypoint, c.Cmd
			found.Volumes = slices.Collect(maps.Keys(c.Volumes))
			for _, entry := range c.Env {
				if search, ok := strings.CutPrefix(entry, "PATH="); ok {
					found.Path = search
				}
			}
		}
		return nil
	})
	return found, err
}

// carries reports whether an image's digests ("name@sha256:...") have the one that was asked for. The name may be another: the
// digest alone says what the image is.
func carries(digests []string, want reference.Canonical) bool {
	return slices.ContainsFunc(digests, func(one string) bool { return strings.HasSuffix(one, "@"+want.Digest().String()) })
}
