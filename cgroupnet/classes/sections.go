package classes

import (
	"maps"
	"slices"
	"strconv"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
)

// file reads the whole file. A version other than ours leaves nothing else to judge.
func (p *parser) file(root rulefile.Entry) {
	known := []string{"version", "class_ids", "unknown", "cluster", "principals", "clusters"}
	entries := p.Mapping(root)
	at := slices.IndexFunc(entries, func(e rulefile.Entry) bool { return e.Key == "version" })
	if at < 0 {
		p.Missing(rulefile.Entry{Path: "version", Line: 1, Value: root.Value}, "version", "is missing; write `version: %d`", fileVersion)
	} else if v := entries[at].Value; v.Tag != "!!int" || v.Value != strconv.Itoa(fileVersion) {
		p.Problems.Problems = nil
		p.Problems.Add(v.Line, "version", "%s is not a version that this program reads; write `version: %d`", message.Quote(v.Value), fileVersion)
		return
	}
	sections := map[string]*rulefile.Entry{}
	for _, e := range entries {
		if !slices.Contains(known, e.Key) {
			p.unknown(e, known)
			continue
		}
		sections[e.Key] = &e
	}
	p.modes(sections["class_ids"], sections["unknown"])
	if principals := sections["principals"]; principals != nil {
		p.out.appIDTrusted = p.Principals(*principals)
	}
	if clusters := sections["clusters"]; clusters != nil {
		p.clusters(*clusters)
	}
	p.ownCluster(root, sections["cluster"])
}

func (p *parser) modes(mode, unknown *rulefile.Entry) {
	if mode != nil {
		if word, ok := p.word(*mode, "mode of class IDs", string(Required), string(Preferred), string(Off)); ok {
			p.out.mode, p.out.modeLine = Mode(word), mode.Line
		}
	}
	if unknown == nil {
		return
	}
	word, ok := p.word(*unknown, "way with unknown tasks", string(Deny), string(Default), string(Untagged))
	if !ok {
		return
	}
	p.out.unknown, p.out.unknownLine = Unknown(word), unknown.Line
	if p.out.unknown == Untagged && p.out.mode == Required {
		p.Wrong(*unknown, "lets tasks run without a class ID, and class IDs are required; write `class_ids: preferred` if that is meant, else `unknown: deny` or `unknown: default`")
	}
}

