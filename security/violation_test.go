package security

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// violation checks what must hold for anything that is sent, without using the rules' own code. It returns "" or what is
// wrong.
func violation(s Spec, roots []string) string {
	allowed := strings.Fields(`CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_SETGID CAP_SETUID CAP_SETFCAP CAP_SETPCAP
		CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL CAP_AUDIT_WRITE`)
	h, c := s.Host, s.Config
	switch {
	case h.Privileged:
		return "privileged"
	case !slices.Equal(h.CapDrop, []string{"ALL"}):
		return fmt.Sprintf("CapDrop %q", h.CapDrop)
	case !slices.IsSorted(h.CapAdd):
		return fmt.Sprintf("CapAdd %q", h.CapAdd)
	case !slices.Contains(h.SecurityOpt, "no-new-privileges") || len(strings.ReplaceAll(strings.Join(h.SecurityOpt[1:], ""), "apparmor=docker-default", "")) != 0:
		return fmt.Sprintf("SecurityOpt %q", h.SecurityOpt)
	case h.PidsLimit == nil || *h.PidsLimit > 4096 || *h.PidsLimit < 1:
		return "no pids limit"
	case h.NetworkMode != "bridge" && h.NetworkMode != "none":
		return fmt.Sprintf("network %q", h.NetworkMode)
	case h.Memory <= 0 || h.CPUShares < 2 || h.CPUQuota < -1:
		return "no limits"
	case h.PidMode != "" || h.UTSMode != "" || h.UsernsMode != "" || h.IpcMode != "private" && h.IpcMode != "none" || h.CgroupnsMode == "host":
		return "namespaces"
	case len(h.Devices)+len(h.DeviceRequests)+len(h.DeviceCgroupRules)+len(h.Binds)+len(h.VolumesFrom)+len(h.Links)+
		len(h.StorageOpt)+len(h.Annotations)+len(h.LogConfig.Config)+len(c.Volumes)+len(s.Network.EndpointsConfig) != 0:
		return "a list that must be empty is not"
	case h.MaskedPaths != nil || h.ReadonlyPaths != nil:
		return "system paths"
	case h.CgroupParent != "" || h.Runtime != "" || h.VolumeDriver != "" || h.LogConfig.Type != "" || h.AutoRemove || h.PublishAllPorts:
		return "a host setting"
	case c.OpenStdin || c.AttachStdin || c.StopTimeout != nil || c.NetworkDisabled || len(c.OnBuild)+len(c.Shell) != 0:
		return "a setting of the client's"
	case h.RestartPolicy.Name != "no" || c.Healthcheck == nil || !slices.Equal(c.Healthcheck.Test, []string{"NONE"}):
		return "life cycle"
	case h.OomKillDisable != nil || h.OomScoreAdj < 0 || h.ShmSize < 0 || h.ShmSize > h.Memory || h.MemorySwap != h.Memory || h.MemorySwappiness != nil:
		return "memory settings"
	case !slices.ContainsFunc(h.Ulimits, func(u *container.Ulimit) bool { return u.Name == "core" && u.Soft == 0 && u.Hard == 0 }):
		return "core dumps"
	case c.Image != s.Image || s.Image == "" || strings.HasPrefix(c.WorkingDir, "/proc"):
		return "image or workdir"
	}
	for target, options := range h.Tmpfs {
		for _, word := range []string{"noexec", "nosuid", "nodev"} {
			if !slices.Contains(strings.Split(options, ","), word) {
				return "tmpfs without " + word
			}
		}
		if !strings.Contains(options, ",size=") || strings.Count(options, "size=") != 1 || strings.HasPrefix(target+"/", "/proc/") {
			return "tmpfs " + target + " " + options
		}
	}
	for name := range h.Sysctls {
		if !strings.HasPrefix(name, "net.ipv4.") && name != "kernel.shm_rmid_forced" {
			return "sysctl " + name
		}
	}
	for _, entry := range h.ExtraHosts {
		if strings.Contains(entry, "gateway") || strings.ContainsAny(entry, " \n") {
			return "host " + entry
		}
	}
	for _, group := range h.GroupAdd {
		if n, err := strconv.Atoi(group); group == "root" || group == "docker" || err == nil && n == 0 {
			return "group " + group
		}
	}
	for i, entry := range c.Env {
		if last := i == len(c.Env)-1; strings.HasPrefix(entry, "NVIDIA_VISIBLE_DEVICES=") != last || last && entry != "NVIDIA_VISIBLE_DEVICES=void" {
			return "a GPU by variable"
		}
	}
	for _, name := range h.CapAdd {
		if !slices.Contains(allowed, name) {
			return "capability " + name
		}
	}
	for _, m := range h.Mounts {
		if m.Type == mount.TypeTmpfs {
			if o := m.TmpfsOptions; m.Source != "" || o == nil || o.SizeBytes <= 0 || o.SizeBytes > 1<<30 || len(o.Options) != 0 {
				return fmt.Sprintf("tmpfs %+v", m)
			}
			continue
		}
		inside := slices.ContainsFunc(roots, func(root string) bool { return strings.HasPrefix(m.Source+"/", root+"/") })
		if m.Type != mount.TypeBind || !inside || strings.Contains(m.Source+"/", "/../") || m.BindOptions.Propagation != "rprivate" {
			return fmt.Sprintf("mount %+v", m)
		}
		for _, hidden := range []string{"/proc/", "/sys/", "/dev/"} {
			if strings.HasPrefix(m.Target+"/", hidden) || m.Target == "/" {
				return "target " + m.Target
			}
		}
	}
	for key := range c.Labels {
		if strings.HasPrefix(key, ReservedLabelPrefix) || strings.ContainsAny(key, "\n\r\x1b") {
			return "label " + key
		}
	}
	for _, bindings := range h.PortBindings {
		for _, b := range bindings {
			if b.HostIP != "" || b.HostPort == "" || strings.Contains(b.HostPort, "-") || h.NetworkMode != "bridge" {
				return fmt.Sprintf("port %+v", b)
			}
		}
	}
	return ""
}

