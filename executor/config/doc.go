// Package config reads everything that an executor process is told by others
// before the first event of the agent: the environment that the agent made,
// the flags of the Docker containerizer, and the operator's config.yaml.
//
// # Who is believed
//
// In drop-in mode the variables of the task (TaskInfo.command.environment)
// reach the executor, a root process, and may even replace the agent's own
// MESOS_* variables. Three rules follow:
//
//   - [CleanEnviron] is the allow list with which the process executes itself
//     once, so that GODEBUG, LD_PRELOAD, HTTP_PROXY, DOCKER_HOST and the like
//     never act on it.
//   - No setting comes from the environment, with one exception, TLS to the
//     agent ([TLSFromEnviron]), because that is where Mesos has it. Settings come
//     from config.yaml, which must be root's ([Load]), and from the flags of the
//     agent; what config.yaml says of the agent replaces the environment.
//   - The ids in the environment must be those in the path of the sandbox
//     ([Agent.CheckDropIn]): that path is on the command line, out of the
//     task's reach.
//
// # Errors
//
// All problems of a source are reported together in an [*Error], one line
// each, naming the variable, flag or key, the value and what to do about it.
// The authentication token and the values of task variables are never part of
// an error.
//
// # Concurrency
//
// The package keeps no state and starts nothing; every function may be called
// from any goroutine. Only [Environ], [Load] and [ResolveRun] (and through it
// [Agent.CheckDropIn] and [Agent.CheckCustom]) touch the file system; the rest
// is pure.
package config
