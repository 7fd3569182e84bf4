// Package admission is how the executors of one host share a Docker engine in
// trouble: who may ask it whether it is well again, who waits, and how many
// create, start and pull at a time. It knows no engine; its caller brings the
// probe.
//
// # What it is for
//
// A sick daemon executes every request that was sent to it once it thaws, and each
// request that nobody waits for any more costs it a goroutine and a file descriptor
// until then. So an engine in trouble is asked less, not more: by one executor of
// the host at a time, after growing pauses, and only while somebody needs the
// answer.
//
// # The breaker
//
// It is closed as long as all is well: in [Gate.Fit] each launch probes for itself, because it
// needs the answer itself, and the state is not written. A failed probe, or [Gate.Failed],
// opens the breaker for all executors of the host. From then on one of those that wait
// probes (half-open), after pauses of 1 s doubling to 60 s with jitter; the others look
// at a file every 100 to 300 ms (after minutes every 0.5 to 1.5 s) and ask the engine nothing. The first good probe closes
// the breaker. Each of the others then pauses at random, up to 1 s, and makes its own.
//
// A launch is never refused on old news alone: one whose time is up while nobody has
// asked the engine since it came asks once more, if the last probe is more than 1 s old, or waits for
// what becomes of the probe of whoever does just that. The pauses thus never hide a recovery for longer than a launch waits.
//
// # Slots
//
// [Gate.Enter] bounds what all executors of the host ask for at a time, whatever engine
// they use. Executors with different limits (the configuration was edited) share the slots
// that both know; the larger limit is the one that holds until the last of them is gone.
//
// [Gate.Watch] gives one of them the watch over what they share, without a wait.
//
// # Files
//
// In [Options].Dir, root's and 0700, per engine NAME.json, the state, NAME.info.json, what it said of itself last ([Gate.Keep]), and
// NAME.lock, and for all engines starts.lock and pulls.lock. The state is below 4 KiB, the text below 64 KiB, and both are replaced by rename(2), so a
// reader never sees half of it and needs no lock; it is never flushed to the disk, because
// it means nothing after the next boot. The locks are byte ranges of the empty lock files, owned by
// open file descriptions (F_OFD_SETLK in fcntl(2), Linux 3.15): like those of flock(2) they end with
// their process, however that ends, and one descriptor serves any number of slots.
//
// The state carries a version; the lock files hold nothing, and another use of their bytes would need other names. Times in it are wall-clock time: a clock that is set
// brings one probe too many or too late, by one pause at most.
//
// # When a process stops
//
// A killed executor's locks are free at once: the next one that looks takes the turn or
// the slot. A stopped one (SIGSTOP, freezer) keeps them. Its turn to probe is passed
// on after 20 s; should it go on later, its failure counts for nothing, its success still does. Its
// slot is lost until it goes on or dies; a launch that found no slot for as long as no healthy
// holder keeps one (5 minutes for starts, 30 for pulls) goes on without. One that
// is stopped in the microseconds of a change makes those that change the state wait 5 s, then they are on their own.
//
// # When nothing can be shared
//
// The folder cannot be made, is not root's, the disk is full, the state has another
// version or cannot be read: the executor that finds it so keeps a breaker of its own from then on, in memory, and takes
// no more slots. It says so once, through [Options].Note; later executors try again. No launch ever
// fails because of the files here; only [UnfitError] and the caller's own context end one.
//
// # Concurrency
//
// Everything may be called from any goroutine. [Gate.Fit] and [Gate.Enter] block, the others for
// 5 s at worst and normally not at all. Nothing runs in the background: outside of these calls, and of a slot or the watch
// that is held, a Gate has no goroutine, no file descriptor and no timer.
package admission
