package storage

const (
	// growth is how much larger than its download a layer is on the disk. Together with the download, which is kept until the layer is
	// extracted, three times the download have to fit in: an image that grew 2.5-fold took 2.9 times at the peak
	// (testdata/pull). Layers of text may grow more; they are caught before the container is created.
	growth = 2
)

// Pull adds up what a running pull is yet to take. Its zero value is ready for use.
//
// The daemon's stream tells the sizes as it goes along (moby's pkg/streamformatter): a layer's is known from its first
// "Downloading" on, and with more layers than it downloads at a time (3 by default) some come late. So what
// [Pull.Needs] says may grow, and is worth asking again at each layer that begins.
type Pull struct {
	layers map[string]layer
}

// layer is one layer of an image.
type layer struct {
	size       int64 // of the download in bytes, 0: not known yet
	downloaded int64
	extracted  int64 // how much of the download
	state      layerState
}

type layerState uint8

const (
	downloading layerState = iota
	downloaded
	extracting
	there // and nothing is left of the download
)

// Step takes one line of the stream: the layer's ID, its status ("Downloading") and the bytes that are done and that there are
// in all, 0 if the line doesn't say. Lines about something else than a layer change nothing.
func (p *Pull) Step(id, status string, current, total int64) {
	state, known := stateOf(status)
	if !known || id == "" {
		return
	}
	if p.layers == nil {
		p.layers = map[string]layer{}
	}
	l := p.layers[id]
	l.state = state
	switch state {
	case downloading:
		// A download that began anew counts from 0 again. Some registries don't tell the size.
		l.size, l.downloaded = max(l.size, total), max(0, current)
	case extracting:
		// With the containerd image store this line counts seconds, without a total.
		if total > 0 && total == l.size {
			l.extracted = min(max(0, current), total)
		}
	}
	p.layers[id] = l
}

// stateOf knows the words of moby's distribution/pull_v2.go and distribution/xfer/download.go.
func stateOf(status string) (state layerState, known bool) {
	switch status {
	case "Pulling fs layer", "Waiting", "Downloading":
		return downloading, true
	case "Verifying Checksum", "Download complete":
		return downloaded, true
	case "Extracting":
		return extracting, true
	case "Pull complete", "Already exists":
		return there, true
	}
	return 0, false
}

// Needs returns what the layers will still take, and whether the sizes of all of them are known. What they took so far is
// missing from the free bytes already.
func (p *Pull) Needs() (need Need, complete bool) {
	complete = true
	for _, l := range p.layers {
		if l.state == there {
			continue
		}
		if l.size == 0 {
			complete = false
			continue
		}
		if l.state == downloading {
			need.Download += uint64(max(0, l.size-l.downloaded))
		}
		need.Extract += growth * uint64(l.size-l.extracted)
	}
	return need, complete
}
