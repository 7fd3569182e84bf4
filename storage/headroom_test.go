package storage

import (
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"
)

const gib = 1 << 30

// disk is a filesystem with everything on it, and no lack of inodes.
func disk(free, total uint64, uses ...Use) Room {
	r := Room{Bytes: Amount{free, total}, Inodes: Amount{9_000_000, 10_000_000}}
	if len(uses) == 0 {
		uses = []Use{DataRoot, Layers, Downloads, Containers}
	}
	for _, u := range uses {
		r.Places = append(r.Places, Place{Path: "/var/lib/docker/" + u.String(), Use: u})
	}
	return r
}

func (r Room) withInodes(free, total uint64) Room {
	r.Inodes = Amount{free, total}
	return r
}

func (r Room) failing(err error) Room {
	return Room{Places: r.Places, Err: err}
}

func TestVerdictOverHeadRoom(t *testing.T) {
	gone := &fs.PathError{Op: "statfs", Path: "/var/lib/docker", Err: fs.ErrNotExist}
	broken := &fs.PathError{Op: "statfs", Path: "/var/lib/docker", Err: fs.ErrInvalid}
	for name, c := range map[string]struct {
		rooms    []Room
		need     Need
		decision Decision
		reasons  []string
	}{
		"plenty":                             {[]Room{disk(50*gib, 100*gib)}, Need{}, Allow, nil},
		"below 15 %":                         {[]Room{disk(14*gib, 100*gib)}, Need{}, Warn, []string{"has 14GiB of 100GiB free (14 %), less than 15 %"}},
		"just below 15 %":                    {[]Room{disk(149*gib, 1000*gib)}, Need{}, Warn, []string{"has 149GiB of 1000GiB free (14 %), less than 15 %"}},
		"just below 10 % of the inodes":      {[]Room{disk(95*gib, 100*gib).withInodes(99_999, 1_000_000)}, Need{}, Warn, []string{"99999 of 1000000 inodes free (9 %), less than 10 %"}},
		"below 10 %":                         {[]Room{disk(9*gib, 100*gib)}, Need{}, Refuse, []string{"has 9GiB of 100GiB free (9 %), and 10GiB have to be (10 %)"}},
		"exactly 10 %":                       {[]Room{disk(10*gib, 100*gib)}, Need{}, Warn, []string{"less than 15 %"}},
		"a full disk":                        {[]Room{disk(0, 100*gib)}, Need{}, Refuse, []string{"has 0B of 100GiB free (0 %)"}},
		"below 2 GiB of a small disk":        {[]Room{disk(gib, 8*gib)}, Need{}, Refuse, []string{"2GiB have to be (storage.min_free_bytes)"}},
		"a disk smaller than 2 GiB":          {[]Room{disk(gib, gib)}, Need{}, Refuse, []string{"has 1GiB of 1GiB free (100 %), and 2GiB have to be"}},
		"no inodes, and bytes enough":        {[]Room{disk(95*gib, 100*gib).withInodes(0, 6_553_600)}, Need{}, Refuse, []string{"0 of 6553600 inodes free (0 %), and 327680 have to be (5 %)"}},
		"below 20,000 inodes":                {[]Room{disk(95*gib, 100*gib).withInodes(19_999, 100_000)}, Need{}, Refuse, []string{"20000 have to be (storage.min_free_inodes)"}},
		"below 10 % of the inodes":           {[]Room{disk(95*gib, 100*gib).withInodes(90_000, 1_000_000)}, Need{}, Warn, []string{"90000 of 1000000 inodes free (9 %), less than 10 %"}},
		"no bytes and no inodes":             {[]Room{disk(gib, 100*gib).withInodes(0, 1_000_000)}, Need{}, Refuse, []string{"GiB", "inodes"}},
		"a filesystem without inodes":        {[]Room{disk(95*gib, 100*gib).withInodes(0, 0)}, Need{}, Allow, nil},
		"a full sandbox":                     {[]Room{disk(50*gib, 100*gib), disk(0, 100*gib, Sandbox)}, Need{}, Warn, []string{"(sandbox) has 0B"}},
		"a full disk with the sandbox, too":  {[]Room{disk(0, 100*gib, Sandbox, DataRoot)}, Need{}, Refuse, []string{"0B"}},
		"full logs":                          {[]Room{disk(50*gib, 100*gib), disk(0, 100*gib, Containers)}, Need{}, Refuse, []string{"(containers) has 0B"}},
		"two full disks":                     {[]Room{disk(gib, 100*gib, DataRoot), disk(gib, 100*gib, Layers)}, Need{}, Refuse, []string{"(data root)", "(layers)"}},
		"a refusal before a warning":         {[]Room{disk(14*gib, 100*gib, DataRoot), disk(gib, 100*gib, Layers)}, Need{}, Refuse, []string{"(layers)", "(data root)"}},
		"a data root that hangs":             {[]Room{disk(0, 0).failing(&SilentError{"/var/lib/docker", 5 * time.Second})}, Need{}, Refuse, []string{"does not answer within 5s"}},
		"a data root that fails":             {[]Room{disk(0, 0).failing(broken)}, Need{}, Refuse, []string{"invalid argument"}},
		"a data root that we don't see":      {[]Room{disk(0, 0).failing(gone)}, Need{}, Warn, []string{"does not exist"}},
		"a sandbox that hangs":               {[]Room{disk(0, 0, Sandbox).failing(&SilentError{"/s", time.Second})}, Need{}, Warn, []string{"does not answer within 1s"}},
		"an image that fits in":              {[]Room{disk(50*gib, 100*gib)}, Need{Download: 10 * gib, Extract: 20 * gib}, Allow, nil},
		"an image that doesn't":              {[]Room{disk(50*gib, 100*gib)}, Need{Download: 20 * gib, Extract: 40 * gib}, Refuse, []string{"the image needs 60GiB more while it is pulled and extracted"}},
		"an image that just fits in":         {[]Room{disk(50*gib, 100*gib)}, Need{Extract: 40 * gib}, Allow, nil},
		"an image for the layers' disk":      {[]Room{disk(50*gib, 100*gib, DataRoot), disk(20*gib, 100*gib, Layers)}, Need{Extract: 15 * gib}, Refuse, []string{"(layers)"}},
		"a download for the data root":       {[]Room{disk(20*gib, 100*gib, DataRoot), disk(50*gib, 100*gib, Layers)}, Need{Download: 15 * gib}, Refuse, []string{"(data root)"}},
		"a download elsewhere":               {[]Room{disk(20*gib, 100*gib, DataRoot), disk(50*gib, 100*gib, Layers, Downloads)}, Need{Download: 15 * gib}, Allow, nil},
		"an image and no folder for layers":  {[]Room{disk(20*gib, 100*gib, DataRoot)}, Need{Extract: 15 * gib}, Refuse, []string{"(data root)"}},
		"an image and a full disk":           {[]Room{disk(gib, 100*gib)}, Need{Extract: gib}, Refuse, []string{"10GiB have to be"}},
		"an image and an unknown data root":  {[]Room{disk(0, 0).failing(gone)}, Need{Extract: gib}, Warn, []string{"does not exist"}},
		"a disk beyond all disks":            {[]Room{disk(math.MaxUint64/2, math.MaxUint64)}, Need{}, Allow, nil},
		"nothing that was looked at":         {nil, Need{Extract: gib}, Allow, nil},
		"a filesystem that tells no figures": {[]Room{disk(0, 0)}, Need{}, Refuse, []string{"0B of 0B"}},
	} {
		checkVerdict(t, name, DefaultThresholds().Judge(c.rooms, c.need), c.decision, c.reasons...)
	}
}

