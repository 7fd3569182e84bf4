package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/imagegc"
	"mesos-docker-executor/storage/cleanup"
	"mesos-docker-executor/storage/imageuse"
)

func TestDefaultsOfConfigAndCleanUpAgree(t *testing.T) {
	want := cleanup.DefaultRules()
	want.Keep = []string{}
	if diff := gocmp.Diff(want, gcRules(config.Default().GC)); diff != "" {
		t.Errorf("(-clean-up +config):\n%s", diff)
	}
}

func TestCommandLineOfGC(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wrong := write("wrong.yaml", "version: 1\ngc: {begin_percent: 50}\n")
	alone := write("alone.yaml", "version: 1\nengine: {host: 'unix://"+dir+"/none.sock'}\nrun_directory: "+dir+"/run\ncgroup: {root: "+gcCgroupRoot+"}\ngc: {directory: "+dir+"/images}\n")
	other := write("other.yaml", "version: 1\nengine: {host: 'unix://"+dir+"/none.sock'}\nrun_directory: "+dir+"/run\ncgroup: {root: "+gcCgroupRoot+"}\ngc: {directory: "+wrong+"/images}\n")
	for _, c := range []struct {
		args   string
		status int
		want   []string
	}{
		{"gc --help", exitOK, []string{"--dry-run", "Exit status: 0 done", "Examples:"}},
		{"gc now", exitUsage, []string{`"now" is there`}},
		{"gc --prune", exitUsage, []string{"--prune"}},
		{"gc --config " + wrong, exitUsage, []string{"gc.until_percent: is 80, above gc.begin_percent, which is 50"}},
		{"gc --config " + alone, exitFail, []string{"failed: no image is removed: docker ping: ", "is the Docker daemon running", "doctor says what to do", "executors: 0 executors live"}},
		{"gc --json --config " + alone, exitFail, []string{`"failed": [`, `"sweep": {`}},
		{"gc --config " + other, exitFail, []string{"failed: no image is removed: record of image use: ", "executors: 0 executors live"}},
		{"gc --dry-run --config " + alone, exitFail, []string{"failed: no image would be removed: docker ping: "}},
	} {
		out, status, said := commanded(nil, strings.Fields(c.args)...)
		for _, want := range c.want {
			if status != c.status || !strings.Contains(out+said, want) {
				t.Errorf("%s: status %d, %q is missing in:\n%s%s", c.args, status, want, out, said)
			}
		}
	}
}

// gcDaemon answers what gc asks, has three images that were never used, and gets no fuller or emptier.
type gcDaemon struct {
	root    string
	hang    string                                        // on calls whose path ends so, until the client gives up
	answer  func(http.ResponseWriter, *http.Request) bool // reports whether it has answered; may be nil
	removed atomic.Int32
}

