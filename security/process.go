package security

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/distribution/reference"

	"mesos-docker-executor/internal/glob"
)

// containerName is Docker's own rule for names.
var containerName = compiled(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// identity decides over the container's name and image.
func (r *review) identity() {
	name, image, configured := take(&r.left.Name), take(&r.left.Image), take(&r.left.Config.Image)
	if !containerName().MatchString(name) {
		r.reject("Name", name, "name", "%q cannot be a container's name; use letters, digits, '_', '.' and '-'.", Shorten(name))
	}
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil || reference.IsNameOnly(parsed) || reference.FamiliarString(parsed) != image || image != configured {
		r.reject("Image", image, "image", "%q is not a normalised image reference; write repository:tag or repository@digest.", Shorten(image))
	} else {
		r.imageSource(parsed)
	}
	r.out.Name, r.out.Image, r.out.Config.Image = name, image, image
}

// process decides over what runs inside the container.
func (r *review) process() {
	r.command()
	r.workingDir(take(&r.left.Config.WorkingDir))
	r.environment(take(&r.left.Config.Env))
	r.streams()

	r.out.Host.ReadonlyRootfs = take(&r.left.Host.ReadonlyRootfs)
	if r.rules.ReadonlyRootfs && !r.out.Host.ReadonlyRootfs {
		r.found(Force, "Host.ReadonlyRootfs", "read-only root file system", "read_only", "The container's root file system is read-only.")
		r.out.Host.ReadonlyRootfs = r.acts()
	}
}

// command refuses a program in /proc: /proc/self/exe and /proc/self/fd/N led to the runtime's own program on the host
// (CVE-2019-5736, CVE-2024-21626). It is compared by its text (see inProc), as the working directory is, and a name
// without a slash by the folders that it is looked up in. A command without an entrypoint may be the arguments of the
// image's, so it is decided on with the image.
func (r *review) command() {
	r.out.Config.Entrypoint = take(&r.left.Config.Entrypoint)
	r.out.Config.Cmd = take(&r.left.Config.Cmd)
	if r.out.Config.Entrypoint == nil {
		return
	}
	program := programOf(r.out.Config.Entrypoint, r.out.Config.Cmd)
	switch {
	case isProcProgram(program, r.left.Config.WorkingDir):
		r.reject("Config.Entrypoint", program, "command",
			"Program %q is refused: it leads into /proc, and so out of the container; start a program of the image.", Shorten(program))
	case !strings.Contains(program, "/") && searchesProc(variable(r.left.Config.Env, "PATH"), r.left.Config.WorkingDir):
		r.reject("Config.Env[PATH]", "PATH", "command", searchPathRefused, Shorten(program))
	}
}

const searchPathRefused = "Program %q is refused: PATH, in which it is looked up, has a folder in /proc, which can lead out of the container; " +
	"write the program's whole path, or take the folder out of PATH."

// variable returns the value of a variable, and "" where there is none. Of several the last counts.
func variable(env []string, name string) (value string) {
	for _, entry := range env {
		if v, found := strings.CutPrefix(entry, name+"="); found {
			value = v
		}
	}
	return value
}

// searchesProc reports whether a PATH, if there is one, has a folder in /proc. Relative ones, as many images have them, start from
// the working directory, which an empty one is.
func searchesProc(search, workdir string) bool {
	if search == "" {
		return false
	}
	for folder := range strings.SplitSeq(search, ":") {
		if inProc(within(workdir, folder)) {
			return true
		}
	}
	return false
}

// inProc reports whether a path leads into /proc: by its text, or by a link that the container runtime makes in every /dev (runc,
// libcontainer/rootfs_linux.go, setupDevSymlinks).
func inProc(p string) bool {
	return slices.ContainsFunc([]string{"/proc", "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"}, func(place string) bool {
		return isBelow(path.Clean(p), place)
	})
}

// within returns a path in the container, as it is seen from the working directory.
func within(workdir, p string) string {
	if path.IsAbs(p) {
		return p
	}
	return path.Join("/", workdir, p)
}

// programOf is what the engine starts, or "". An entrypoint of one empty word stands for none.
func programOf(entrypoint, command []string) string {
	words := slices.Concat(entrypoint, command)
	if len(entrypoint) == 1 && entrypoint[0] == "" {
		words = command
	}
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// isProcProgram is about a path; a name without a slash is looked up in PATH.
func isProcProgram(program, workdir string) bool {
	return strings.Contains(program, "/") && inProc(within(workdir, program))
}

// streams lets a terminal through. The rest has no meaning without a docker command in front of the container: nobody
// writes to its standard input, which is empty.
func (r *review) streams() {
	c := &r.left.Config
	r.out.Config.Tty = take(&c.Tty)
	size := take(&r.left.Host.ConsoleSize)
	if size != [2]uint{} {
		value := fmt.Sprintf("%dx%d", size[0], size[1])
		// The kernel keeps 16 bits of each (struct winsize).
		if !r.out.Config.Tty || max(size[0], size[1]) > 1<<16-1 {
			r.reject("Host.ConsoleSize", value, "tty", "Window size %s is refused: only a terminal (parameter `tty`) has one, of at most 65535 rows and columns.", value)
		} else {
			r.allow("Host.ConsoleSize", value, "tty")
			r.out.Host.ConsoleSize = size
		}
	}
	for _, stream := range []struct {
		field string
		asked bool
	}{
		{"Config.OpenStdin", take(&c.OpenStdin)},
		{"Config.StdinOnce", take(&c.StdinOnce)},
		{"Config.AttachStdin", take(&c.AttachStdin)},
		{"Config.AttachStdout", take(&c.AttachStdout)},
		{"Config.AttachStderr", take(&c.AttachStderr)},
	} {
		if stream.asked {
			r.found(Trim, stream.field, strings.TrimPrefix(stream.field, "Config."), "stdin",
				"%s is left out: a task has no standard input, and its output always goes to the sandbox.", stream.field)
		}
	}
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
	case inProc(dir):
		r.reject("Config.WorkingDir", dir, "workdir",
			"Working directory %q is refused: it leads into /proc, and so out of the container; choose another path.", Shorten(dir))
	default:
		r.allow("Config.WorkingDir", dir, "workdir")
	}
	r.out.Config.WorkingDir = dir
}

// Where the engine's default runtime is NVIDIA's, it takes its orders from the environment of task and image.
const (
	gpuVariable = "NVIDIA_VISIBLE_DEVICES"
	noGPUs      = gpuVariable + "=void" // no devices, and none of the driver's files
)

// environment checks the form of names, takes away those that the policy denies, and shows no values. An entry without
// '=' would take a variable of the image away.
func (r *review) environment(env []string) {
	noDevices := glob.MatchAny(r.rules.DeniedEnvironment, gpuVariable) && len(r.out.Host.DeviceRequests) == 0
	asks := false
	for i, entry := range env {
		field := fmt.Sprintf("Config.Env[%d]", i)
		name, _, ok := strings.Cut(entry, "=")
		asks = asks || name == "CUDA_VERSION" || name == gpuVariable && entry != noGPUs
		switch {
		case noDevices && entry == noGPUs && r.rules.Mode != Audit: // as below
		case noDevices && entry == noGPUs:
			r.out.Config.Env = append(r.out.Config.Env, entry)
		case !ok || name == "":
			r.reject(field, "", "environment", "Environment entry %d has no name or no value; write NAME=value.", i)
		case strings.ContainsFunc(name, unicode.IsControl):
			r.reject(field, "", "environment", "The name in environment entry %d holds a control character; remove it.", i)
		case glob.MatchAny(r.rules.DeniedEnvironment, name):
			r.found(Trim, "Config.Env["+name+"]", name, "environment.deny",
				"Variable %q is left out: the policy denies it.", Shorten(name))
			if !r.acts() {
				r.out.Config.Env = append(r.out.Config.Env, entry)
			}
		default:
			r.out.Config.Env = append(r.out.Config.Env, entry)
		}
	}
	if noDevices {
		r.noDevices(asks)
	}
}

// noDevices sets the variable for every container instead of leaving it out: it may be the image's, and with CUDA_VERSION alone
// the runtime takes an image for one of old, which gets all devices (nvidia-container-toolkit, image.CUDA.IsLegacy). It says so
// only to a task that has such variables itself: all others have no notion of GPUs, and nothing is taken from them.
func (r *review) noDevices(asks bool) {
	if asks {
		r.found(Force, "Config.Env", noGPUs, "environment.deny", "%s: no GPU is given to a container by its variables.", noGPUs)
		if !r.acts() {
			return
		}
	}
	if r.rules.Mode != Audit {
		r.out.Config.Env = append(r.out.Config.Env, noGPUs)
	}
}
