package task

import (
	"cmp"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"

	"mesos-docker-executor/security"
)

// mountFlags say what is mounted where. Everything of the host becomes a Mount, whatever the flag: a Bind would be one more
// syntax for Docker to read.
func mountFlags() []flag {
	return []flag{
		{name: "mount", kind: repeated, secret: true, set: (*dockerRun).addMount},
		{name: "storage-opt", kind: repeated, secret: true, set: addPair("Host.StorageOpt", func(s *security.Spec) *map[string]string { return &s.Host.StorageOpt })},
		{name: "tmpfs", kind: repeated, set: (*dockerRun).addTmpfs},
		{name: "volume", short: "v", kind: repeated, set: (*dockerRun).addVolume},
		{name: "volume-driver", kind: single, when: early, set: (*dockerRun).setVolumeDriver},
		{name: "volumes-from", kind: repeated, set: addText("Host.VolumesFrom", func(s *security.Spec) *[]string { return &s.Host.VolumesFrom }, nil)},
	}
}

// setVolumeDriver names the driver of the volumes that the parameter volume makes, as the field of that name does. Each
// volume with a name says it itself.
func (r *dockerRun) setVolumeDriver(p parameter) {
	if !r.plain(p) {
		return
	}
	if driver := r.task.GetContainer().GetDocker().GetVolumeDriver(); driver != "" && driver != p.value {
		r.contradictsOrigin(p, "container.docker.volume_driver", driver)
		return
	}
	r.driver = p.value
}

// addVolume reads [SOURCE:]TARGET[:OPTIONS]. A source without a slash is the name of a volume; any other is a path of the
// host, or relative to the sandbox. Without a source it is a new volume, which goes with the container.
func (r *dockerRun) addVolume(p parameter) {
	const remedy = "write SOURCE:TARGET or SOURCE:TARGET:ro, with an absolute path as target"
	if !r.filled(p) || !r.fewOptions(p) {
		return
	}
	source, rest, mapped := strings.Cut(p.value, ":")
	if !mapped {
		if _, said := r.spec.Config.Volumes[path.Clean(p.value)]; said {
			return
		}
		if target, ok := r.place(p, p.value); ok {
			if r.spec.Config.Volumes == nil {
				r.spec.Config.Volumes = map[string]struct{}{}
			}
			r.spec.Config.Volumes[target] = struct{}{}
			r.occupy(p, "Config.Volumes", target)
			if driver := r.parameterDriver(); driver != "" && r.spec.Host.VolumeDriver == "" {
				r.spec.Host.VolumeDriver = driver
				r.origin("Host.VolumeDriver", p.origin())
			}
		}
		return
	}
	target, options, optional := strings.Cut(rest, ":")
	if source == "" || target == "" || optional && options == "" || strings.Contains(options, ":") {
		r.malformed(p, remedy)
		return
	}
	m := mount.Mount{Type: mount.TypeBind, Source: source, Target: target}
	if !strings.Contains(source, "/") && source != "." && source != ".." {
		m.Type = mount.TypeVolume
	}
	if optional && !r.readVolumeOptions(p, &m, options) {
		return
	}
	if driver := r.parameterDriver(); driver != "" && m.Type == mount.TypeVolume {
		volumeOptions(&m).DriverConfig = &mount.Driver{Name: driver}
	}
	r.mount(p, m)
}

func (r *dockerRun) parameterDriver() string {
	return cmp.Or(r.driver, r.task.GetContainer().GetDocker().GetVolumeDriver())
}

func volumeOptions(m *mount.Mount) *mount.VolumeOptions {
	if m.VolumeOptions == nil {
		m.VolumeOptions = &mount.VolumeOptions{}
	}
	return m.VolumeOptions
}

// readVolumeOptions takes one at most of each kind, as the daemon does.
func (r *dockerRun) readVolumeOptions(p parameter, m *mount.Mount, options string) bool {
	const remedy = "the options are ro or rw, nocopy for volumes, and private, slave, shared, rprivate, rslave or rshared for paths"
	seen := map[string]bool{}
	for option := range strings.SplitSeq(options, ",") {
		kind := option
		switch option {
		case "ro", "rw":
			kind, m.ReadOnly = "mode", option == "ro"
		case "nocopy":
			volumeOptions(m).NoCopy = true
		case "z", "Z":
			r.invalid(p.origin(), option, "The option %s relabels files of the host for SELinux, which is not supported; remove it.", option)
			return false
		case "consistent", "cached", "delegated", "default":
			kind, m.Consistency = "consistency", mount.Consistency(option)
		case "private", "slave", "shared", "rprivate", "rslave", "rshared":
			kind, m.BindOptions = "propagation", &mount.BindOptions{Propagation: mount.Propagation(option)}
		default:
			r.malformed(p, remedy)
			return false
		}
		if seen[kind] {
			r.malformed(p, "give each option once")
			return false
		}
		seen[kind] = true
	}
	if m.Type == mount.TypeBind && m.VolumeOptions != nil || m.Type == mount.TypeVolume && m.BindOptions != nil {
		r.malformed(p, remedy)
		return false
	}
	return true
}