func (d *gcDaemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.hang != "" && strings.HasSuffix(r.URL.Path, d.hang) {
		<-r.Context().Done()
		return
	}
	if d.answer != nil && d.answer(w, r) {
		return
	}
	id := func(n int) string { return fmt.Sprintf("sha256:%064x", n) }
	switch _, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); {
	case r.URL.Path == "/_ping":
		w.Header().Set("Api-Version", "1.41")
	case path == "info":
		fmt.Fprintf(w, `{"ServerVersion": "20.10.24", "KernelVersion": "6.1", "Driver": "overlay2", "DockerRootDir": %q}`, d.root)
	case path == "images/json":
		fmt.Fprintf(w, `[{"Id": %q, "RepoTags": ["a:1"], "Size": 1}, {"Id": %q, "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"], "Size": 2}, {"Id": %q, "RepoTags": ["c:1"], "Size": 3}]`, id(1), id(2), id(3))
	case path == "containers/json":
		fmt.Fprint(w, "[]")
	case r.Method == http.MethodDelete:
		d.removed.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `[]`)
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"Id": %q}`, strings.TrimSuffix(strings.TrimPrefix(path, "images/"), "/json"))
	}
}

// gcHost is a host with such a daemon, a disk that is too full, and a record that knows two of the images.
func gcHost(t *testing.T, d *gcDaemon, gc string) (config string) {
	t.Helper()
	dir := t.TempDir()
	d.root = filepath.Join(dir, "docker")
	if err := os.MkdirAll(filepath.Join(d.root, "overlay2"), 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: d}}
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	for n := 1; n < 3; n++ {
		id := fmt.Sprintf("%064x", n)
		if _, err := imageuse.Note(t.Context(), filepath.Join(dir, "images"), "sha256:"+id); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(time.Duration(n) * -100 * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, "images", id), then, then); err != nil {
			t.Fatal(err)
		}
	}
	config = filepath.Join(dir, "config.yaml")
	text := "version: 1\nengine:\n  host: 'unix://" + socket + "'\n" +
		"  limits: {ping: 300ms, info: 300ms, image_inspect: 300ms, list: 300ms, remove: 300ms}\n" +
		"run_directory: '" + dir + "/run'\n" +
		"cgroup: {root: " + gcCgroupRoot + "}\n" +
		"gc: {directory: '" + dir + "/images', begin_percent: 1, until_percent: 0, pause: 0s, " + gc + "}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// gcCgroupRoot is not that of executors which run on this host.
const gcCgroupRoot = "/gc-test"

const gcNoLimits = "max_load: 0, max_io_pressure: 0"

func TestWhatGCSays(t *testing.T) {
	busy := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodDelete {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"message": "image is being used by stopped container"}`)
		return true
	}
	elsewhere := func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/info") {
			fmt.Fprint(w, `{"ServerVersion": "20.10.24", "KernelVersion": "6.1", "Driver": "overlay2", "DockerRootDir": "/nowhere"}`)
		}
		return strings.HasSuffix(r.URL.Path, "/info")
	}
	for name, c := range map[string]struct {
		hang    string
		answer  func(http.ResponseWriter, *http.Request) bool
		args    string
		gc      string
		status  int
		removed int
		want    []string
		never   []string
	}{
		"done": {status: exitOK, removed: 2, want: []string{
			"images: wanted are ", "images: removed <none> (000000000000), 2B\nimages: removed a:1 (000000000000), 1B\nimages: still wanted are ", "; no other image may go, and gc --dry-run says why: see what else fills the disk",
			"executors: 0 executors live, none has died and left something\n",
		}},
		"done, as JSON": {args: "--json", status: exitOK, removed: 2, want: []string{`"wanted": {`, `"left": {`, `"removed": true`}, never: []string{"failed", "ended", "put_off", "stopped"}},
		"planned": {args: "--dry-run", status: exitOK, want: []string{
			"remove  <none>", "remove  a:1", "keep    c:1", "seen for the first time; may go in 2h0m0s", "Wanted: ",
			"That is not enough: the images that may go have 3B in all: see what else fills the disk",
		}},
		"planned, as JSON": {args: "--dry-run --json", status: exitOK, want: []string{`"dry_run": true`, `"action": "remove"`, `"why": "not used for 8 days"`}},
		"loaded": {gc: "max_load: 1, max_io_pressure: 0", status: exitOK, want: []string{"images: the host is loaded", "executors: "},
			never: []string{"there is room", "wanted are"}},
		"loaded, as JSON":         {gc: "max_load: 1, max_io_pressure: 0", args: "--json", status: exitOK, want: []string{`"ended": "the host is loaded`}, never: []string{"wanted", "left"}},
		"planned, while loaded":   {gc: "max_load: 1, max_io_pressure: 0", args: "--dry-run", status: exitOK, want: []string{"remove  a:1", "Nothing would be removed just now: the host is loaded"}},
		"refused":                 {answer: busy, status: exitFail, want: []string{"images: LEFT a:1 (000000000000): docker image remove: the daemon refused (409): image is being used", "failed: image a:1 (000000000000) is not removed"}},
		"of another host":         {answer: elsewhere, status: exitFail, want: []string{"failed: no image is removed: no disk with images is found: is the engine on this host?"}, never: []string{"there is room"}},
		"silent ping":             {hang: "_ping", status: exitFail, want: []string{"failed: no image is removed: docker ping: not finished within 3", "doctor says what to do", "executors: "}, never: []string{"there is room"}},
		"silent info":             {hang: "/info", status: exitFail, want: []string{"failed: no image is removed: docker info: not finished within 3"}, never: []string{"there is room"}},
		"silent list":             {hang: "/images/json", status: exitFail, want: []string{"failed: no image is removed: docker image list: not finished within 3"}, never: []string{"there is room"}},
		"silent containers":       {hang: "/containers/json", status: exitFail, want: []string{"failed: no image is removed: docker list: not finished within 3"}},
		"silent inspect":          {hang: "1/json", status: exitFail, want: []string{"failed: no image is removed: docker image inspect: not finished within 3"}},
		"silent removal":          {hang: "000000000002", status: exitFail, want: []string{"failed: image <none> (000000000000) is not removed: docker image remove: not finished within 3", "(it may still take effect)", "the rest is left alone"}},
		"silent, as JSON":         {hang: "_ping", args: "--json", status: exitFail, want: []string{`"failed": [`, "docker ping: not finished"}, never: []string{"wanted"}},
		"silent, and a dry run":   {hang: "/images/json", args: "--dry-run", status: exitFail, want: []string{"failed: no image would be removed: docker image list: "}},
		"keeps what it is told":   {gc: gcNoLimits + ", keep: 'a'", status: exitOK, removed: 1, want: []string{"images: removed <none>"}},
		"removes no more than so": {gc: gcNoLimits + ", max_images: 1", status: exitOK, removed: 1, want: []string{"images: removed <none>", "still wanted", "; the next run goes on (images that may go: 1)"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := &gcDaemon{hang: c.hang, answer: c.answer}
			config := gcHost(t, d, cmp.Or(c.gc, gcNoLimits))
			out, status, said := commanded(nil, append([]string{"gc", "--config", config}, strings.Fields(c.args)...)...)
			for _, want := range c.want {
				if status != c.status || !strings.Contains(out, want) {
					t.Errorf("status %d, %q is missing in:\n%s%s", status, want, out, said)
				}
			}
			for _, never := range c.never {
				if strings.Contains(out, never) {
					t.Errorf("%q is in:\n%s", never, out)
				}
			}
			if n := int(d.removed.Load()); n != c.removed {
				t.Errorf("%d images are removed, want %d", n, c.removed)
			}
		})
	}
}

