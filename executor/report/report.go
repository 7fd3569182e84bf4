package report

import (
	"time"
)

// FileName is the report's name in the sandbox.
const FileName = "mesos-docker-executor-report.json"

// Version is that of the file's format. New fields leave it as it is; it grows when a field changes its meaning.
const Version = 1

// Report is the whole file. Times are UTC, to the millisecond; durations are whole milliseconds. Empty fields are left out
// unless their absence would be ambiguous.
type Report struct {
	Version  int    `json:"version"`                    // of the format: [Version]
	Executor string `json:"executor_version,omitempty"` // of the program that wrote it
	Mode     string `json:"mode,omitempty"`             // "drop-in" or "custom"

	TaskID        string `json:"task_id"`
	ContainerID   string `json:"container_id,omitempty"`   // Mesos' own
	ContainerName string `json:"container_name,omitempty"` // Docker's
	DockerID      string `json:"docker_id,omitempty"`      // empty: none was created, or its answer never came
	Image         string `json:"image,omitempty"`
	AgentID       string `json:"agent_id,omitempty"`
	FrameworkID   string `json:"framework_id,omitempty"`

	// The terminal update.
	State   string `json:"state"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`

	Began time.Time `json:"began"`          // of the executor
	Ended time.Time `json:"ended,omitzero"` // when the terminal update was decided

	Class        Class     `json:"class,omitzero"` // zero: the task was refused
	Engine       Engine    `json:"engine,omitzero"`
	Review       []string  `json:"review,omitempty"` // what the policy trimmed or forced
	Events       []Event   `json:"events"`
	Dropped      int       `json:"events_dropped,omitempty"` // events that the bounds cost, after the first ones
	Calls        []Call    `json:"calls,omitempty"`
	CallsDropped int       `json:"calls_dropped,omitempty"` // calls that the bounds cost
	Witnesses    []Witness `json:"witnesses,omitempty"`
	Processes    []string  `json:"processes_left,omitempty"` // of the container, alive at the terminal update
	Output       Output    `json:"output"`
}

// Severity says how much an event matters.
type Severity string

// The severities. An empty one is Info.
const (
	Info  Severity = "info"
	Warn  Severity = "warn"
	Error Severity = "error"
)

// Event is one happening.
type Event struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"` // a short word for who or what: "agent", "class", "engine", "kernel", "kill", "shim", "signal", "state", "timer"
	Text     string    `json:"text"`
	Severity Severity  `json:"severity,omitempty"`
}

// Call is one call to the engine.
type Call struct {
	At      time.Time `json:"at"` // when it was sent
	TookMS  int64     `json:"took_ms"`
	Call    string    `json:"call"`              // "create", "start", ...
	Outcome string    `json:"outcome,omitempty"` // "done", "refused" or "unknown"; means nothing while it runs
	Error   string    `json:"error,omitempty"`
	Running bool      `json:"running,omitempty"` // not over when the report was written; TookMS is until then
}

// Witness is what a source said about the end of the container's init process.
type Witness struct {
	Name     string `json:"name"` // "shim", "pidfd", "zombie", "docker wait", "docker inspect"
	Said     string `json:"said"`
	Believed bool   `json:"believed,omitempty"` // the terminal update rests on it
}

// Engine is the Docker daemon as it was last seen.
type Engine struct {
	Host          string `json:"host,omitempty"`
	Version       string `json:"version,omitempty"`
	APIVersion    string `json:"api_version,omitempty"`
	StorageDriver string `json:"storage_driver,omitempty"`
	CgroupDriver  string `json:"cgroup_driver,omitempty"`
	LiveRestore   *bool  `json:"live_restore,omitempty"` // nil: not known
	Condition     string `json:"condition,omitempty"`    // what is wrong with it; "": nothing is known to be
}

// Class is the network class of the task's packets.
type Class struct {
	ID       string `json:"id,omitempty"` // "0x00100101"; empty: it had none
	Team     string `json:"team,omitempty"`
	App      string `json:"app,omitempty"`
	Untagged string `json:"untagged,omitempty"` // why it had none
	Lost     int64  `json:"lost,omitempty"`     // times that it was found to be another one while the container ran
}

// Output is what the container wrote.
type Output struct {
	Stdout Stream `json:"stdout"`
	Stderr Stream `json:"stderr"`
}

// Stream is one of the container's two.
type Stream struct {
	Bytes   int64    `json:"bytes"`             // passed on
	Dropped int64    `json:"dropped,omitempty"` // bytes that the file or the log rotator did not take
	Last    []string `json:"last,omitempty"`    // the last lines, printable
}

// Milliseconds is d as the report's durations are written, rounded.
func Milliseconds(d time.Duration) int64 { return d.Round(time.Millisecond).Milliseconds() }
