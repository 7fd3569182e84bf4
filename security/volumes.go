package security

import (
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"

	"mesos-docker-executor/internal/glob"
)

// localDriver is the volume driver of the engine itself.
const localDriver = "local"

var volumeName = compiled(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// IsVolumeName applies the rule of the local driver to a volume's name (moby: daemon/names). Other drivers take options in a
// name, which nobody could review.
func IsVolumeName(name string) bool { return volumeName().MatchString(name) }

// volume decides over a volume of the engine or of a plugin, by driver and name: what a volume holds is not the task's,
// whoever made it first.
func (r *review) volume(field string, m *mount.Mount, options *mount.VolumeOptions) {
	var o mount.VolumeOptions
	if options != nil {
		o = *options
	}
	var driver mount.Driver
	if config := take(&o.DriverConfig); config != nil {
		driver = *config
	}
	if m.Source == "" {
		r.anonymousMount(field, driver)
	} else {
		r.namedVolume(field, m.Source, m.Target, driver)
		if driver.Name == "" && r.rules.Mode != Audit {
			// Said explicitly because the engine would take an existing volume of this name from any driver (moby,
			// volume/service/store.go, create).
			driver.Name = localDriver
		}
	}
	m.VolumeOptions = r.volumeOptions(field+".VolumeOptions", o)
	if driver.Name != "" || len(driver.Options) > 0 {
		if m.VolumeOptions == nil {
			m.VolumeOptions = &mount.VolumeOptions{}
		}
		m.VolumeOptions.DriverConfig = &driver
	}
}

func (r *review) anonymousMount(field string, driver mount.Driver) {
	switch {
	case !r.rules.Mounts.AnonymousVolumes && r.deny(field, "", "mounts.anonymous", anonymousRefused):
	case driver.Name != "" && driver.Name != localDriver || len(driver.Options) > 0:
		r.reject(field, driver.Name, "mounts.volumes", "A volume without a name has no driver of its own and no options; give it a name.")
	}
}

func (r *review) namedVolume(field, name, target string, driver mount.Driver) {
	kind := driver.Name
	if kind == "" {
		kind = localDriver
	}
	rule, found := r.volumeRule(kind, name)
	if !found {
		origin := r.origins.Of(field)
		folder := sandboxFolder(origin, name, target)
		if flagOf(origin) == "" { // with a driver, a relative host_path is a volume's name
			folder += " without a volume driver"
		}
		const refused = "Volume %q of driver %q is refused: %s. For a folder of the sandbox, which is always there, write %s."
		args := []any{Shorten(name), Shorten(kind), chooseFrom(r.allowedVolumes()), folder}
		if !IsVolumeName(name) {
			r.reject(field, kind+":"+name, "mounts.volumes", refused, args...)
			return
		}
		if r.deny(field, kind+":"+name, "mounts.volumes", refused, args...) {
			return
		}
	}
	r.driverOptions(field+".VolumeOptions.DriverConfig.Options", kind, driver.Options, rule.Options)
}

// driverOptions makes one finding for all options that are refused, and one for those that are allowed: a mount can have
// many.
func (r *review) driverOptions(field, driver string, options map[string]string, allowed []string) {
	const rule = "mounts.volume_options"
	var good, bad []string
	for _, option := range slices.Sorted(maps.Keys(options)) {
		if driver != localDriver && slices.Contains(allowed, option) {
			good = append(good, option)
		} else {
			bad = append(bad, option)
		}
	}
	if len(good) > 0 {
		at, value := together(field, good)
		r.allow(at, value, rule)
	}
	if len(bad) == 0 {
		return
	}
	at, value := together(field, bad)
	if driver == localDriver {
		r.reject(at, value, rule,
			"Options of the driver local are refused, and no policy can allow them: they can mount any folder of the host; remove them.")
		return
	}
	r.deny(at, value, rule, "Options of volume driver %q are refused (%s): %s.", Shorten(driver), Shorten(value), chooseFrom(allowed))
}

func (r *review) volumeRule(driver, name string) (VolumeRule, bool) {
	at := slices.IndexFunc(r.rules.Mounts.Volumes, func(v VolumeRule) bool {
		return v.Driver == driver && IsVolumeName(name) && glob.MatchAny(v.Names, name)
	})
	if at < 0 {
		return VolumeRule{}, false
	}
	return r.rules.Mounts.Volumes[at], true
}

func (r *review) allowedVolumes() []string {
	var allowed []string
	for _, v := range r.rules.Mounts.Volumes {
		for _, name := range v.Names {
			allowed = append(allowed, v.Driver+":"+name)
		}
	}
	return allowed
}

// volumeOptions returns nil where there is nothing to send. The driver's part is decided on before.
func (r *review) volumeOptions(field string, o mount.VolumeOptions) *mount.VolumeOptions {
	out := mount.VolumeOptions{NoCopy: take(&o.NoCopy), Subpath: take(&o.Subpath)}
	if out.Subpath != "" {
		if path.IsAbs(out.Subpath) || path.Clean(out.Subpath) != out.Subpath || out.Subpath == ".." || strings.HasPrefix(out.Subpath, "../") {
			r.reject(field+".Subpath", out.Subpath, "mounts.options", "Path %q in the volume is refused; write a relative one without \".\" or \"..\".", Shorten(out.Subpath))
		} else {
			r.allow(field+".Subpath", out.Subpath, "mounts.options")
		}
	}
	refuseTogether(r, field+".Labels", take(&o.Labels), "mounts.options",
		"Labels for a new volume are refused: they belong to those who look after the host's volumes; remove them.")
	r.unknown(field, reflect.ValueOf(o))
	if reflect.ValueOf(out).IsZero() {
		return nil
	}
	return &out
}
