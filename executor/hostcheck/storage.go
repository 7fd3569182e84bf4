package hostcheck

import (
	"fmt"
	"time"

	"mesos-docker-executor/storage"
)

// Storage is what the engine says of its storage, and the room that its filesystems have.
type Storage struct {
	Settings storage.Settings
	Engine   storage.Engine // zero if the engine did not answer
	Said     time.Time      // when it said that to an executor, if it does not answer now
	Rooms    []storage.Room
}

// Lines have one for the driver and one for each filesystem.
func (s Storage) Lines() Lines {
	l := &lines{subject: "storage"}
	verdict, err := s.Settings.Rules.Judge(s.Engine)
	if err != nil && s.Engine.KernelVersion != "" { // without which no answer counts as one
		l.fail("driver", fmt.Sprintf("not known, so no task starts: %v", err), "see what docker info says")
		return l.all
	}
	if err != nil {
		l.warn("driver", "not known, nor is the room: the engine does not say what it has", "look at the room with df and df -i, and run doctor again once the engine answers")
		return l.all
	}
	if !s.Said.IsZero() {
		l.warn("answer", "the engine says nothing of it now; this is by what it told an executor at "+s.Said.UTC().Format(time.RFC3339),
			"do what the line daemon says, and run doctor again")
	}
	name := s.Engine.Driver
	if len(verdict.Findings) == 0 {
		l.ok("driver", fmt.Sprintf("%s, data root %s", name, s.Engine.DockerRootDir))
	}
	l.found("driver", verdict)
	for _, room := range s.Rooms {
		verdict := s.Settings.Thresholds.Judge([]storage.Room{room}, storage.Need{})
		if len(verdict.Findings) == 0 {
			l.ok("room", room.String())
		}
		l.found("room", verdict)
	}
	return l.all
}

// found turns the findings of a verdict into lines.
func (l *lines) found(name string, v storage.Verdict) {
	for _, f := range v.Findings {
		status := Warn
		if f.Decision == storage.Refuse {
			status = Fail
		}
		l.add(status, name, f.Reason, f.Remedy)
	}
}
