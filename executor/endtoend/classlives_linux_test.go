package endtoend

import (
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/localagent"
	"mesos-docker-executor/executor/supervise"
)

// In each mode six lives end in each way, unless make soak plays more.
var classLives = flag.Int("endtoend.lives", 60, "how many executors of one class live")

// crew is how many live at a time, with one run directory and below one cgroup root: they make and remove the folder of their class
// under each other's hands.
const crew = 10

// end is how a life ends.
type end string

const (
	finishes    end = "finishes"
	fails       end = "fails"
	killed      end = "killed"
	killedEarly end = "killed early"
	dies        end = "its executor dies"
)

var ends = []end{finishes, fails, killed, killedEarly, dies}

// last is the state in which the task ends.
func (e end) last() mesos.TaskState {
	return map[end]mesos.TaskState{finishes: mesos.TASK_FINISHED, fails: mesos.TASK_FAILED,
		killed: mesos.TASK_KILLED, killedEarly: mesos.TASK_KILLED, dies: mesos.TASK_FAILED}[e]
}

// Whatever becomes of the others: each of many executors of one class has it in every update and in its container, and leaves no cgroup.
func TestLivesOfOneClassLeaveNothing(t *testing.T) {
	host := &classHost{root: fmt.Sprintf("/mesos-docker-executor-test-lives-%d", os.Getpid()), runDir: filepath.Join(t.TempDir(), "run")}
	_, host.use = withClasses(t, classFile)
	host.config = filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("version: 1\nengine:\n  host: %s\nrun_directory: %s\ncgroup:\n  root: %s\ngc:\n  directory: %s/images\n", docker.Host, host.runDir, host.root, host.runDir)
	must(t, os.WriteFile(host.config, []byte(text), 0o600))
	t.Cleanup(func() { host.removeRoot(t) })
	goroutines, files := runtime.NumGoroutine(), openFiles(t)

	began := time.Now()
	var number atomic.Int64
	var workers sync.WaitGroup
	for range crew {
		workers.Go(func() {
			for !t.Failed() {
				n := int(number.Add(1))
				if n > *classLives {
					return
				}
				mode, how := modes[n/len(ends)%len(modes)], ends[n%len(ends)]
				t.Run(fmt.Sprintf("%d, %s, %s", n, mode, how), func(t *testing.T) { host.live(t, mode, how) })
			}
		})
	}
	workers.Wait()
	t.Logf("%d lives in %s", host.lives, time.Since(began).Round(time.Second))
	host.sweep(t)
	if left := host.cgroups(t); len(left) > 0 {
		t.Errorf("cgroups left behind: %s", strings.Join(left, ", "))
	}
	await(t, "goroutines and file descriptors to return to the base line", func() bool {
		return runtime.NumGoroutine() <= goroutines && openFiles(t) <= files
	})
}

// classHost is what the lives share.
type classHost struct {
	root, runDir, config string
	use                  func(*localagent.Options)

	mu    sync.Mutex
	lives int      // guarded by mu
	ids   []string // guarded by mu: of the tasks' containers, Mesos' and Docker's
}

func (h *classHost) remember(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids = append(h.ids, id)
}

// live is one life. The task waits, in its class, until it is told to go on by a FIFO in the sandbox.
func (h *classHost) live(t *testing.T, mode localagent.Mode, how end) {
	command := map[end]string{finishes: "exit 0", fails: "exit 3"}[how]
	if command == "" {
		command = "exec sleep 600"
	}
	r := prepare(t, mode, shell(t, showCgroup+"; read word <$MESOS_SANDBOX/go; "+command), h.use, ofRole("web"), func(o *localagent.Options) {
		for i, argument := range o.Arguments {
			if strings.HasPrefix(argument, "--config=") {
				o.Arguments[i] = "--config=" + h.config
			}
		}
	})
	h.remember(r.IDs().ContainerID)
	fifo := filepath.Join(r.Sandbox(), "go")
	must(t, syscall.Mkfifo(fifo, 0o666))
	word, err := os.OpenFile(fifo, os.O_RDWR, 0) // also for reading, so that it does not wait for the task
	must(t, err)
	defer word.Close()
	r.start()
	if how != killedEarly {
		r.state(mesos.TASK_RUNNING)
		h.wantContainerInClass(r)
	}
	grace := time.Duration(0)
	switch how {
	case finishes, fails:
		_, err := word.WriteString("go\n")
		must(t, err)
	case killed:
		r.Kill(&grace)
	case killedEarly:
		r.state(mesos.TASK_STARTING)
		r.Kill(&grace)
	case dies:
		must(t, r.KillExecutor())
	}
	last, err := r.WaitTerminal(r.ctx)
	must(t, err)
	if last.GetState() != how.last() {
		t.Errorf("ended with %v (%s), want %v", last.GetState(), last.GetMessage(), how.last())
	}
	if _, err := r.WaitExit(r.ctx); err != nil {
		t.Error(err)
	}
	r.wantClass(frontClass)
	r.wantNoLoss()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lives++
}

// wantContainerInClass reads the class where the running task finds itself, and in its leaf.
func (h *classHost) wantContainerInClass(r *run) {
	r.t.Helper()
	r.awaitOutput("shown")
	cgroup := r.ownCgroup()
	h.remember(filepath.Base(cgroup))
	for _, folder := range []string{cgroup, filepath.Dir(cgroup)} {
		if got := classOf(r.t, folder); got != frontClass {
			r.t.Errorf("%s has class %#x, want %#x", folder, got, frontClass)
		}
	}
}

// sweep cleans up after the executors that died last, as the next one on the host would.
func (h *classHost) sweep(t *testing.T) {
	t.Helper()
	docker := client(t)
	defer docker.Close()
	await(t, "the sweep to leave no claim and no container", func() bool {
		_, err := supervise.Sweep(t.Context(), supervise.SweepOptions{
			RunDir: h.runDir, CgroupRoot: h.root, Log: slog.New(slog.DiscardHandler), Engine: docker, Settle: 1, Thorough: true,
		})
		must(t, err)
		claims, err := os.ReadDir(supervise.ClaimDir(h.runDir))
		must(t, err)
		containers, err := docker.List(t.Context(), "mesos-docker-executor.container_id")
		must(t, err)
		return len(claims)+len(containers) == 0
	})
}

// cgroups are the folders of the tasks in any hierarchy, and what is below the root that they shared. Other tests, which make cgroups of
// their own, may run meanwhile.
func (h *classHost) cgroups(t *testing.T) (left []string) {
	t.Helper()
	hierarchies, err := cgroupnet.Hierarchies()
	must(t, err)
	for _, hierarchy := range hierarchies {
		must(t, filepath.WalkDir(hierarchy.Dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil // removed meanwhile, by others
			}
			cgroup := strings.TrimPrefix(path, hierarchy.Dir)
			if strings.HasPrefix(cgroup, h.root+"/") || slices.ContainsFunc(h.ids, func(id string) bool { return strings.Contains(cgroup, id) }) {
				left = append(left, path)
			}
			return nil
		}))
	}
	return left
}

// removeRoot removes the cgroup root itself, which executors leave for each other.
func (h *classHost) removeRoot(t *testing.T) {
	t.Helper()
	hierarchies, err := cgroupnet.Hierarchies()
	must(t, err)
	for _, hierarchy := range hierarchies {
		if err := os.Remove(hierarchy.Folder(h.root)); err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries) - 1 // the one that is being read
}
