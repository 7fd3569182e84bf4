package engine

import (
	"fmt"
	"time"
)

// Limits are the longest times that calls may take, by their kind. All must be positive.
//
// The defaults leave room for a loaded host (16 parallel starts on two cores took up to 3 s each) and for the
// daemon's own worst cases, and stay below the patience of whoever waits for the task.
type Limits struct {
	Ping         time.Duration // liveness and version; default 5 s
	Info         time.Duration // slow with many images; default 10 s
	ImageInspect time.Duration // default 30 s
	PullBegin    time.Duration // from the request to the first line of progress; default 2 min
	PullIdle     time.Duration // between two steps of progress; default 2 min
	// PullExtract is between two steps while only layers to be extracted are outstanding: a daemon says little then (its last
	// word is "Download complete" with some versions), and ten gigabytes at a busy disk's 20 MB/s take 8 min. Default 10 min.
	PullExtract time.Duration
	PullTotal   time.Duration // of all tries; default 15 min
	Create      time.Duration // default 2 min
	Start       time.Duration // default 2 min
	Inspect     time.Duration // may wait for the container's lock while an exit is handled; default 30 s
	InspectPoll time.Duration // of an inspect that is asked again and again; default 10 s
	List        time.Duration // of all containers with a label; default 30 s
	Signal      time.Duration // default 3 s; later, quicker ways exist
	Kill        time.Duration // of SIGKILL, over which the daemon itself may take 12 s; default 15 s
	Remove      time.Duration // default 1 min
	Attach      time.Duration // set-up of Attach and NextExit, not their life; default 10 s
}

// DefaultLimits returns the defaults given at [Limits].
func DefaultLimits() Limits {
	return Limits{
		Ping:         5 * time.Second,
		Info:         10 * time.Second,
		ImageInspect: 30 * time.Second,
		PullBegin:    2 * time.Minute,
		PullIdle:     2 * time.Minute,
		PullExtract:  10 * time.Minute,
		PullTotal:    15 * time.Minute,
		Create:       2 * time.Minute,
		Start:        2 * time.Minute,
		Inspect:      30 * time.Second,
		InspectPoll:  10 * time.Second,
		List:         30 * time.Second,
		Signal:       3 * time.Second,
		Kill:         15 * time.Second,
		Remove:       time.Minute,
		Attach:       10 * time.Second,
	}
}

func (l Limits) check() error {
	for _, one := range []struct {
		name  string
		value time.Duration
	}{
		{"ping", l.Ping}, {"info", l.Info}, {"image_inspect", l.ImageInspect},
		{"pull_begin", l.PullBegin}, {"pull_idle", l.PullIdle}, {"pull_extract", l.PullExtract}, {"pull_total", l.PullTotal},
		{"create", l.Create}, {"start", l.Start}, {"inspect", l.Inspect},
		{"inspect_poll", l.InspectPoll}, {"list", l.List}, {"signal", l.Signal}, {"kill", l.Kill}, {"remove", l.Remove}, {"attach", l.Attach},
	} {
		if one.value <= 0 {
			return fmt.Errorf("engine limit %s is %s: it must be positive", one.name, one.value)
		}
	}
	return nil
}
