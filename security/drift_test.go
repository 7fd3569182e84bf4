package security

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-units"
)

// decidedBy is every exported field of the structs that go to Docker, and the rule that decides on it. "unknown" is no
// rule: the field is deliberately left to the rejection of what nobody took. A rule in parentheses lets values through
// without a finding.
//
// A field that a newer Docker module adds fails [TestEveryFieldIsDecidedOn] until somebody writes it in here.
var decidedBy = map[string]string{
	"Config.ArgsEscaped":                                "unknown",
	"Config.AttachStderr":                               "stdin",
	"Config.AttachStdin":                                "stdin",
	"Config.AttachStdout":                               "stdin",
	"Config.Cmd":                                        "(command)",
	"Config.Domainname":                                 "domainname",
	"Config.Entrypoint":                                 "(command)",
	"Config.Env":                                        "environment",
	"Config.ExposedPorts":                               "network.expose",
	"Config.Healthcheck.Interval":                       "health_checks",
	"Config.Healthcheck.Retries":                        "health_checks",
	"Config.Healthcheck.StartInterval":                  "health_checks",
	"Config.Healthcheck.StartPeriod":                    "health_checks",
	"Config.Healthcheck.Test":                           "health_checks",
	"Config.Healthcheck.Timeout":                        "health_checks",
	"Config.Hostname":                                   "hostname",
	"Config.Image":                                      "image",
	"Config.Labels":                                     "labels",
	"Config.MacAddress":                                 "unknown",
	"Config.NetworkDisabled":                            "unknown",
	"Config.OnBuild":                                    "unknown",
	"Config.OpenStdin":                                  "stdin",
	"Config.Shell":                                      "unknown",
	"Config.StdinOnce":                                  "stdin",
	"Config.StopSignal":                                 "stop_signal",
	"Config.StopTimeout":                                "stop_timeout",
	"Config.Tty":                                        "(tty)",
	"Config.User":                                       "user",
	"Config.Volumes":                                    "mounts.anonymous",
	"Config.WorkingDir":                                 "workdir",
	"Host.Annotations":                                  "annotations",
	"Host.AutoRemove":                                   "auto_remove",
	"Host.Binds":                                        "mounts.binds",
	"Host.BlkioDeviceReadBps[].Path":                    "blkio",
	"Host.BlkioDeviceReadBps[].Rate":                    "blkio",
	"Host.BlkioDeviceReadIOps[].Path":                   "blkio",
	"Host.BlkioDeviceReadIOps[].Rate":                   "blkio",
	"Host.BlkioDeviceWriteBps[].Path":                   "blkio",
	"Host.BlkioDeviceWriteBps[].Rate":                   "blkio",
	"Host.BlkioDeviceWriteIOps[].Path":                  "blkio",
	"Host.BlkioDeviceWriteIOps[].Rate":                  "blkio",
	"Host.BlkioWeight":                                  "blkio",
	"Host.BlkioWeightDevice[].Path":                     "blkio",
	"Host.BlkioWeightDevice[].Weight":                   "blkio",
	"Host.CPUCount":                                     "windows",
	"Host.CPUPercent":                                   "windows",
	"Host.CPUPeriod":                                    "cpu",
	"Host.CPUQuota":                                     "cpu",
	"Host.CPURealtimePeriod":                            "cpu.realtime",
	"Host.CPURealtimeRuntime":                           "cpu.realtime",
	"Host.CPUShares":                                    "(cpu)",
	"Host.CapAdd":                                       "capabilities.allow",
	"Host.CapDrop":                                      "capabilities.drop",
	"Host.Cgroup":                                       "unknown",
	"Host.CgroupParent":                                 "cgroup_parent",
	"Host.CgroupnsMode":                                 "namespaces.cgroup",
	"Host.ConsoleSize":                                  "tty",
	"Host.ContainerIDFile":                              "container_id_file",
	"Host.CpusetCpus":                                   "cpu.set",
	"Host.CpusetMems":                                   "cpu.set",
	"Host.DNS":                                          "dns.servers",
	"Host.DNSOptions":                                   "dns.options",
	"Host.DNSSearch":                                    "dns.search",
	"Host.DeviceCgroupRules":                            "devices.cgroup_rules",
	"Host.DeviceRequests[].Capabilities":                "devices.requests",
	"Host.DeviceRequests[].Count":                       "devices.requests",
	"Host.DeviceRequests[].DeviceIDs":                   "devices.requests",
	"Host.DeviceRequests[].Driver":                      "devices.requests",
	"Host.DeviceRequests[].Options":                     "devices.requests",
	"Host.Devices[].CgroupPermissions":                  "devices",
	"Host.Devices[].PathInContainer":                    "devices",
	"Host.Devices[].PathOnHost":                         "devices",
	"Host.ExtraHosts":                                   "add_host",
	"Host.GroupAdd":                                     "groups",
	"Host.IOMaximumBandwidth":                           "windows",
	"Host.IOMaximumIOps":                                "windows",
	"Host.Init":                                         "init",
	"Host.IpcMode":                                      "namespaces.ipc",
	"Host.Isolation":                                    "isolation",
	"Host.KernelMemory":                                 "memory.kernel",
	"Host.KernelMemoryTCP":                              "unknown",
	"Host.Links":                                        "network.links",
	"Host.LogConfig.Config":                             "log_options",
	"Host.LogConfig.Type":                               "log_driver",
	"Host.MaskedPaths":                                  "security_opt.systempaths",
	"Host.Memory":                                       "(memory)",
	"Host.MemoryReservation":                            "(memory.reservation)",
	"Host.MemorySwap":                                   "memory_swap",
	"Host.MemorySwappiness":                             "memory.swappiness",
	"Host.Mounts[].BindOptions.CreateMountpoint":        "mounts.options",
	"Host.Mounts[].BindOptions.NonRecursive":            "(mounts.options)",
	"Host.Mounts[].BindOptions.Propagation":             "mounts.propagation",
	"Host.Mounts[].BindOptions.ReadOnlyForceRecursive":  "mounts.options",
	"Host.Mounts[].BindOptions.ReadOnlyNonRecursive":    "mounts.options",
	"Host.Mounts[].ClusterOptions":                      "unknown",
	"Host.Mounts[].Consistency":                         "mounts.options",
	"Host.Mounts[].ImageOptions.Subpath":                "unknown",
	"Host.Mounts[].ReadOnly":                            "(mounts.sources)",
	"Host.Mounts[].Source":                              "mounts.sources",
	"Host.Mounts[].Target":                              "mounts.targets",
	"Host.Mounts[].TmpfsOptions.Mode":                   "mounts.tmpfs",
	"Host.Mounts[].TmpfsOptions.Options":                "mounts.tmpfs",
	"Host.Mounts[].TmpfsOptions.SizeBytes":              "mounts.tmpfs",
	"Host.Mounts[].Type":                                "mounts.types",
	"Host.Mounts[].VolumeOptions.DriverConfig.Name":     "mounts.volumes",
	"Host.Mounts[].VolumeOptions.DriverConfig.Options":  "mounts.volumes",
	"Host.Mounts[].VolumeOptions.Labels":                "mounts.options",
	"Host.Mounts[].VolumeOptions.NoCopy":                "mounts.volumes",
	"Host.Mounts[].VolumeOptions.Subpath":               "mounts.options",
	"Host.NanoCPUs":                                     "cpu.nano_cpus",
	"Host.NetworkMode":                                  "network.modes",
	"Host.OomKillDisable":                               "memory.oom_kill_disable",
	"Host.OomScoreAdj":                                  "memory.oom_score_adj",
	"Host.PidMode":                                      "namespaces.pid",
	"Host.PidsLimit":                                    "pids_limit",
	"Host.PortBindings[][].HostIP":                      "network.ports",
	"Host.PortBindings[][].HostPort":                    "network.ports",
	"Host.Privileged":                                   "privileged",
	"Host.PublishAllPorts":                              "network.publish_all",
	"Host.ReadonlyPaths":                                "security_opt.systempaths",
	"Host.ReadonlyRootfs":                               "(read_only)",
	"Host.RestartPolicy.MaximumRetryCount":              "restart",
	"Host.RestartPolicy.Name":                           "restart",
	"Host.Runtime":                                      "runtime",
	"Host.SecurityOpt":                                  "security_opt",
	"Host.ShmSize":                                      "shm_size",
	"Host.StorageOpt":                                   "storage_opt",
	"Host.Sysctls":                                      "sysctls",
	"Host.Tmpfs":                                        "mounts.tmpfs",
	"Host.UTSMode":                                      "namespaces.uts",
	"Host.Ulimits[].Hard":                               "ulimits",
	"Host.Ulimits[].Name":                               "ulimits",
	"Host.Ulimits[].Soft":                               "ulimits",
	"Host.UsernsMode":                                   "namespaces.userns",
	"Host.VolumeDriver":                                 "mounts.volumes",
	"Host.VolumesFrom":                                  "mounts.volumes_from",
	"Network.EndpointsConfig[].Aliases":                 "network.aliases",
	"Network.EndpointsConfig[].DNSNames":                "unknown",
	"Network.EndpointsConfig[].DriverOpts":              "network.driver_options",
	"Network.EndpointsConfig[].EndpointID":              "unknown",
	"Network.EndpointsConfig[].Gateway":                 "unknown",
	"Network.EndpointsConfig[].GlobalIPv6Address":       "unknown",
	"Network.EndpointsConfig[].GlobalIPv6PrefixLen":     "unknown",
	"Network.EndpointsConfig[].GwPriority":              "unknown",
	"Network.EndpointsConfig[].IPAMConfig.IPv4Address":  "network.addresses",
	"Network.EndpointsConfig[].IPAMConfig.IPv6Address":  "network.addresses",
	"Network.EndpointsConfig[].IPAMConfig.LinkLocalIPs": "network.addresses",
	"Network.EndpointsConfig[].IPAddress":               "unknown",
	"Network.EndpointsConfig[].IPPrefixLen":             "unknown",
	"Network.EndpointsConfig[].IPv6Gateway":             "unknown",
	"Network.EndpointsConfig[].Links":                   "network.links",
	"Network.EndpointsConfig[].MacAddress":              "network.mac_address",
	"Network.EndpointsConfig[].NetworkID":               "unknown",
}

