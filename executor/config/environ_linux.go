package config

import (
	"fmt"
	"os"
	"strings"
)

// Environ returns the environment with which this process was started, every
// entry in order. [os.Environ] leaves out all but the first entry of a name,
// and so hides that somebody set a variable of the agent again. It reads
// /proc/self/environ, which holds what execve(2) was given (proc_pid_environ(5)).
func Environ() ([]string, error) {
	data, err := os.ReadFile("/proc/self/environ")
	if err != nil {
		return nil, fmt.Errorf("read the environment: %w; the executor needs /proc", err)
	}
	if len(data) == 0 {
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00"), nil
}
