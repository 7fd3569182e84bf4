package task

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// flag is one flag of docker run, under all its names, and what a parameter of that name means here.
type flag struct {
	name    string   // the long name that Docker documents
	short   string   // its letter, "" if it has none
	aliases []string // hidden long names
	kind    flagKind
	when    phase
	// secret: the value may hold one, and no message shows it.
	secret bool
	// set translates the flag into the Spec; nil for a flag that is refused.
	set func(*dockerRun, parameter)

	// refusal says, for a flag that is refused, why and what to write instead: "<refusal>." ends a sentence.
	refusal string
	// usual is the value that a refused boolean has anyway in docker run: writing it asks for nothing.
	usual bool
}

// flagKind tells how often a flag counts.
type flagKind string

const (
	onOff    flagKind = "boolean" // true or false, once
	single   flagKind = "single"  // one value, once
	repeated flagKind = "list"    // each parameter adds to it
)

// phase orders the flags of one task: what one says about another must not depend on their order.
type phase int

const (
	normally phase = iota
	early          // what others need: the network, the volume driver
	late           // what needs others: addresses need the network, expose the published ports
)

// flagTable finds each flag of docker run 28 by every name that it has, letters included. It is built once, on first use.
var flagTable = sync.OnceValue(func() map[string]*flag {
	table := map[string]*flag{}
	for _, f := range slices.Concat(
		processFlags(), healthFlags(), rightsFlags(), networkFlags(), portFlags(), mountFlags(), limitFlags(), deviceFlags(),
		clientFlags(), resourceFlags(), windowsFlags(),
	) {
		names := append([]string{f.name}, f.aliases...)
		if f.short != "" {
			names = append(names, f.short)
		}
		for _, name := range names {
			table[name] = &f
		}
	}
	return table
})

// flagName is what docker run would take for the flag: its flag library ends the name at the first '='.
func flagName(key string) string {
	name, _, _ := strings.Cut(key, "=")
	return name
}

// looksPrivileged recognises `privileged` in whatever dashes, blanks and quotes are around it, in any case: a key that
// some reader could take for it is one.
func looksPrivileged(name string) bool {
	return strings.EqualFold(strings.TrimFunc(name, func(c rune) bool { return !unicode.IsLetter(c) }), "privileged")
}

// insteadOf says how to write a key that is no flag of docker run, as a sentence's end. Unless search is set, it looks for
// no similar name: that takes some thousand times longer.
func insteadOf(key string, search bool) string {
	const none = "remove it, or write the name of a flag of docker run."
	if len(key) > longestMistyped {
		return none
	}
	table := flagTable()
	plain := strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(key), "-"))
	for _, name := range []string{plain, strings.ToLower(plain)} {
		if _, known := table[name]; known {
			return fmt.Sprintf("write `%s`, without dashes or blanks and in this case.", name)
		}
	}

	if !search {
		return none
	}
	if name := similar(plain, maps.Keys(table)); name != "" {
		return fmt.Sprintf("did you mean `%s`?", name)
	}
	return none
}
