package chaos

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/supervise"
)

// The flags of the soak test. A failure is played again with -chaos.seed and -chaos.only.
var (
	soakSeed  = flag.Uint64("chaos.seed", 0, "`seed` of the random lives; 0: another one each time")
	soakLives = flag.Int("chaos.lives", 0, "how many random lives; 0: as many as fit into three minutes, and at least 60")
	soakOnly  = flag.Int("chaos.only", 0, "the `number` of the one life to play, with the troubles of its round")
)

const (
	soakTime  = 3 * time.Minute
	soakLeast = 60
	// crew is how many lives a round has at a time, on one engine and with one run directory.
	crew = 8
	// badRounds is after how many rounds with failures the test gives up.
	badRounds = 3
)

// round is some lives at a time, and the troubles of their engine meanwhile.
type round struct {
	number  int // from 0
	engine  *enginetest.Engine
	runDir  string
	calm    bool // without faults of any kind: the lives have to end as they would have by themselves
	scripts []script
	lives   []*soakLife
	mu      sync.Mutex // guards lives while the round is played
}

// Random faults over random lives: whatever happens to the daemons, to the calls to them and to the executor, each life has one
// terminal update that is true, and leaves nothing behind.
func TestRandomFaultsOverRandomLives(t *testing.T) {
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	fmt.Printf("seed %d\n", seed) // also seen when the test is killed
	engines := []*soakEngine{startSoakEngine(t, "--live-restore"), startSoakEngine(t)}
	began, ends, number, bad := time.Now(), map[string]int{}, 0, 0
	for ; bad < badRounds && !enough(number*crew, time.Since(began)); number++ {
		if *soakOnly > 0 && number != (*soakOnly-1)/crew {
			continue
		}
		e := engines[number%len(engines)]
		if !t.Run(fmt.Sprintf("round-%d", number), func(t *testing.T) { playRound(t, seed, number, e, ends) }) {
			bad++
		}
	}
	t.Logf("%d lives in %s: %v", number*crew, time.Since(began).Round(time.Second), ends)
	if t.Failed() {
		t.Logf("play one of them again: make soak SEED=%d LIFE=NUMBER", seed)
	}
}

func TestSeedDecidesTheLives(t *testing.T) {
	for n := 1; n <= 200; n++ {
		if one, again := newScript(5, n, true).String(), newScript(5, n, true).String(); one != again {
			t.Fatalf("%s\nis not\n%s", one, again)
		}
		if newScript(5, n, true).String() == newScript(6, n, true).String() {
			t.Fatalf("life %d is the same with another seed", n)
		}
	}
}

// enough reports whether so many lives in so much time are.
func enough(lives int, took time.Duration) bool {
	switch {
	case *soakOnly > 0:
		return lives >= *soakOnly
	case *soakLives > 0:
		return lives >= *soakLives
	}
	return lives >= soakLeast && took >= soakTime
}

func playRound(t *testing.T, seed uint64, number int, h *soakEngine, ends map[string]int) {
	before := takeBase(t)
	r := &round{number: number, engine: h.Engine, runDir: filepath.Join(t.TempDir(), "run")}
	first := number*crew + 1
	r.calm = diceFor(seed, 0, number).chance(15)
	for n := first; n < first+crew; n++ {
		if *soakOnly == 0 || n == *soakOnly {
			r.scripts = append(r.scripts, newScript(seed, n, !r.calm))
		}
	}
	slices.SortFunc(r.scripts, func(a, b script) int { return int(a.begins - b.begins) })

	p := &player{engine: r.engine, began: time.Now(), log: &syncBuffer{}, leaf: r.leafOf}
	var playing sync.WaitGroup
	var daemons, shims []trouble
	if !r.calm {
		daemons, shims = newTroubles(seed, number, first, crew)
	}
	playing.Go(func() { p.play(daemons, shims) })
	failed := r.play(t, p.began)
	playing.Wait()
	for _, err := range p.errs {
		failed = append(failed, "the private engine: "+err.Error())
	}
	failed = append(failed, r.left(t)...)
	failed = append(failed, h.left(t)...)
	failed = append(failed, before.left(t)...)
	for _, l := range r.lives {
		ends[l.end()]++
	}
	if len(failed) > 0 {
		t.Errorf("seed %d, round %d; what befell the daemons:\n%s%s", seed, number, p.log, strings.Join(failed, "\n"))
	}
}

