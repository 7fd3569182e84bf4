package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"mesos-docker-executor/executor/enginefault"
)

// errFaultHelp says that the list of faults was asked for.
var errFaultHelp = errors.New("help on faults")

// maxSocketPath is the longest path that fits sockaddr_un.sun_path with its final zero, unix(7).
const maxSocketPath = 107

// faults is the value of the flag --fault, which may be repeated.
type faults struct {
	rules []enginefault.Rule
	help  bool
}

// Set takes one fault, or "help". It ignores its own String: a flag behind the task is set to that once more.
func (f *faults) Set(text string) error {
	if text == "help" {
		f.help = true
		return nil
	}
	if text != "" && text == f.String() {
		return nil
	}
	rule, err := enginefault.Parse(text)
	if err != nil {
		return fmt.Errorf("%w; --fault help explains them", err)
	}
	f.rules = append(f.rules, rule)
	return nil
}

func (f *faults) String() string {
	if f.help {
		return "help"
	}
	texts := make([]string, len(f.rules))
	for i, r := range f.rules {
		texts[i] = r.String()
	}
	return strings.Join(texts, "\n")
}

// sickEngine is what stands between the executor and the engine; nil without faults.
type sickEngine struct{ *enginefault.Proxy }

// openSickEngine opens it in the work directory, if there are faults.
func (t *trial) openSickEngine(work string) (*sickEngine, error) {
	if len(t.faults) == 0 {
		return nil, nil
	}
	socket := filepath.Join(work, "engine.sock")
	if len(socket) > maxSocketPath {
		return nil, fmt.Errorf("the path %s is too long for a socket: set TMPDIR to a shorter folder", socket)
	}
	proxy, err := enginefault.Open(socket, strings.TrimPrefix(t.file.Engine.Host, "unix://"), t.faults...)
	if err != nil {
		return nil, err
	}
	return &sickEngine{proxy}, nil
}

// host is the engine's address for the executor.
func (s *sickEngine) host(direct string) string {
	if s == nil {
		return direct
	}
	return s.Host
}

// end makes sure that nothing of the executor's calls happens any more.
func (s *sickEngine) end(ctx context.Context) error {
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leftoverLimit)
	defer cancel()
	err := s.Settle(ctx)
	if err != nil {
		err = fmt.Errorf("the engine has not answered a call that may still make a container: %w", err)
	}
	return errors.Join(err, s.Close())
}

// faultEvents shows what the faults do. Calls that pass undisturbed are no news.
func (w *watcher) faultEvents(batch []enginefault.Event) {
	for _, e := range batch {
		w.faultsSeen++
		if e.Did != enginefault.Passed {
			w.show.fault(e)
		}
	}
}

// lastFaultEvents shows what was not passed on before the end.
func (w *watcher) lastFaultEvents() {
	if w.sick != nil {
		w.faultEvents(w.sick.Events()[w.faultsSeen:])
	}
}
