// Package rootfile reads the files by which root decides what runs as root: config.yaml, policy.yaml with the seccomp
// profiles that it names, and classes.yaml. It owns what holds for each of them, whatever is in it: that nobody else can have written it ([Read]), and of YAML that
// it says to a parser what an editor shows of it ([Document]).
//
// It knows no package but that for the wording of messages. It keeps no state, and only [Read] touches the file system: for a few system
// calls, and it waits for nobody.
package rootfile