// A signal ends the command's context.
func TestExamplesInHelpOfGC(t *testing.T) {
	config := gcHost(t, &gcDaemon{}, "")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config.yaml", text, 0o600); err != nil {
		t.Fatal(err)
	}
	help, _, _ := commanded(nil, "gc", "--help")
	_, examples, _ := strings.Cut(help, "Examples:\n")
	ran := 0
	for line := range strings.Lines(examples) {
		words, isOne := strings.CutPrefix(strings.TrimSpace(line), "mesos-docker-executor ")
		if !isOne {
			break
		}
		ran++
		if !strings.Contains(words, "config.yaml") && !strings.Contains(words, "--dry-run") {
			t.Fatalf("%q would be a clean-up of this host", words)
		}
		if out, status, complaint := commanded(nil, strings.Fields(words)...); status == exitUsage || complaint != "" || out == "" {
			t.Errorf("%s: %d %s\n%s", words, status, complaint, out)
		}
	}
	if ran != 2 {
		t.Errorf("%d examples in\n%s", ran, help)
	}
}

func TestGCThatIsToldToStop(t *testing.T) {
	for _, c := range []struct {
		at   string // the end of a path, or part of a query
		json bool
		want []string
	}{
		{at: "/images/json", want: []string{imagegc.Stopped + "\n"}},
		{at: "/images/json", json: true, want: []string{`"stopped": true`}},
		{at: "filters=", want: []string{imagegc.Stopped + "\n"}}, // of the sweep
		{at: "000000000002", want: []string{"images: LEFT <none> (000000000000): docker image remove: given up after ", "images: " + imagegc.Stopped}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		d := &gcDaemon{answer: func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, c.at) || strings.Contains(r.URL.RawQuery, c.at) {
				cancel()
				<-r.Context().Done()
			}
			return false
		}}
		var b bytes.Buffer
		app := newApp(nil, new(int))
		app.Writer = &b
		args := []string{"x", "gc", "--config", gcHost(t, d, gcNoLimits)}
		if c.json {
			args = append(args, "--json")
		}
		err := app.RunContext(ctx, args)
		out := b.String()
		if exit := cli.ExitCoder(nil); !errors.As(err, &exit) || exit.ExitCode() != exitOK || strings.Contains(out, "failed") || strings.Contains(out, "there is room") {
			t.Errorf("at %s: %v\n%s", c.at, err, out)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("at %s: %q is missing in:\n%s", c.at, want, out)
			}
		}
		if strings.Count(out, imagegc.Stopped) > 1 {
			t.Errorf("said twice:\n%s", out)
		}
	}
}

