package storage

import (
	"strings"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// course are samples, one each [SampleEvery], of what free says at minute m.
func course(n int, free func(m float64) (bytes, inodes float64)) []Sample {
	var all []Sample
	for i := range n {
		at := time.Duration(i) * SampleEvery
		bytes, inodes := free(at.Minutes())
		all = Keep(all, Sample{epoch.Add(at), uint64(bytes), uint64(inodes)})
	}
	return all
}

func TestForecastOfAFullDisk(t *testing.T) {
	const many = 9_000_000
	r := disk(0, 100*gib)
	for name, c := range map[string]struct {
		samples []Sample
		reasons []string
	}{
		"quiet":         {course(30, func(float64) (float64, float64) { return 20 * gib, many }), nil},
		"a steady loss": {course(10, func(m float64) (float64, float64) { return (19.5 - m) * gib, many }), []string{"has 15GiB of 100GiB free and loses 1GiB a minute: in about 5 minutes, less than 10GiB will be left"}},
		"a fast loss":   {course(6, func(m float64) (float64, float64) { return (20 - 3*m) * gib, many }), []string{"in about a minute"}},
		"a slow loss":   {course(30, func(m float64) (float64, float64) { return (30 - m/10) * gib, many }), nil},
		"a gain":        {course(30, func(m float64) (float64, float64) { return (12 + m) * gib, many }), nil},
		"too few":       {course(5, func(m float64) (float64, float64) { return (20 - 3*m) * gib, many }), nil},
		"full already":  {course(10, func(m float64) (float64, float64) { return (9 - m) * gib, many }), nil},
		"inodes":        {course(10, func(m float64) (float64, float64) { return 50 * gib, 1_000_000 - 50_000*m }), []string{"has 775000 of 10000000 inodes free and loses 50000 a minute: in about 5 minutes, less than 500000 will be left"}},
		"both": {course(10, func(m float64) (float64, float64) { return (20 - m) * gib, 1_000_000 - 50_000*m }),
			[]string{"a minute", "inodes"}},
		"an image that was pulled": {course(20, func(m float64) (float64, float64) {
			if m < 3 {
				return 20 * gib, many
			}
			return 14 * gib, many
		}), nil},
		"a loss that has ended": {course(20, func(m float64) (float64, float64) { return max(13, 20-2*m) * gib, many }), nil},
	} {
		want := Allow
		if c.reasons != nil {
			want = Warn
		}
		checkVerdict(t, name, DefaultThresholds().Forecast(r, c.samples), want, c.reasons...)
	}
}

func TestForecastWithoutInodes(t *testing.T) {
	r := disk(0, 100*gib).withInodes(0, 0)
	samples := course(10, func(float64) (float64, float64) { return 50 * gib, 0 })
	checkVerdict(t, "btrfs", DefaultThresholds().Forecast(r, samples), Allow)
}

func TestForecastOfASandboxThreatensNobody(t *testing.T) {
	samples := course(10, func(m float64) (float64, float64) { return (19.5 - m) * gib, 9_000_000 })
	v := DefaultThresholds().Forecast(disk(0, 100*gib, Sandbox), samples)
	checkVerdict(t, "a sandbox", v, Warn, "less than 10GiB will be left")
	if strings.Contains(v.Reasons(Warn), "containers") {
		t.Error(v)
	}
}

func TestSamplesAreKeptForAsLongAsAForecastLooksBack(t *testing.T) {
	samples := course(100, func(m float64) (float64, float64) { return m, 0 })
	if n := len(samples); n != 31 || samples[30].At.Sub(samples[0].At) != ForecastWithin {
		t.Errorf("%d samples over %s", n, samples[n-1].At.Sub(samples[0].At))
	}
	if back := Keep(samples, Sample{At: epoch}); len(back) != 1 {
		t.Errorf("%d samples after the clock was set back", len(back))
	}
	if same := Keep(samples[:2:2], Sample{At: samples[1].At}); len(same) != 1 {
		t.Errorf("%d samples, two of the same time", len(same))
	}
	if first := samples[0]; !first.At.Equal(samples[30].At.Add(-ForecastWithin)) {
		t.Error("Keep has changed what it was given")
	}
}
