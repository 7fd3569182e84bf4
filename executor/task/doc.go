// Package task turns a TaskInfo into a Plan: the complete description of the container to create, reviewed by the
// security policy, or the reason why there will be none.
//
// [Decide] takes the TaskInfo as the protobuf bytes that the agent sent. It translates strictly: a field, an enum value
// or a parameter that this version does not know or does not support is an error that names it, never ignored. The
// translation fills a security.Spec, in which every value keeps the place that it came from; the policy reviews and
// rewrites that Spec, and what it returns is what is sent to Docker. [FromJSON] reads task files just as strictly.
//
// The steps are files. wire.go and json.go check the two encodings against the protocol's own descriptors (schema.go),
// limits.go bounds what is walked, translate.go walks the TaskInfo, identity.go says whose it is, class.go which class ID it gets, and
// message.go writes what is said about it. The parts of a TaskInfo are translated in command.go, environment.go, resources.go with ceilings.go (limits),
// volumes.go with volumesources.go (Docker and persistent volumes), network.go with dns.go, and linuxinfo.go; the flags of docker
// run in parameters.go and parameters_*.go, which flags.go and flags_refused.go list. Behaviour that a framework can rely on
// follows the stock Docker executor (Mesos: src/docker/docker.cpp, src/docker/executor.cpp); docs/tasks.md says field by field
// where it does not.
//
// Everything here is pure: no I/O, no clock, nothing blocks, nothing survives a crash. All functions may be called from
// any goroutine. The lists of a task have bounds, so that the time of a decision grows with the number of bytes only. No
// message of a [Refusal] holds the value of an environment variable, is longer than 16 KiB or has more than one line.
package task