func TestRemedyIsForWhatIsOnTheDisk(t *testing.T) {
	for use, want := range map[Use]string{
		DataRoot: "mesos-docker-executor gc", Layers: "mesos-docker-executor gc", Containers: "max-size", Sandbox: "--gc_disk_headroom", PoolData: "lvextend", PoolMetadata: "lvextend",
	} {
		v := DefaultThresholds().Judge([]Room{disk(0, 100*gib, use)}, Need{})
		if len(v.Findings) != 1 || !strings.Contains(v.Findings[0].Remedy, want) {
			t.Errorf("%s: %q, want %q", use, v.Findings, want)
		}
	}
}

func TestThresholdsCanBeSwitchedOff(t *testing.T) {
	full := disk(0, 100*gib).withInodes(0, 10)
	checkVerdict(t, "all off", Thresholds{}.Judge([]Room{full}, Need{}), Allow)
	checkVerdict(t, "off, and an image", Thresholds{}.Judge([]Room{full}, Need{Extract: 1}), Refuse, "the image needs 1B more")
	if v := (Thresholds{}).Judge([]Room{full}, Need{Extract: 1}); strings.Contains(v.Reasons(Refuse), "stay free") {
		t.Errorf("nothing has to: %q", v.Findings)
	}
	checkVerdict(t, "bytes only", Thresholds{MinBytes: 1}.Judge([]Room{full}, Need{}), Refuse, "1B have to be")
	checkVerdict(t, "inodes only", Thresholds{MinInodes: 1}.Judge([]Room{full}, Need{}), Refuse, "1 have to be")
}

