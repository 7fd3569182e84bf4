package main

import (
	"context"
	"fmt"
	"strings"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/hostcheck"
	"mesos-docker-executor/security/policyfile"
)

// examineHost looks at this host, with the files that are named.
func examineHost(ctx context.Context, named files) (hostcheck.Lines, error) {
	return hostcheck.Look(ctx, hostcheck.Options{
		Config:   func() (config.File, error) { return readConfig(named.config) },
		Operator: func(file config.File) hostcheck.Operator { return lookAtFiles(named, file) },
	}), nil
}

// lookAtFiles checks the operator's files as `check` does, and as what an executor takes them for.
func lookAtFiles(named files, file config.File) hostcheck.Operator {
	found := hostcheck.Operator{ClassIDs: hostcheck.ClassesRequired} // of a file that is wrong: no task starts
	paths := map[string]string{config.DefaultPath: named.config, policyfile.DefaultPath: named.policy, classes.DefaultPath: named.classes}
	for _, d := range defaultFiles() {
		if path := paths[d.path]; path != "" {
			found.Files = append(found.Files, shownFile(checkNamed(path, d.kind)))
			continue
		}
		demanded := func() error { return nil }
		if d.path == classes.DefaultPath {
			demanded = func() error { return checkClassesThere(classes.None(d.path), file) }
		}
		found.Files = append(found.Files, shownFile(d.check(demanded)))
	}
	registry, err := loadClasses(named.classes)
	if err == nil && checkClassesThere(registry, file) == nil {
		found.ClassIDs = hostcheck.ClassIDs(registry.Mode())
	}
	return found
}

// checkNamed checks a file that a flag names in the place of this host's.
func checkNamed(path, kindName string) checkedFile {
	data, err := readOperatorFile(path, nil)
	if err != nil {
		text := strings.TrimPrefix(err.Error(), nameOf(path)+": ")
		if missing(path) {
			text = "does not exist; create it, or leave the flag --" + kindName + " out"
		}
		return checkedFile{File: nameOf(path), Kind: kindName, Problems: []problem{{Text: text}}}
	}
	kind, _ := kindNamed(kindName)
	return checkContent(path, kind, data, true)
}

// shownFile is what the page shows of a file.
func shownFile(f checkedFile) hostcheck.File {
	shown := hostcheck.File{Kind: f.Kind, Path: f.File, Without: f.Missing, SHA256: f.SHA256}
	for _, p := range f.Problems {
		shown.Problems = append(shown.Problems, placedProblem(p))
	}
	for _, p := range f.Warnings {
		shown.Warnings = append(shown.Warnings, placedProblem(p))
	}
	return shown
}

// placedProblem is a problem behind the number of its line.
func placedProblem(p problem) string {
	if p.Line == 0 {
		return p.String()
	}
	return fmt.Sprintf("line %d: %s", p.Line, p)
}
