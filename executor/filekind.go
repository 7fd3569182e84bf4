package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

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
	notes    []string
	refusals []problem // why an executor would not read it all the same
}

func fileKinds() []fileKind {
	return []fileKind{
		{"policy", []string{"mode", "principals", "defaults", "profiles", "identities", "break_glass"}, readPolicyFile},
		{"config", configKeys(), readConfigFile},
	}
}

func readPolicyFile(path string, data []byte) (contents, error) {
	p, err := parsePolicy(path, data)
	if err != nil {
		return contents{}, err
	}
	return contents{p.Digest(), p.Notes(), p.refusals}, nil
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

// kindOf is the kind with most of the file's keys, and where these do not tell, the kind that the file's name says. The zero
// kind if that does not tell either.
func kindOf(path string, data []byte) fileKind {
	written := outerKeys(data)
	count := func(kind fileKind) int {
		return len(slices.DeleteFunc(slices.Clone(written), func(key string) bool { return !slices.Contains(kind.keys, key) }))
	}
	kinds := fileKinds()
	switch policy, config := count(kinds[0]), count(kinds[1]); {
	case policy > config:
		return kinds[0]
	case config > policy:
		return kinds[1]
	}
	kind, _ := kindNamed(strings.TrimSuffix(filepath.Base(path), ".yaml"))
	return kind
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

// unknownKind says why a file is of no kind that can be checked.
func unknownKind() string {
	var known []string
	for _, kind := range fileKinds() {
		known = append(known, "a "+kind.name+".yaml has "+strings.Join(kind.keys, ", "))
	}
	return "is no file that this version knows by its keys: " + strings.Join(known, "; ")
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
	var wrongPolicy *policyfile.Error
	if errors.As(err, &wrongPolicy) {
		for _, p := range wrongPolicy.Problems {
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
		{filepath.Join(defaultFolder(), "classes.yaml"), "classes", "no task's traffic gets a class ID"},
	}
}

func defaultFolder() string { return filepath.Dir(config.DefaultPath) }
