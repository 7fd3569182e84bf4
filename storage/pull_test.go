package storage

import (
	"encoding/json"
	"os"
	"testing"
)

// said is a line of the daemon's stream.
type said struct {
	id, status     string
	current, total int64
}

func TestNeedsOfAPullAsItGoesOn(t *testing.T) {
	var p Pull
	check := func(when string, download, extract uint64, complete bool) {
		t.Helper()
		need, all := p.Needs()
		if (need != Need{download, extract}) || all != complete {
			t.Errorf("%s: %+v, %t; want %d, %d, %t", when, need, all, download, extract, complete)
		}
	}
	step := func(lines ...said) {
		for _, l := range lines {
			p.Step(l.id, l.status, l.current, l.total)
		}
	}
	check("at first", 0, 0, true)
	step(said{"1.27", "Pulling from library/nginx", 0, 0})
	check("after the first line", 0, 0, true)
	step(said{"a", "Already exists", 0, 0}, said{"b", "Pulling fs layer", 0, 0}, said{"c", "Pulling fs layer", 0, 0}, said{"c", "Waiting", 0, 0})
	check("with layers of unknown size", 0, 0, false)
	step(said{"b", "Downloading", 0, 1000})
	check("with one size", 1000, 2000, false)
	step(said{"c", "Downloading", 100, 500}, said{"b", "Downloading", 600, 1000})
	check("with both sizes", 400+400, 2000+1000, true)
	step(said{"b", "Verifying Checksum", 0, 0})
	check("with one layer there", 400, 3000, true)
	step(said{"b", "Download complete", 0, 0}, said{"b", "Extracting", 250, 1000})
	check("while it is extracted", 400, 1500+1000, true)
	step(said{"c", "Downloading", 0, 500})
	check("with a download that begins anew", 500, 2500, true)
	step(said{"b", "Pull complete", 0, 0})
	check("with one layer done", 500, 1000, true)
	step(said{"c", "Download complete", 0, 0}, said{"c", "Extracting", 500, 500})
	check("with all extracted", 0, 0, true)
	step(said{"c", "Pull complete", 0, 0}, said{"", "Digest: sha256:1", 0, 0}, said{"", "Status: Downloaded newer image", 0, 0})
	check("at the end", 0, 0, true)
}

func TestOddLinesOfAPull(t *testing.T) {
	for name, c := range map[string]struct {
		lines    []said
		need     Need
		complete bool
	}{
		"a registry that tells no size":      {[]said{{"a", "Downloading", 512, 0}}, Need{}, false},
		"more bytes than there are":          {[]said{{"a", "Downloading", 700, 500}}, Need{0, 1000}, true},
		"less than nothing":                  {[]said{{"a", "Downloading", -5, -7}}, Need{}, false},
		"extraction counted in seconds":      {[]said{{"a", "Downloading", 0, 500}, {"a", "Extracting", 3, 0}}, Need{0, 1000}, true},
		"extraction of another size":         {[]said{{"a", "Downloading", 0, 500}, {"a", "Extracting", 900, 1000}}, Need{0, 1000}, true},
		"extraction of more than there is":   {[]said{{"a", "Downloading", 0, 500}, {"a", "Extracting", 900, 500}}, Need{0, 0}, true},
		"another try, which tells no size":   {[]said{{"a", "Downloading", 500, 500}, {"a", "Pulling fs layer", 0, 0}}, Need{500, 1000}, true},
		"a step that a later engine may say": {[]said{{"a", "Downloading", 0, 500}, {"a", "Retrying in 5 seconds", 0, 0}}, Need{500, 1000}, true},
	} {
		var p Pull
		for _, l := range c.lines {
			p.Step(l.id, l.status, l.current, l.total)
		}
		if need, complete := p.Needs(); need != c.need || complete != c.complete {
			t.Errorf("%s: %+v, %t", name, need, complete)
		}
	}
}

// A pull that was recorded with the room it took: what was still needed has to cover what was still to come.
func TestNeedsCoverARecordedPull(t *testing.T) {
	const atTheEnd, peak = 169_524 << 10, 185_828 << 10
	file, err := os.Open("testdata/pull/five-layers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var p Pull
	known := 0
	for lines := json.NewDecoder(file); lines.More(); {
		var line struct {
			ID, Status     string
			ProgressDetail struct{ Current, Total int64 }
			Taken          uint64
		}
		if err := lines.Decode(&line); err != nil {
			t.Fatal(err)
		}
		p.Step(line.ID, line.Status, line.ProgressDetail.Current, line.ProgressDetail.Total)
		need, complete := p.Needs()
		if need.Extract == 0 || !complete {
			continue
		}
		if sum := line.Taken + need.Download + need.Extract; sum < atTheEnd || known == 0 && sum < peak {
			t.Errorf("%s %s: %d bytes are taken and %+v are needed, which is too little", line.ID, line.Status, line.Taken, need)
		}
		known++
	}
	if need, complete := p.Needs(); known < 10 || need != (Need{}) || !complete {
		t.Errorf("after %d lines with all sizes: %+v, %t", known, need, complete)
	}
}
