package policyfile

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rootfile"
	"mesos-docker-executor/internal/rulefile"
)

// fileVersion is the version of policy.yaml that this package reads.
const fileVersion = 1

// Parse is [ParseWith] without reading any seccomp profile: each stands for one that forbids every call, and [File.Digest] is that
// of the file alone. It is for looking at a policy away from its host, never for running a task.
func Parse(name string, data []byte, now time.Time) (*File, error) {
	return ParseWith(name, data, now, nil)
}

// ParseWith reads the content of a policy.yaml; name is what errors call it, and its last element what [File.Name] is. profile
// returns the content of a seccomp profile that the file names by its path.
//
// It is strict: an unknown key, a key twice, a value of another type, without a unit or out of range, an alias, a tag, a second
// document, what no policy can allow or only break_glass, all are errors with the number of their line. The error is an
// [*Error].
func ParseWith(name string, data []byte, now time.Time, profile func(path string) ([]byte, error)) (*File, error) {
	p := newParser(name, now, profile)
	fault := func(line int, text string) { p.Problems.Add(line, "", "%s", text) }
	if len(data) > maxFileSize {
		fault(0, rootfile.TooLarge(maxFileSize).Error())
	} else if root := rootfile.Document(data, fault); root != nil {
		p.file(root)
	}
	if err := p.Problems.OrNil(); err != nil {
		return nil, err
	}
	p.out.seal(data, p.profiles)
	return p.out, nil
}

// Error lists every problem of a policy file, in the order of its lines; of a file with more than a thousand, the first thousand.
type Error = rulefile.Error

// Problem is one thing to put right.
type Problem = rulefile.Problem

// parser walks the nodes of a file.
type parser struct {
	rulefile.Reader
	out      *File
	now      time.Time
	rules    []rule            // that a section of rules can write
	facts    map[string]fact   // by the rules' keys
	entries  map[string][]rule // fields of entries of lists, by the prefix of their keys
	read     func(path string) ([]byte, error)
	profiles map[string]string // seccomp profiles read so far, by their path
	opened   []openedPath      // of the host, in all sections of rules
}

func newParser(name string, now time.Time, read func(path string) ([]byte, error)) *parser {
	p := &parser{
		Reader:   rulefile.Reader{Problems: &Error{Source: name}},
		out:      &File{name: baseName(name)},
		now:      now,
		rules:    ordinaryRules(),
		facts:    facts(),
		read:     read,
		profiles: map[string]string{},
		entries:  map[string][]rule{},
	}
	p.Unknown = p.unknown
	return p
}

// file reads the whole file. A version other than ours leaves nothing else to judge.
func (p *parser) file(root *yaml.Node) {
	known := []string{"version", "mode", "principals", "defaults", "profiles", "identities", "break_glass"}
	entries := p.Mapping(rulefile.Entry{Value: root})
	at := slices.IndexFunc(entries, func(e rulefile.Entry) bool { return e.Key == "version" })
	if at < 0 {
		p.Missing(rulefile.Entry{Path: "version", Line: 1, Value: root}, "version", "is missing; write `version: %d`", fileVersion)
	} else if v := entries[at].Value; v.Tag != "!!int" || v.Value != strconv.Itoa(fileVersion) {
		p.Problems.Problems = nil
		p.Problems.Add(v.Line, "version", "%s is not a version that this program reads; write `version: %d`", message.Quote(v.Value), fileVersion)
		return
	}
	sections := map[string]rulefile.Entry{}
	for _, e := range entries {
		if !slices.Contains(known, e.Key) {
			p.unknown(e, known)
			continue
		}
		sections[e.Key] = e
	}
	// Profiles and principals first: entries refer to them.
	p.section(sections, "mode", func(e rulefile.Entry) { p.out.mode, p.out.modeLine = p.mode(e), e.Line })
	p.section(sections, "principals", func(e rulefile.Entry) { p.out.appIDTrusted = p.Principals(e) })
	p.section(sections, "defaults", func(e rulefile.Entry) { p.out.defaults = p.layer(e) })
	p.section(sections, "profiles", p.namedProfiles)
	p.section(sections, "identities", p.identities)
	p.section(sections, "break_glass", p.breakGlass)
	p.checkHostPaths()
}

func (p *parser) section(sections map[string]rulefile.Entry, key string, read func(rulefile.Entry)) {
	if e, written := sections[key]; written {
		read(e)
	}
}

// unknown notes a key that is none, and where it belongs if that is known.
func (p *parser) unknown(e rulefile.Entry, known []string) {
	isRule := slices.ContainsFunc(p.rules, func(r rule) bool {
		section, _, _ := strings.Cut(r.key, ".")
		return section == strings.TrimPrefix(e.Key, "+")
	})
	inRules := strings.Contains(e.Path, "rules.") || strings.HasPrefix(e.Path, "defaults.") || strings.HasPrefix(e.Path, "profiles.")
	switch {
	case strings.EqualFold(e.Key, "privileged"):
		p.Note(e, "cannot be allowed by any section of any file; remove it, and allow single capabilities in `capabilities`")
	case inRules && e.Key == "mode" && slices.Contains(known, "network"): // not in a section of its own keys
		p.Note(e, "is no rule; write it at the top of the file, or in an entry of `identities` beside `match`")
	case inRules && slices.Contains([]string{"break_glass", "paths", "propagation", "unconfined"}, e.Key):
		p.Note(e, "is no rule: only an entry of `break_glass` at the top of the file can lift this, with reason and expiry")
	case isRule && !inRules:
		p.Note(e, "is a rule; write it under `defaults`, a profile, or `rules` of an entry of `identities`")
	default:
		p.Note(e, "is an unknown key%s; known here: %s", message.Meant(e.Key, known), strings.Join(known, ", "))
	}
}
