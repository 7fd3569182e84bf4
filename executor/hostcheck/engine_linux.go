package hostcheck

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage"
)

// askLimit is for the calls to the engine together, whatever config.yaml allows them.
const askLimit = engineLimit - 2*time.Second

// lookAtEngine asks for a ping and the info, the latter only if the former was answered, and for nothing if it can be seen without that
// nobody will answer. What the processes look like is known in any case.
func lookAtEngine(ctx context.Context, file config.File) Engine {
	docker, err := engine.Open(file.Engine.Host, engine.Limits(file.Engine.Limits))
	if err != nil {
		return Engine{Diagnosis: engine.Diagnosis{Health: engine.Unusable, Host: file.Engine.Host, Err: err}}
	}
	defer docker.Close()
	var e Engine
	asking, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if how, _ := docker.Standstill(); how != "" {
		e.Diagnosis = docker.Diagnose(asking, "")
	} else if e.Info, err = docker.Probe(asking); err != nil {
		e.Diagnosis = docker.Explain(ctx, err)
		e.Diagnosis.Err = err
	} else {
		e.Diagnosis = docker.Explain(ctx, nil)
	}
	e.Calls = docker.History()
	e.Files = filesOf(e.Diagnosis.Dockerd.PID)
	e.shared(file)
	return e
}

// shared reads what the executors of the host know of the engine.
func (e *Engine) shared(file config.File) {
	gate := admission.New(admission.Options{Dir: filepath.Join(file.RunDirectory, "engine"), Engine: file.Engine.Host})
	e.Open, e.Breaker, e.Unshared = gate.Shared()
	if text, err := gate.Kept(); err == nil && text != nil {
		if known, err := storage.DecodeKnown(text); err == nil {
			e.Kept = known
		}
	}
}

// filesOf counts the open files of a process; of one whose files cannot be seen it says nothing.
func filesOf(pid int) Files {
	if pid <= 0 {
		return Files{}
	}
	folder := "/proc/" + strconv.Itoa(pid)
	open, err := os.ReadDir(folder + "/fd")
	if err != nil {
		return Files{}
	}
	limits, err := os.ReadFile(folder + "/limits")
	if err != nil {
		return Files{}
	}
	return Files{Open: len(open), Limit: filesLimit(string(limits))}
}

// filesLimit finds the soft limit in the text of proc_pid_limits(5): name, soft limit, hard limit and unit; 0 if there is none.
func filesLimit(limits string) int {
	for line := range strings.Lines(limits) {
		rest, ok := strings.CutPrefix(line, "Max open files")
		fields := strings.Fields(rest)
		if !ok || len(fields) == 0 {
			continue
		}
		n, err := strconv.Atoi(fields[0])
		if err != nil { // "unlimited"
			return 0
		}
		return n
	}
	return 0
}
