// Package supervise owns the life of one task, from LAUNCH to the end of the executor.
//
// # Who does what
//
// [Machine] is the state machine: a value that is handed one [Message] after the other and answers each with the
// [Command]s to carry out. It does no I/O, reads no clock (every message comes with its time) and starts no goroutine,
// so a test can drive it through any order of events in virtual time.
//
// [Run] is its runner and its only goroutine: it turns agent events, engine results, the witnesses of the container's
// init process, timers and signals into messages, one at a time, and carries the commands out. Everything that may block, but for the
// decision over the task ([Settings].Decide), runs in a goroutine of its own that ends in exactly one message, or, for the watches over the
// class ID and the disks and for what is written down for others, in none; all of them have ended when Run returns, but those that wait for a
// file system which does not answer.
//
// # What a caller may rely on
//
//   - Exactly one terminal update for a launched task, and none of any kind after it.
//
//   - TASK_RUNNING is never sent after TASK_KILLING, nor after a kill was decided.
//
//   - TASK_FINISHED only with a proved status 0 (see [Judge]); an unknown status is TASK_FAILED.
//
//   - Where class IDs are required, TASK_RUNNING only of a container whose processes were found in the task's class. One that is
//     outside is killed, as a rule before its program begins.
//
//   - No terminal update while the task's program runs or can still begin, nor while anything else of its container is alive.
//
//   - What the machine processed first wins: an exit seen before a KILL keeps its own verdict.
//
//   - A sick engine is not a sick task: while the container's init lives, the task is RUNNING, whatever the engine says. Nothing that
//     ends a container needs the engine either.
//
// # When the engine hangs, dies or lies
//
// A launch waits [Options].LaunchWait for an engine that is not fit, and only as many executors of the host as the operator allows
// create and start at a time; both are [admission.Gate]'s affair. A create or start without an answer may have happened and may yet
// happen: its effect is looked for and adopted if it is ours, and whatever is given up is fenced, by taking the lease away and
// killing the leaf. When a stream breaks the runner waits, as long as it takes, until the engine answers, and then
// listens again where it left off.
//
// How the container ended is decided by [Judge] from what the kernel, the container's shim and at last the engine said.
//
// # When the host's storage is unfit
//
// Before a pull and again before a create the launch asks package storage whether the host can take one more container, and waits
// [Options].LaunchWait at most until it can. A pull that turns out to need more than is free is cancelled. The engine's description of itself, which
// that rests on, is shared through the Gate. A task that runs is never touched. While it runs,
// one executor of the host looks at the disks every 30 s, and says in its log and report when the room for new containers will soon be used up.
//
// When the image is found, and when the container is removed, its use is written down for the host's clean-up (package imageuse), which leaves
// it alone then. An image that was being removed just when it was found is looked for again, and so is one that the create does not find. A
// record that cannot be kept, or whose disk hangs, keeps no task from running and no container from being removed.
//
// # What survives a crash
//
// No state: a SIGKILLed executor leaves the container to whoever owns its cgroup (in custom mode the agent's launcher, whose
// freezer cgroup holds it). Its claim says, with its lock free, that it is dead, and what may be on the host: [Sweep], which every executor runs
// at its start, ends and removes all of that.
package supervise
