package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage"
)

// aboutStorage is as much of a runner as its questions about storage need. Somebody takes its remarks.
func aboutStorage(t *testing.T, host string, wait time.Duration) (*runner, *syncBuffer) {
	t.Helper()
	log := &syncBuffer{}
	r := &runner{
		Options: Options{
			Engine:     openEngine(t, host),
			Gate:       admission.New(admission.Options{Dir: filepath.Join(t.TempDir(), "engine"), Engine: host}),
			LaunchWait: wait, Storage: storage.DefaultSettings(), Sandbox: t.TempDir(),
			Log: slog.New(slog.NewTextHandler(log, nil)), Say: func(string) {},
		},
		inbox: make(chan delivery),
		ctx:   t.Context(),
	}
	r.Storage.Thresholds = storage.Thresholds{}
	go func() {
		for {
			select {
			case d := <-r.inbox:
				d.adopt()
			case <-t.Context().Done():
				return
			}
		}
	}()
	t.Cleanup(r.ops.Wait)
	return r, log
}

// nobody listens here.
func nobody(t *testing.T) string { return "unix://" + filepath.Join(t.TempDir(), "none.sock") }

// The engine does not answer in any of these, so that only what it said before counts.
func TestSilentEngineIsBelievedWhatItSaidBefore(t *testing.T) {
	ago := func(d time.Duration, driver string) *storage.Known {
		k := knownAt(time.Now().Add(-d), driver)
		return &k
	}
	for name, test := range map[string]struct {
		own, others *storage.Known
		want        string // driver; "": unfit
	}{
		"just now":                        {ago(time.Second, "own"), nil, "own"},
		"minutes ago":                     {ago(3*time.Minute, "own"), nil, "own"},
		"to others just now":              {ago(3*time.Minute, "own"), ago(time.Second, "others"), "others"},
		"to others minutes ago":           {nil, ago(3*time.Minute, "others"), "others"},
		"to others before it told itself": {ago(3*time.Minute, "own"), ago(5*time.Minute, "others"), "own"},
		"too long ago":                    {ago(20*time.Minute, "own"), ago(11*time.Minute, "others"), ""},
		"never":                           {nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, log := aboutStorage(t, nobody(t), 0)
			if test.own != nil {
				r.known.Store(test.own)
			}
			if test.others != nil {
				text, err := test.others.Encode()
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Gate.Keep(func([]byte) []byte { return text }); err != nil {
					t.Fatal(err)
				}
			}
			said, err := r.engineSaid(t.Context())
			if test.want == "" {
				if !errors.As(err, new(*admission.UnfitError)) {
					t.Errorf("%+v, %v", said, err)
				}
				return
			}
			if err != nil || said.Driver != test.want {
				t.Errorf("%+v, %v\n%s", said, err, log)
			}
		})
	}
}

// talker is an engine that says of itself what info returns, and does nothing. It counts the questions.
func talker(t *testing.T, info func() string) (host string, asked *atomic.Int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "d.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	asked = &atomic.Int64{}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		if r.URL.Path == "/_ping" {
			io.WriteString(w, "OK") //nolint:errcheck // the client may be gone
			return
		}
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, info()) //nolint:errcheck // the client may be gone
	})}
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(listener) }() //nolint:errcheck // closed below
	t.Cleanup(func() { server.Close(); <-served })
	return "unix://" + path, asked
}

func TestEngineInTroubleIsNotAskedAboutItsStorage(t *testing.T) {
	host, asked := talker(t, func() string { return `{"ServerVersion":"v","KernelVersion":"k","Driver":"new","DockerRootDir":"/d"}` })
	r, log := aboutStorage(t, host, 0)
	k := knownAt(time.Now().Add(-3*time.Minute), "old")
	r.known.Store(&k)
	r.Gate.Failed(errors.New("no answer"))
	if said, err := r.engineSaid(t.Context()); err != nil || said.Driver != "old" || asked.Load() != 0 {
		t.Errorf("%+v, %v, asked %d times\n%s", said, err, asked.Load(), log)
	}
}

