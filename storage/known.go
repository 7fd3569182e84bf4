package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// FreshFor is how long an answer of the engine is used without asking again.
	FreshFor = 60 * time.Second
	// KnownFor is how long an answer counts while the engine gives no other.
	KnownFor = 10 * time.Minute

	knownVersion = 1
	maxKnown     = 64 << 10 // bytes of an encoded answer
)

// Known is the last good answer of an engine. What is kept is the answer and not the verdict, so that an edited
// configuration counts at once.
type Known struct {
	Engine Engine
	At     time.Time // when it came, wall-clock time if it was read from a file
}

// Fresh reports whether it needs no new answer: it is at most [FreshFor] old.
func (k Known) Fresh(now time.Time) bool { return k.younger(now, FreshFor) }

// Usable reports whether it counts while there is no new answer, because the engine is slow or gives a bad one: it is at
// most [KnownFor] old.
func (k Known) Usable(now time.Time) bool { return k.younger(now, KnownFor) }

// younger is false for a time that is yet to come: the clock was set.
func (k Known) younger(now time.Time, limit time.Duration) bool {
	age := now.Sub(k.At)
	return k.Engine.Check() == nil && age >= 0 && age <= limit
}

// knownFile is how a Known is written down. Names are the file's, whatever the fields are called.
type knownFile struct {
	Version int         `json:"version"`
	At      time.Time   `json:"at"`
	Driver  string      `json:"driver"`
	Status  [][2]string `json:"driver_status"`
	Root    string      `json:"docker_root_dir"`
	Kernel  string      `json:"kernel_version"`
	Warned  []string    `json:"warnings"`
}

// Encode returns what [DecodeKnown] reads.
func (k Known) Encode() ([]byte, error) {
	e := k.Engine
	return json.Marshal(knownFile{knownVersion, k.At, e.Driver, e.DriverStatus, e.DockerRootDir, e.KernelVersion, e.Warnings})
}

// DecodeKnown reads what another executor of the host has encoded. Whoever gets an error goes on as if nothing was known: the
// text is of another version, or damaged.
func DecodeKnown(text []byte) (Known, error) {
	if len(text) > maxKnown {
		return Known{}, errors.New("the engine's last answer is too long to be one")
	}
	var f knownFile
	if err := json.Unmarshal(text, &f); err != nil {
		return Known{}, fmt.Errorf("the engine's last answer cannot be read: %w", err)
	}
	if f.Version != knownVersion {
		return Known{}, fmt.Errorf("the engine's last answer has version %d, not %d", f.Version, knownVersion)
	}
	k := Known{Engine: Engine{f.Driver, f.Status, f.Root, f.Kernel, f.Warned}, At: f.At}
	return k, k.Engine.Check()
}
