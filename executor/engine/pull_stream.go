package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Progress is one step of a pull.
type Progress struct {
	Layer   string // short ID of a layer; the tag in the first line, "" in the last ones
	Status  string // "Pulling fs layer", "Downloading", "Extracting", "Pull complete", ...
	Current int64  // bytes, 0 if the step has no measure
	Total   int64  // bytes, 0 if unknown
}

// pullLine is a line of the daemon's stream (moby's pkg/jsonmessage). A failure comes as a line of its own,
// in an answer whose status said 200.
type pullLine struct {
	ID             string
	Status         string
	ProgressDetail struct{ Current, Total int64 }
	Error          string
	ErrorDetail    struct{ Message string }
}

// maxPullLine bounds a line of the stream in bytes; real ones have some hundred.
const maxPullLine = 1 << 20

// pullPhase is what the daemon's next step depends on.
type pullPhase int

const (
	fetching  pullPhase = iota // the registry
	queued                     // other pulls, behind which the daemon has put all that is still missing
	unpacking                  // the engine's disk: there are only layers to extract
)

// readPull reads the stream to its end and calls step for each line that differs from the last one of its layer, with the phase
// that the pull is in from there on.
func readPull(stream io.Reader, step func(now Progress, phase pullPhase)) error {
	layers := layerSteps{}
	in := &lineReader{from: stream}
	lines := json.NewDecoder(in)
	for {
		var line pullLine
		in.left = maxPullLine
		err := lines.Decode(&line)
		switch {
		case err == io.EOF && len(layers) == 0:
			return errors.New("the daemon's progress stream has no progress in it")
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("the daemon's progress stream broke off: %w", err)
		case line.Error != "" || line.ErrorDetail.Message != "":
			return pullFailure(line)
		case line.Status == "":
			continue // nothing that says how the pull goes
		}
		now := Progress{Layer: line.ID, Status: line.Status, Current: line.ProgressDetail.Current, Total: line.ProgressDetail.Total}
		if before, seen := layers[now.Layer]; !seen || before != now {
			layers[now.Layer] = now
			step(now, layers.phase())
		}
	}
}

func pullFailure(line pullLine) *DaemonError {
	message := line.ErrorDetail.Message
	if message == "" {
		message = line.Error
	}
	return &DaemonError{Message: message}
}

// lineReader lets left more bytes through.
type lineReader struct {
	from io.Reader
	left int
}

func (r *lineReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("a line has more than %d bytes", maxPullLine)
	}
	n, err := r.from.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// layerSteps holds the last step of each layer.
type layerSteps map[string]Progress

// phase judges by the layers that are not complete.
//
// The daemon extracts one layer after the other and says little meanwhile: a layer that is waiting for its turn stays at "Download
// complete", and with containerd's image store the one under way does so, too (moby's distribution/xfer and daemon/containerd).
//
// A layer beyond dockerd's max-concurrent-downloads, which all pulls share, says "Waiting" at once and nothing more until its first
// bytes. One that stays at "Pulling fs layer" has its turn, and waits for the registry. So a pull is queued while all that it
// still fetches is "Waiting".
func (s layerSteps) phase() pullPhase {
	waiting, extract := false, false
	for _, step := range s {
		switch {
		case step.Status == "Waiting":
			waiting = true
		case step.Status == "Pulling fs layer", step.Status == "Downloading", strings.HasPrefix(step.Status, "Retrying in "):
			return fetching
		case step.Status == "Verifying Checksum", step.Status == "Download complete", step.Status == "Extracting":
			extract = true
		}
	}
	switch {
	case waiting:
		return queued // what is extracted meanwhile is before it, or waits for it
	case extract:
		return unpacking
	}
	return fetching
}
