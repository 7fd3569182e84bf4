package storage

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Engine is what a Docker Engine says of its storage. The fields are named as in its answer to GET /info.
type Engine struct {
	Driver        string      // storage driver or snapshotter: "overlay2"
	DriverStatus  [][2]string // name and value; none with vfs and fuse-overlayfs
	DockerRootDir string      // "/var/lib/docker"
	KernelVersion string      // "6.1.0-18-amd64"
	Warnings      []string    // of all kinds
}

// BadAnswerError says that the engine's answer cannot be judged. A healthy daemon gives no such answer, so this is
// no verdict over its storage: ask again, or use what it said before.
type BadAnswerError struct {
	Field string // that is missing or makes no sense, as in GET /info
	Value string
}

func (e *BadAnswerError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("the engine's description of itself (GET /info) has no %s", e.Field)
	}
	return fmt.Sprintf("the engine's description of itself (GET /info) has the %s %q", e.Field, e.Value)
}

// Check returns a [*BadAnswerError] if the answer cannot be judged.
func (e Engine) Check() error {
	switch {
	case e.driver() == "":
		return &BadAnswerError{Field: "Driver"}
	case !filepath.IsAbs(e.DockerRootDir):
		return &BadAnswerError{Field: "DockerRootDir", Value: e.DockerRootDir}
	}
	return nil
}

func (e Engine) driver() string { return strings.ToLower(strings.TrimSpace(e.Driver)) }

// status returns a value of DriverStatus, "" if it is missing. Names were written in more than one way over the years, so case
// doesn't count.
func (e Engine) status(name string) string {
	for _, pair := range e.DriverStatus {
		if strings.EqualFold(strings.TrimSpace(pair[0]), name) {
			return strings.TrimSpace(pair[1])
		}
	}
	return ""
}

// containerd reports whether containerd keeps the images (Docker's containerd image store, the default of new
// installations from 29.0 on). Driver is then the name of a snapshotter.
func (e Engine) containerd() bool {
	return strings.HasPrefix(e.status("driver-type"), "io.containerd.")
}