// clusters reads all of them, then holds the IDs against each other: messages name others' lines, wherever they are.
func (p *parser) clusters(e rulefile.Entry) {
	for _, c := range p.Mapping(e) {
		if err := checkName(c.Key); err != nil {
			p.Note(c, "%v", err)
		}
		p.out.clusters = append(p.out.clusters, p.cluster(c))
	}
	for _, c := range p.out.clusters {
		for _, u := range c.retired {
			p.claim(u, rulefile.Join("clusters", c.name)+".retired."+message.Printable(u.team))
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

func (p *parser) cluster(e rulefile.Entry) *cluster {
	c := &cluster{name: e.Key, line: e.Line, entriesLine: e.Line}
	if rulefile.IsNull(e.Value) {
		p.Note(e, "is empty; write `teams` and `identities` below it, or remove it")
		return c
	}
	keys := p.Keys(e, "teams", "identities", "default_team", "retired")
	if teams := keys["teams"]; teams != nil {
		for _, t := range p.Mapping(*teams) {
			if err := checkName(t.Key); err != nil {
				p.Note(t, "%v", err)
			}
			c.teams = append(c.teams, p.team(t, c.name))
		}
	}
	if entries := keys["identities"]; entries != nil {
		c.entriesLine = entries.Line
		p.identities(*entries, c)
	}
	if name := keys["default_team"]; name != nil {
		c.defaultTeam = p.teamNamed(*name, c)
		if p.out.unknown != Default {
			p.Note(*name, "never applies: it is for `unknown: default`, and `unknown` is %s; change that, or remove the key", p.out.unknown)
		}
	}
	if retired := keys["retired"]; retired != nil {
		for _, r := range p.Mapping(*retired) {
			if major, ok := p.major(r); ok {
				c.retired = append(c.retired, use{major: major, cluster: c.name, team: r.Key, line: r.Line, retired: true})
			}
		}
	}
	return c
}

func (p *parser) team(e rulefile.Entry, cluster string) *team {
	t := &team{cluster: cluster, name: e.Key, line: e.Line, majorLine: e.Line, appsLine: e.Line}
	if rulefile.IsNull(e.Value) {
		p.Note(e, "is empty; write `major` and `apps` below it, or remove it")
		return t
	}
	keys := p.Keys(e, "major", "apps", "retired")
	if major := keys["major"]; major == nil {
		p.Missing(e, "major", "has no `major`; write the upper half of the team's class IDs, such as `major: 0x0010`")
	} else {
		t.majorLine = major.Line
		t.major, _ = p.major(*major)
	}
	if apps := keys["apps"]; apps != nil {
		t.appsLine = apps.Line
		t.apps = p.apps(e, *apps, checkAppName)
	}
	if retired := keys["retired"]; retired != nil {
		// Names of the past may be anything: "/web/shop (2)" is the second one that was retired.
		t.retired = p.apps(e, *retired, nil)
	}
	return t
}

// path is that of a team's keys.
func (t *team) path() string {
	return "clusters." + message.Printable(t.cluster) + ".teams." + message.Printable(t.name)
}

// major reads the value of a key as one.
func (p *parser) major(e rulefile.Entry) (uint16, bool) {
	text, ok := p.Scalar(e, "a major such as 0x0010")
	if !ok {
		return 0, false
	}
	major, err := ParseMajor(text)
	if err != nil {
		p.Wrong(e, "%v", err)
	}
	return major, err == nil
}

// apps reads lines `app: id` of a team.
func (p *parser) apps(of, e rulefile.Entry, check func(string) error) []App {
	if apps, ok := p.placeBlock(of, e); ok {
		return apps
	}
	entries := p.Mapping(e)
	apps := make([]App, 0, len(entries))
	for _, line := range entries {
		if check != nil {
			if err := check(line.Key); err != nil {
				p.Note(line, "%v", err)
				continue
			}
		}
		text, ok := p.Scalar(line, "the app's class ID, such as 0x00100100")
		if !ok {
			continue
		}
		id, err := ParseID(text)
		if err != nil {
			p.Wrong(line, "%v", err)
			continue
		}
		apps = append(apps, App{Name: line.Key, ID: id, Line: line.Line})
	}
	return apps
}

// ownCluster finds out which of the clusters the host is in.
func (p *parser) ownCluster(root rulefile.Entry, e *rulefile.Entry) {
	clusters := map[string]*cluster{}
	for _, c := range p.out.clusters {
		clusters[c.name] = c
	}
	names := slices.Sorted(maps.Keys(clusters))
	switch {
	case e != nil:
		name, ok := p.Text(*e, "the name of the cluster that the hosts with this file are in")
		if p.out.own = clusters[name]; ok && p.out.own == nil {
			p.Wrong(*e, "there is no cluster %s%s; known are %s", message.Quote(name), p.meant(name, names), message.Listed(names))
		}
	case len(names) == 1:
		p.out.own = p.out.clusters[0]
	case len(names) > 1:
		own := rulefile.Entry{Path: "cluster", Line: 1, Value: root.Value}
		p.Missing(own, "cluster", "is missing, and the file has several clusters; write the one that the hosts with this file are in, such as `cluster: %s`", message.Printable(p.out.clusters[0].name))
	case p.out.mode != Off && len(p.Problems.Problems) == 0:
		p.Problems.Add(1, "clusters", "is missing or empty; write teams and their class IDs below it, or `class_ids: off`")
	}
}
