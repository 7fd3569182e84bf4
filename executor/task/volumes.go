package task

import (
	"fmt"
	"path"
	"strings"
	"unicode"

	"github.com/docker/docker/api/types/mount"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// volumes translates the volumes of a container and adds the sandbox itself, last.
//
// A host path in the sandbox, relative or absolute, is mounted through SandboxSource. Any other absolute one stays as it is: it is
// the policy that refuses it.
func (t *translation) volumes(volumes []mesos.Volume, driver string) {
	t.targets = map[string]string{t.mapped: "the sandbox"}
	for i, v := range volumes {
		t.volume(fmt.Sprintf("container.volumes[%d]", i), v, driver)
	}
	t.persistentVolumes()
	t.bind(t.in.SandboxSource, t.mapped, false, "the sandbox")
}

// volume translates one volume. Of host_path, image and source it must have one (src/common/validation.cpp).
func (t *translation) volume(field string, v mesos.Volume, driver string) {
	readOnly := v.GetMode() == mesos.RO
	switch {
	case v.Image != nil:
		t.unsupported(field+".image", "use `host_path` with a path in the sandbox")
	case v.Source != nil && v.HostPath != nil:
		t.invalid(field+".source", "", "The volume has a host path and a source; remove one of the two.")
	case v.Source != nil:
		t.volumeSource(field, v)
	case driver != "" && v.GetHostPath() != "" && !path.IsAbs(v.GetHostPath()):
		// As with docker run: a name, not a path.
		t.dockerVolume(field, field+".host_path", v.ContainerPath, readOnly, &mesos.Volume_Source_DockerVolume{Name: v.GetHostPath()})
	default:
		if source, target, ok := t.volumePaths(field, v); ok && t.claimTarget(field, source, target) {
			t.bind(source, target, readOnly, field)
		}
	}
}

// claimTarget reports whether a mount can be made at target: both paths can be used, and nothing is mounted there yet.
func (t *translation) claimTarget(field, source, target string) bool {
	usable := t.usablePath(field+".host_path", source)
	usable = t.usablePath(field+".container_path", target) && usable
	if other, taken := t.targets[target]; taken {
		t.invalid(field+".container_path", target, "%s is taken by %s; give the volume a path of its own.", quote(target), other)
		return false
	}
	t.targets[target] = field
	return usable
}

// volumePaths returns the source on the host and the target in the container, both absolute and clean.
func (t *translation) volumePaths(field string, v mesos.Volume) (source, target string, ok bool) {
	hostPath, containerPath := v.GetHostPath(), v.ContainerPath
	switch {
	case hostPath == "":
		t.invalid(field+".host_path", "", "The volume has no host path; write a path in the sandbox, for example \"data\".")
		return "", "", false
	case containerPath == "":
		t.invalid(field+".container_path", "", "The volume has no path in the container; write an absolute one.")
		return "", "", false
	case !t.usablePath(field+".host_path", hostPath) || !t.usablePath(field+".container_path", containerPath):
		return "", "", false
	case !path.IsAbs(hostPath) && !path.IsAbs(containerPath):
		t.invalid(field, hostPath, "Both host_path %s and container_path %s are relative; make one of them absolute.", quote(hostPath), quote(containerPath))
		return "", "", false
	}

	if target, ok = t.containerPath(field, containerPath); !ok || t.leavesSandbox(field+".host_path", hostPath) {
		return "", "", false
	}
	return t.hostPath(hostPath), target, true
}

// containerPath returns the target of a mount, absolute and clean: a relative one is below the sandbox.
func (t *translation) containerPath(field, containerPath string) (target string, ok bool) {
	if path.IsAbs(containerPath) {
		return path.Clean(containerPath), true
	}
	target = path.Join(t.mapped, containerPath)
	if containerPath == "" || !isWithin(target, t.mapped) {
		t.invalid(field+".container_path", containerPath, "%s leaves the sandbox; remove the \"..\".", quote(containerPath))
		return "", false
	}
	return target, true
}

// hostPath returns the source of a mount: a path in the sandbox, relative or not, leads through SandboxSource.
func (t *translation) hostPath(hostPath string) string {
	source := path.Clean(hostPath)
	if !path.IsAbs(hostPath) {
		source = path.Join(t.in.Sandbox, hostPath)
	}
	for _, sandbox := range []string{path.Clean(t.in.Sandbox), t.in.SandboxSource} {
		if path.IsAbs(sandbox) && isWithin(source, sandbox) {
			return t.inSandbox(strings.TrimPrefix(strings.TrimPrefix(source, sandbox), "/"))
		}
	}
	return source
}

// leavesSandbox refuses a relative host path that leads out of the sandbox, as it is written: what it becomes is a path that
// its author has never seen.
func (t *translation) leavesSandbox(field, hostPath string) bool {
	if path.IsAbs(hostPath) || isWithin(path.Join("/sandbox", hostPath), "/sandbox") {
		return false
	}
	t.reject(ruleMountSources, field, hostPath, "%s leaves the sandbox, and only folders in it can be mounted by a relative path; remove the \"..\".", quote(hostPath))
	return true
}

// usablePath refuses a path that no host can have or that no message can show. It is asked about the path as written, and
// about what it becomes, which has a folder of ours before it.
func (t *translation) usablePath(field, p string) bool {
	problem := pathProblem(p)
	if strings.ContainsFunc(p, unicode.IsControl) {
		problem = "it holds a control character"
	}
	if problem == "" {
		return true
	}
	t.invalid(field, p, "The path %s cannot be used: %s; write another one.", quote(p), problem)
	return false
}

// inSandbox returns the mount source of a path relative to the sandbox, and has the folder made.
func (t *translation) inSandbox(relative string) string {
	if relative == "" {
		return t.in.SandboxSource
	}
	if !t.madeDirs[relative] {
		if t.madeDirs == nil {
			t.madeDirs = map[string]bool{}
		}
		t.madeDirs[relative] = true
		t.sandboxDirs = append(t.sandboxDirs, relative)
	}
	return path.Join(t.in.SandboxSource, relative)
}

func (t *translation) bind(source, target string, readOnly bool, origin string) {
	t.spec.Host.Mounts = append(t.spec.Host.Mounts, mount.Mount{
		Type: mount.TypeBind, Source: source, Target: target, ReadOnly: readOnly,
	})
	t.origin("Host.Mounts["+target+"]", origin)
}

// isWithin reports whether the clean path p is folder or lies below it.
func isWithin(p, folder string) bool {
	return p == folder || strings.HasPrefix(p, strings.TrimSuffix(folder, "/")+"/")
}
