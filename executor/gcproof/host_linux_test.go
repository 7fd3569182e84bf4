package gcproof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/storage/imageuse"
)

// host is a host with the private engine, a configuration, and a record of its own.
type host struct {
	t      *testing.T
	config string // gc's and the executors'
	run    string // directory
	record string
	engine *engine.Engine
	keys   keys
	until  uint64 // inodes that are to be free, see want
}

// keys are what tests set differently.
type keys struct {
	remove       string // limit
	cycle        int
	begin, until int // percent
}

func newHost(t *testing.T) *host {
	t.Helper()
	dir := t.TempDir()
	h := &host{t: t, config: filepath.Join(dir, "config.yaml"), run: filepath.Join(dir, "run"), record: filepath.Join(dir, "images")}
	h.change(func(k *keys) { *k = keys{remove: "1m", cycle: 5, begin: 100, until: 100} })
	var err error
	h.engine, err = engine.Open(private.Host, engine.DefaultLimits())
	must(t, err)
	t.Cleanup(func() { must(t, h.engine.Close()) })
	_, err = h.engine.Probe(t.Context())
	must(t, err)
	return h
}

// change rewrites the configuration.
func (h *host) change(how func(*keys)) {
	h.t.Helper()
	how(&h.keys)
	h.write(h.config, private.Host)
}

// configThrough is the same configuration with the engine behind a proxy.
func (h *host) configThrough(p *enginefault.Proxy) (path string) {
	h.t.Helper()
	path = filepath.Join(h.t.TempDir(), "config.yaml")
	h.write(path, p.Host)
	return path
}

func (h *host) write(path, engineHost string) {
	h.t.Helper()
	k := h.keys
	text := fmt.Sprintf(`version: 1
engine: {host: %q, limits: {remove: %s}}
run_directory: %q
cgroup: {root: %s}
storage: {min_free_bytes: 0, min_free_inodes: 0}
gc: {directory: %q, begin_percent: %d, until_percent: %d, max_images: %d, min_age: 1h, pause: 0s, max_load: 0, max_io_pressure: 0, keep: "kept.example/*"}
`, engineHost, k.remove, h.run, cgroupRoot, h.record, k.begin, k.until, k.cycle)
	must(h.t, os.WriteFile(path, []byte(text), 0o600))
}

// percent of the disk's inodes.
const percent = diskInodes / 100

// want sets the marks so that gc begins now, and goes on until so many inodes more are free than now, or up to one percent more.
func (h *host) want(inodes uint64) {
	h.t.Helper()
	if inodes < 2*percent {
		h.t.Fatalf("%d inodes are nothing that can be told in percent of %d", inodes, diskInodes)
	}
	until := (diskInodes - h.free() - inodes) / percent
	h.until = diskInodes - until*percent
	h.change(func(k *keys) { k.begin, k.until = int(until)+1, int(until) })
}

// reached checks that gc has come to its mark, and not much beyond it: that is one image of so many inodes.
func (h *host) reached(image uint64) {
	h.t.Helper()
	if free := h.free(); free < h.until || free > h.until+image {
		h.t.Errorf("%d inodes are free, and %d are to be", free, h.until)
	}
}

// free are the inodes that are free on the engine's disk.
func (h *host) free() uint64 {
	h.t.Helper()
	var st unix.Statfs_t
	must(h.t, unix.Statfs(private.DataRoot(), &st))
	return st.Ffree
}

// used notes a use so long ago.
func (h *host) used(id string, ago time.Duration) {
	h.t.Helper()
	_, err := imageuse.Note(h.t.Context(), h.record, id)
	must(h.t, err)
	then := time.Now().Add(-ago)
	must(h.t, os.Chtimes(filepath.Join(h.record, strings.TrimPrefix(id, "sha256:")), then, then))
}

// usedLongAgo notes that an image of a team was used before all others.
func (h *host) usedLongAgo(all *team, n int) {
	h.t.Helper()
	h.used(all.ids[n], time.Duration(2000-n)*time.Hour)
}

func (h *host) gc(args ...string) *exec.Cmd { return h.gcWith(h.t.Context(), h.config, args...) }

// gcWith is a gc with another configuration, which is killed when ctx ends.
func (h *host) gcWith(ctx context.Context, config string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, binary, append([]string{"gc", "--config", config}, args...)...)
}

// result is what gc --json prints, as far as it matters here.
type result struct {
	PutOff string `json:"put_off"`
	Images struct {
		Wanted, Left struct{ Bytes, Inodes uint64 }
		Ended        string
		Images       []struct {
			ID, Action, Why string
			Removed         bool
		}
	}
	Failed []string
}

// room reports whether there is room, and nothing was removed for it.
func (r result) room() bool {
	return r.Images.Ended == "" && r.Images.Wanted.Inodes == 0 && r.Images.Wanted.Bytes == 0 && r.PutOff == "" && len(r.Failed) == 0
}

func (h *host) gcOnce() (r result) {
	h.t.Helper()
	cmd := h.gc("--json")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if jsonErr := json.Unmarshal(out, &r); jsonErr != nil {
		h.t.Fatalf("%v, %v: %s", err, jsonErr, out)
	}
	if (err != nil) != (len(r.Failed) > 0) {
		h.t.Errorf("%v, although: %q", err, r.Failed)
	}
	return r
}

// gcToItsEnd runs gc until there is room.
func (h *host) gcToItsEnd() {
	h.t.Helper()
	for range 100 {
		r := h.gcOnce()
		if len(r.Failed) > 0 {
			h.t.Fatalf("%+v", r)
		}
		if r.room() {
			return
		}
	}
	h.t.Fatal("gc does not come to an end")
}

// there are the images that the engine has, each looked up. The daemon goes on with a removal whose gc was killed: what is not found is not there.
func (h *host) there() map[string]bool {
	h.t.Helper()
	listed, err := h.engine.Images(h.t.Context())
	must(h.t, err)
	there := map[string]bool{}
	for _, l := range listed {
		for _, name := range append(l.Names, l.ID) { // the ID comes last, and decides
			said, err := h.engine.Image(h.t.Context(), name)
			if err != nil && !errors.Is(err, engine.ErrNotFound) || err == nil && said.ID != l.ID {
				h.t.Errorf("%s is listed, and looked up it is %s: %v", name, said.ID, err)
			}
			there[l.ID] = err == nil
		}
	}
	return there
}

// checkRecord finds what does not belong there.
func (h *host) checkRecord() {
	h.t.Helper()
	entries, err := os.ReadDir(h.record)
	must(h.t, err)
	for _, e := range entries {
		if name := e.Name(); len(name) != 64 && name != "version" {
			h.t.Errorf("the record has %s", e.Name())
		}
	}
}
