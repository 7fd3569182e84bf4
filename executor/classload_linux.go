package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptrace"
	"sync"
	"time"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/task"
)

// classesWait is how long a launch waits for classes.yaml, which is read in milliseconds.
const classesWait = 10 * time.Second

// classFile is a classes.yaml that is read while the agent answers SUBSCRIBE: it may have ten thousand lines.
type classFile struct {
	read     chan struct{}
	registry *classes.Registry
	err      error
}

// classesBeside returns the class file, and a context for the session: once the first request, SUBSCRIBE, has been written, the file is
// read. Before that it would take the request's time on a host with few CPUs: a file of ten thousand apps made the way to SUBSCRIBE a
// third longer. Nobody waits for the reading at the end: a file system that hangs must not keep the executor.
func (s start) classesBeside(ctx context.Context, log *slog.Logger, say func(string)) (*classFile, context.Context) {
	f := &classFile{read: make(chan struct{})}
	begin := sync.OnceFunc(func() { go f.load(s, log, say) })
	return f, httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { begin() }})
}

// load reads the file, and says in the log what it is.
func (f *classFile) load(s start, log *slog.Logger, say func(string)) {
	defer close(f.read)
	registry, err := loadClasses(s.classes)
	if err == nil {
		err = checkClassesThere(registry, s.file)
	}
	if f.registry, f.err = registry, briefly(err); err != nil {
		say(f.err.Error())
		return
	}
	log.Info("classes", "file", f.registry.Name(), "sha256", f.registry.Digest(), "class_ids", string(f.registry.Mode()))
	for _, note := range f.registry.Summary() {
		log.Warn("classes", "note", note)
	}
}

// take waits for the registry and hands it over, so that its memory can be given back once the task has its class.
func (f *classFile) take(ctx context.Context) (*classes.Registry, error) {
	ctx, cancel := context.WithTimeout(ctx, classesWait)
	defer cancel()
	select {
	case <-f.read:
	case <-ctx.Done():
		return nil, errors.New("classes.yaml was not read within " + classesWait.String() + ": look at the file system that it is on")
	}
	registry := f.registry
	f.registry = nil
	if registry == nil && f.err == nil {
		return nil, errors.New("classes.yaml was read for another task")
	}
	return registry, f.err
}

// classGiven refuses an accepted task whose class this host cannot give to its container, or takes the class away where the operator
// prefers an untagged task to none.
func classGiven(d task.Decision) task.Decision {
	if d.Refusal != nil || d.Plan.Class.ID == 0 {
		return d
	}
	support, err := cgroupnet.Probe()
	if err == nil {
		_, err = support.Driver()
	}
	switch {
	case err == nil:
		return d
	case d.Plan.ClassPreferred:
		plan := d.Plan.Untagged(err)
		d.Plan = &plan
		return d
	}
	return task.Decision{Findings: d.Findings, Refusal: task.NoClass(err)}
}
