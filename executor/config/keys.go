package config

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Key describes one key of config.yaml for people.
type Key struct {
	Path    string // sections and key, joined by dots: "engine.limits.ping"
	Type    string // "duration", "boolean", "string", ...
	Allowed string // range or form of the value
	Default string // as one would write it; "" is an empty string
	Meaning string // half a sentence
}

// Keys returns every key of config.yaml, in the order of documentation.
func Keys() []Key {
	f := Default()
	var keys []Key
	for _, s := range f.settings() {
		keys = append(keys, s.Key)
	}
	return keys
}

// Table writes [Keys] as a Markdown table. The errors are those of w.
func Table(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n")
	for _, k := range Keys() {
		def := "`" + k.Default + "`"
		if k.Default == "" {
			def = "empty"
		}
		row := []string{"`" + k.Path + "`", k.Type, def, k.Allowed, k.Meaning}
		for i, cell := range row {
			row[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// setting is a key together with the way to store its value in a File.
type setting struct {
	Key
	set func(scalar) error
}

// settings returns all settings of f, bound to f's fields. Key.Default is what
// f holds now. This is the one list that the parser, the documentation and the
// limits come from.
func (f *File) settings() []setting {
	l := &f.Engine.Limits
	return append([]setting{
		versionSetting(&f.Version),
		stringSetting(&f.Engine.Host, "engine.host", "`unix://` and an absolute path, at most 107 bytes", checkEngineHost,
			"socket of the Docker Engine; in drop-in mode the agent's `--docker_socket` wins"),

		durationSetting(&l.Ping, "engine.limits.ping", tenth, time.Minute, "limit for the engine to answer a ping"),
		durationSetting(&l.Info, "engine.limits.info", tenth, 2*time.Minute, "limit for the engine's description of itself"),
		durationSetting(&l.ImageInspect, "engine.limits.image_inspect", tenth, 10*time.Minute, "limit for looking up a local image"),
		durationSetting(&l.PullBegin, "engine.limits.pull_begin", tenth, time.Hour, "limit for a pull to show its first progress"),
		durationSetting(&l.PullIdle, "engine.limits.pull_idle", tenth, time.Hour, "limit for a pull to show no progress; none while the engine has all its missing layers queued behind other pulls"),
		durationSetting(&l.PullExtract, "engine.limits.pull_extract", tenth, 4*time.Hour, "the same while layers are only extracted, of which the engine says little"),
		durationSetting(&l.PullTotal, "engine.limits.pull_total", time.Second, 24*time.Hour, "limit for a whole pull, all tries together"),
		durationSetting(&l.Create, "engine.limits.create", tenth, time.Hour, "limit for creating the container"),
		durationSetting(&l.Start, "engine.limits.start", tenth, time.Hour, "limit for starting the container"),
		durationSetting(&l.Inspect, "engine.limits.inspect", tenth, 10*time.Minute, "limit for inspecting the container where a decision waits for it"),
		durationSetting(&l.InspectPoll, "engine.limits.inspect_poll", tenth, 10*time.Minute, "limit for inspecting it where the question is asked again"),
		durationSetting(&l.List, "engine.limits.list", tenth, 10*time.Minute, "limit for listing the executor's containers"),
		durationSetting(&l.Signal, "engine.limits.signal", tenth, time.Minute, "limit for a stop signal that goes through the engine"),
		durationSetting(&l.Kill, "engine.limits.kill", tenth, 2*time.Minute, "limit for a SIGKILL that goes through the engine, which may take 12 s over it"),
		durationSetting(&l.Remove, "engine.limits.remove", tenth, time.Hour, "limit for removing the container"),
		durationSetting(&l.Attach, "engine.limits.attach", tenth, 2*time.Minute, "limit for opening the container's output"),
		durationSetting(&f.Engine.LaunchWait, "engine.launch_wait", 0, time.Hour, "how long each step of a launch waits for a sick engine to get well, or for room on its disks, before the task fails"),
		integerSetting(&f.Engine.MaxStarts, "engine.max_starts", 1, 1000, "containers that the executors of this host create and start at a time"),
		integerSetting(&f.Engine.MaxPulls, "engine.max_pulls", 1, 1000, "images that they pull at a time"),

		stringSetting(&f.Registry.Config, "registry.config", "absolute path, or empty", checkOptionalPath,
			"docker config with the host's credentials for registries, such as `/root/.docker/config.json`; the file in a task's sandbox comes first"),
		stringSetting(&f.Registry.TaskHelpers, "registry.task_helpers", "names, separated by commas, or empty", checkHelpers,
			"credential helpers that the docker config in a sandbox may name, such as `ecr-login`; they run as root and lend the host's identity"),
		durationSetting(&f.Registry.HelperLimit, "registry.helper_limit", tenth, 2*time.Minute, "limit for a credential helper to answer"),

		stringSetting(&f.Agent.Endpoint, "agent.endpoint", "`ip:port`, or empty", checkPinnedEndpoint,
			"the agent's address, so that a task cannot name another; empty takes it from the environment"),
		stringSetting(&f.Agent.DomainSocket, "agent.domain_socket", "absolute path, or empty", checkPinnedSocket,
			"the agent's Unix socket; not together with `agent.endpoint` or `agent.tls.mode: on`, and with none of the three `MESOS_DOMAIN_SOCKET` is used if it is set"),
		booleanSetting(&f.Agent.RegisterForRecovery, "agent.register_for_recovery",
			"register with the agent so that drop-in tasks survive its restart"),
		choiceSetting(&f.Agent.TLS.Mode, "agent.tls.mode", []string{tlsFromEnvironment, tlsOn, tlsOff},
			"TLS to the agent; `environment`: as the `LIBPROCESS_SSL_*` variables say, which a drop-in task can change"),
		stringSetting(&f.Agent.TLS.CAFile, "agent.tls.ca_file", "absolute path, or empty", checkPinnedPath,
			"authorities that the agent's certificate may come from (PEM); with `ca_dir` empty too, the host's"),
		stringSetting(&f.Agent.TLS.CADir, "agent.tls.ca_dir", "absolute path, or empty", checkPinnedPath,
			"folder of such files: those named `HASH.N` as by `openssl rehash`, or, if there are none, `*.pem` and `*.crt`"),
		stringSetting(&f.Agent.TLS.CertFile, "agent.tls.cert_file", "absolute path, or empty", checkPinnedPath,
			"client certificate for agents that demand one (PEM, with intermediates)"),
		stringSetting(&f.Agent.TLS.KeyFile, "agent.tls.key_file", "absolute path, or empty", checkPinnedPath,
			"its key (PEM, not encrypted)"),
		booleanSetting(&f.Agent.TLS.Verify, "agent.tls.verify",
			"verify the agent's certificate; unverified, the connection is encrypted to whoever answers"),
		stringSetting(&f.Agent.TLS.ServerName, "agent.tls.server_name", "host name or IP address, or empty", checkServerName,
			"name that the certificate must be for; empty: it must have the agent's IP address"),
		choiceSetting(&f.Agent.TLS.Version, "agent.tls.version", []string{tls12, tls13},
			"newest version to offer; agents lose executors on 1.3 (MESOS-9730)"),

		stringSetting(&f.Container.NamePrefix, "container.name_prefix", "1 to 32 letters, digits, `_` and `-`; not `mesos` or `mesos-...`", checkNamePrefix,
			"custom mode: containers are named `<prefix>-<container id>`"),
		stringSetting(&f.Container.MappedDirectory, "container.mapped_directory", "absolute path, not `/`", checkFolder,
			"path of the sandbox in the container; in drop-in mode the agent's `--mapped_directory` wins"),
		booleanSetting(&f.Container.EnforceCFS, "container.enforce_cfs",
			"custom mode: limit CPU time to the task's `cpus`; in drop-in mode the agent's `--cgroups_enable_cfs` decides"),
		stringSetting(&f.Container.DefaultDNS, "container.default_dns", "JSON as for the agent's `--default_container_dns`, or empty", checkDefaultDNS,
			"custom mode: DNS settings of containers that name none; in drop-in mode the agent's `--default_container_dns` holds"),

		stringSetting(&f.Cgroup.Root, "cgroup.root", "absolute path below the cgroup mounts, not `/`, not `/mesos` or below", checkCgroupRoot,
			"cgroup below which each task gets its own"),
		booleanSetting(&f.Cgroup.RequireClasses, "cgroup.require_classes",
			"run no task on a host without [classes.yaml](classes.md); otherwise class IDs are off there"),
		stringSetting(&f.Storage.AllowedDrivers, "storage.allowed_drivers", "names as in `docker info`, separated by commas", checkSomeDrivers,
			"storage drivers, and snapshotters of containerd, that containers may run on"),
		stringSetting(&f.Storage.ToleratedDrivers, "storage.tolerated_drivers", "names, separated by commas, or empty", checkDrivers,
			"those that they may run on with a warning; devicemapper on loop files is refused even so"),
		sizeSetting(&f.Storage.MinFreeBytes, "storage.min_free_bytes",
			"free bytes of each of Docker's filesystems below which no container is started; this or the percentage, whichever is more"),
		integerSetting(&f.Storage.MinFreeBytesPercent, "storage.min_free_bytes_percent", 0, 90, "the same in percent of the filesystem; 0 for none"),
		integerSetting(&f.Storage.WarnFreeBytesPercent, "storage.warn_free_bytes_percent", 0, 90, "below this the executor's log has a warning; 0 for none, else not less than the one before"),
		integerSetting(&f.Storage.MinFreeInodes, "storage.min_free_inodes", 0, 1_000_000_000,
			"free inodes below which no container is started, where the filesystem counts them; 0 for none"),
		integerSetting(&f.Storage.MinFreeInodesPercent, "storage.min_free_inodes_percent", 0, 90, "the same in percent"),
		integerSetting(&f.Storage.WarnFreeInodesPercent, "storage.warn_free_inodes_percent", 0, 90, "below this the executor's log has a warning; 0 for none, else not less than the one before"),
		stringSetting(&f.Storage.ContainerdRoot, "storage.containerd_root", "absolute path, not `/`", checkFolder,
			"`root` of the host's containerd, where layers are with Docker's containerd image store"),

		stringSetting(&f.RunDirectory, "run_directory", "absolute path, not `/`", checkFolder,
			"folder for what must not outlive the host's boot; the same for all executors of a host"),
		durationSetting(&f.LogDrain, "log_drain", tenth, time.Minute,
			"how long the terminal status waits for the rest of the container's output"),
		levelSetting(&f.LogLevel, "log_level", "least severe lines in the executor's own log"),
	}, f.GC.settings()...)
}

// tenth is the shortest limit. Less than that, a busy host looks like a broken
// engine.
const tenth = 100 * time.Millisecond
