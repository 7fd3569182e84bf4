package supervise

import (
	"fmt"
	"strings"
)

// SweepReport says what a sweep found, did and left, for people ([SweepReport.String]) and as JSON.
type SweepReport struct {
	Alive     int              `json:"alive"` // claims that others hold
	Dead      []SweptTask      `json:"dead,omitempty"`
	Unclaimed []SweptUnclaimed `json:"unclaimed,omitempty"`
	Notes     []string         `json:"notes,omitempty"` // what is not as it should be
	More      bool             `json:"more,omitempty"`  // there are more claims of the dead, maybe
}

// SweptTask is what was done about the task of a dead executor.
type SweptTask struct {
	ContainerID string   `json:"container_id"` // of Mesos
	TaskID      string   `json:"task_id,omitempty"`
	Container   string   `json:"container,omitempty"` // Docker name
	DockerID    string   `json:"docker_id,omitempty"`
	Done        []string `json:"done,omitempty"`
	Left        []string `json:"left,omitempty"` // for the next sweep, and why
	Notes       []string `json:"notes,omitempty"`
	Complete    bool     `json:"complete"` // nothing is left, the claim is gone
}

// SweptUnclaimed is something of ours for which there is no claim.
type SweptUnclaimed struct {
	Kind    string `json:"kind"` // "container", "lease", "staged volumes", "unfinished claim"
	Name    string `json:"name"` // ID or path
	Removed bool   `json:"removed"`
	Why     string `json:"why,omitempty"` // it was not
}

func (r *SweepReport) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *SweepReport) keep(kind, name, why string) {
	r.Unclaimed = append(r.Unclaimed, SweptUnclaimed{Kind: kind, Name: name, Why: why})
}

func (r *SweepReport) unclaimed(kind, name string, err error) {
	if err != nil {
		r.keep(kind, name, err.Error())
		return
	}
	r.Unclaimed = append(r.Unclaimed, SweptUnclaimed{Kind: kind, Name: name, Removed: true})
}

// String is a line for each thing that was found, and one of figures before.
func (r SweepReport) String() string {
	var b strings.Builder
	complete := 0
	for _, d := range r.Dead {
		if d.Complete {
			complete++
		}
	}
	fmt.Fprintf(&b, "%d executors live, ", r.Alive)
	if len(r.Dead) == 0 {
		fmt.Fprintln(&b, "none has died and left something")
	} else {
		fmt.Fprintf(&b, "%d have died, and of %d of these nothing is left now\n", len(r.Dead), complete)
	}
	for _, d := range r.Dead {
		fmt.Fprintf(&b, "container %s of task %q: ", d.ContainerID, d.TaskID)
		parts := append([]string{}, d.Done...)
		for _, left := range d.Left {
			parts = append(parts, "LEFT "+left)
		}
		parts = append(parts, d.Notes...)
		if len(parts) == 0 {
			parts = []string{"nothing was left"}
		}
		fmt.Fprintln(&b, strings.Join(parts, "; "))
	}
	for _, u := range r.Unclaimed {
		if u.Removed {
			fmt.Fprintf(&b, "%s %s had no claim: removed\n", u.Kind, u.Name)
		} else {
			fmt.Fprintf(&b, "%s %s: LEFT %s\n", u.Kind, u.Name, u.Why)
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintln(&b, note)
	}
	if r.More {
		fmt.Fprintln(&b, "there may be more: sweep again")
	}
	return b.String()
}
