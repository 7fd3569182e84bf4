package policyfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/security"
)

// section is one place of a file where rules are written.
type section struct {
	name  string // "identities[0].rules"
	rules layer
}

// combination is what the rules of some task are made of, in the order of the layers.
type combination struct {
	sections []section
	rules    security.Rules
}

// combinations returns all that tasks can get by the file, or some more than are looked at.
func (f *File) combinations() []combination {
	defaults := section{"defaults", f.defaults}
	all := []combination{combine(defaults)}
	for i, id := range f.identities {
		if len(all) > mostCombinations {
			break
		}
		own := section{fmt.Sprintf("identities[%d].rules", i), id.rules}
		all = append(all, combine(defaults, own))
		for _, name := range id.profiles {
			all = append(all, combine(defaults, own, section{"profiles." + message.Printable(name), f.profiles[name]}))
		}
	}
	return all
}

func combine(sections ...section) combination {
	c := combination{sections: sections, rules: security.BuiltInRules()}
	for _, s := range sections {
		s.rules.apply(&c.rules, map[string]string{}, "")
	}
	return c
}

// mostCombinations is how many are looked at. No file that people keep in their heads has more, and they are multiplied.
const mostCombinations = 2000

// Warnings returns what the file says and no task can ever have, in the order of its lines. It is for who writes the file: it can take a
// second, and the executor of a task does without.
func (f *File) Warnings() []Note {
	warnings := append(f.shadowed(), f.unlisted()...)
	with := map[string][]combination{} // by the names of their sections
	var sections []section
	if all := f.combinations(); len(all) <= mostCombinations {
		for _, c := range all {
			for _, s := range c.sections {
				if with[s.name] == nil {
					sections = append(sections, s)
				}
				with[s.name] = append(with[s.name], c)
			}
		}
	}
	for _, s := range sections {
		for _, written := range s.rules {
			switch written.rule.key {
			case "capabilities.base":
				warnings = append(warnings, f.neverGiven(s, written, with[s.name])...)
			case "mounts.host_paths":
				warnings = append(warnings, f.neverOpened(s, written, with[s.name])...)
			}
		}
	}
	slices.SortStableFunc(warnings, func(a, b Note) int { return a.Line - b.Line })
	return warnings
}

// shadowed warns of entries that are never the first to match.
func (f *File) shadowed() []Note {
	var warnings []Note
	for i, id := range f.identities {
		by := slices.IndexFunc(f.identities[:i], func(earlier identity) bool { return earlier.match.CoversAll(id.match) })
		if by >= 0 {
			warnings = append(warnings, f.warning(id.line, "identities[%d] (%s) is never reached: the first match wins, and identities[%d] "+
				"on line %d (%s) is for all of its tasks; write it before that one.",
				i, id.match, by, f.identities[by].line, f.identities[by].match))
		}
	}
	return warnings
}

// unlisted warns of profiles that nobody may pick.
func (f *File) unlisted() []Note {
	var warnings []Note
	for _, name := range slices.Sorted(maps.Keys(f.profiles)) {
		if !slices.ContainsFunc(f.identities, func(id identity) bool { return slices.Contains(id.profiles, name) }) {
			warnings = append(warnings, f.warning(f.profileLines[name],
				"profiles.%s: no task may pick it; write its name into `profiles` of an entry of `identities`, or remove it.", name))
		}
	}
	return warnings
}

// neverGiven warns of capabilities that a section has in base, and that nobody is allowed who gets its rules.
func (f *File) neverGiven(s section, base setting, with []combination) []Note {
	var never []string
	for _, name := range base.value.Interface().([]string) {
		if !slices.ContainsFunc(with, func(c combination) bool { return slices.Contains(c.rules.Capabilities.Allow, name) }) {
			never = append(never, strings.TrimPrefix(name, "CAP_"))
		}
	}
	if never == nil {
		return nil
	}
	return []Note{f.warning(base.line,
		"%s.capabilities.base: no container gets %s: `allow` has the most that one can have; write it there, too, or remove it.",
		s.name, strings.Join(never, ", "))}
}

// neverOpened warns of host paths that denied_paths closes, and of those that another one contradicts.
func (f *File) neverOpened(s section, paths setting, with []combination) []Note {
	var warnings []Note
	list := paths.value.Interface().([]security.HostPath)
	writable := map[string]bool{} // of the paths so far
	for i, p := range list {
		closed := func(c combination) bool { return closing(c.rules.Mounts.DeniedPaths, p.Path) != "" }
		line, key := paths.elements[i], fmt.Sprintf("%s.mounts.host_paths[%d]", s.name, i)
		if before, twice := writable[p.Path]; twice && before != p.Writable {
			warnings = append(warnings, f.warning(line,
				"%s: %s is in the list read-only and writable, and so can be mounted for writing; keep one.", key, message.Quote(p.Path)))
		}
		writable[p.Path] = p.Writable
		if !slices.ContainsFunc(with, func(c combination) bool { return !closed(c) }) {
			warnings = append(warnings, f.warning(line, "%s: %s opens nothing: `denied_paths` has %s, which closes it; remove one of the two.",
				key, message.Quote(p.Path), message.Quote(closing(with[0].rules.Mounts.DeniedPaths, p.Path))))
		}
	}
	return warnings
}

// closing returns the denied path that p is, or is below, or "".
func closing(denied []string, p string) string {
	for _, place := range denied {
		if p == place || strings.HasPrefix(p, place+"/") {
			return place
		}
	}
	return ""
}