func TestBadAnswerIsNoVerdict(t *testing.T) {
	host, asked := talker(t, func() string {
		return `{"ServerVersion":"v","KernelVersion":"k","Driver":"","DockerRootDir":"/var/lib/docker"}`
	})
	r, log := aboutStorage(t, host, 0)
	if err := r.askEngine(t.Context()); err != nil || r.known.Load() != nil {
		t.Fatalf("%v, %+v", err, r.known.Load())
	}
	var unfit *UnfitStorageError
	if err := r.awaitRoom(t.Context(), storage.Need{}); !errors.As(err, &unfit) || !strings.Contains(err.Error(), "(GET /info) has no Driver; see what docker info says") {
		t.Errorf("%v\n%s", err, log)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("the engine was asked %d times", n)
	}
	k := knownAt(time.Now().Add(-2*time.Minute), "overlay2")
	k.Engine.DockerRootDir = t.TempDir()
	r.known.Store(&k)
	if err := r.awaitRoom(t.Context(), storage.Need{}); err != nil {
		t.Errorf("with what it said before: %v\n%s", err, log)
	}
}

func TestEnginesWarningsAreInTheLogOnce(t *testing.T) {
	r, log := aboutStorage(t, nobody(t), 0)
	for range 3 {
		r.learn(engine.Info{Driver: "overlay2", DockerRootDir: "/d", Warnings: []string{"WARNING: No swap limit support"}})
	}
	if strings.Count(log.String(), "No swap limit support") != 1 {
		t.Errorf("%s", log)
	}
}

