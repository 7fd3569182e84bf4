// Package storage decides whether a host's disk is fit for one more container.
//
// A container that starts on the wrong storage driver, or on a disk that is about to be full, does not fail by
// itself: it takes its neighbours along. So a launch asks three questions: the first two before the image is pulled and
// again before the container is created, the third while the image is pulled.
//
//   - Is the engine's storage driver one that containers may run on? [Rules.Judge] answers from what the engine says of
//     itself ([Engine], the fields of GET /info). While the engine is too slow to say it, its last answer counts for a
//     while ([Known]).
//   - Is there room, in bytes and in inodes? [Places] says which folders matter, [Looker.Look] looks at their
//     filesystems, [Pools] reads those of devicemapper, and [Thresholds.Judge] answers.
//   - Does the image still fit in? A [Pull] adds up the layers of a running pull; what it [Pull.Needs] is an argument of
//     the second question.
//
// [Settings.Admit] asks the first two at once.
//
// While the container runs, [Thresholds.Forecast] says from samples whether the room will be gone soon. That is a
// warning. Nothing here ever ends a running container for want of space.
//
// # Verdicts
//
// Each answer is a [Verdict]: what was found, each with its own decision (allow, warn or refuse), a reason with figures and a
// remedy. A bad answer of the engine is not a verdict but a [BadAnswerError]: it says something about the daemon's
// health and nothing about its storage.
//
// # What blocks, what is kept
//
// All is pure but [Looker.Look] and [Settings.Admit]. They block for their limit at most, although a dead network disk or FUSE
// server keeps statfs(2) for ever: such a call goes on in the background, one per path, and costs a thread until the filesystem
// answers. A process ends in spite of it where a fatal signal ends the call, as on NFS; one whose question a FUSE server has taken
// (request_wait_answer in linux/fs/fuse/dev.c), or that waits for a dead local disk, stays until the filesystem is aborted or answers.
// Nothing is written to disk; [Known.Encode] makes the bytes that a caller may want to keep. All functions may be called from any
// goroutine; a [Pull] belongs to one.
//
// The package takes plain values and knows nothing of tasks, agents or the executor: arrows point from executor to
// here. Which images may be removed to get room back is decided by the package cleanup below this one.
package storage
