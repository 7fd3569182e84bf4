// Package imageuse is the record of which images of a host are in use: written by those who start containers from them, read by
// the clean-up that removes images. No daemon is asked by either.
//
// # Who calls what
//
// An executor calls [Note] when it has looked its task's image up and before it creates the container, and once more when the task
// has ended. A clean-up has a [Folder]: [Folder.Lock] makes it the only one of the host, [Folder.Uses] reads, [Folder.See], [Folder.SetUsed] and
// [Folder.Forget] keep the record in step with the engine's images, and [Folder.Hold] is around each removal.
//
// # Nobody loses the image that it is about to use
//
// Note touches the record first and then looks whether the image is being removed; Hold says that it is being removed first and then reads
// the record. So either the clean-up sees the use and leaves the image alone, or the executor sees the removal, waits for its
// end, and is told to look the image up again. A removal that began and ended between the look-up and Note is seen by [Removals],
// which changes at its end.
//
// # Files
//
// In one folder of root's, 0700: an empty file per image, named by the 64 digits of its ID, whose modification time is the last use or, if
// nobody noted one, when a clean-up saw the image first; unanswered, for when the engine did not finish a removal; begun, while a clean-up's
// goal is not reached; and version, the number of this form. The clean-up has flocked the folder itself. In version a byte is locked for each
// removal (F_OFD_SETLK in fcntl(2)), and its modification time changes at the end of each. All locks end with their process, however that
// ends; nothing that a killed process leaves behind needs repair. The times are the kernel's own at that moment: of many executors at once,
// the last use wins.
//
// A disk is full when a clean-up is needed most, and may well be the one with the record. So neither the locks nor another use of an image that
// the record has take an inode or a byte. What cannot be written down is lost, and an image of which nothing is known stays.
//
// # When the record cannot be used
//
// The folder is not root's, cannot be made, or has another version: Note returns an error, and a task starts all the
// same; a clean-up does not know then what is in use, and has to leave all images alone.
//
// Everything may be called from any goroutine, and takes a few system calls, but for Note while the very image is being removed. The package takes plain values and
// works on Linux only.
package imageuse
