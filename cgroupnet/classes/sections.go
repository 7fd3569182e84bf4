package classes

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Parse reads the content of a classes.yaml; name is what errors call it, and its last element what [Registry.Name] is.
//
// It is strict: an unknown key, a key twice, a value of another type or out of range, an alias, a tag, a second document, a major
// or a class that two have or that is retired, an entry that can never apply, all are errors with the number of their line.
// The error is an [*Error].
func Parse(name string, data []byte) (*Registry, error) {
	if r := parseQuickly(name, data); r != nil {
		return r, nil
	}
	return parseWhole(name, data)
}

func parseWhole(name string, data []byte) (*Registry, error) {
	p := newParser(name)
	if root := p.document(data); root != nil {
		p.file(&entry{line: 1, value: root})
	}
	if err := p.problems.orNil(); err != nil {
		return nil, err
	}
	p.out.seal(data)
	return p.out, nil
}

func newParser(name string) *parser {
	return &parser{
		out:      &Registry{name: baseName(name), mode: Required, unknown: Deny, appIDTrusted: map[string]bool{}},
		problems: &Error{Source: name},
		majors:   map[uint16]use{},
	}
}

// seal finishes a registry that was read without a problem.
func (r *Registry) seal(data []byte) {
	sum := sha256.Sum256(data)
	r.digest = hex.EncodeToString(sum[:])
}

// file reads the whole file. A version other than ours leaves nothing else to judge.
func (p *parser) file(root *entry) {
	known := []string{"version", "class_ids", "unknown", "cluster", "principals", "clusters"}
	entries := p.mapping(root)
	at := slices.IndexFunc(entries, func(e entry) bool { return e.key == "version" })
	if at < 0 {
		version := &entry{key: "version", line: 1, value: root.value, up: root}
		p.missing(version, "version", "is missing; write `version: %d`", fileVersion)
	} else if v := entries[at].value; v.Tag != "!!int" || v.Value != strconv.Itoa(fileVersion) {
		p.problems.Problems = nil
		p.problems.add(v.Line, "version", "%s is not a version that this program reads; write `version: %d`", quote(v.Value), fileVersion)
		return
	}
	sections := map[string]*entry{}
	for _, e := range entries {
		if !slices.Contains(known, e.key) {
			p.unknown(&e, known)
			continue
		}
		sections[e.key] = &e
	}
	p.modes(sections["class_ids"], sections["unknown"])
	p.principals(sections["principals"])
	if clusters := sections["clusters"]; clusters != nil {
		p.clusters(clusters)
	}
	p.ownCluster(root, sections["cluster"])
}

func (p *parser) modes(mode, unknown *entry) {
	if mode != nil {
		if word, ok := p.word(mode, "mode of class IDs", string(Required), string(Preferred), string(Off)); ok {
			p.out.mode, p.out.modeLine = Mode(word), mode.line
		}
	}
	if unknown == nil {
		return
	}
	word, ok := p.word(unknown, "way with unknown tasks", string(Deny), string(Default), string(Untagged))
	if !ok {
		return
	}
	p.out.unknown, p.out.unknownLine = Unknown(word), unknown.line
	if p.out.unknown == Untagged && p.out.mode == Required {
		p.wrong(unknown, "lets tasks run without a class ID, and class IDs are required; write `class_ids: preferred` if that is meant, else `unknown: deny` or `unknown: default`")
	}
}

// principals reads what the file says of principals, by their exact names.
func (p *parser) principals(e *entry) {
	if e == nil {
		return
	}
	for _, principal := range p.mapping(e) {
		if strings.Contains(principal.key, "*") {
			p.note(&principal, "is no pattern: trust in app IDs is given to one principal by its whole name")
		}
		for _, key := range p.mapping(&principal) {
			if key.key != "app_id_trusted" {
				p.unknown(&key, []string{"app_id_trusted"})
			} else if trusted, ok := p.boolean(&key); ok && trusted {
				p.out.appIDTrusted[principal.key] = true
			}
		}
	}
}

// clusters reads all of them, then holds the IDs against each other: messages name others' lines, wherever they are.
func (p *parser) clusters(e *entry) {
	for _, c := range p.mapping(e) {
		if err := checkName(c.key); err != nil {
			p.note(&c, "%v", err)
		}
		p.out.clusters = append(p.out.clusters, p.cluster(&c))
	}
	for _, c := range p.out.clusters {
		for _, u := range c.retired {
			p.claim(u, join("clusters", c.name)+".retired."+printable(u.team))
		}
	}
	for _, c := range p.out.clusters {
		for _, t := range c.teams {
			if t.major != 0 {
				p.claim(use{major: t.major, cluster: c.name, team: t.name, line: t.majorLine}, t.path()+".major")
			}
		}
	}
	for _, c := range p.out.clusters {
		for _, t := range c.teams {
			p.checkIDs(t)
		}
	}
}

