package task

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// volumeSource translates Volume.source, of which the stock Docker executor takes DOCKER_VOLUME and skips the rest.
func (t *translation) volumeSource(field string, v mesos.Volume) {
	s, readOnly := v.Source, v.GetMode() == mesos.RO
	at := field + ".source"
	if extra := otherSource(s); extra != "" {
		t.invalid(at+"."+extra, "", "The source is of type %s and has a %s; remove one of the two.", s.GetType(), extra)
		return
	}
	switch s.GetType() {
	case mesos.Volume_Source_DOCKER_VOLUME:
		if s.DockerVolume == nil {
			t.missing(at+".docker_volume", "its name and driver")
			return
		}
		t.dockerVolume(field, at+".docker_volume", v.ContainerPath, readOnly, s.DockerVolume)
	case mesos.Volume_Source_HOST_PATH:
		t.hostPathSource(field, v, readOnly)
	case mesos.Volume_Source_SANDBOX_PATH:
		t.sandboxPathSource(field, v, readOnly)
	case mesos.Volume_Source_SECRET:
		t.unsupported(at+".secret", "fetch the secret in the task; the engine cannot hand it over")
	default:
		t.invalid(at+".type", s.GetType().String(), "The source has no type; write DOCKER_VOLUME, HOST_PATH or SANDBOX_PATH.")
	}
}

// otherSource names a part of the source that does not belong to its type.
func otherSource(s *mesos.Volume_Source) string {
	for _, part := range []struct {
		name string
		set  bool
		kind mesos.Volume_Source_Type
	}{
		{"docker_volume", s.DockerVolume != nil, mesos.Volume_Source_DOCKER_VOLUME},
		{"host_path", s.HostPath != nil, mesos.Volume_Source_HOST_PATH},
		{"sandbox_path", s.SandboxPath != nil, mesos.Volume_Source_SANDBOX_PATH},
		{"secret", s.Secret != nil, mesos.Volume_Source_SECRET},
	} {
		if part.set && part.kind != s.GetType() {
			return part.name
		}
	}
	return ""
}

func (t *translation) missing(field, what string) {
	t.invalid(field, "", "The field is missing; set it, with %s.", what)
}

// hostPathSource: the path must be absolute (src/common/validation.cpp); the mount may ask for the host's later mounts, or
// to show its own to the host.
func (t *translation) hostPathSource(field string, v mesos.Volume, readOnly bool) {
	s := v.Source.HostPath
	at := field + ".source.host_path"
	if s == nil {
		t.missing(at, "an absolute path")
		return
	}
	if !path.IsAbs(s.Path) {
		t.invalid(at+".path", s.Path, "%s is not absolute; write an absolute path, or use a source of type SANDBOX_PATH.", quote(s.Path))
		return
	}
	if !t.usablePath(at+".path", s.Path) {
		return
	}
	target, ok := t.volumeTarget(field, v.ContainerPath)
	source := t.hostPath(s.Path)
	if !ok || !t.claimTarget(field, source, target) {
		return
	}
	t.bind(source, target, readOnly, field)
	added := &t.spec.Host.Mounts[len(t.spec.Host.Mounts)-1]
	switch p := s.GetMountPropagation(); p.GetMode() {
	case mesos.MountPropagation_HOST_TO_CONTAINER:
		added.BindOptions = &mount.BindOptions{Propagation: mount.PropagationRSlave}
	case mesos.MountPropagation_BIDIRECTIONAL:
		added.BindOptions = &mount.BindOptions{Propagation: mount.PropagationRShared}
	}
}

