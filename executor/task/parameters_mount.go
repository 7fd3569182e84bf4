package task

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/mount"
)

// addMount reads the long form of a mount: type=bind,source=PATH,target=PATH,readonly and so on. The value is secret for
// the sake of a volume driver's options.
func (r *dockerRun) addMount(p parameter) {
	if !r.filled(p) || !r.fewOptions(p) {
		return
	}
	fields, err := csv.NewReader(strings.NewReader(p.value)).Read()
	if err != nil {
		r.malformed(p, mountRemedy)
		return
	}
	m := mount.Mount{Type: mount.TypeVolume}
	seen := map[string]bool{}
	for i, field := range fields {
		key, value, given := strings.Cut(field, "=")
		key = mountKey(key)
		if seen[key] && key != "volume-label" && key != "volume-opt" {
			r.malformed(p, "give each option once ("+key+")")
			return
		}
		seen[key] = true
		if remedy := setMountOption(&m, key, value, given); remedy != "" {
			r.malformed(p, mountPart(i, key)+remedy)
			return
		}
	}
	if remedy := mountProblem(m); remedy != "" {
		r.malformed(p, remedy)
		return
	}
	r.mount(p, m)
}

const mountRemedy = "write type=bind,source=PATH,target=PATH, say"

// mountPart names a part that cannot be read by its place, and by the option that was meant: what is written there may be the
// rest of a secret with a comma in it.
func mountPart(i int, key string) string {
	options := []string{"type", "source", "target", "readonly", "consistency", "bind-propagation", "bind-nonrecursive", "bind-recursive", "volume-subpath",
		"volume-label", "volume-driver", "volume-opt", "volume-nocopy", "tmpfs-size", "tmpfs-mode", "image-subpath"}
	if slices.Contains(options, key) {
		return ""
	}
	part := fmt.Sprintf("part %d is no option", i+1)
	if name := similar(key, slices.Values(options)); name != "" {
		part += ", did you mean `" + name + "`"
	}
	return part + "; "
}

// mountKey returns the name of an option without regard to its case and aliases.
func mountKey(key string) string {
	switch key = strings.ToLower(key); key {
	case "src":
		return "source"
	case "dst", "destination":
		return "target"
	case "ro":
		return "readonly"
	}
	return key
}

// setMountOption returns what to write instead of an option that cannot be read. The rules are those of the docker command.
func setMountOption(m *mount.Mount, key, value string, given bool) (remedy string) {
	switch key {
	case "readonly", "volume-nocopy", "bind-nonrecursive":
		return setMountSwitch(m, key, value, given)
	}
	if !given {
		return mountRemedy
	}
	switch kind, _, _ := strings.Cut(key, "-"); kind {
	case "bind":
		return setBindOption(m, key, value)
	case "volume":
		return setVolumeOption(m, key, value)
	case "tmpfs":
		return setTmpfsOption(m, key, value)
	}
	switch key {
	case "type":
		m.Type = mount.Type(strings.ToLower(value))
	case "source":
		m.Source = value
	case "target":
		m.Target = value
	case "consistency":
		m.Consistency = mount.Consistency(strings.ToLower(value))
		if !isConsistency(m.Consistency) {
			return "write consistent, cached, delegated or default after consistency"
		}
	case "image-subpath":
		m.ImageOptions = &mount.ImageOptions{Subpath: value}
	default:
		return mountOptionsRemedy
	}
	return ""
}

const mountOptionsRemedy = "the options are type, source, target, readonly, consistency and those of docker run that begin with bind-, volume-, tmpfs- and image-"

// setMountSwitch sets what the name alone switches on.
func setMountSwitch(m *mount.Mount, key, value string, given bool) (remedy string) {
	on := true
	if given {
		var err error
		if on, err = strconv.ParseBool(value); err != nil {
			return "write true or false after " + key
		}
	}
	switch key {
	case "readonly":
		m.ReadOnly = on
	case "volume-nocopy":
		volumeOptions(m).NoCopy = on
	default:
		bindOptions(m).NonRecursive = on
	}
	return ""
}

func setBindOption(m *mount.Mount, key, value string) (remedy string) {
	switch key {
	case "bind-propagation":
		bindOptions(m).Propagation = mount.Propagation(strings.ToLower(value))
	case "bind-recursive":
		return setRecursion(m, value)
	default:
		return mountOptionsRemedy
	}
	return ""
}

