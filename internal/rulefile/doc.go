// Package rulefile reads what policy.yaml and classes.yaml have in common: keys, each with its path and line ([Reader]), the identities
// that entries are for ([Match]), and the list of all that is wrong ([Error]). What the keys mean is known to the packages of the two files
// alone.
//
// It does not let the YAML library fill structs: that would report neither all problems nor the possible values, and would read 010
// as 8. All of it is pure, and keeps no state but what it notes.
package rulefile