// TestEveryFieldIsDecidedOn walks every field, sets each alone, and checks that the rule of the table speaks up.
func TestEveryFieldIsDecidedOn(t *testing.T) {
	fields := everyField()
	if len(fields) < 150 {
		t.Errorf("only %d fields were found", len(fields))
	}
	var paths []string
	for _, f := range fields {
		paths = append(paths, f.path)
		rule, listed := decidedBy[f.path]
		if !listed {
			t.Errorf("%s: no rule is listed; decide on it, or list it as unknown", f.path)
			continue
		}
		spec := goodSpec()
		fill(f.in(&spec))
		d := BuiltIn().Review(spec, testRoots)
		top := strings.Join(strings.SplitN(f.path, ".", 3)[:2], ".")
		top, _, _ = strings.Cut(top, "[")
		switch top { // decided on together with another field, which the finding names
		case "Config.Image":
			top = "Image"
		case "Host.CPUPeriod":
			top = "Host.CPUQuota"
		}
		spoke := slices.ContainsFunc(d.Findings, func(found Finding) bool {
			return found.Rule == strings.Trim(rule, "()") && strings.HasPrefix(found.Field, top) && (rule != "unknown" || found.Action == Reject)
		})
		if strings.HasPrefix(rule, "(") {
			if d.Rejected() {
				t.Errorf("%s: rejected: %+v", f.path, d.Rejections())
			}
		} else if !spoke {
			t.Errorf("%s: no finding by rule %s: %+v", f.path, rule, d.Findings)
		}
	}
	for path := range decidedBy {
		if !slices.Contains(paths, path) {
			t.Errorf("%s is listed and does not exist", path)
		}
	}
}

