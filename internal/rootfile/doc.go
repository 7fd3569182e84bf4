// Package rootfile reads the YAML files by which root decides what runs as root: config.yaml and policy.yaml. It owns what holds for
// each of them, whatever its keys are: that nobody else can have written it, and that it says to a parser what an editor shows of it.
//
// It is below all other packages and knows none of them. It keeps no state, and only [Read] touches the file system: for a few system
// calls, and it waits for nobody.
package rootfile
