// Package cleanup decides which images may be removed from a host to get room back.
//
// Daemons have been hurt by regular clean-ups more than by full disks: removing blocks, a removal during a pull has broken
// pulls, and "prune" takes what the next task needs. So there is no cleaning for its own sake. [Rules.Goal] says how much is wanted, and
// that is nothing until a disk is fuller than its high-water mark or too full for containers. [Rules.Plan] then picks the images that were not
// used for longest, a few per cycle, never one with a container in any state, never one that is younger than it takes a
// launch to get from its pull to its container, and never one of the keep list.
//
// A plan is to be carried out one image at a time, by [Image.References], without force, never by prune; look at the disk again after each,
// since images share layers and nobody knows how many files are in one, and stop when what is still wanted ([Rules.Rest]) is none ([Goal.None]) and
// that is certain ([Known]).
//
// When an image was last used is written down by those who use it, without asking the daemon: at the start and at the end of
// each task. An image that nobody wrote down counts as used when it was last tagged here or when a clean-up saw it first, whichever is
// later: on a host that gets its first clean-up, nothing goes at once.
//
// All functions are pure: nothing is read, removed or kept here. The package takes plain values and knows nothing of
// tasks or the executor.
package cleanup