// TestEveryRuleIsInTheDocumentation: the page is what people look a rule of a rejection up in.
func TestEveryRuleIsInTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	for path, rule := range decidedBy {
		if rule = strings.Trim(rule, "()"); !bytes.Contains(page, []byte("`"+rule+"`")) {
			t.Errorf("rule %s, which decides on %s, is not in docs/policy.md", rule, path)
		}
	}
}

// field is a place in a Spec. in makes what it is part of and returns it, ready to be set.
type field struct {
	path string
	in   func(*Spec) reflect.Value
}

func everyField() []field {
	in := func(part func(*Spec) any) func(*Spec) reflect.Value {
		return func(s *Spec) reflect.Value { return reflect.ValueOf(part(s)).Elem() }
	}
	return slices.Concat(
		fieldsOf("Config", reflect.TypeFor[container.Config](), in(func(s *Spec) any { return &s.Config })),
		fieldsOf("Host", reflect.TypeFor[container.HostConfig](), in(func(s *Spec) any { return &s.Host })),
		fieldsOf("Network", reflect.TypeFor[network.NetworkingConfig](), in(func(s *Spec) any { return &s.Network })),
	)
}

// fieldsOf descends into structs, also behind pointers and in lists and maps, of which it makes one element.
func fieldsOf(path string, t reflect.Type, in func(*Spec) reflect.Value) (found []field) {
	switch {
	case t.Kind() == reflect.Struct && t.NumField() > 0:
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() {
				continue
			}
			found = append(found, fieldsOf(fieldName(path, f), f.Type, func(s *Spec) reflect.Value {
				parent := in(s)
				preset(parent, f.Name)
				return parent.Field(i)
			})...)
		}
		return found
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct && t.Elem().NumField() > 0:
		return fieldsOf(path, t.Elem(), func(s *Spec) reflect.Value {
			v := in(s)
			v.Set(reflect.New(t.Elem()))
			return v.Elem()
		})
	case t.Kind() == reflect.Slice && holdsStruct(t.Elem()):
		return fieldsOf(path+"[]", t.Elem(), func(s *Spec) reflect.Value {
			v := in(s)
			v.Set(reflect.MakeSlice(t, 1, 1))
			return v.Index(0)
		})
	case t.Kind() == reflect.Map && holdsStruct(t.Elem()):
		// A map's value cannot be set, but what it points to can: it is a pointer or a list.
		element := t.Elem().Elem()
		list := t.Elem().Kind() == reflect.Slice
		return fieldsOf(path+map[bool]string{true: "[][]", false: "[]"}[list], element, func(s *Spec) reflect.Value {
			v, key, value := in(s), reflect.New(t.Key()).Elem(), reflect.New(element)
			key.SetString(map[bool]string{true: "80/tcp", false: "bridge"}[list])
			element := value.Elem()
			if list {
				value = reflect.MakeSlice(t.Elem(), 1, 1)
				element = value.Index(0)
			}
			v.Set(reflect.MakeMap(t))
			v.SetMapIndex(key, value)
			return element
		})
	}
	return []field{{path, in}}
}

