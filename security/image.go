package security

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// ReviewImage decides over what a container would inherit from its image and what [Policy.Review], which sees only the
// task's wishes, cannot know: labels, which Docker merges into the container's, and the working directory. It returns
// one finding per rejection, in a stable order, and none for an image that may be used.
//
// workdir is the image's WORKDIR; pass "" if the Spec sets Config.WorkingDir, which then replaces it.
func (p Policy) ReviewImage(labels map[string]string, workdir string) []Finding {
	r := &review{rules: p.rules, origins: Origins{"Image.Labels": "image", "Image.WorkingDir": "image"}}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if isReservedLabel(key) {
			r.reject("Image.Labels["+key+"]", key, "image.labels",
				"The image's label %q is refused: labels starting with %q belong to the executor; build the image without it.",
				Shorten(key), ReservedLabelPrefix)
		}
	}
	// The engine cleans the path too. A relative one is taken from the root, so that no spelling of /proc passes.
	if workdir != "" && isBelow(path.Clean("/"+workdir), "/proc") {
		r.reject("Image.WorkingDir", workdir, "image.workdir",
			"The image's working directory %q is refused: it lies in /proc, which can lead out of the container; set another one "+
				"with the parameter `workdir`, or build the image with another WORKDIR.", Shorten(workdir))
	}
	return r.findings
}

// isReservedLabel takes any case, so that no label can be mistaken for one of the executor's.
func isReservedLabel(key string) bool {
	return len(key) >= len(ReservedLabelPrefix) && strings.EqualFold(key[:len(ReservedLabelPrefix)], ReservedLabelPrefix)
}
