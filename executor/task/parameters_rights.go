package task

import (
	"cmp"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/strslice"

	"mesos-docker-executor/security"
)

// rightsFlags say what the container may do to the host and to other containers. None is judged here.
func rightsFlags() []flag {
	deviceCgroupRule := regexp.MustCompile(`^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$`) // the docker command's
	return []flag{
		{name: "cap-add", kind: repeated, set: (*dockerRun).addCapability},
		{name: "cap-drop", kind: repeated, set: (*dockerRun).dropCapability},
		{name: "cgroup-parent", kind: single, set: setText("Host.CgroupParent", func(s *security.Spec) *string { return &s.Host.CgroupParent }, nil)},
		{name: "cgroupns", kind: single, set: setText("Host.CgroupnsMode", func(s *security.Spec) *container.CgroupnsMode { return &s.Host.CgroupnsMode },
			unless("write private or host", func(v string) bool { return container.CgroupnsMode(v).Valid() }))},
		{name: "device", kind: repeated, set: (*dockerRun).addDevice},
		{name: "device-cgroup-rule", kind: repeated, set: addText("Host.DeviceCgroupRules", func(s *security.Spec) *[]string { return &s.Host.DeviceCgroupRules },
			unless("write type major:minor mode, for example c 1:3 r", deviceCgroupRule.MatchString))},
		{name: "group-add", kind: repeated, set: addText("Host.GroupAdd", func(s *security.Spec) *[]string { return &s.Host.GroupAdd }, nil)},
		{name: "ipc", kind: single, set: setText("Host.IpcMode", func(s *security.Spec) *container.IpcMode { return &s.Host.IpcMode },
			unless("write private, none, shareable, host or container:NAME", func(v string) bool { return container.IpcMode(v).Valid() }))},
		{name: "pid", kind: single, set: setText("Host.PidMode", func(s *security.Spec) *container.PidMode { return &s.Host.PidMode },
			unless("write host or container:NAME, or remove the parameter", func(v string) bool { return container.PidMode(v).Valid() }))},
		// Found by its looks, see looksPrivileged, whatever the key is in full.
		{name: "privileged", kind: onOff, set: func(r *dockerRun, p parameter) { r.privileged(p.field + " `privileged`") }},
		{name: "runtime", kind: single, set: setText("Host.Runtime", func(s *security.Spec) *string { return &s.Host.Runtime }, nil)},
		{name: "security-opt", kind: repeated, set: (*dockerRun).addSecurityOption},
		{name: "sysctl", kind: repeated, set: addPair("Host.Sysctls", func(s *security.Spec) *map[string]string { return &s.Host.Sysctls })},
		{name: "userns", kind: single, set: setText("Host.UsernsMode", func(s *security.Spec) *container.UsernsMode { return &s.Host.UsernsMode },
			unless("write host, or remove the parameter", func(v string) bool { return container.UsernsMode(v).Valid() }))},
		{name: "uts", kind: single, set: setText("Host.UTSMode", func(s *security.Spec) *container.UTSMode { return &s.Host.UTSMode },
			unless("write host, or remove the parameter", func(v string) bool { return container.UTSMode(v).Valid() }))},
	}
}

// unless turns a test of values into one that says what to write instead.
func unless(remedy string, valid func(string) bool) func(string) string {
	return func(value string) string {
		if valid(value) {
			return ""
		}
		return remedy
	}
}

// addCapability leaves out the origin of the list: what the policy adds to it came from no parameter. What a parameter adds
// is there whatever else drops it, so it must not be one that the task's own bounding set excludes.
func (r *dockerRun) addCapability(p parameter) {
	r.changeCapability(p, "Host.CapAdd", &r.spec.Host.CapAdd, "Host.CapDrop")
}

// dropCapability has no effect on what is also added, so it must not be one of the task's own effective set.
func (r *dockerRun) dropCapability(p parameter) {
	r.changeCapability(p, "Host.CapDrop", &r.spec.Host.CapDrop, "Host.CapAdd")
}

