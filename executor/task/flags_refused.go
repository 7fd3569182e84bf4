package task

// clientFlags are the flags that act in the Docker client, which takes no part here, or that would take the container's
// life out of the executor's hands.
func clientFlags() []flag {
	return []flag{
		{name: "annotation", kind: repeated, secret: true, refusal: "annotations need a newer Docker API than 1.41; use the parameter `label`"},
		{name: "attach", short: "a", kind: repeated, refusal: "output always goes to the sandbox, and there is no input; remove it"},
		{name: "cidfile", kind: single, refusal: "it has a file of the host written as root; remove it"},
		{name: "detach", short: "d", kind: onOff, refusal: "the executor follows the container to its end; remove it"},
		{name: "detach-keys", kind: single, refusal: "nobody is attached to the container; remove it"},
		{name: "disable-content-trust", kind: onOff, usual: true, refusal: "it is a setting of the Docker client; remove it, and name the image by its digest"},
		{name: "env-file", kind: repeated, refusal: "it has a file of the host read as root; use `command.environment`"},
		{name: "gpus", kind: repeated, refusal: "a container gets no GPUs; remove it"},
		{name: "help", kind: onOff, refusal: "it runs nothing; remove it"},
		{name: "interactive", short: "i", kind: onOff, refusal: "a task has no input; remove it"},
		{name: "label-file", kind: repeated, refusal: "it has a file of the host read as root; use the parameter `label`"},
		{name: "name", kind: single, refusal: "the executor names the container; remove it"},
		{name: "platform", kind: single, refusal: "the image is run as it was pulled; name the image of the platform, by digest if need be"},
		{name: "pull", kind: single, refusal: "use `container.docker.force_pull_image`"},
		{name: "quiet", short: "q", kind: onOff, refusal: "it is a setting of the Docker client; remove it"},
		{name: "rm", kind: onOff, refusal: "the executor removes the container, when its result is known; remove it"},
		{name: "sig-proxy", kind: onOff, usual: true, refusal: "it is a setting of the Docker client; use `kill_policy` for how the task is ended"},
		{name: "use-api-socket", kind: onOff, refusal: "with Docker's socket a container is root on the host; remove it"},
	}
}

// resourceFlags are the limits that follow from the task's resources: only so does the agent know of them.
func resourceFlags() []flag {
	const cpus, memory = "request `cpus` in `resources`", "request `mem` in `resources`"
	return []flag{
		{name: "cpu-period", kind: single, refusal: cpus},
		{name: "cpu-quota", kind: single, refusal: cpus},
		{name: "cpu-shares", short: "c", kind: single, refusal: cpus},
		{name: "cpus", kind: single, refusal: cpus},
		{name: "memory", short: "m", kind: single, refusal: memory},
		{name: "memory-reservation", kind: single, refusal: memory},
	}
}

func windowsFlags() []flag {
	const remedy = "it has a meaning on Windows only; remove it"
	return []flag{
		{name: "cpu-count", kind: single, refusal: remedy},
		{name: "cpu-percent", kind: single, refusal: remedy},
		{name: "io-maxbandwidth", kind: single, refusal: remedy},
		{name: "io-maxiops", kind: single, refusal: remedy},
		{name: "isolation", kind: single, refusal: remedy},
	}
}
