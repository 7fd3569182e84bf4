// Package task turns a TaskInfo into a Plan: the complete description of the container to create, reviewed by the
// security policy, or the reason why there will be none.
//
// [Decide] takes the TaskInfo as the protobuf bytes that the agent sent. It translates strictly: a field, an enum value
// or a parameter that this version does not know or does not support is an error that names it, never ignored. The
// translation fills a security.Spec, in which every value keeps the place that it came from; the policy reviews and
// rewrites that Spec, and what it returns is what is sent to Docker. [FromJSON] reads task files just as strictly.
//
// The steps are one file each: wire.go and json.go check the two encodings against the protocol's own descriptors
// (schema.go), limits.go bounds what is walked, translate.go walks the TaskInfo, command.go, environment.go, resources.go,
// volumes.go, network.go and parameters.go translate its parts, and message.go writes what is said about it. Behaviour
// that a framework can rely on follows the stock Docker executor (Mesos: src/docker/docker.cpp, src/docker/executor.cpp).
//
// Everything here is pure: no I/O, no clock, nothing blocks, nothing survives a crash. All functions may be called from
// any goroutine. The lists of a task have bounds, so that the time of a decision grows with the number of bytes only. No
// message holds the value of an environment variable, is longer than 16 KiB or has more than one line.
package task
