// Package rootfile reads the files by which root decides what runs as root: config.yaml, policy.yaml and the seccomp profiles that the
// latter names. It owns what holds for each of them, whatever is in it: that nobody else can have written it ([Read]), and of YAML that
// it says to a parser what an editor shows of it ([Document]).
//
// It is below all other packages and knows none of them. It keeps no state, and only [Read] touches the file system: for a few system
// calls, and it waits for nobody.
package rootfile
