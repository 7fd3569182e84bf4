package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"

	"mesos-docker-executor/security"
)

// createRequest is the body of the create call, with the values of environment variables left out.
type createRequest struct {
	Name    string                   `json:"name"`
	Config  container.Config         `json:"config"`
	Host    container.HostConfig     `json:"host_config"`
	Network network.NetworkingConfig `json:"networking_config"`
}

// newCreateRequest leaves out what may be secret: the values of environment variables, and of the options of log and volume drivers.
func newCreateRequest(spec security.Spec) *createRequest {
	config := spec.Config
	config.Env = nil
	for _, variable := range spec.Config.Env {
		name, _, _ := strings.Cut(variable, "=")
		config.Env = append(config.Env, name+"=...")
	}
	host := spec.Host
	host.LogConfig.Config = withoutValues(host.LogConfig.Config)
	host.Mounts = slices.Clone(host.Mounts)
	for i, m := range host.Mounts {
		if m.VolumeOptions != nil && m.VolumeOptions.DriverConfig != nil {
			options, driver := *m.VolumeOptions, *m.VolumeOptions.DriverConfig
			driver.Options = withoutValues(driver.Options)
			options.DriverConfig = &driver
			host.Mounts[i].VolumeOptions = &options
		}
	}
	return &createRequest{spec.Name, config, host, spec.Network}
}

func withoutValues(options map[string]string) map[string]string {
	var names map[string]string
	for name := range options {
		if names == nil {
			names = map[string]string{}
		}
		names[name] = "..."
	}
	return names
}

// print shows all that was asked for or decided, and nothing of what every container has; --json has everything.
func (r *createRequest) print(out io.Writer, sandbox string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %s\t"+format+"\n", append([]any{name}, args...)...)
	}
	line("container", "%s", r.Name)
	line("image", "%s", r.Config.Image)
	if len(r.Config.Entrypoint) > 0 {
		line("entrypoint", "%q", []string(r.Config.Entrypoint))
	}
	if len(r.Config.Cmd) > 0 {
		line("command", "%q", []string(r.Config.Cmd))
	}
	if len(r.Config.Env) > 0 {
		line("environment", "%s", strings.ReplaceAll(strings.Join(r.Config.Env, " "), "=...", ""))
	}
	for _, field := range []struct{ name, value string }{
		{"user", r.Config.User}, {"groups", strings.Join(r.Host.GroupAdd, " ")}, {"workdir", r.Config.WorkingDir},
		{"hostname", r.Config.Hostname}, {"domainname", r.Config.Domainname}, {"stop signal", r.Config.StopSignal},
		{"dns", strings.Join(r.Host.DNS, " ")}, {"dns search", strings.Join(r.Host.DNSSearch, " ")},
		{"dns options", strings.Join(r.Host.DNSOptions, " ")}, {"hosts", strings.Join(r.Host.ExtraHosts, " ")},
	} {
		if field.value != "" {
			line(field.name, "%s", field.value)
		}
	}
	if r.Config.Tty {
		line("terminal", "yes")
	}
	if r.Host.ReadonlyRootfs {
		line("root filesystem", "read only")
	}
	if r.Host.Init != nil && *r.Host.Init {
		line("init", "the engine's init process is pid 1")
	}
	for _, key := range slices.Sorted(maps.Keys(r.Config.Labels)) {
		line("label", "%s=%s", key, r.Config.Labels[key])
	}
	for _, u := range r.Host.Ulimits {
		line("ulimit", "%s", u)
	}
	for _, m := range r.Host.Mounts {
		line("mount", "%s%s on %s%s", mountKind(m), shortSource(m.Source, sandbox), m.Target, map[bool]string{true: " (read only)"}[m.ReadOnly]+mountOptions(m))
	}
	for _, target := range slices.Sorted(maps.Keys(r.Host.Tmpfs)) {
		line("tmpfs", "%s %s", target, r.Host.Tmpfs[target])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Host.Sysctls)) {
		line("sysctl", "%s=%s", name, r.Host.Sysctls[name])
	}
	line("network", "%s", r.Host.NetworkMode)
	for _, port := range sortedPorts(r.Host) {
		line("port", "%s", port)
	}
	line("cpu", "shares %d%s", r.Host.CPUShares, quota(r.Host))
	line("memory", "%s", memory(r.Host))
	line("capabilities", "%s", strings.Join(r.Host.CapAdd, " "))
	var options []string
	for _, option := range r.Host.SecurityOpt {
		name, value, _ := strings.Cut(option, "=")
		options = append(options, strings.TrimSuffix(name+"="+compact(value), "="))
	}
	line("security", "%s", strings.Join(options, " "))
	if r.Host.PidsLimit != nil {
		line("pids limit", "%d", *r.Host.PidsLimit)
	}
	for _, other := range r.others() {
		line(other.name, "%s", other.value)
	}
}

func sortedPorts(h container.HostConfig) []string {
	var ports []string
	for port, bindings := range h.PortBindings {
		for _, b := range bindings {
			ports = append(ports, fmt.Sprintf("host %s%s to container %s", hostAddress(b.HostIP), b.HostPort, port))
		}
	}
	slices.Sort(ports)
	return ports
}

func quota(h container.HostConfig) string {
	if h.CPUPeriod == 0 || h.CPUQuota == 0 {
		return ""
	}
	return fmt.Sprintf(", at most %.2f cpus", float64(h.CPUQuota)/float64(h.CPUPeriod))
}

// memory describes the limit, and what the kernel leaves to the container when the host runs short.
func memory(h container.HostConfig) string {
	text := "no limit"
	if h.Memory > 0 {
		text = fmt.Sprintf("%d MiB", h.Memory>>20)
	}
	if h.MemoryReservation > 0 {
		text += fmt.Sprintf(", %d MiB reserved", h.MemoryReservation>>20)
	}
	text += swap(h)
	if h.ShmSize > 0 {
		text += fmt.Sprintf(", /dev/shm of %d MiB", h.ShmSize>>20)
	}
	return text
}

// shortSource calls the lease through which the engine gets at the sandbox what it stands for.
func shortSource(source, sandbox string) string {
	if source == sandbox {
		return "sandbox"
	}
	if below, ok := strings.CutPrefix(source, sandbox+"/"); ok {
		return "sandbox:" + below
	}
	return source
}

// mountKind names what is no bind mount.
func mountKind(m mount.Mount) string {
	if m.Type == mount.TypeBind {
		return ""
	}
	return string(m.Type) + " "
}