// holdsStruct reports whether a list's or map's elements are worth descending into.
func holdsStruct(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && t.NumField() > 0
}

// preset gives a struct what it needs beside the field that is set, so that it is this field that is decided on.
func preset(v reflect.Value, field string) {
	switch p := v.Addr().Interface().(type) {
	case *mount.Mount:
		p.Target = "/x"
		switch p.Type, p.Source = mount.TypeBind, "/lease/1/x"; field {
		case "VolumeOptions":
			p.Type, p.Source = mount.TypeVolume, "data"
		case "TmpfsOptions":
			p.Type, p.Source = mount.TypeTmpfs, ""
		}
	case *units.Ulimit:
		p.Name, p.Soft, p.Hard = "nofile", 1, 1<<18
	case *container.DeviceMapping:
		p.PathOnHost, p.PathInContainer = "/dev/x", "/dev/x"
	}
}

// fill sets a value to something harmless-looking that is not its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		element := reflect.New(v.Type().Elem()).Elem()
		fill(element)
		v.Set(reflect.Append(reflect.MakeSlice(v.Type(), 0, 1), element))
	case reflect.Array:
		fill(v.Index(0))
	case reflect.Map:
		value, key := reflect.New(v.Type().Elem()).Elem(), reflect.New(v.Type().Key()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("KILL")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1 << 18)
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	}
}
