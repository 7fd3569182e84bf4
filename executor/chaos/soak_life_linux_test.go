package chaos

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/session"
)

// soakLife is a life that is played by a script.
type soakLife struct {
	*life
	script script
	proxy  *enginefault.Proxy // nil: none
	ended  chan struct{}      // closed when the executor has exited

	mu      sync.Mutex
	updates []mesos.TaskStatus // guarded by mu
	alive   []process.Process  // in the leaf, at the terminal update; guarded by mu
	looked  error              // guarded by mu
	began   bool               // the program had begun at the terminal update; guarded by mu
}

// quiet is a test whose lives do not print their logs: the soak test prints those that matter.
type quiet struct{ testing.TB }

func (quiet) Failed() bool { return false }

// beginSoak begins the executor of a life.
func beginSoak(t *testing.T, r *round, s script) *soakLife {
	t.Helper()
	l := &soakLife{script: s, ended: make(chan struct{})}
	host := r.engine.Host
	if s.proxied {
		p, err := enginefault.Open(filepath.Join(t.TempDir(), "p"), r.engine.Socket, s.rules...)
		if err != nil {
			t.Fatal(err)
		}
		l.proxy, host = p, p.Host
	}
	known := make(chan struct{}) // closed when l.life is there
	l.life = begin(quiet{t}, host, func(set *settings) {
		set.runDir = r.runDir
		set.seen = func(status mesos.TaskStatus) { <-known; l.note(status) }
		if r.calm {
			set.limits, set.wait = engine.DefaultLimits(), soonEnough
		}
	})
	close(known)
	return l
}

// note looks at the container at the very moment of an update.
func (l *soakLife) note(status mesos.TaskStatus) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.updates = append(l.updates, status)
	if rank(status.GetState()) == rank(mesos.TASK_FINISHED) {
		l.alive, l.looked = l.leaf().Processes()
		l.began = l.wroteFile("began") != ""
	}
}

// wroteFile is what the program wrote to a file of its sandbox, "" if nothing.
func (l *soakLife) wroteFile(name string) string {
	text, _ := os.ReadFile(filepath.Join(l.sandbox, name))
	return strings.TrimSpace(string(text))
}

// play plays the script to the executor's end. It reports how long that took, or that there is none.
func (l *soakLife) play() error {
	defer close(l.ended)
	time.Sleep(l.script.launch)
	var steps sync.WaitGroup
	over := make(chan struct{})
	if l.proxy != nil {
		steps.Go(func() {
			wait(l.script.healed, over)
			l.proxy.Clear()
		})
	}
	l.launch(l.script.program.shell)
	for _, d := range l.script.deeds {
		steps.Go(func() {
			if wait(d.at, over) {
				l.do(d)
			}
		})
	}
	defer steps.Wait()
	defer close(over)
	select {
	case <-l.exit:
		l.engine.Close()
		return nil
	case <-time.After(2 * soonEnough):
		return errors.New("the executor does not exit")
	}
}

// wait keeps the time of the script; false when the life was over before.
func wait(d time.Duration, over <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-over:
		return false
	}
}

func (l *soakLife) do(d deed) {
	switch d.what {
	case doKill:
		l.kill(d.grace)
	case doShutdown:
		l.say(session.Shutdown{})
	case doSignal:
		l.signals <- unix.SIGTERM
	case doLose:
		l.say(session.Lost{Err: session.ErrConnectionLost})
	case doDie:
		l.cancel()
	case doOutage:
		l.proxy.Outage(d.fault, d.grace)
	case doStrike:
		if pid := l.initOrNone(); pid > 0 {
			_ = unix.Kill(pid, unix.SIGKILL) // ESRCH: it has just ended
		}
	}
}
