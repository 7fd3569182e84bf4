package security

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
)

// Image is what a container inherits from its image, as an inspection of it shows.
type Image struct {
	// RepoDigests are the digests that registries know it by ("busybox@sha256:..."). One that was built or loaded has none.
	RepoDigests []string

	Labels     map[string]string
	User       string // USER; "" is root
	WorkingDir string // WORKDIR; "" is /
	Entrypoint []string
	Cmd        []string
	Path       string   // PATH of its environment, "" if it sets none
	Volumes    []string // targets of VOLUME
}

// ReviewImage decides over what a container inherits from its image and what [Policy.Review], which sees only the task's
// wishes, cannot know: its digest, if one is demanded; labels, which Docker merges into the container's; user and working directory, if the reviewed Spec
// has none of its own; volumes; and the program, which Docker puts together from both. granted is what the review was given. It returns
// its findings in a stable order: rejections, and an allowance of the volumes, which are the one thing of an image that takes
// something of the host.
func (p Policy) ReviewImage(image Image, spec Spec, granted Grants) []Finding {
	r := &review{policy: p, rules: p.rules, origins: Origins{}}
	for _, field := range []string{"Labels", "User", "WorkingDir", "Entrypoint", "Path", "Volumes", "RepoDigests"} {
		r.origins["Image."+field] = "image"
	}
	r.imageDigest(image, spec.Image)
	for _, key := range slices.Sorted(maps.Keys(image.Labels)) {
		if isReservedLabel(key) {
			r.reject("Image.Labels["+key+"]", key, "image.labels",
				"The image's label %q is refused: labels starting with %q belong to the executor; build the image without it.",
				Shorten(key), ReservedLabelPrefix)
		}
	}
	if r.rules.RunAsNonRoot && spec.Config.User == "" && !isNonRoot(image.User) {
		r.deny("Image.User", image.User, "user.non_root",
			"The image's user %q is refused: containers run as a user other than root, given by its number; name one with the "+
				"parameter `user`, or build the image with a USER such as 1000.", Shorten(image.User))
	}
	if spec.Config.User == "" && r.deniesPrimaryGroup(image.User) {
		r.deny("Image.User", image.User, "groups",
			"The image's user %q is refused: its group is among the policy's denied_groups; name another one with the "+
				"parameter `user`, or build the image with another USER.", Shorten(image.User))
	}
	r.imageVolumes(image.Volumes, spec, sharedTargets(spec.Host.Mounts, granted))
	workdir := spec.Config.WorkingDir
	if workdir == "" {
		workdir = image.WorkingDir
		// The engine cleans the path too. A relative one is taken from the root, so that no spelling of /proc passes.
		if inProc("/" + workdir) {
			r.reject("Image.WorkingDir", workdir, "image.workdir",
				"The image's working directory %q is refused: it leads into /proc, and so out of the container; set another one "+
					"with the parameter `workdir`, or build the image with another WORKDIR.", Shorten(workdir))
		}
	}
	program, search := image.program(spec), cmp.Or(variable(spec.Config.Env, "PATH"), image.Path)
	switch {
	case isProcProgram(program, workdir):
		r.reject("Image.Entrypoint", program, "image.command",
			"The program %q is refused: it leads into /proc, and so out of the container; start another program of the image.", Shorten(program))
	case !strings.Contains(program, "/") && searchesProc(search, workdir):
		r.reject("Image.Path", "PATH", "image.command", searchPathRefused, Shorten(program))
	}
	return r.findings
}

// imageVolumes decides over the folders that the engine makes a new volume for, without a limit to its size. Where the task
// mounts something else it makes none. They are mounts like others, and lie in nothing that others can write to; see nestedTargets.
func (r *review) imageVolumes(targets []string, spec Spec, shared map[string]string) {
	taken := map[string]bool{}
	for _, m := range spec.Host.Mounts {
		taken[m.Target] = true
	}
	var made []string
	for _, target := range slices.Sorted(slices.Values(targets)) {
		if _, tmpfs := spec.Host.Tmpfs[path.Clean(target)]; tmpfs || taken[path.Clean(target)] {
			continue
		}
		if outer, source := outerOf(path.Clean("/"+target), shared); outer != "" {
			r.reject("Image.Volumes["+target+"]", target, "mounts.targets",
				"The image's volume %q is refused: it lies in %q, where %q is mounted, which others can change meanwhile; mount that elsewhere, "+
					"or a folder of the sandbox at a path outside.", Shorten(target), Shorten(outer), Shorten(source))
			continue
		}
		made = append(made, target)
	}
	if len(made) == 0 {
		return
	}
	at, value := together("Image.Volumes", made)
	if r.rules.Mounts.ImageVolumes {
		r.found(Allow, at, value, "image.volumes", "The image's volumes (%s) are allowed; they take space on the engine's disk without a limit.", Printable(value))
		return
	}
	r.deny(at, value, "image.volumes",
		"The image's volumes (%s) are refused: they take space on the engine's disk without a limit; mount a folder of the sandbox or a "+
			"tmpfs there, or build the image without VOLUME.", Printable(value))
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
