package config

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"
)

// maxBackoff is the most that an agent accepts for
// --executor_reregistration_timeout, from which it takes the backoff
// (MAX_EXECUTOR_REREGISTRATION_TIMEOUT in src/slave/constants.hpp).
const maxBackoff = 15 * time.Second

// environReader turns variables into values and notes what is wrong. Its
// methods return the zero value for a bad or missing variable.
type environReader struct {
	values   map[string]string
	problems *Error
}

func (r environReader) collect(env []string) {
	conflicting := map[string]bool{}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		known, seen := r.values[name]
		switch {
		case !seen:
			r.values[name] = value
		case strings.HasPrefix(name, "MESOS_") && known != value && !conflicting[name]:
			conflicting[name] = true
			r.problems.add(name, "is set twice with different values; the agent sets it once, remove it from the task's or executor's environment")
		}
	}
}

// startedByAgent is false if nothing that an agent always sets is there.
// Single variables that somebody exported in a shell do not count.
func (r environReader) startedByAgent() bool {
	for _, name := range []string{
		"MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID", "MESOS_SLAVE_ID",
		"MESOS_SLAVE_PID", "MESOS_AGENT_ENDPOINT", "MESOS_DIRECTORY",
	} {
		if _, ok := r.values[name]; ok {
			return true
		}
	}
	return false
}

// needed returns the value of a variable without which nothing can start.
func (r environReader) needed(name string) (string, bool) {
	value, ok := r.values[name]
	if !ok {
		r.problems.add(name, "is not set; a Mesos agent sets it for every executor")
	}
	return value, ok
}

func (r environReader) id(name string) string {
	value, ok := r.needed(name)
	if !ok {
		return ""
	}
	if err := checkID(value); err != nil {
		r.refuse(name, err)
		return ""
	}
	return value
}

// refuse notes a problem with a value that only a changed environment can
// hold, and says where such a change comes from.
func (r environReader) refuse(name string, err error) {
	r.problems.add(name, "%v; if the task's or executor's own environment sets %s, remove it there", err, name)
}

func (r environReader) endpoint(name string) string {
	value, ok := r.needed(name)
	if !ok {
		return ""
	}
	if _, err := parseEndpoint(value); err != nil {
		r.refuse(name, err)
		return ""
	}
	return value
}

// slavePID reads the libprocess address of the agent. It and the endpoint come
// from the same address (self() in src/slave/slave.cpp), so a difference means
// that one of the two was changed on the way.
func (r environReader) slavePID(name, endpoint string) string {
	value, ok := r.needed(name)
	if !ok {
		return ""
	}
	m := regexp.MustCompile(`^slave\([1-9][0-9]{0,9}\)@(.*)$`).FindStringSubmatch(value)
	if m == nil {
		r.problems.add(name, "%s is not slave(N)@ip:port; if the task's or executor's own environment sets %s, remove it there", quote(value), name)
		return ""
	}
	address, err := parseEndpoint(m[1])
	if err != nil {
		r.refuse(name, fmt.Errorf("%s: %w", quote(value), err))
		return ""
	}
	if other, err := parseEndpoint(endpoint); err == nil && other != address {
		r.problems.add(name, "%s has another address than MESOS_AGENT_ENDPOINT %s; remove both from the task's or executor's own environment", quote(value), quote(endpoint))
		return ""
	}
	return value
}

func (r environReader) directory(name string) (dir, containerID string) {
	value, ok := r.needed(name)
	if !ok {
		return "", ""
	}
	dir, err := agentFolder(value)
	if err != nil {
		r.refuse(name, err)
		return "", ""
	}
	containerID = path.Base(dir)
	if err := checkContainerID(containerID); err != nil {
		r.problems.add(name, "%s does not end in the container id: %v", quote(value), err)
		return "", ""
	}
	return dir, containerID
}

func (r environReader) boolean(name string) bool {
	switch value, ok := r.values[name]; {
	case !ok, value == "0", value == "false":
		return false
	case value == "1", value == "true":
		return true
	default:
		r.problems.add(name, "%s is neither 0 nor 1 (false and true are understood too)", quote(value))
		return false
	}
}

// duration reads a variable that may be missing.
func (r environReader) duration(name string, missing time.Duration) time.Duration {
	value, ok := r.values[name]
	if !ok {
		return missing
	}
	d, err := ParseDuration(value)
	if err != nil {
		r.problems.add(name, "%v; a Mesos agent writes durations such as 5secs", err)
	}
	return d
}

// neededDuration reads a variable that the agent sets with checkpointing.
func (r environReader) neededDuration(name string) time.Duration {
	if _, ok := r.values[name]; !ok {
		r.problems.add(name, "is not set; a Mesos agent sets it together with MESOS_CHECKPOINT=1")
		return 0
	}
	return r.duration(name, 0)
}

func (r environReader) backoff(name string) time.Duration {
	before := len(r.problems.Problems)
	d := r.neededDuration(name)
	if len(r.problems.Problems) == before && (d <= 0 || d > maxBackoff) {
		r.problems.add(name, "%s is out of range, above 0 up to %s; the agent takes it from its flag --executor_reregistration_timeout",
			quote(r.values[name]), FormatDuration(maxBackoff))
		return 0
	}
	return d
}

// token reads the value of the Authorization header. It has to be visible
// ASCII, or a header could be forged; the JWT that agents make is. The value
// never goes into an error.
func (r environReader) token(name string) string {
	value, ok := r.values[name]
	bad := func(c rune) bool { return c <= ' ' || c > '~' }
	switch {
	case !ok:
		return ""
	case value == "":
		r.problems.add(name, "is set but empty; the agent sets a token or no variable")
		return ""
	case strings.ContainsFunc(value, bad):
		r.problems.add(name, "contains a space or a character that is not visible ASCII (value not shown)")
		return ""
	}
	return value
}

func (r environReader) socket(name string) string {
	value, ok := r.values[name]
	if !ok {
		return ""
	}
	socket, err := agentSocket(value)
	if err != nil {
		r.refuse(name, err)
		return ""
	}
	return socket
}
