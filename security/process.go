package security

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/distribution/reference"
)

var (
	// containerName is Docker's own rule for names.
	containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)
	hostnameLabel = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$`)
	// accountName is what useradd(8) accepts, and dots and upper case, which images use.
	accountName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.-]*\$?$`)
)

// identity decides over the container's name and image.
func (r *review) identity() {
	name, image, configured := take(&r.left.Name), take(&r.left.Image), take(&r.left.Config.Image)
	if !containerName.MatchString(name) {
		r.reject("Name", name, "name", "%q cannot be a container's name; use letters, digits, '_', '.' and '-'.", Shorten(name))
	}
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil || reference.IsNameOnly(parsed) || reference.FamiliarString(parsed) != image || image != configured {
		r.reject("Image", image, "image", "%q is not a normalised image reference; write repository:tag or repository@digest.", Shorten(image))
	} else {
		r.allow("Image", image, "image")
	}
	r.out.Name, r.out.Image, r.out.Config.Image = name, image, image
}

// process decides over what runs inside the container and as whom.
func (r *review) process() {
	r.out.Config.Entrypoint = take(&r.left.Config.Entrypoint)
	r.out.Config.Cmd = take(&r.left.Config.Cmd)
	r.out.Host.ReadonlyRootfs = take(&r.left.Host.ReadonlyRootfs)

	if hostname := take(&r.left.Config.Hostname); hostname != "" {
		if err := CheckHostname(hostname); err != nil {
			r.reject("Config.Hostname", hostname, "hostname", "Hostname %q is refused: it %v.", Shorten(hostname), err)
		} else {
			r.allow("Config.Hostname", hostname, "hostname")
		}
		r.out.Config.Hostname = hostname
	}
	if user := take(&r.left.Config.User); user != "" {
		if err := CheckUser(user); err != nil {
			r.reject("Config.User", user, "user", "User %q is refused: it %v.", Shorten(user), err)
		} else {
			r.allow("Config.User", user, "user")
		}
		r.out.Config.User = user
	}
	r.workingDir(take(&r.left.Config.WorkingDir))
	r.environment(take(&r.left.Config.Env))
}

// workingDir refuses every path below /proc: /proc/self/fd/N as a working directory led out of the container
// (CVE-2024-21626, fixed in runc 1.1.12). The path is compared by its text: a symbolic link in the image can still lead
// there, which only a fixed runc stops. See [Policy.ReviewImage] for the image's own working directory.
func (r *review) workingDir(dir string) {
	switch {
	case dir == "":
		return
	case !isCleanAbsolute(dir):
		r.reject("Config.WorkingDir", dir, "workdir",
			"Working directory %q is refused; write an absolute path without \".\" or \"..\".", Shorten(dir))
	case isBelow(dir, "/proc"):
		r.reject("Config.WorkingDir", dir, "workdir",
			"Working directory %q is refused: it lies in /proc, which can lead out of the container; choose another path.", Shorten(dir))
	default:
		r.allow("Config.WorkingDir", dir, "workdir")
	}
	r.out.Config.WorkingDir = dir
}

// environment checks the form only, and shows no values. An entry without '=' would take a variable of the image away.
func (r *review) environment(env []string) {
	for i, entry := range env {
		field := fmt.Sprintf("Config.Env[%d]", i)
		if name, _, ok := strings.Cut(entry, "="); !ok || name == "" {
			r.reject(field, "", "environment", "Environment entry %d has no name or no value; write NAME=value.", i)
		} else if strings.ContainsFunc(name, unicode.IsControl) {
			r.reject(field, "", "environment", "The name in environment entry %d holds a control character; remove it.", i)
		}
	}
	r.out.Config.Env = env
}

// labels takes away the labels by which the executor finds its own containers.
func (r *review) labels() {
	labels := take(&r.left.Config.Labels)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		field := "Config.Labels[" + key + "]"
		switch {
		case strings.TrimSpace(key) == "":
			r.reject(field, key, "labels", "A label without a name is refused; write name=value.")
			continue
		case strings.ContainsFunc(key, unicode.IsControl):
			r.reject(field, key, "labels", "Label %q is refused: its name holds a control character; remove it.", Shorten(key))
			continue
		case isReservedLabel(key):
			r.found(Trim, field, key, "labels.reserved",
				"Label %q is left out: labels starting with %q belong to the executor.", Shorten(key), ReservedLabelPrefix)
			continue
		}
		r.allow(field, key, "labels")
		if r.out.Config.Labels == nil {
			r.out.Config.Labels = map[string]string{}
		}
		r.out.Config.Labels[key] = labels[key]
	}
}

// CheckHostname checks a hostname as RFC 1123 has it, at most 63 characters: Linux's limit is 64 (uname(2)), and some
// C libraries need one for the NUL. The error completes "it ...".
func CheckHostname(name string) error {
	if len(name) == 0 || len(name) > 63 {
		return fmt.Errorf("must have 1 to 63 characters")
	}
	for part := range strings.SplitSeq(name, ".") {
		if !hostnameLabel.MatchString(part) {
			return fmt.Errorf("must consist of letters, digits and '-' (not at an end), in parts separated by dots")
		}
	}
	return nil
}

// CheckUser checks user[:group], each a name or a number from 0 to 2147483647, which is runc's range. The error completes
// "it ...".
func CheckUser(user string) error {
	parts := strings.Split(user, ":")
	if len(parts) > 2 {
		return fmt.Errorf("must be user or user:group")
	}
	for _, part := range parts {
		if accountName.MatchString(part) {
			continue
		}
		if _, err := strconv.ParseUint(part, 10, 31); err != nil {
			return fmt.Errorf("must be user or user:group, each a name or a number from 0 to 2147483647")
		}
	}
	return nil
}
