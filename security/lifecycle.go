package security

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/docker/docker/api/types/container"
)

// lifecycle keeps the life of the container in the executor's hands: the daemon neither restarts nor removes it, and its
// cgroup and identity are the executor's.
func (r *review) lifecycle() {
	restart := take(&r.left.Host.RestartPolicy)
	if (restart.Name != "" && restart.Name != container.RestartPolicyDisabled) || restart.MaximumRetryCount != 0 {
		r.reject("Host.RestartPolicy", string(restart.Name), "restart",
			"Restart policy %q is refused, and no policy can allow it: the framework restarts tasks, not the daemon; remove it.", Shorten(string(restart.Name)))
	}
	r.out.Host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyDisabled}

	const executors = "remove it, the executor decides on it"
	refuse(r, "Host.AutoRemove", &r.left.Host.AutoRemove, "auto_remove", executors)
	refuse(r, "Host.CgroupParent", &r.left.Host.CgroupParent, "cgroup_parent", executors)
	refuse(r, "Host.ContainerIDFile", &r.left.Host.ContainerIDFile, "container_id_file", executors)
	if timeout := take(&r.left.Config.StopTimeout); timeout != nil {
		r.reject("Config.StopTimeout", fmt.Sprint(*timeout), "stop_timeout",
			"A stop timeout of the engine's is refused: the executor stops the container; set `kill_policy.grace_period` instead.")
	}
	if signal := take(&r.left.Config.StopSignal); signal != "" {
		if err := CheckStopSignal(signal); err != nil {
			r.reject("Config.StopSignal", signal, "stop_signal", "Stop signal %q is refused: it %v.", Shorten(signal), err)
		} else {
			r.allow("Config.StopSignal", signal, "stop_signal")
		}
		r.out.Config.StopSignal = signal
	}

	enabled := r.rules.Init
	if asked := take(&r.left.Host.Init); asked != nil {
		enabled = *asked
		r.allow("Host.Init", fmt.Sprint(enabled), "init")
	} else {
		// Said explicitly because a daemon may be configured to add an init to every container.
		r.found(Force, "Host.Init", map[bool]string{true: "init on", false: "init off"}[enabled], "init",
			"The task says nothing about an init process, so the policy's default holds.")
		if !r.acts() {
			return
		}
	}
	r.out.Host.Init = &enabled
}

// health switches Docker's health checks off: the daemon runs them by exec, which is one more thing to hang. A task may say
// the same.
func (r *review) health() {
	off := container.HealthConfig{Test: []string{"NONE"}}
	asked := take(&r.left.Config.Healthcheck)
	switch {
	case asked == nil:
		// Docker runs a health check of the image unless it is told otherwise.
		r.found(Force, "Config.Healthcheck", "Docker health checks off", "health_checks",
			"Docker health checks, the image's included, are off.")
	case reflect.DeepEqual(*asked, off):
		r.allow("Config.Healthcheck", "NONE", "health_checks")
	default:
		r.reject("Config.Healthcheck", "", "health_checks",
			"A health check by Docker is refused, and no policy can allow it; use the task's `health_check`.")
	}
	r.out.Config.Healthcheck = &off
}

// runtime decides over what runs the container below the engine.
func (r *review) runtime() {
	host := &r.left.Host
	if name := take(&host.Runtime); name != "" {
		if slices.Contains(r.rules.Runtimes, name) || !r.deny("Host.Runtime", name, "runtime",
			"Runtime %q is refused: beside the engine's default %s.", Shorten(name), chooseFrom(r.rules.Runtimes)) {
			r.allow("Host.Runtime", name, "runtime")
			r.out.Host.Runtime = name
		}
	}
	if isolation := take(&host.Isolation); !isolation.IsDefault() {
		r.reject("Host.Isolation", string(isolation), "isolation",
			"Isolation %q is refused, and no policy can allow it: it is for Windows; remove it.", Shorten(string(isolation)))
	}
	refuseKeys(r, "Host.Annotations", take(&host.Annotations), "annotations",
		"Annotations are refused, and no policy can allow them: they give orders to the runtime; use labels.")
	refuseKeys(r, "Host.StorageOpt", take(&host.StorageOpt), "storage_opt",
		"Options of the storage driver are refused, and no policy can allow them; remove them.")
}

// logging leaves the daemon's default log driver alone unless the policy lets a task choose: other drivers send the output
// anywhere, or fill the disk. Options are shown by name only, as their values may be secrets.
func (r *review) logging() {
	log := take(&r.left.Host.LogConfig)
	if log.Type == "" && len(log.Config) == 0 {
		return
	}
	var options []string
	at := slices.IndexFunc(r.rules.LogDrivers, func(d LogDriver) bool { return d.Name == log.Type })
	if at >= 0 {
		options = r.rules.LogDrivers[at].Options
	}
	if log.Type != "" && (at >= 0 || !r.deniesLogDriver(log.Type)) {
		r.allow("Host.LogConfig.Type", log.Type, "log_driver")
	}
	r.logOptions(log.Config, options)
	r.out.Host.LogConfig = log // not sent if anything of it was rejected
}

func (r *review) deniesLogDriver(name string) bool {
	var allowed []string
	for _, d := range r.rules.LogDrivers {
		allowed = append(allowed, fmt.Sprintf("%q", d.Name))
	}
	return r.deny("Host.LogConfig.Type", name, "log_driver",
		"Log driver %q is refused: beside the engine's default %s.", Shorten(name), chooseFrom(allowed))
}

func (r *review) logOptions(options map[string]string, allowed []string) {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		field := "Host.LogConfig.Config[" + name + "]"
		if slices.Contains(allowed, name) ||
			!r.deny(field, name, "log_options", "Log option %q is refused: %s.", Shorten(name), chooseFrom(allowed)) {
			r.allow(field, name, "log_options")
		}
	}
}
