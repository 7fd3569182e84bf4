package security

import (
	"maps"
	"path"
	"slices"
)

// Image is what a container inherits from its image, as an inspection of it shows.
type Image struct {
	Labels     map[string]string
	User       string // USER; "" is root
	WorkingDir string // WORKDIR; "" is /
	Entrypoint []string
	Cmd        []string
}

// ReviewImage decides over what a container inherits from its image and what [Policy.Review], which sees only the task's
// wishes, cannot know: labels, which Docker merges into the container's; user and working directory, if the reviewed Spec
// has none of its own; and the program, which Docker puts together from both. It returns one finding per rejection, in a
// stable order, and none for an image that may be used.
func (p Policy) ReviewImage(image Image, spec Spec) []Finding {
	r := &review{rules: p.rules, origins: Origins{}}
	for _, field := range []string{"Labels", "User", "WorkingDir", "Entrypoint"} {
		r.origins["Image."+field] = "image"
	}
	for _, key := range slices.Sorted(maps.Keys(image.Labels)) {
		if isReservedLabel(key) {
			r.reject("Image.Labels["+key+"]", key, "image.labels",
				"The image's label %q is refused: labels starting with %q belong to the executor; build the image without it.",
				Shorten(key), ReservedLabelPrefix)
		}
	}
	if r.rules.RunAsNonRoot && spec.Config.User == "" && !isNonRoot(image.User) {
		r.reject("Image.User", image.User, "user.non_root",
			"The image's user %q is refused: containers run as a user other than root, given by its number; name one with the "+
				"parameter `user`, or build the image with a USER such as 1000.", Shorten(image.User))
	}
	workdir := spec.Config.WorkingDir
	if workdir == "" {
		workdir = image.WorkingDir
		// The engine cleans the path too. A relative one is taken from the root, so that no spelling of /proc passes.
		if workdir != "" && isBelow(path.Clean("/"+workdir), "/proc") {
			r.reject("Image.WorkingDir", workdir, "image.workdir",
				"The image's working directory %q is refused: it lies in /proc, which can lead out of the container; set another one "+
					"with the parameter `workdir`, or build the image with another WORKDIR.", Shorten(workdir))
		}
	}
	if program := image.program(spec); isProcProgram(program, workdir) {
		r.reject("Image.Entrypoint", program, "image.command",
			"The program %q is refused: it lies in /proc, which can lead out of the container; start another program of the image.", Shorten(program))
	}
	return r.findings
}

// program is what the engine starts (Docker's daemon/commit.go, merge): an entrypoint of the task takes the image's command
// away as well, and an empty list that is not nil takes away only the image's entrypoint.
func (i Image) program(spec Spec) string {
	entrypoint, command := spec.Config.Entrypoint, spec.Config.Cmd
	if len(entrypoint) == 0 && len(command) == 0 {
		command = i.Cmd
	}
	if entrypoint == nil {
		entrypoint = i.Entrypoint
	}
	return programOf(entrypoint, command)
}