// One that is at work holds the record's lock.
func TestSecondGCIsPutOff(t *testing.T) {
	d := &gcDaemon{}
	config := gcHost(t, d, gcNoLimits)
	record, err := imageuse.Open(filepath.Join(filepath.Dir(config), "images"))
	if err != nil {
		t.Fatal(err)
	}
	defer record.Close()
	release, err := record.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for args, want := range map[string]string{
		"gc --config " + config:           "put off: another gc of this host is at work\n",
		"gc --json --config " + config:    `"put_off": "another gc of this host is at work"`,
		"gc --dry-run --config " + config: "remove  a:1",
	} {
		if out, status, said := commanded(nil, strings.Fields(args)...); status != exitOK || !strings.Contains(out, want) {
			t.Errorf("%s: status %d, %q is missing in:\n%s%s", args, status, want, out, said)
		}
	}
	if n := d.removed.Load(); n > 0 {
		t.Errorf("%d images are removed", n)
	}
}

func TestGCRemovesLeavesThatNobodyHasAClaimOn(t *testing.T) {
	hierarchies, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	at := hierarchies[slices.IndexFunc(hierarchies, func(h cgroupnet.Hierarchy) bool { return h.Unified || h.Has("net_cls") })]
	leaf := func(id string, age time.Duration) string {
		t.Helper()
		folder, then := at.Folder(gcCgroupRoot+"/00000000/"+id), time.Now().Add(-age)
		if err := errors.Join(os.MkdirAll(folder, 0o755), os.Chtimes(folder, then, then)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for dir := folder; dir != at.Dir; dir = filepath.Dir(dir) {
				_ = os.Remove(dir) // what others use stays
			}
		})
		return folder
	}
	old, young := leaf("old", time.Hour), leaf("young", 9*time.Minute)
	config := gcHost(t, &gcDaemon{}, gcNoLimits)
	for _, c := range []struct {
		args, want string
		there      bool
	}{
		{"--dry-run", "cgroups: " + old + " would be removed\n", true},
		{"", "cgroups: removed " + old + "\n", false},
	} {
		out, status, said := commanded(nil, strings.Fields("gc --config "+config+" "+c.args)...)
		if status != exitOK || !strings.Contains(out, c.want) || strings.Contains(out, young) {
			t.Errorf("%s: status %d, %q is missing in:\n%s%s", c.args, status, c.want, out, said)
		}
		if _, err := os.Stat(old); (err == nil) != c.there {
			t.Errorf("%s: %v", c.args, err)
		}
	}
	if _, err := os.Stat(young); err != nil {
		t.Error(err)
	}
}
