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
	notes    []policyfile.Note
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
	return contents{p.Digest(), p.allNotes(), p.refusals}, nil
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
// the most similar keys. What nothing is known of is taken for a policy.
func kindOf(path string, data []byte) fileKind {
	written, kinds := outerKeys(data), fileKinds()
	more := func(knows func(kind fileKind, key string) bool) int {
		difference := 0
		for _, key := range written {
			for i, kind := range kinds {
				if knows(kind, key) {
					difference += 1 - 2*i
				}
			}
		}
		return difference
	}
	known := more(func(kind fileKind, key string) bool { return slices.Contains(kind.keys, key) })
	named, isNamed := kindNamed(strings.TrimSuffix(filepath.Base(path), ".yaml"))
	switch {
	case known == 0 && isNamed:
		return named
	case known < 0, known == 0 && more(mayMean) < 0:
		return kinds[1]
	}
	return kinds[0]
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
	}
}

func defaultFolder() string { return filepath.Dir(config.DefaultPath) }
