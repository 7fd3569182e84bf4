// Package chaos holds the tests of what the executor exists for: a task's whole life under [supervise.Run] on a real engine that
// is frozen, killed, restarted, starved or made to lie at every step. There is nothing to import.
//
// Each test asserts what has to hold whatever happens: exactly one terminal update, TASK_FINISHED only for a program that
// exited with 0, and after one sweep by a later executor nothing of the task on the host; the goroutines and file descriptors of this
// process and of dockerd are back to what they were.
package chaos