// sandboxPathSource: without a parent container only the task's own sandbox can be meant.
func (t *translation) sandboxPathSource(field string, v mesos.Volume, readOnly bool) {
	s := v.Source.SandboxPath
	at := field + ".source.sandbox_path"
	switch {
	case s == nil:
		t.missing(at, "type SELF and a relative path")
		return
	case s.GetType() == mesos.Volume_Source_SandboxPath_PARENT:
		t.invalid(at+".type", "PARENT", "The container has no parent whose sandbox could be mounted; write SELF.")
		return
	case s.GetType() != mesos.Volume_Source_SandboxPath_SELF:
		t.invalid(at+".type", s.GetType().String(), "The path has no type; write SELF.")
		return
	case s.Path == "" || path.IsAbs(s.Path) || !isWithin(path.Join("/sandbox", s.Path), "/sandbox"):
		t.invalid(at+".path", s.Path, "%s is not a path in the sandbox; write a relative one without \"..\".", quote(s.Path))
		return
	case !t.usablePath(at+".path", s.Path):
		return
	}
	target, ok := t.volumeTarget(field, v.ContainerPath)
	source := t.hostPath(s.Path)
	if ok && t.claimTarget(field, source, target) {
		t.bind(source, target, readOnly, field)
	}
}

// volumeTarget checks a container path and makes it absolute.
func (t *translation) volumeTarget(field, containerPath string) (string, bool) {
	if containerPath == "" {
		t.invalid(field+".container_path", "", "The volume has no path in the container; write an absolute one.")
		return "", false
	}
	if !t.usablePath(field+".container_path", containerPath) {
		return "", false
	}
	return t.containerPath(field, containerPath)
}

// dockerVolume adds a volume that the engine manages. Its driver and options count when it does not exist yet; the engine
// uses one that exists as it is. at is the field that names the volume.
func (t *translation) dockerVolume(field, at, containerPath string, readOnly bool, v *mesos.Volume_Source_DockerVolume) {
	target, ok := t.volumeTarget(field, containerPath)
	if !ok || !t.claimTarget(field, "", target) {
		return
	}
	if v.Name == "" {
		t.invalid(at+".name", "", "The volume has no name; write one.")
		return
	}
	m := mount.Mount{Type: mount.TypeVolume, Source: v.Name, Target: target, ReadOnly: readOnly}
	driver := v.GetDriver()
	if driver == "" {
		driver = t.task.GetContainer().GetDocker().GetVolumeDriver()
	}
	if t.oneDriver(at, driver) && driver != "" {
		m.VolumeOptions = &mount.VolumeOptions{DriverConfig: &mount.Driver{Name: driver}}
	}
	if options := v.GetDriverOptions().GetParameter(); len(options) > 0 {
		t.driverOptions(at+".driver_options", &m, options)
	}
	t.spec.Host.Mounts = append(t.spec.Host.Mounts, m)
	t.origin("Host.Mounts["+target+"]", field)
}

// oneDriver keeps to the stock executor's rule: a task has one volume driver.
func (t *translation) oneDriver(field, driver string) bool {
	if driver == "" || t.volumeDriver == driver {
		return true
	}
	if t.volumeDriver == "" {
		t.volumeDriver = driver
		return true
	}
	t.invalid(field, driver, "The volume driver %s differs from %s; a task can use only one.", quote(driver), quote(t.volumeDriver))
	return false
}

// driverOptions hands options to the driver. Their values may be secrets and are never shown.
func (t *translation) driverOptions(field string, m *mount.Mount, options []mesos.Parameter) {
	if m.VolumeOptions == nil {
		t.invalid(field, "", "Options need a driver that takes them; name it in `driver`.")
		return
	}
	if t.tooMany(field, len(options), maxEntries) {
		return
	}
	values := map[string]string{}
	for i, o := range options {
		if before, twice := values[o.Key]; twice && before != o.Value {
			t.invalid(fmt.Sprintf("%s[%d]", field, i), o.Key, "The option %s is there twice; keep one of them.", quote(o.Key))
			continue
		}
		values[o.Key] = o.Value
	}
	m.VolumeOptions.DriverConfig.Options = values
}

