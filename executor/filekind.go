package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/xrash/smetrics"
	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/security/policyfile"
)

// fileKind is one of the kinds of files that the operator writes.
type fileKind struct {
	name string
	// keys of the file's outermost level that no other kind has.
	keys []string
	read func(path string, data []byte) (contents, error)
}

// contents are what is to be said of a file whose content is right.
type contents struct {
	digest   string
	warnings []problem // what it says in vain
	notes    []problem
	refusals []problem // why an executor would not read it all the same
}

// fileKinds has the kind first for which a file is taken that nothing speaks for. The key principals is in two of them.
func fileKinds() []fileKind {
	return []fileKind{
		{"policy", []string{"mode", "defaults", "profiles", "identities", "break_glass"}, readPolicyFile},
		{"config", configKeys(), readConfigFile},
		{"classes", []string{"class_ids", "unknown", "cluster", "clusters"}, readClassesFile},
	}
}

func readPolicyFile(path string, data []byte) (contents, error) {
	p, err := parsePolicy(path, data)
	if err != nil {
		return contents{}, err
	}
	c := contents{digest: p.Digest(), refusals: p.refusals}
	for _, n := range p.allNotes() {
		if said := (problem{Line: n.Line, Text: n.Text}); n.Warning {
			c.warnings = append(c.warnings, said)
		} else {
			c.notes = append(c.notes, said)
		}
	}
	return c, nil
}

func readClassesFile(path string, data []byte) (contents, error) {
	r, err := parseClasses(path, data)
	if err != nil {
		return contents{}, err
	}
	c := contents{digest: r.Digest(), refusals: r.refusals}
	for _, note := range r.Notes() {
		c.notes = append(c.notes, placedNote(r.Name(), note))
	}
	return c, nil
}

func readConfigFile(path string, data []byte) (contents, error) {
	if _, err := config.Parse(nameOf(path), data); err != nil {
		return contents{}, err
	}
	sum := sha256.Sum256(data)
	c := contents{digest: hex.EncodeToString(sum[:])}
	if path == fromStdin {
		return c, nil
	}
	absolute, err := filepath.Abs(path)
	if err == nil {
		_, err = config.Load(absolute, true)
	}
	c.refusals = problemsOf(err)
	return c, nil
}

func configKeys() []string {
	var keys []string
	for _, k := range config.Keys() {
		if key, _, _ := strings.Cut(k.Path, "."); key != "version" {
			keys = append(keys, key)
		}
	}
	return slices.Compact(keys)
}

func kindNamed(name string) (fileKind, bool) {
	for _, kind := range fileKinds() {
		if kind.name == name {
			return kind, true
		}
	}
	return fileKind{}, false
}

// kindOf is the kind with most of the file's keys, and where these do not tell, the kind that the file's name says, or else that with
// the most similar keys. What nothing is known of is taken for the first.
func kindOf(path string, data []byte) fileKind {
	written := outerKeys(data)
	known := leading(fileKinds(), written, func(kind fileKind, key string) bool { return slices.Contains(kind.keys, key) })
	name := strings.TrimSuffix(filepath.Base(path), ".yaml")
	if at := slices.IndexFunc(known, func(kind fileKind) bool { return kind.name == name }); at >= 0 {
		return known[at]
	}
	return leading(known, written, mayMean)[0]
}

// leading are those of the kinds that know the most of the keys.
func leading(kinds []fileKind, keys []string, knows func(fileKind, string) bool) []fileKind {
	var first []fileKind
	most := 0
	for _, kind := range kinds {
		count := 0
		for _, key := range keys {
			if knows(kind, key) {
				count++
			}
		}
		switch {
		case first == nil || count > most:
			first, most = []fileKind{kind}, count
		case count == most:
			first = append(first, kind)
		}
	}
	return first
}

// mayMean reports whether a key is one of the kind's but for two letters.
func mayMean(kind fileKind, key string) bool {
	const longest = 40
	return len(key) <= longest && slices.ContainsFunc(kind.keys, func(k string) bool { return smetrics.WagnerFischer(k, key, 1, 1, 1) <= 2 })
}

// outerKeys are the keys of a YAML file's outermost level; of a file that is no YAML, what looks like them.
func outerKeys(data []byte) []string {
	var keys []string
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err == nil && len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
		for i := 0; i < len(doc.Content[0].Content); i += 2 {
			keys = append(keys, doc.Content[0].Content[i].Value)
		}
		return keys
	}
	for line := range strings.Lines(string(data)) {
		if key, _, ok := strings.Cut(line, ":"); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// problemsOf takes an error about a file apart.
func problemsOf(err error) []problem {
	if err == nil {
		return nil
	}
	var list []problem
	var wrongConfig *config.Error
	if errors.As(err, &wrongConfig) {
		for _, p := range wrongConfig.Problems {
			list = append(list, problem{Line: p.Line, Key: p.Name, Text: p.Text})
		}
		return list
	}
	var wrongRules *policyfile.Error // which is that of class files as well
	if errors.As(err, &wrongRules) {
		for _, p := range wrongRules.Problems {
			list = append(list, problem{Line: p.Line, Key: p.Key, Text: p.Text})
		}
		return list
	}
	return []problem{{Text: err.Error()}}
}

// defaultFile is a file that executors of this host read without being told.
type defaultFile struct {
	path, kind string
	without    string // what holds when it is not there
}

func defaultFiles() []defaultFile {
	return []defaultFile{
		{config.DefaultPath, "config", "the defaults hold"},
		{policyfile.DefaultPath, "policy", "the built-in policy holds"},
		{classes.DefaultPath, "classes", "class IDs are off"},
	}
}

func defaultFolder() string { return filepath.Dir(config.DefaultPath) }
