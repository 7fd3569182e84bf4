package storage

import (
	"fmt"
	"time"
)

const (
	// SampleEvery is how often a running container's host is looked at.
	SampleEvery = 30 * time.Second
	// ForecastWithin is how far a forecast looks ahead, and how far back its samples go.
	ForecastWithin = 15 * time.Minute

	// fewest samples make a slope: three for each half, so that one large file is no trend.
	fewest = 6
)

// Sample is what was free on a filesystem at some time.
type Sample struct {
	At            time.Time
	Bytes, Inodes uint64
}

// Keep returns the samples with s added and without those that are older than [ForecastWithin]. They
// come in order; one from before the last one makes a new beginning, since the clock was set.
func Keep(samples []Sample, s Sample) []Sample {
	if n := len(samples); n > 0 && !s.At.After(samples[n-1].At) {
		samples = nil
	}
	first := 0
	for first < len(samples) && s.At.Sub(samples[first].At) > ForecastWithin {
		first++
	}
	return append(samples[first:len(samples):len(samples)], s)
}

// Forecast warns if the free bytes or inodes of a filesystem fall so fast that new containers will be refused within
// [ForecastWithin]. The last sample is the present; r gives the names and the totals. There is no warning once
// they are refused: [Thresholds.Judge] says that. Warnings come with each call; saying them once is up to the caller.
func (t Thresholds) Forecast(r Room, samples []Sample) Verdict {
	var v Verdict
	if len(samples) < fewest || r.Err != nil {
		return v
	}
	bytes := make([]point, len(samples))
	inodes := make([]point, len(samples))
	begin := samples[0].At
	for i, s := range samples {
		at := s.At.Sub(begin).Minutes()
		bytes[i] = point{at, float64(s.Bytes)}
		inodes[i] = point{at, float64(s.Inodes)}
	}
	last := samples[len(samples)-1]
	if least := t.minBytes(r).amount; last.Bytes >= least {
		loss := decline(bytes)
		if in, soon := within(last.Bytes-least, loss); soon {
			v.add(Warn, fmt.Sprintf("%s has %s of %s free and loses %s a minute: in %s, less than %s will be left%s",
				r.name(), size(last.Bytes), size(r.Bytes.Total), size(uint64(loss)), in, size(least), r.consequence()), r.remedy())
		}
	}
	if least := t.minInodes(r).amount; r.Inodes.Total != 0 && last.Inodes >= least {
		loss := decline(inodes)
		if in, soon := within(last.Inodes-least, loss); soon {
			v.add(Warn, fmt.Sprintf("%s has %d of %d inodes free and loses %.0f a minute: in %s, less than %d will be left%s",
				r.name(), last.Inodes, r.Inodes.Total, loss, in, least, r.consequence()), r.remedy())
		}
	}
	return v
}

// consequence is what happens when the line is reached.
func (r Room) consequence() string {
	if r.ours() {
		return ", and no more containers are started"
	}
	return ""
}

// within says how long the margin lasts at a loss per minute, and whether that is soon.
func within(margin uint64, loss float64) (in string, soon bool) {
	if loss <= 0 {
		return "", false
	}
	minutes := float64(margin) / loss
	if minutes > ForecastWithin.Minutes() {
		return "", false
	}
	if whole := int(minutes); whole > 1 {
		return fmt.Sprintf("about %d minutes", whole), true
	}
	return "about a minute", true
}

type point struct{ minutes, free float64 }

// decline is what is lost per minute. An image that was pulled makes one large step, and the slope of all samples
// shows it for a quarter of an hour, so the newer half has to fall as well: the smaller decline counts.
func decline(points []point) float64 {
	return min(-slope(points), -slope(points[len(points)/2:]))
}

// slope is that of the least squares, 0 if the points have no extent.
func slope(points []point) float64 {
	var x, y float64
	for _, p := range points {
		x, y = x+p.minutes, y+p.free
	}
	n := float64(len(points))
	x, y = x/n, y/n
	var xy, xx float64
	for _, p := range points {
		xy += (p.minutes - x) * (p.free - y)
		xx += (p.minutes - x) * (p.minutes - x)
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}
