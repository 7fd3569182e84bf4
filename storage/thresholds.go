package storage

import "fmt"

// Thresholds say how much has to be free. Of an absolute figure and a percentage the larger one counts; 0 switches a threshold off. The
// defaults are those of [DefaultThresholds].
type Thresholds struct {
	MinBytes         uint64 // below this, no container is started; default 2 GiB
	MinBytesPercent  int    // the same in percent of the filesystem, 0 to 90; default 10
	WarnBytesPercent int    // below this, the operator is warned, 0 to 90; default 15

	MinInodes         uint64 // as above; default 20,000
	MinInodesPercent  int    // 0 to 90; default 5
	WarnInodesPercent int    // 0 to 90; default 10
}

// DefaultThresholds are like those of the kubelet (nodefs.available < 10 %, imagefs.available < 15 %, nodefs.inodesFree < 5 %),
// with figures for small and large disks added: a container takes 33 inodes and an image as many as it has files.
func DefaultThresholds() Thresholds {
	return Thresholds{
		MinBytes: 2 << 30, MinBytesPercent: 10, WarnBytesPercent: 15,
		MinInodes: 20_000, MinInodesPercent: 5, WarnInodesPercent: 10,
	}
}

// Check returns an error if a percentage is out of range or would warn too late to be of use.
func (t Thresholds) Check() error {
	for _, p := range []struct {
		what         string
		refuse, warn int
	}{{"free bytes", t.MinBytesPercent, t.WarnBytesPercent}, {"free inodes", t.MinInodesPercent, t.WarnInodesPercent}} {
		switch {
		case p.refuse < 0 || p.refuse > 90 || p.warn < 0 || p.warn > 90:
			return fmt.Errorf("the percentages of %s are %d and %d: allowed are 0 to 90", p.what, p.refuse, p.warn)
		case p.warn != 0 && p.warn < p.refuse:
			return fmt.Errorf("a warning at %d %% of %s comes after the refusal at %d %%: raise it, or set it to 0", p.warn, p.what, p.refuse)
		}
	}
	return nil
}

// line is how much of something has to be free, and who says so.
type line struct {
	amount  uint64
	percent int    // that it comes from, 0: it is an absolute figure
	source  string // of an absolute figure
}

func (l line) String() string {
	if l.percent != 0 {
		return fmt.Sprintf("%d %%", l.percent)
	}
	return l.source
}

// larger is the line that asks for more.
func larger(a, b line) line {
	if b.amount > a.amount {
		return b
	}
	return a
}

func share(a Amount, percent int) line {
	// Divided first: a filesystem's bytes times 90 need more than 64 bits from 200 PiB on.
	return line{amount: a.Total / 100 * uint64(percent), percent: percent}
}

// minBytes is the line below which a container is refused.
func (t Thresholds) minBytes(r Room) line {
	l := larger(share(r.Bytes, t.MinBytesPercent), line{amount: r.Floor, source: "the engine's own limit"})
	if !r.Relative {
		l = larger(l, line{amount: t.MinBytes, source: "storage.min_free_bytes"})
	}
	return l
}

// minInodes is the same for inodes; none if the filesystem doesn't count them.
func (t Thresholds) minInodes(r Room) line {
	if r.Inodes.Total == 0 {
		return line{}
	}
	l := share(r.Inodes, t.MinInodesPercent)
	if !r.Relative {
		l = larger(l, line{amount: t.MinInodes, source: "storage.min_free_inodes"})
	}
	return l
}

// MinFree is what has to be free in r so that containers are started; inodes is 0 if the filesystem doesn't count them.
func (t Thresholds) MinFree(r Room) (bytes, inodes uint64) {
	return t.minBytes(r).amount, t.minInodes(r).amount
}