// hardViolation checks what must hold for anything that is sent under any policy and in any mode.
func hardViolation(s Spec, roots []string) string {
	h, c := s.Host, s.Config
	switch {
	case h.Privileged:
		return "privileged"
	case h.PidMode != "" || strings.HasPrefix(string(h.NetworkMode), "container") || h.NetworkMode == "" || h.NetworkMode == "default":
		return fmt.Sprintf("modes %q, %q", h.PidMode, h.NetworkMode)
	case !slices.Contains([]container.IpcMode{"private", "none"}, h.IpcMode) || h.UsernsMode != "":
		return fmt.Sprintf("IPC %q, users %q", h.IpcMode, h.UsernsMode)
	case slices.ContainsFunc(h.SecurityOpt, func(o string) bool { return strings.Contains(o, "unconfined") || strings.HasSuffix(o, "disable") }):
		return fmt.Sprintf("security options %q", h.SecurityOpt)
	case !slices.Equal(h.CapDrop, []string{"ALL"}):
		return fmt.Sprintf("CapDrop %q", h.CapDrop)
	case h.PidsLimit == nil:
		return "no pids limit"
	case len(h.Links)+len(h.VolumesFrom)+len(h.Binds)+len(h.StorageOpt)+len(h.Annotations) != 0 || h.PublishAllPorts:
		return "a list that must be empty is not"
	case h.MaskedPaths != nil || h.ReadonlyPaths != nil:
		return "system paths"
	case h.RestartPolicy.Name != "no" || h.AutoRemove || h.CgroupParent != "" || h.ContainerIDFile != "" || h.Cgroup != "":
		return "life cycle"
	case c.Healthcheck == nil || !slices.Equal(c.Healthcheck.Test, []string{"NONE"}):
		return "health check"
	case h.OomKillDisable != nil || h.MemorySwappiness != nil || h.NanoCPUs != 0 || h.CpusetCpus != "" || h.BlkioWeight != 0:
		return "resources"
	}
	for _, m := range h.Mounts {
		if slices.ContainsFunc(roots, func(root string) bool { return strings.HasPrefix(m.Source+"/", root+"/") }) {
			continue
		}
		switch m.Type {
		case mount.TypeBind:
			for _, never := range []string{"/run/docker.sock", "/var/run/docker.sock", "/run/containerd", "/proc"} {
				if m.Source == "/" || strings.HasPrefix(never+"/", m.Source+"/") || strings.HasPrefix(m.Source+"/", never+"/") {
					return "mount of " + m.Source
				}
			}
			if m.BindOptions.Propagation != "rprivate" || m.BindOptions.CreateMountpoint {
				return fmt.Sprintf("mount options %+v", m.BindOptions)
			}
		case mount.TypeVolume:
			if o := m.VolumeOptions; o != nil && o.DriverConfig != nil && (o.DriverConfig.Name == "local" || o.DriverConfig.Name == "") && len(o.DriverConfig.Options) > 0 {
				return "options of a local volume"
			}
		case mount.TypeTmpfs:
		default:
			return "mount of type " + string(m.Type)
		}
	}
	for _, options := range h.Tmpfs {
		if strings.Contains(options, "shared") {
			return "tmpfs " + options
		}
	}
	for name := range s.Network.EndpointsConfig {
		if name != string(h.NetworkMode) || name == "host" || name == "none" {
			return "endpoint " + name
		}
	}
	for name := range h.Sysctls {
		if strings.HasPrefix(name, "net.") && h.NetworkMode == "host" {
			return "sysctl of the host " + name
		}
	}
	return ""
}