// persistentVolumes mounts the task's persistent volumes below the sandbox. In drop-in mode the agent has done so itself.
// In custom mode it shows them to the executor only, in a way that the engine does not see, so the place on the host is
// worked out here, as in src/slave/paths.cpp (getPersistentVolumePath).
func (t *translation) persistentVolumes() {
	for i, r := range t.task.Resources {
		field := fmt.Sprintf("resources[%d].disk", i)
		if s := r.GetDisk().GetSource(); s != nil {
			switch s.Type {
			case mesos.Resource_DiskInfo_Source_PATH, mesos.Resource_DiskInfo_Source_MOUNT:
			default:
				t.unsupported(field+".source", "only disks of type PATH and MOUNT can be used")
				continue
			}
		}
		if r.GetDisk().GetPersistence() == nil {
			continue
		}
		if t.in.Mode == DropIn {
			t.mountedByAgent(field+".volume.container_path", r.GetDisk().GetVolume().GetContainerPath())
			continue
		}
		v := r.Disk.Volume
		if v == nil {
			t.missing(field+".volume", "a container path")
			continue
		}
		if v.HostPath != nil || v.Source != nil || v.Image != nil {
			t.invalid(field+".volume", "", "A persistent volume has a container path and a mode only; remove the rest.")
			continue
		}
		source, ok := t.persistentPath(field, r)
		target, targetOK := t.volumeTarget(field+".volume", v.ContainerPath)
		if ok && targetOK && t.claimTarget(field+".volume", source, target) {
			readOnly := v.GetMode() == mesos.RO
			t.granted = append(t.granted, security.Bind{
				Source: source, Target: target, ReadOnly: readOnly, Inside: t.in.WorkDir, Shared: r.Shared != nil,
			})
			t.bind(source, target, readOnly, field)
		}
	}
}

// mountedByAgent refuses a persistent volume that the agent only warns of in its log, and does not mount
// (src/slave/containerizer/docker.cpp, DockerContainerizerProcess::updatePersistentVolumes): the task's data would be lost
// with its sandbox.
func (t *translation) mountedByAgent(field, containerPath string) {
	if !strings.Contains(containerPath, "/") {
		return
	}
	name := path.Base(containerPath)
	if !isFolderName(name) || name == ".." {
		name = "data"
	}
	t.invalid(field, containerPath, "The agent mounts no persistent volume at %s in drop-in mode (it skips paths with a slash); write a plain name such as %s.",
		quote(containerPath), quote(name))
}

// persistentPath is where a persistent volume is on the host. Its parts have been checked by the master, and are checked
// again, since they name a folder outside the sandbox.
func (t *translation) persistentPath(field string, r mesos.Resource) (string, bool) {
	root := t.in.WorkDir
	if !path.IsAbs(root) || root == "/" {
		t.invalid(field, "", "The agent's work_dir is not known, so the volume cannot be found; launch the task without it.")
		return "", false
	}
	source := r.Disk.Source
	if source != nil {
		given := source.GetPath().GetRoot()
		if source.Type == mesos.Resource_DiskInfo_Source_MOUNT {
			given = source.GetMount().GetRoot()
		}
		if given == "" || slices.Contains(strings.Split(given, "/"), "..") || !t.usablePath(field+".source", given) {
			t.invalid(field+".source", given, "The disk has no usable root; it has to be the one of the offer.")
			return "", false
		}
		if !path.IsAbs(given) {
			given = path.Join(root, given)
		}
		root = path.Clean(given)
		if source.Type == mesos.Resource_DiskInfo_Source_MOUNT {
			return root, true
		}
	}
	id, role := r.Disk.Persistence.ID, reservationRole(r)
	if !isFolderName(id) {
		t.invalid(field+".persistence.id", id, "%s cannot be the id of a volume; use 1 to %d characters without slashes.", quote(id), maxComponent)
		return "", false
	}
	folder := strings.ReplaceAll(role, "/", " ")
	if !isFolderName(folder) {
		t.invalid(field, role, "The volume's role %s cannot be a folder; a persistent volume is reserved to a role.", quote(role))
		return "", false
	}
	return path.Join(root, "volumes", "roles", folder, id), true
}

func isFolderName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= maxComponent && !strings.ContainsAny(s, "/\x00")
}

// reservationRole is the role that a resource is reserved to, in the format with a stack of reservations or in the one
// before (docs/reservation.md).
func reservationRole(r mesos.Resource) string {
	if n := len(r.Reservations); n > 0 {
		return r.Reservations[n-1].GetRole()
	}
	return r.GetRole()
}
