package policyfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
	"mesos-docker-executor/security"
)

// openedPath is a folder of the host that some section of rules opens.
type openedPath struct {
	entry rulefile.Entry
	path  string
}

func (p *parser) noteOpened(e rulefile.Entry, key string, value any) {
	if opened, ok := value.(security.HostPath); ok && key == "mounts.host_paths" {
		p.opened = append(p.opened, openedPath{entry: e, path: opened.Path})
	}
}

// checkHostPaths refuses paths that open nothing, or the engine's sockets: which those are, the review itself is asked. One review
// does for several, since what one path opens another cannot close; but not for all, as it compares each with each.
func (p *parser) checkHostPaths() {
	const together = 16
	for some := range slices.Chunk(p.opened, together) {
		p.reviewHostPaths(some)
	}
}

func (p *parser) reviewHostPaths(some []openedPath) {
	var rules security.Rules
	var spec security.Spec
	at := map[string]openedPath{}
	for i, opened := range some {
		target := fmt.Sprintf("/%d", i)
		rules.Mounts.HostPaths = append(rules.Mounts.HostPaths, security.HostPath{Path: opened.path})
		spec.Host.Mounts = append(spec.Host.Mounts, mount.Mount{Type: mount.TypeBind, Source: opened.path, Target: target, ReadOnly: true})
		at["Host.Mounts["+target+"]"] = opened
	}
	for _, f := range security.New("", rules).Review(spec, security.Grants{}).Rejections() {
		opened, ours := at[f.Field]
		if !ours {
			continue
		}
		line, key := opened.entry.Line, opened.entry.Path+".path"
		if place := closedAltogether(opened.path); place != "" {
			p.Problems.Add(line, key, "%s opens nothing: %s and what is below it can be opened by `break_glass` only", message.Quote(opened.path), place)
		} else if isEngines(opened.path) {
			p.Problems.Add(line, key, "%s is an engine's socket or state, or the executor's own; %s: `allow: {paths: [...]}`",
				message.Quote(opened.path), onlyBreakGlass)
		} else {
			p.Problems.Add(line, key, "%s opens nothing: it holds what nobody may mount as a whole; "+
				"name the folder below it that is meant, or, for what has to be, use `break_glass`",
				message.Quote(opened.path))
		}
	}
}

// closedAltogether returns the kernel's file system that a path is in if no folder below it can be opened either.
func closedAltogether(path string) string {
	for _, place := range []string{"/proc", "/sys/fs/cgroup"} {
		if path == place || strings.HasPrefix(path, place+"/") {
			return place
		}
	}
	return ""
}

// isEngines only chooses the words; what is refused is the review's.
func isEngines(path string) bool {
	for _, word := range []string{"docker", "containerd"} {
		if strings.Contains(path, word) {
			return true
		}
	}
	return false
}