// changeCapability adds to one of the two lists. linux_info fills both, with names that have no prefix; ALL contradicts none
// of them, since single names win over it.
func (r *dockerRun) changeCapability(p parameter, field string, list *strslice.StrSlice, other string) {
	const linuxInfo = "container.linux_info."
	name := strings.TrimPrefix(strings.ToUpper(p.value), "CAP_")
	if at := other + "[" + name + "]"; name != "ALL" && strings.HasPrefix(r.spec.Origins[at], linuxInfo) {
		r.contradicts(p, at, "")
		return
	}
	*list = append(*list, p.value)
	if at := field + "[" + p.value + "]"; !strings.HasPrefix(r.spec.Origins[at], linuxInfo) {
		r.origin(at, p.origin())
	}
}

// addSecurityOption takes NAME=VALUE, NAME:VALUE and no-new-privileges. The docker command reads the file that a seccomp
// profile is named by; here the name goes to the policy as it is, and no file is read.
func (r *dockerRun) addSecurityOption(p parameter) {
	const remedy = "write name=value, or no-new-privileges"
	if !r.filled(p) {
		return
	}
	name, value, ok := strings.Cut(p.value, "=")
	if !ok && name != "no-new-privileges" {
		name, value, ok = strings.Cut(p.value, ":")
	}
	if name != "no-new-privileges" && (!ok || name == "" || value == "") {
		r.malformed(p, remedy)
		return
	}
	if r.settleSecurityOption(p, name, value) {
		addElement(r, p, "Host.SecurityOpt", &r.spec.Host.SecurityOpt, p.value, p.value)
	}
}

// settleSecurityOption reports whether an option is new. Of two values for one name, the engine would take the last.
func (r *dockerRun) settleSecurityOption(p parameter, name, value string) bool {
	if r.options == nil {
		r.options = map[string]securityOption{}
		for _, before := range r.spec.Host.SecurityOpt {
			name, value, _ := strings.Cut(before, "=")
			r.options[name] = securityOption{value, "Host.SecurityOpt[" + before + "]"}
		}
	}
	switch name {
	case "label": // one each for user, role, type, level and disable
		kind, _, _ := strings.Cut(value, ":")
		name += "=" + kind
	case "no-new-privileges":
		if on, err := strconv.ParseBool(cmp.Or(value, "true")); err == nil {
			value = strconv.FormatBool(on)
		}
	}
	before, again := r.options[name]
	if again && before.value != value {
		r.contradicts(p, before.field, before.value)
	}
	if !again {
		r.options[name] = securityOption{value, "Host.SecurityOpt[" + p.value + "]"}
	}
	return !again
}

// securityOption is the value of one, and where it is in the Spec.
type securityOption struct{ value, field string }

// addDevice reads HOST[:CONTAINER][:rwm].
func (r *dockerRun) addDevice(p parameter) {
	if !r.filled(p) {
		return
	}
	device := container.DeviceMapping{CgroupPermissions: "rwm"}
	parts := strings.Split(p.value, ":")
	if last := parts[len(parts)-1]; len(parts) > 1 && isDeviceMode(last) {
		device.CgroupPermissions, parts = last, parts[:len(parts)-1]
	}
	device.PathOnHost, device.PathInContainer = parts[0], parts[len(parts)-1]
	if len(parts) > 2 || !path.IsAbs(device.PathOnHost) || !path.IsAbs(device.PathInContainer) {
		r.malformed(p, "write the absolute path of a device, [:path in the container] and [:rwm]; names of the Container Device Interface are not supported")
		return
	}
	device.PathOnHost, device.PathInContainer = path.Clean(device.PathOnHost), path.Clean(device.PathInContainer)
	for _, before := range r.spec.Host.Devices {
		if before.PathInContainer == device.PathInContainer {
			if before != device {
				r.contradicts(p, "Host.Devices["+device.PathInContainer+"]", before.PathOnHost+":"+before.PathInContainer+":"+before.CgroupPermissions)
			}
			return
		}
	}
	addElement(r, p, "Host.Devices", &r.spec.Host.Devices, device.PathInContainer, device)
}

// isDeviceMode recognises a non-empty selection of r, w and m.
func isDeviceMode(mode string) bool {
	return mode != "" && len(mode) <= 3 && strings.Trim(mode, "rwm") == "" &&
		strings.Count(mode, "r") <= 1 && strings.Count(mode, "w") <= 1 && strings.Count(mode, "m") <= 1
}
