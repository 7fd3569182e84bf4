package security

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"

	"mesos-docker-executor/internal/glob"
)

// devices decides over the host's devices inside the container.
func (r *review) devices() {
	for _, d := range take(&r.left.Host.Devices) {
		if accepted, ok := r.device(d); ok {
			r.out.Host.Devices = append(r.out.Host.Devices, accepted)
		}
	}
	for _, rule := range take(&r.left.Host.DeviceCgroupRules) {
		field := "Host.DeviceCgroupRules[" + rule + "]"
		if !slices.Contains(r.rules.DeviceCgroupRules, rule) && r.deny(field, rule, "devices.cgroup_rules",
			"Device cgroup rule %q is refused: %s.", Shorten(rule), chooseFrom(r.rules.DeviceCgroupRules)) {
			continue
		}
		r.allow(field, rule, "devices.cgroup_rules")
		r.out.Host.DeviceCgroupRules = append(r.out.Host.DeviceCgroupRules, rule)
	}
	for i, request := range take(&r.left.Host.DeviceRequests) {
		if r.deviceRequest(fmt.Sprintf("Host.DeviceRequests[%d]", i), request) {
			r.out.Host.DeviceRequests = append(r.out.Host.DeviceRequests, request)
		}
	}
}

func (r *review) device(d container.DeviceMapping) (container.DeviceMapping, bool) {
	field := "Host.Devices[" + d.PathInContainer + "]"
	if d.CgroupPermissions == "" {
		d.CgroupPermissions = "rwm" // what docker run takes for none
	}
	value := d.PathOnHost + ":" + d.CgroupPermissions
	allowed := slices.ContainsFunc(r.rules.Devices, func(rule DeviceRule) bool {
		return glob.Match(rule.Path, d.PathOnHost) && strings.Trim(d.CgroupPermissions, rule.Permissions) == ""
	})
	switch {
	case !isCleanAbsolute(d.PathOnHost) || !isCleanAbsolute(d.PathInContainer) || d.PathInContainer == "/":
		r.reject(field, value, "devices", "Device %q at %q is refused; write two absolute paths without \".\" or \"..\".",
			Shorten(d.PathOnHost), Shorten(d.PathInContainer))
	case isBelow(d.PathInContainer, "/proc") || isBelow(d.PathInContainer, "/sys"):
		r.reject(field, value, "devices", "Device %q at %q is refused: /proc and /sys hold none; choose a path in /dev.",
			Shorten(d.PathOnHost), Shorten(d.PathInContainer))
	case strings.Trim(d.CgroupPermissions, "rwm") != "":
		r.reject(field, value, "devices", "Permissions %q are refused; write letters of rwm.", Shorten(d.CgroupPermissions))
	case !allowed && r.deny(field, value, "devices", "Device %q with permissions %s is refused: %s.",
		Shorten(d.PathOnHost), Shorten(d.CgroupPermissions), chooseFrom(deviceRules(r.rules.Devices))):
	default:
		r.allow(field, value, "devices")
		return d, true
	}
	return d, false
}

func deviceRules(rules []DeviceRule) []string {
	var out []string
	for _, rule := range rules {
		out = append(out, rule.Path+":"+rule.Permissions)
	}
	return out
}

// gpuCapabilities are the words by which the engine's only device driver, NVIDIA's, is found and told what to mount.
func gpuCapabilities() []string {
	return []string{"gpu", "nvidia", "compute", "compat32", "graphics", "utility", "video", "display"}
}

func (r *review) deviceRequest(field string, request container.DeviceRequest) bool {
	driver, options := take(&request.Driver), take(&request.Options)
	count, ids, wanted := take(&request.Count), take(&request.DeviceIDs), take(&request.Capabilities)
	isGPU := slices.ContainsFunc(wanted, func(all []string) bool { return slices.Contains(all, "gpu") }) &&
		!slices.ContainsFunc(slices.Concat(wanted...), func(c string) bool { return !slices.Contains(gpuCapabilities(), c) })
	value := driver
	if isGPU {
		value = strings.TrimPrefix(driver+" gpu", " ")
	}
	switch {
	case !reflect.ValueOf(request).IsZero():
		r.unknown(field, reflect.ValueOf(request))
	case !r.rules.GPUs && r.deny(field, value, "devices.requests",
		"Requesting devices from a driver (GPUs) is refused; remove it, the policy gives no container any."):
	case !isGPU || driver != "" && driver != "nvidia" || len(options) > 0:
		r.reject(field, value, "devices.requests",
			"Of devices from drivers only GPUs of NVIDIA's can be requested, without options of the driver; write, for example, 1.")
	case count < -1 || count != 0 && len(ids) > 0:
		r.reject(field, value, "devices.requests", "The request for %d GPUs is refused; write a number, -1 for all, or name the devices.", count)
	default:
		r.allow(field, value, "devices.requests")
		return true
	}
	return false
}
