package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// named is a line of what explain prints.
type named struct{ name, value string }

// others are the lines for what a container has beyond the usual and that has no line in print: each field that is set, by the name that
// Docker's API has for it where no better one is known here. So nothing that was decided can be left out.
func (r *createRequest) others() []named {
	config, host := r.Config, r.Host
	lines := slices.Concat(takeNamespaces(&host), takeDevices(&host))
	add := func(name, value string) { lines = append(lines, named{name, value}) }
	for _, port := range slices.Sorted(maps.Keys(config.ExposedPorts)) {
		if _, published := host.PortBindings[port]; !published { // which has its line
			add("exposed port", string(port))
		}
	}
	for _, target := range slices.Sorted(maps.Keys(config.Volumes)) {
		add("volume", "one without a name on "+target)
	}
	if host.LogConfig.Type != "" || len(host.LogConfig.Config) > 0 {
		options := ""
		if len(host.LogConfig.Config) > 0 {
			options = " " + rest(host.LogConfig.Config)
		}
		add("log driver", orDefault(host.LogConfig.Type)+options)
	}
	if host.Runtime != "" {
		add("runtime", host.Runtime)
	}
	if host.OomScoreAdj != 0 {
		add("oom score", fmt.Sprintf("%+d for the kernel's choice of what to kill", host.OomScoreAdj))
	}
	if host.MaskedPaths != nil || host.ReadonlyPaths != nil {
		add("system paths", fmt.Sprintf("of /proc and /sys hidden: %q, read only: %q", host.MaskedPaths, host.ReadonlyPaths))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Network.EndpointsConfig)) {
		if settings := rest(r.Network.EndpointsConfig[name]); settings != "" || name != string(host.NetworkMode) {
			add("on network "+name, settings)
		}
	}
	forget(&config, "ExposedPorts", "Volumes", "Image", "Entrypoint", "Cmd", "Env", "User", "WorkingDir", "Hostname", "Domainname",
		"StopSignal", "Tty", "Labels")
	forget(&host, "LogConfig", "Runtime", "OomScoreAdj", "MaskedPaths", "ReadonlyPaths", "GroupAdd", "DNS", "DNSSearch", "DNSOptions",
		"ExtraHosts", "ReadonlyRootfs", "Ulimits", "Mounts", "Tmpfs", "Sysctls", "NetworkMode", "PortBindings", "CPUShares", "Memory",
		"MemoryReservation", "MemorySwap", "ShmSize", "CapAdd", "SecurityOpt", "PidsLimit", "Init")
	forgetUsual(&config, &host)
	return slices.Concat(lines, fieldsLeft(config), fieldsLeft(host))
}

// takeNamespaces takes those that are not the container's own.
func takeNamespaces(h *container.HostConfig) (lines []named) {
	for _, n := range []struct{ name, mode string }{
		{"pid", string(h.PidMode)}, {"ipc", string(h.IpcMode)}, {"uts", string(h.UTSMode)}, {"user", string(h.UsernsMode)}, {"cgroup", string(h.CgroupnsMode)},
	} {
		switch n.mode {
		case "", "private":
		case "host":
			lines = append(lines, named{n.name + " namespace", "the host's"})
		default:
			lines = append(lines, named{n.name + " namespace", n.mode})
		}
	}
	forget(h, "PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode")
	return lines
}

func takeDevices(h *container.HostConfig) (lines []named) {
	for _, d := range h.Devices {
		at := ""
		if d.PathInContainer != d.PathOnHost {
			at = " on " + d.PathInContainer
		}
		lines = append(lines, named{"device", d.PathOnHost + at + " (" + d.CgroupPermissions + ")"})
	}
	for _, rule := range h.DeviceCgroupRules {
		lines = append(lines, named{"device rule", rule})
	}
	for _, request := range h.DeviceRequests {
		lines = append(lines, named{"device request", rest(request)})
	}
	forget(h, "Devices", "DeviceCgroupRules", "DeviceRequests")
	return lines
}

// forgetUsual forgets what every container has, and what of the processor's limits the line cpu says.
func forgetUsual(config *container.Config, host *container.HostConfig) {
	if check := config.Healthcheck; check != nil && reflect.DeepEqual(*check, container.HealthConfig{Test: []string{"NONE"}}) {
		config.Healthcheck = nil
	}
	if host.RestartPolicy == (container.RestartPolicy{Name: container.RestartPolicyDisabled}) {
		host.RestartPolicy = container.RestartPolicy{}
	}
	if slices.Equal(host.CapDrop, []string{"ALL"}) {
		host.CapDrop = nil
	}
	if quota(*host) != "" {
		host.CPUPeriod, host.CPUQuota = 0, 0
	}
}

// forget zeroes fields of a struct, which has a copy of its own.
func forget(structure any, names ...string) {
	for _, name := range names {
		reflect.ValueOf(structure).Elem().FieldByName(name).SetZero()
	}
}

// fieldsLeft has a line for each field that is set, those of embedded structs too.
func fieldsLeft(structure any) (lines []named) {
	v := reflect.ValueOf(structure)
	for field, value := range v.Fields() {
		switch {
		case field.Anonymous:
			lines = append(lines, fieldsLeft(value.Interface())...)
		case !value.IsZero():
			lines = append(lines, named{field.Name, orDefault(rest(value.Interface()))})
		}
	}
	return lines
}

// orDefault is what an empty value stands for.
func orDefault(value string) string {
	if value == "" {
		return "the engine's"
	}
	return value
}

// mountOptions are what a mount has beyond source, target and read only, and beyond the usual propagation.
func mountOptions(m mount.Mount) string {
	m.Type, m.Source, m.Target, m.ReadOnly = "", "", "", false
	text := ""
	if m.BindOptions != nil {
		bind := *m.BindOptions
		if bind.Propagation != "" && bind.Propagation != mount.PropagationRPrivate {
			text = ", propagation " + string(bind.Propagation)
		}
		bind.Propagation = ""
		m.BindOptions = &bind
	}
	if options := rest(m); options != "" {
		text += ", " + options
	}
	return text
}

// rest is a value as JSON on one line, without what is empty in it; "" for nothing.
func rest(v any) string {
	raw, err := json.Marshal(v)
	var value any
	if err == nil {
		err = json.Unmarshal(raw, &value)
	}
	if err != nil {
		return err.Error()
	}
	if value = withoutEmpty(value); value == nil {
		return ""
	}
	return compact(value)
}

// withoutEmpty is a JSON value without the empty ones in it; nil if nothing is left.
func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(key string, of any) bool {
			v[key] = withoutEmpty(of)
			return v[key] == nil
		})
		if len(v) == 0 {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i, element := range v {
			v[i] = withoutEmpty(element)
		}
	case string, float64, bool:
		if reflect.ValueOf(v).IsZero() {
			return nil
		}
	}
	return v
}

// swap is what a container may swap.
func swap(h container.HostConfig) string {
	switch {
	case h.MemorySwap == 0:
		return ""
	case h.MemorySwap == h.Memory:
		return ", no swap"
	case h.MemorySwap < 0:
		return ", swap without a limit"
	}
	return fmt.Sprintf(", %d MiB with swap", h.MemorySwap>>20)
}

// hostAddress is the address that a port is published on, with its colon; "" for all of the host's.
func hostAddress(address string) string {
	switch {
	case address == "":
		return ""
	case strings.Contains(address, ":"):
		return "[" + address + "]:"
	}
	return address + ":"
}
