// Package registryauth finds the credentials with which an image is pulled: in the docker config that the task has in its
// sandbox, else in the one that the operator names, as the stock agent does it with its own (--docker_config). It knows Docker's
// two file formats (.docker/config.json and .dockercfg), credential helpers and credential stores.
//
// # Who is believed
//
// The sandbox belongs to the task's user, and the executor is root. So its files are opened without following a symlink,
// must be regular with a single name (a hard link may lead to somebody else's file) and have a bounded size; and a credential helper that
// such a file names is not run, because it would run as root and lend the host's own identity (a cloud role, say) to the
// task, unless the operator allows that helper to tasks by name. The operator's file must be root's. Helpers are looked up in a
// fixed PATH and must be root's, too.
//
// # Secrets
//
// Credentials are read when [Source.Lookup] is called, and nothing is kept. They are in [Found.Header] only, which prints as
// "(not shown)"; notes and errors name files, registries and programs, never their content. Nothing secret is on a helper's
// command line or in its environment, and what it says on stderr is dropped.
//
// # Concurrency
//
// Lookup blocks for the helper at most, which has a limit of time and dies with its process group; it may be called from
// any goroutine. A helper that SIGKILL does not end at once belongs to a goroutine that outlives Lookup and reaps it.
// Should this process die, the kernel ends the helper. Lookup never fails: what cannot be used is noted, and the pull goes
// on with less, as a public image needs no credentials.
package registryauth