func TestThresholdsWarnBeforeTheyRefuse(t *testing.T) {
	for _, bad := range []Thresholds{
		{MinBytesPercent: -1}, {WarnInodesPercent: 91}, {MinBytesPercent: 10, WarnBytesPercent: 9}, {MinInodesPercent: 95}, {MinInodesPercent: 5, WarnInodesPercent: 4},
	} {
		if bad.Check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
	for _, good := range []Thresholds{{}, DefaultThresholds(), {MinBytesPercent: 90, WarnBytesPercent: 90}, {MinInodesPercent: 5}} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
}

// pooled is a direct-lvm pool with these free parts of 100 GB of data and 1 GB of metadata.
func pooled(data, metadata string) Engine {
	return Engine{Driver: "devicemapper", DriverStatus: [][2]string{
		{"Pool Name", "docker-thinpool"}, {"Data Space Available", data}, {"Data Space Total", "100GB"},
		{"Metadata Space Available", metadata}, {"Metadata Space Total", "1 GB"}, {"Thin Pool Minimum Free Space", "12GB"},
	}}
}

func TestVerdictOverPools(t *testing.T) {
	for name, c := range map[string]struct {
		e        Engine
		need     Need
		decision Decision
		reasons  []string
	}{
		"plenty":                          {pooled("70GB", "900MB"), Need{}, Allow, nil},
		"the pool as it is in testdata":   {answers(t)["handmade/devicemapper-direct-lvm"], Need{}, Allow, nil},
		"data below what docker wants":    {pooled("11.5GB", "900MB"), Need{}, Refuse, []string{"docker-thinpool (data of devicemapper's pool) has 10.71GiB of 93.13GiB free (11 %), and 11.18GiB have to be (the engine's own limit)"}},
		"data below the warning":          {pooled("14 GB", "900MB"), Need{}, Warn, []string{"less than 15 %"}},
		"little metadata":                 {pooled("70GB", "90MB"), Need{}, Refuse, []string{"(metadata of devicemapper's pool) has 85.83MiB of 953.7MiB free (9 %), and 95.37MiB have to be (10 %)"}},
		"an image that doesn't fit in":    {pooled("70GB", "900MB"), Need{Extract: 60 * gib}, Refuse, []string{"the image needs 60GiB more"}},
		"a pool that tells nothing":       {Engine{Driver: "devicemapper"}, Need{}, Refuse, []string{`Data Space Available is ""`, `Metadata Space Available is ""`}},
		"a pool that tells no size":       {pooled("much", "900MB"), Need{}, Refuse, []string{`"much", which is no size`}},
		"another driver with such a word": {Engine{Driver: "zfs", DriverStatus: [][2]string{{"Data Space Available", "1B"}}}, Need{}, Allow, nil},
	} {
		checkVerdict(t, name, DefaultThresholds().Judge(Pools(c.e), c.need), c.decision, c.reasons...)
	}
}

// An image goes into the pool, and its download to the data root's disk.
func TestPullIntoAPool(t *testing.T) {
	rooms := append([]Room{disk(20*gib, 100*gib)}, Pools(pooled("70GB", "900MB"))...)
	checkVerdict(t, "both fit in", DefaultThresholds().Judge(rooms, Need{Download: 9 * gib, Extract: 18 * gib}), Allow)
	checkVerdict(t, "the download does not", DefaultThresholds().Judge(rooms, Need{Download: 11 * gib, Extract: 22 * gib}), Refuse, "needs 11GiB")
}

func TestPlacesOfEachDriver(t *testing.T) {
	all := answers(t)
	for name, want := range map[string]string{
		"recorded/overlay2-ext4":           "/var/lib/docker: data root, /var/lib/docker/overlay2: layers, /var/lib/docker/tmp: downloads, /var/lib/docker/containers: containers, /s: sandbox",
		"recorded/vfs-ext4":                "/var/lib/docker: data root, /var/lib/docker/vfs: layers, /var/lib/docker/tmp: downloads, /var/lib/docker/containers: containers, /s: sandbox",
		"handmade/devicemapper-direct-lvm": "/var/lib/docker: data root, /var/lib/docker/tmp: downloads, /var/lib/docker/containers: containers, /s: sandbox",
		"recorded/containerd-overlayfs":    "/var/lib/docker: data root, OWN or /var/lib/containerd: layers, OWN or /var/lib/containerd: downloads, /var/lib/docker/containers: containers, /s: sandbox",
	} {
		var got []string
		for _, p := range Places(all[name], ContainerdRoot, "/s") {
			where := strings.ReplaceAll(p.Path, "/var/lib/docker/containerd/daemon/io.containerd.snapshotter.v1.overlayfs", "OWN")
			if p.Else != "" {
				where += " or " + p.Else
			}
			got = append(got, where+": "+p.Use.String())
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, text, want)
		}
	}
	odd := Engine{Driver: "../../etc", DockerRootDir: "/d"}
	if p := Places(odd, "", ""); len(p) != 4 || p[1].Path != "/d/.._.._etc" {
		t.Errorf("%+v", p)
	}
}
