// Package report is the account of a task that did not finish: what happened and when, what the engine was asked and how it
// answered, what each witness said of the container's end. It is one JSON file in the task's sandbox, written when the terminal
// update is decided, replaced when more is known, and rendered for people by the command `report`.
//
// The package holds the file's types ([Report]), a bounded list of events for the one goroutine that owns the task
// ([Recorder]), the writing ([Write], Linux only) and the reading ([Read], [Render]). It decides nothing about the task and knows no
// other package of the project: who calls fills the report in.
//
// The sandbox belongs to the task's user while the executor is root. So the writing follows no link and replaces nothing but an
// earlier report, and the reading takes every byte for a stranger's: sizes are bounded, and nothing acts on the terminal.
//
// Nothing here blocks but Write, for as long as the file system does: call it in a goroutine with a limit. A process that dies
// while it writes leaves a hidden temporary file and no report, never half a one.
package report
