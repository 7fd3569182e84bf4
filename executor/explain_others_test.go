package main

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"

	"mesos-docker-executor/security"
)

// settable is a field of what goes to Docker. in makes what it is part of.
type settable struct {
	path string
	in   func(*security.Spec) reflect.Value
}

// settables descends into structs, also those behind pointers and in lists and maps, of which it makes one element.
func settables(path string, t reflect.Type, in func(*security.Spec) reflect.Value) (found []settable) {
	switch kind := t.Kind(); {
	case kind == reflect.Pointer && t.Elem().Kind() == reflect.Struct && t.Elem().NumField() == 0:
		return nil // mount.ClusterOptions: nothing to show
	case kind == reflect.Struct && t.NumField() > 0:
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				found = append(found, settables(path+"."+t.Field(i).Name, t.Field(i).Type, func(s *security.Spec) reflect.Value { return in(s).Field(i) })...)
			}
		}
		return found
	case kind == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		return settables(path, t.Elem(), func(s *security.Spec) reflect.Value {
			v := in(s)
			v.Set(reflect.New(t.Elem()))
			return v.Elem()
		})
	case kind == reflect.Slice && (t.Elem().Kind() == reflect.Struct || t.Elem().Kind() == reflect.Pointer):
		return settables(path+"[]", t.Elem(), func(s *security.Spec) reflect.Value {
			v := in(s)
			v.Set(reflect.MakeSlice(t, 1, 1))
			return v.Index(0)
		})
	case kind == reflect.Map && (t.Elem().Kind() == reflect.Pointer || t.Elem().Kind() == reflect.Slice):
		return settables(path+"[]", t.Elem().Elem(), func(s *security.Spec) reflect.Value {
			v, element := in(s), reflect.New(t.Elem().Elem())
			value := element
			if t.Elem().Kind() == reflect.Slice {
				value = reflect.MakeSlice(t.Elem(), 1, 1)
				element = value.Index(0).Addr()
			}
			v.Set(reflect.MakeMap(t))
			v.SetMapIndex(reflect.ValueOf("bridge").Convert(t.Key()), value)
			return element.Elem()
		})
	}
	return []settable{{path, in}}
}

// set gives a field a value that is not its zero value, nor one that every container has.
func set(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		set(t, v.Elem())
	case reflect.Struct: // those without fields, and in maps
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		set(t, v.Index(0))
	case reflect.Array:
		set(t, v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		set(t, key)
		set(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("seen")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(3 << 20)
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	default:
		t.Fatalf("what is a %s?", v.Type())
	}
}

// TestExplainShowsEveryField: what a field is set to makes a difference to the text, whichever it is, and one that a newer Docker module
// adds too.
func TestExplainShowsEveryField(t *testing.T) {
	part := func(of func(*security.Spec) any) func(*security.Spec) reflect.Value {
		return func(s *security.Spec) reflect.Value { return reflect.ValueOf(of(s)).Elem() }
	}
	fields := slices.Concat(
		settables("Config", reflect.TypeFor[container.Config](), part(func(s *security.Spec) any { return &s.Config })),
		settables("Host", reflect.TypeFor[container.HostConfig](), part(func(s *security.Spec) any { return &s.Host })),
		settables("Network", reflect.TypeFor[network.NetworkingConfig](), part(func(s *security.Spec) any { return &s.Network })),
	)
	if len(fields) < 150 {
		t.Errorf("only %d fields were found", len(fields))
	}
	printed := func(spec security.Spec) string {
		var out bytes.Buffer
		newCreateRequest(spec).print(&out, "/sandbox")
		return out.String()
	}
	for _, f := range fields {
		var without, with security.Spec
		f.in(&without)
		set(t, f.in(&with))
		if text := printed(with); text == printed(without) {
			t.Errorf("%s is not shown:\n%s", f.path, text)
		}
	}
}

func TestExplainShowsWhatAPolicyGrants(t *testing.T) {
	spec := security.Spec{Host: container.HostConfig{
		PidMode: "host", IpcMode: "private", UTSMode: "host", CgroupnsMode: "host", NetworkMode: "web", Runtime: "runsc", OomScoreAdj: -5,
		LogConfig:     container.LogConfig{Type: "syslog", Config: map[string]string{"tag": "x"}},
		CapDrop:       []string{"ALL"},
		RestartPolicy: container.RestartPolicy{Name: "no"},
		MaskedPaths:   []string{},
		Mounts: []mount.Mount{{Type: mount.TypeBind, Source: "/srv", Target: "/data", ReadOnly: true,
			BindOptions: &mount.BindOptions{Propagation: mount.PropagationRSlave, NonRecursive: true}}},
		Resources: container.Resources{Devices: []container.DeviceMapping{{PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rw"}},
			DeviceCgroupRules: []string{"c 10:229 rwm"}, DeviceRequests: []container.DeviceRequest{{Count: -1, Capabilities: [][]string{{"gpu"}}}}},
	}}
	spec.Config.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
	spec.Network.EndpointsConfig = map[string]*network.EndpointSettings{"web": {Aliases: []string{"db"}}}
	r := newCreateRequest(spec)
	var got []string
	for _, l := range r.others() {
		got = append(got, fmt.Sprintf("%s: %s", l.name, l.value))
	}
	want := []string{
		"pid namespace: the host's", "uts namespace: the host's", "cgroup namespace: the host's", "device: /dev/fuse (rw)", "device rule: c 10:229 rwm",
		`device request: {"Capabilities":[["gpu"]],"Count":-1}`, `log driver: syslog {"tag":"..."}`, "runtime: runsc", "oom score: -5 for the kernel's choice of what to kill",
		"system paths: of /proc and /sys hidden: [], read only: []", `on network web: {"Aliases":["db"]}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	var out bytes.Buffer
	if r.print(&out, "/sandbox"); !strings.Contains(out.String(), `/srv on /data (read only), propagation rslave, {"BindOptions":{"NonRecursive":true}}`) {
		t.Error(out.String())
	}
}
