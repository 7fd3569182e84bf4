// Package imagegc removes images from a host to get room back, as the package storage/cleanup plans it. It is the one room that sees
// the engine, the record of image use and the disks together; the command gc wires it.
//
// # A cycle
//
// [Look] lists the engine's images and the containers of each, adds what the record says, and plans; it changes nothing. [Run] does the same
// and carries the plan out: one image after the other, by reference, without force, with a pause between two. Before each it asks whether
// anything stands against it ([Options.Hindrance]), looks at the disks once more and stops when there is room, and then, with the removal
// announced in the record ([imageuse.Folder.Hold]), makes sure that the image still has no container, no newer use and its names. So an image
// that a task begins to use between plan and removal stays, or the task's executor learns of it.
//
// An image with several names loses them one after the other; the last step is by ID, which the daemon refuses if it got another name
// meanwhile. A name that belongs to another image by now is passed over. In the milliseconds between that look and the removal a pull may
// still give the name to another image, which loses it then, and has to be pulled again.
//
// A removal that the daemon refuses costs nothing but itself; as long as it removes others, the image then counts as used, so that those which are
// refused for good do not take the turns of all others. One without an answer ends the cycle: it may go on in the daemon, where each
// waits behind a container that is wedged; the next cycles leave the images alone for [Spared].
//
// The disk with the record may be the one that is full. What the record cannot take is reported, and does not end the cycle. That a disk says nothing does: it
// may have room.
//
// # When it is killed
//
// At any moment: nothing is kept in memory that matters. What is locked is free again, an image has lost none, some or all of its names, and
// the next cycle plans anew from what there is. The same is true when its context ends, but that what was done is in the report. Two at once
// cannot be: the caller holds [imageuse.Folder.Lock].
//
// Everything blocks for the limits of the engine's calls and the pauses, ends with its context, and leaves no goroutine but one for each of the
// engine's disks that hangs ([storage.Looker]). A disk with the record that hangs is waited for without a limit.
package imagegc