// play plays the lives of a round and returns accounts of those that went wrong.
func (r *round) play(t *testing.T, began time.Time) (failed []string) {
	var playing sync.WaitGroup
	errs := make([]error, len(r.scripts))
	for i, s := range r.scripts {
		time.Sleep(time.Until(began.Add(s.begins)))
		l := beginSoak(t, r, s)
		r.mu.Lock()
		r.lives = append(r.lives, l)
		r.mu.Unlock()
		playing.Go(func() { errs[i] = l.play() })
	}
	playing.Wait()
	for i, l := range r.lives {
		wrong := l.faults(r.calm)
		if errs[i] != nil {
			wrong = append(wrong, errs[i].Error()+"\n"+goroutines())
		}
		if len(wrong) > 0 {
			failed = append(failed, l.account(wrong))
		}
		if l.proxy != nil {
			l.settle(t)
		}
	}
	return failed
}

// settle closes the proxy once the engine has answered what it was asked.
func (l *soakLife) settle(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), soonEnough)
	defer cancel()
	l.proxy.Clear()
	if err := l.proxy.Settle(ctx); err != nil {
		t.Errorf("the proxy of life %d: %v", l.script.number, err)
	}
	if err := l.proxy.Close(); err != nil {
		t.Error(err)
	}
}

// end is the state of the last update.
func (l *soakLife) end() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.updates) == 0 {
		return "nothing"
	}
	last := l.updates[len(l.updates)-1]
	text := last.GetState().String()
	if last.GetState() == mesos.TASK_FAILED && last.Reason != nil {
		text += " " + last.GetReason().String()
	}
	if strings.Contains(last.GetMessage(), "exit status unknown") {
		text += " unknown"
	}
	return text
}

// leafOf is the cgroup of a life of the round.
func (r *round) leafOf(number int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lives {
		if l.script.number == number {
			return cgroupRoot + "/00000000/" + l.containerID
		}
	}
	return ""
}

// left has one sweep of a later executor clean up, and a second one, since only that one may give up the claim of a create that was not
// answered. Then nothing of any life is on the host.
func (r *round) left(t *testing.T) (failed []string) {
	docker, err := engine.Open(r.engine.Host, engine.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	if _, err := docker.Probe(context.Background()); err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	sweep := func() {
		_, err := supervise.Sweep(context.Background(), supervise.SweepOptions{
			RunDir: r.runDir, CgroupRoot: cgroupRoot, Log: slog.New(slog.NewTextHandler(log, nil)),
			Engine: docker, Limit: soonEnough, Settle: 1, Thorough: true,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	sweep()
	for _, l := range r.lives {
		if alive, err := l.leaf().Processes(); err != nil || len(alive) > 0 {
			failed = append(failed, l.account([]string{fmt.Sprintf("alive after a sweep: %v, %v", alive, err)}))
		}
	}
	sweep()
	for _, l := range r.lives {
		if left := l.left(docker); len(left) > 0 {
			failed = append(failed, l.account([]string{fmt.Sprintf("left after two sweeps: %v\n%s", left, log)}))
		}
	}
	return failed
}

// left waits until this process holds no more than before.
func (b base) left(t *testing.T) []string {
	now := base{}
	if soon(func() bool {
		now = takeBase(t)
		return now.goroutines <= b.goroutines && now.files <= b.files
	}) {
		return nil
	}
	return []string{fmt.Sprintf("this process has %d goroutines and %d files, and had %d and %d: %v\n%s",
		now.goroutines, now.files, b.goroutines, b.files, fileNames(), goroutines())}
}

// soon polls a condition until it holds; false if it does not for a while that is long enough.
func soon(condition func() bool) bool { return soonIn(soonEnough/2, condition) }

// soonIn is soon with another limit.
func soonIn(limit time.Duration, condition func() bool) bool {
	for end := time.Now().Add(limit); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// fileNames lists what this process has open.
func fileNames() (names []string) {
	links, _ := filepath.Glob("/proc/self/fd/*")
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil {
			names = append(names, filepath.Base(link)+" "+name)
		}
	}
	return names
}

// goroutines lists what this process is at.
func goroutines() string {
	var b bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&b, 1) // a buffer takes everything
	return b.String()
}