// mount adds a mount whose paths are as written.
func (r *dockerRun) mount(p parameter, m mount.Mount) {
	relative := !path.IsAbs(m.Target)
	if relative && m.Type == mount.TypeBind && path.IsAbs(m.Source) {
		m.Target = path.Join(r.mapped, m.Target) // as a relative container_path
		if !isWithin(m.Target, r.mapped) {
			r.malformed(p, "remove the \"..\" that leaves the sandbox")
			return
		}
	} else if relative && m.Type == mount.TypeBind {
		r.invalid(p.origin(), "", "Both the source and the target of the mount are relative; make one of them absolute.")
		return
	}
	switch m.Type {
	case mount.TypeBind:
		source, ok := r.source(p, m.Source)
		if !ok {
			return
		}
		m.Source = source
	case mount.TypeVolume:
		if m.Source != "" && !security.IsVolumeName(m.Source) {
			r.malformed(p, "name the volume with letters, digits, '_', '.' and '-', at least two")
			return
		}
	}

	if path.IsAbs(m.Target) {
		m.Target = path.Clean(m.Target)
	}
	saysTheSame := func(before mount.Mount) bool { return before.Target == m.Target && reflect.DeepEqual(before, m) }
	if _, taken := r.taken()[m.Target]; taken && slices.ContainsFunc(r.spec.Host.Mounts, saysTheSame) {
		return
	}
	var ok bool
	if m.Target, ok = r.place(p, m.Target); ok {
		r.spec.Host.Mounts = append(r.spec.Host.Mounts, m)
		r.occupy(p, "Host.Mounts", m.Target)
	}
}

// source returns what to mount for a path of the host: as for container.volumes, one in the sandbox, relative or not, is
// mounted through SandboxSource, and any other is for the policy to refuse.
func (r *dockerRun) source(p parameter, source string) (string, bool) {
	switch {
	case source == "":
		r.malformed(p, "name a source")
		return "", false
	case strings.HasPrefix(source, "~"):
		r.malformed(p, "write a path without ~")
		return "", false
	case !r.usablePath(p.origin(), source) || r.leavesSandbox(p.origin(), source):
		return "", false
	}
	source = r.hostPath(source)
	return source, r.usablePath(p.origin(), source)
}

// place returns a target as it goes to Docker, if it can be one and is free.
func (r *dockerRun) place(p parameter, target string) (string, bool) {
	if !path.IsAbs(target) {
		r.malformed(p, "write an absolute path as target")
		return "", false
	}
	if !r.usablePath(p.origin(), target) {
		return "", false
	}
	target = path.Clean(target)
	if other, taken := r.taken()[target]; taken {
		r.invalid(p.origin(), target, "%s is taken by %s; choose another path.", quote(target), other)
		return "", false
	}
	return target, true
}

func (r *dockerRun) occupy(p parameter, field, target string) {
	r.taken()[target] = p.origin()
	if field == "Host.Mounts" { // the sandbox, which is one of them, came from no parameter
		r.origin(field+"["+target+"]", p.origin())
		return
	}
	r.element(p, field, target)
}

// taken returns the targets in use, with their origins.
func (r *dockerRun) taken() map[string]string {
	if r.places == nil {
		r.places = map[string]string{}
		for _, m := range r.spec.Host.Mounts {
			r.places[m.Target] = r.spec.Origins.Of("Host.Mounts[" + m.Target + "]")
		}
		for target := range r.spec.Host.Tmpfs {
			r.places[target] = r.spec.Origins.Of("Host.Tmpfs[" + target + "]")
		}
	}
	return r.places
}

// addTmpfs reads TARGET[:OPTIONS]; the options are the kernel's, and go on as they are.
func (r *dockerRun) addTmpfs(p parameter) {
	if !r.filled(p) || !r.fewOptions(p) {
		return
	}
	target, options, _ := strings.Cut(p.value, ":")
	if before, there := r.spec.Host.Tmpfs[path.Clean(target)]; there && before == options {
		return
	}
	target, ok := r.place(p, target)
	if !ok {
		return
	}
	if r.spec.Host.Tmpfs == nil {
		r.spec.Host.Tmpfs = map[string]string{}
	}
	r.spec.Host.Tmpfs[target] = options
	r.occupy(p, "Host.Tmpfs", target)
}
