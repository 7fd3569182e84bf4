// Package regular opens files that somebody else made, such as those of a sandbox, which belongs to the task's user while the
// executor is root: regular files, and nothing else. Opening a device can have an effect before its type is seen (a tape
// rewinds, a watchdog starts to count), and opening a FIFO waits; so a file is looked at first and opened only then, as the
// file that was looked at.
//
// It is below the packages that open such files and knows none of them. It keeps no state; each call blocks for a few
// system calls. Linux only.
package regular