func setVolumeOption(m *mount.Mount, key, value string) (remedy string) {
	switch key {
	case "volume-subpath":
		volumeOptions(m).Subpath = value
	case "volume-label":
		return setMountPair(&volumeOptions(m).Labels, key, value)
	case "volume-driver":
		volumeDriver(m).Name = value
	case "volume-opt":
		return setMountPair(&volumeDriver(m).Options, key, value)
	default:
		return mountOptionsRemedy
	}
	return ""
}

func setTmpfsOption(m *mount.Mount, key, value string) (remedy string) {
	switch key {
	case "tmpfs-size":
		n, ok := sizeOf(value)
		if !ok {
			return byteRemedy + " after tmpfs-size"
		}
		tmpfsOptions(m).SizeBytes = n
	case "tmpfs-mode":
		mode, err := strconv.ParseUint(value, 8, 32)
		if err != nil {
			return "write an octal number after tmpfs-mode"
		}
		tmpfsOptions(m).Mode = os.FileMode(mode)
	default:
		return mountOptionsRemedy
	}
	return ""
}

func setMountPair(at *map[string]string, key, pair string) (remedy string) {
	name, value, _ := strings.Cut(pair, "=")
	if name == "" {
		return "write name=value after " + key
	}
	if before, there := (*at)[name]; there && before != value {
		return "give each name of " + key + " one value"
	}
	if *at == nil {
		*at = map[string]string{}
	}
	(*at)[name] = value
	return ""
}

func setRecursion(m *mount.Mount, value string) (remedy string) {
	options := bindOptions(m)
	switch value {
	case "enabled":
	case "disabled":
		options.NonRecursive = true
	case "writable":
		options.ReadOnlyNonRecursive = true
	case "readonly":
		options.ReadOnlyForceRecursive = true
	default:
		return "write enabled, disabled, writable or readonly after bind-recursive"
	}
	return ""
}

// mountProblem says what is wrong with the options together.
func mountProblem(m mount.Mount) (remedy string) {
	switch m.Type {
	case mount.TypeBind, mount.TypeVolume, mount.TypeTmpfs, mount.TypeImage:
	default:
		return "the types are bind, volume, tmpfs and image"
	}
	switch {
	case m.Target == "":
		return "name a target"
	case m.Type == mount.TypeTmpfs && m.Source != "":
		return "remove the source, a tmpfs has none"
	case m.Type == mount.TypeImage && m.Source == "":
		return "name an image as source"
	case m.VolumeOptions != nil && m.Type != mount.TypeVolume,
		m.ImageOptions != nil && m.Type != mount.TypeImage,
		m.BindOptions != nil && m.Type != mount.TypeBind,
		m.TmpfsOptions != nil && m.Type != mount.TypeTmpfs:
		return "use the options of the mount's type only"
	}
	if o := m.BindOptions; o != nil {
		if o.Propagation != "" && !slices.Contains(mount.Propagations, o.Propagation) {
			return "write private, slave, shared, rprivate, rslave or rshared after bind-propagation"
		}
		if (o.ReadOnlyNonRecursive || o.ReadOnlyForceRecursive) && !m.ReadOnly {
			return "add readonly, which bind-recursive is about"
		}
		if o.ReadOnlyForceRecursive && o.Propagation != mount.PropagationRPrivate {
			return "add bind-propagation=rprivate, which bind-recursive=readonly needs"
		}
	}
	return ""
}

func bindOptions(m *mount.Mount) *mount.BindOptions {
	if m.BindOptions == nil {
		m.BindOptions = &mount.BindOptions{}
	}
	return m.BindOptions
}

func tmpfsOptions(m *mount.Mount) *mount.TmpfsOptions {
	if m.TmpfsOptions == nil {
		m.TmpfsOptions = &mount.TmpfsOptions{}
	}
	return m.TmpfsOptions
}

func volumeDriver(m *mount.Mount) *mount.Driver {
	options := volumeOptions(m)
	if options.DriverConfig == nil {
		options.DriverConfig = &mount.Driver{}
	}
	return options.DriverConfig
}

func isConsistency(c mount.Consistency) bool {
	switch c {
	case mount.ConsistencyFull, mount.ConsistencyCached, mount.ConsistencyDelegated, mount.ConsistencyDefault:
		return true
	}
	return false
}