func TestAnswerReachesTheHostsOtherExecutors(t *testing.T) {
	r, log := aboutStorage(t, docker.Host, 0)
	for range 2 {
		if err := r.askEngine(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.ops.Wait()
	}
	others := r.othersKnown()
	if own := r.ownKnown(); !others.Fresh(time.Now()) || others.Engine.Driver != own.Engine.Driver || others.Engine.DockerRootDir != docker.DataRoot() {
		t.Errorf("kept: %+v, known: %+v\n%s", others, own, log)
	}
	if others.Engine.Driver == "overlay2" && len(others.Engine.DriverStatus) == 0 {
		t.Errorf("the driver's status is missing: %+v", others.Engine)
	}
}

func TestFileOfAnotherVersionIsLeftAloneAndTold(t *testing.T) {
	r, log := aboutStorage(t, docker.Host, 0)
	const theirs = `{"version": 2}`
	if err := r.Gate.Keep(func([]byte) []byte { return []byte(theirs) }); err != nil {
		t.Fatal(err)
	}
	if err := r.askEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.ops.Wait()
	if k := r.othersKnown(); k.Usable(time.Now()) || !strings.Contains(log.String(), "has version 2, not 1") {
		t.Errorf("%+v\n%s", k, log)
	}
	if text, err := r.Gate.Kept(); string(text) != theirs || err != nil {
		t.Errorf("%s, %v", text, err)
	}
}

func TestRoomThatIsMadeInTimeEndsTheWait(t *testing.T) {
	r, log := aboutStorage(t, nobody(t), time.Minute)
	root := t.TempDir()
	k := storage.Known{Engine: storage.Engine{Driver: "overlay2", DockerRootDir: filepath.Join(root, "data")}, At: time.Now()}
	blocker := filepath.Join(root, "data")
	if err := os.WriteFile(blocker, nil, 0o600); err != nil { // not a folder: statfs of what is in it fails
		t.Fatal(err)
	}
	r.known.Store(&k)
	said := make(chan struct{}, 1)
	r.Say = func(line string) {
		if strings.HasPrefix(line, "waiting up to 1m0s for fit storage: nobody knows whether there is room in") {
			said <- struct{}{}
		}
	}
	done := make(chan error, 1)
	go func() { done <- r.awaitRoom(t.Context(), storage.Need{}) }()
	select {
	case <-said:
	case err := <-done:
		t.Fatalf("no wait: %v\n%s", err, log)
	}
	if err := os.Remove(blocker); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(blocker, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || !strings.Contains(log.String(), "the storage is fit now") {
		t.Errorf("%v\n%s", err, log)
	}
}

// What is free in a pool is told by the engine alone, so a launch that waits for room there has to ask it again.
func TestRoomThatIsMadeInAPoolEndsTheWait(t *testing.T) {
	root, free := t.TempDir(), atomic.Pointer[string]{}
	little, plenty := "1GB", "50GB"
	free.Store(&little)
	host, _ := talker(t, func() string {
		return fmt.Sprintf(`{"ServerVersion":"v","KernelVersion":"k","Driver":"devicemapper","DockerRootDir":%q,"DriverStatus":[
			["Data Space Available",%q],["Data Space Total","100GB"],["Metadata Space Available","1GB"],["Metadata Space Total","1GB"]]}`, root, *free.Load())
	})
	r, log := aboutStorage(t, host, 10*time.Second)
	r.Storage.Rules.Tolerated = []string{"devicemapper"}
	r.Storage.Thresholds.MinBytesPercent = 10
	r.Gate = admission.New(admission.Options{Engine: host}) // nobody else knows
	if err := r.askEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	k := r.ownKnown()
	k.At = time.Now().Add(time.Second/4 - roomPauseMost) // or the second look would be too early
	r.known.Store(&k)
	r.Say = func(line string) {
		if strings.Contains(line, "has 953.7MiB of 93.13GiB free") {
			free.Store(&plenty)
		}
	}
	if err := r.awaitRoom(t.Context(), storage.Need{}); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
}

// The room goes while a launch waits for a place among the starts, and comes back later.
func TestLongWaitForAPlaceIsFollowedByAnotherLook(t *testing.T) {
	r, log := aboutStorage(t, nobody(t), time.Minute)
	r.launch = t.Context()
	dir := t.TempDir()
	r.Gate = admission.New(admission.Options{Dir: filepath.Join(dir, "engine"), Engine: "e", MaxStarts: 1})
	other := admission.New(admission.Options{Dir: filepath.Join(dir, "engine"), Engine: "e", MaxStarts: 1})
	root := filepath.Join(dir, "data")
	k := storage.Known{Engine: storage.Engine{Driver: "overlay2", DockerRootDir: root}, At: time.Now()}
	r.known.Store(&k)
	if err := os.WriteFile(root, nil, 0o600); err != nil { // not a folder, so that nothing can be said of what is in it
		t.Fatal(err)
	}
	waits := make(chan struct{}, 1)
	r.Say = func(string) { waits <- struct{}{} }
	leave, _, err := other.Enter(t.Context(), admission.Start)
	if err != nil {
		t.Fatal(err)
	}
	entered := make(chan error, 1)
	go func() {
		leave, _, err := r.enterStarts()
		if err == nil {
			leave()
		}
		entered <- err
	}()
	<-time.After(patientStart + time.Second) // so long is the wait for the place
	leave()
	select {
	case <-waits:
	case err := <-entered:
		t.Fatalf("no second look: %v\n%s", err, log)
	}
	leave, waited, err := other.Enter(t.Context(), admission.Start)
	if err != nil || waited > soonEnough/2 {
		t.Fatalf("the place was kept for %s: %v", waited, err)
	}
	leave()
	if err := os.Remove(root); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := <-entered; err != nil {
		t.Errorf("%v\n%s", err, log)
	}
}

func TestWaitForRoomEnds(t *testing.T) {
	driver := func(name string, status ...[2]string) engine.Info {
		return engine.Info{Driver: name, DriverStatus: status, DockerRootDir: t.TempDir(), KernelVersion: "6.1"}
	}
	for name, test := range map[string]struct {
		info engine.Info
		want string // "": it is fit
	}{
		"fit":          {driver("overlay2"), ""},
		"tolerated":    {driver("btrfs"), ""},
		"vfs":          {driver("vfs"), "the storage driver vfs copies the whole image for each container; set "},
		"loop devices": {driver("devicemapper", [2]string{"Data loop file", "/x"}), "; this launch waited 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			r, log := aboutStorage(t, nobody(t), 0)
			r.learn(test.info)
			err := r.awaitRoom(t.Context(), storage.Need{})
			var unfit *UnfitStorageError
			if test.want == "" && err != nil || test.want != "" && (!errors.As(err, &unfit) || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if warned := strings.Contains(log.String(), "btrfs is seldom used"); warned != (name == "tolerated") {
				t.Errorf("log: %s", log)
			}
		})
	}
	t.Run("given up", func(t *testing.T) {
		r, _ := aboutStorage(t, nobody(t), time.Hour)
		r.learn(driver("vfs"))
		ctx, cancel := context.WithCancel(t.Context())
		r.Say = func(string) { cancel() }
		if err := r.awaitRoom(ctx, storage.Need{}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestKillWhileALaunchWaitsForFitStorage(t *testing.T) {
	for name, task := range map[string]string{
		"before the pull":   taskJSON(`{"shell": true, "value": "true"}`, "localhost:1/none:1"),
		"before the create": busybox("true"),
	} {
		t.Run(name, func(t *testing.T) {
			l := begin(t, func(_ *life, o *Options) {
				o.Storage.Rules, o.LaunchWait = storage.Rules{}, time.Hour
			})
			l.launch(task)
			l.await(mesos.TASK_STARTING)
			await(t, "the launch to wait", func() bool { return strings.Contains(l.log.String(), "waiting up to 1h0m0s for fit storage: ") })
			kill(l, 0)
			l.await(mesos.TASK_KILLING)
			l.await(mesos.TASK_KILLED)
			l.exits(1)
		})
	}
}