func (p *parser) cluster(e *entry) *cluster {
	c := &cluster{name: e.key, line: e.line, entriesLine: e.line}
	if isNull(e.value) {
		p.note(e, "is empty; write `teams` and `identities` below it, or remove it")
		return c
	}
	keys := p.keys(e, "teams", "identities", "default_team", "retired")
	if teams := keys["teams"]; teams != nil {
		for _, t := range p.mapping(teams) {
			if err := checkName(t.key); err != nil {
				p.note(&t, "%v", err)
			}
			c.teams = append(c.teams, p.team(&t, c.name))
		}
	}
	if entries := keys["identities"]; entries != nil {
		c.entriesLine = entries.line
		p.identities(entries, c)
	}
	if name := keys["default_team"]; name != nil {
		c.defaultTeam = p.teamNamed(name, c)
		if p.out.unknown != Default {
			p.note(name, "never applies: it is for `unknown: default`, and `unknown` is %s; change that, or remove the key", p.out.unknown)
		}
	}
	if retired := keys["retired"]; retired != nil {
		for _, r := range p.mapping(retired) {
			if major, ok := p.major(&r); ok {
				c.retired = append(c.retired, use{major: major, cluster: c.name, team: r.key, line: r.line, retired: true})
			}
		}
	}
	return c
}

func (p *parser) team(e *entry, cluster string) *team {
	t := &team{cluster: cluster, name: e.key, line: e.line, majorLine: e.line, appsLine: e.line}
	if isNull(e.value) {
		p.note(e, "is empty; write `major` and `apps` below it, or remove it")
		return t
	}
	keys := p.keys(e, "major", "apps", "retired")
	if major := keys["major"]; major == nil {
		p.missing(e, "major", "has no `major`; write the upper half of the team's class IDs, such as `major: 0x0010`")
	} else {
		t.majorLine = major.line
		t.major, _ = p.major(major)
	}
	if apps := keys["apps"]; apps != nil {
		t.appsLine = apps.line
		t.apps = p.apps(apps, checkAppName)
	}
	if retired := keys["retired"]; retired != nil {
		// Names of the past may be anything: "/web/shop (2)" is the second one that was retired.
		t.retired = p.apps(retired, nil)
	}
	return t
}

// path is that of a team's keys.
func (t *team) path() string {
	return "clusters." + printable(t.cluster) + ".teams." + printable(t.name)
}

// major reads the value of a key as one.
func (p *parser) major(e *entry) (uint16, bool) {
	text, ok := p.scalar(e, "a major such as 0x0010")
	if !ok {
		return 0, false
	}
	major, err := parseMajor(text)
	if err != nil {
		p.wrong(e, "%v", err)
	}
	return major, err == nil
}

// apps reads lines `app: id`.
func (p *parser) apps(e *entry, check func(string) error) []App {
	if apps, ok := p.placeBlock(e); ok {
		return apps
	}
	entries := p.mapping(e)
	apps := make([]App, 0, len(entries))
	for i := range entries {
		line := &entries[i]
		if check != nil {
			if err := check(line.key); err != nil {
				p.note(line, "%v", err)
				continue
			}
		}
		text, ok := p.scalar(line, "the app's class ID, such as 0x00100100")
		if !ok {
			continue
		}
		id, err := ParseID(text)
		if err != nil {
			p.wrong(line, "%v", err)
			continue
		}
		apps = append(apps, App{Name: line.key, ID: id, Line: line.line})
	}
	return apps
}

// ownCluster finds out which of the clusters the host is in.
func (p *parser) ownCluster(root, e *entry) {
	clusters := map[string]*cluster{}
	for _, c := range p.out.clusters {
		clusters[c.name] = c
	}
	names := slices.Sorted(maps.Keys(clusters))
	switch {
	case e != nil:
		name, ok := p.text(e, "the name of the cluster that the hosts with this file are in")
		if p.out.own = clusters[name]; ok && p.out.own == nil {
			p.wrong(e, "there is no cluster %s%s; known are %s", quote(name), p.meant(name, names), printable(listed(names)))
		}
	case len(names) == 1:
		p.out.own = p.out.clusters[0]
	case len(names) > 1:
		own := &entry{key: "cluster", line: 1, value: root.value, up: root}
		p.missing(own, "cluster", "is missing, and the file has several clusters; write the one that the hosts with this file are in, such as `cluster: %s`", printable(p.out.clusters[0].name))
	case p.out.mode != Off && len(p.problems.Problems) == 0:
		p.problems.add(1, "clusters", "is missing or empty; write teams and their class IDs below it, or `class_ids: off`")
	}
}
