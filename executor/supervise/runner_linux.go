package supervise

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/registryauth"
	"mesos-docker-executor/executor/report"
	"mesos-docker-executor/executor/session"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/storage"
)

// Agent is the conversation with the Mesos agent, as the session package keeps it.
type Agent interface {
	// Events delivers what the agent said, in order; closed when nothing more can come.
	Events() <-chan session.Event
	// Update stores an update and sends it in order. It never blocks.
	Update(mesos.TaskStatus)
}

// Options are what [Run] works with. All fields but Calm are required; Engine may be nil when Settings.Unfit says why, and
// Credentials is nil where all pulls are anonymous.
type Options struct {
	Settings Settings
	Agent    Agent
	Engine   *engine.Engine // not probed yet
	Gate     *admission.Gate
	// LaunchWait is how long a launch waits for a sick engine, and for room on its disks.
	LaunchWait time.Duration
	// Storage says on which drivers, and with how much room, containers are started. Its zero value refuses them all.
	Storage storage.Settings
	Signals <-chan os.Signal
	// Credentials returns those for the registry of an image. It is asked before a pull only, and ends early with its context.
	Credentials func(ctx context.Context, image string) registryauth.Found

	Mode        task.Mode
	CgroupRoot  string // above our leaves, when they are not nested in the agent's
	RunDir      string // config's run_directory: leases and staged volumes go below it
	ImageUse    string // config's gc.directory: where it is written down that an image is in use; "": nowhere
	Sandbox     string // host path
	ContainerID string // Mesos container id
	Stdout      *Sink  // the container's, as it is
	Stderr      *Sink
	About       About
	Log         *slog.Logger // for operators, with details
	Say         func(string) // one line for whoever reads the task's stderr; must not block
	Calm        func()       // called once, when the task has run for a moment; nil: nothing to be done then
}

// About is what a report says of the executor beside what happened; all of it may be empty.
type About struct {
	Version              string // of this program
	AgentID, FrameworkID string
}

// runner carries out what the machine commands. Its fields belong to the goroutine of [Run]; operations hand their
// results over by [runner.post].
type runner struct {
	Options
	machine *Machine
	inbox   chan delivery
	ops     sync.WaitGroup
	writers sync.WaitGroup  // copying of output
	ctx     context.Context // of all operations; ends with Run
	timers  map[Timer]*time.Timer
	exit    *int

	// launch ends when the task is given up: nothing more is begun for it then.
	launch  context.Context
	abandon context.CancelFunc

	cancelImage context.CancelFunc
	image       engine.Image

	// taskStopSignal is the one that the task asks for, "" if it leaves it to the image.
	taskStopSignal string

	info      atomic.Pointer[engine.Info]   // of the last successful probe
	known     atomic.Pointer[storage.Known] // of the last one that told of the storage
	looker    storage.Looker
	useAsked  atomic.Bool // the record of image use has a question to answer
	boot      string      // id of the host's boot
	claim     *process.Claim
	record    process.ClaimRecord // what the claim says; belongs to the create operation once that has begun
	lease     *process.Lease
	creating  chan *container // what the create operation made, for the one that removes it
	container *container
	stopped   bool // the stop signal was sent

	listened    time.Time     // when output and exit were listened to again, the last time
	listenAfter time.Duration // pause before that is done once more

	began    time.Time
	events   report.Recorder
	terminal *mesos.TaskStatus // the task's last update
	ended    time.Time         // when that was
	written  chan struct{}     // closed when the report has been; nil: none is

	discarding bool // the container is being removed
	clean      bool // and everything else; nothing of the task is left
}

// container is what the create operation made, nil where it did not come to it.
type container struct {
	id        string
	name      string
	image     string // its ID
	tty       bool
	hostPID   bool           // its processes are in the host's PID namespace
	leave     func()         // gives the place among the host's starts back
	unknown   bool           // create may still happen
	stage     *process.Stage // of volumes below the sandbox, and of the host
	stuck     bool           // staging was given up, and may have left something
	leaf      *process.Leaf
	groups    []cgroupnet.Hierarchy
	placement *cgroupnet.Placement
	class     uint32           // in the leaf; 0: none
	driver    cgroupnet.Driver // of the class; nil: there is none
	untagged  string           // why there is none, although there should be
	lost      atomic.Int64     // times that the class was found to be another one
	output    *engine.Output
	copied    chan struct{} // closed when that has been copied to its end
	exit      *engine.Exit

	init  atomic.Pointer[process.Init] // set when it is held
	shim  atomic.Pointer[process.Shim] // set when the container has been started
	asked atomic.Bool                  // the shim is being asked

	started atomic.Bool // the first start was answered well
}

// delivery is a message with what its sender hands to the owner beforehand; either may be missing.
type delivery struct {
	msg   Message
	adopt func()
}

// Run supervises one task to its end and returns the executor's exit status: 0 after the acknowledged terminal update of
// a container that ran, 1 otherwise. It returns early, with 1, when ctx ends. All its goroutines have ended by then but
// one that is writing output which nobody reads, and those that wait for a file system of the host which does not answer. The engine is not closed.
func Run(ctx context.Context, o Options) int {
	ctx, cancel := context.WithCancel(ctx)
	launch, abandon := context.WithCancel(ctx)
	r := &runner{
		Options: o,
		machine: NewMachine(o.Settings),
		inbox:   make(chan delivery),
		ctx:     ctx,
		launch:  launch,
		abandon: abandon,
		timers:  map[Timer]*time.Timer{},
		began:   time.Now(),
	}
	defer r.end(cancel)
	r.probe()
	events := o.Agent.Events()
	for r.exit == nil {
		select {
		case <-ctx.Done():
			return 1
		case d := <-r.inbox:
			if d.adopt != nil {
				d.adopt()
			}
			if d.msg != nil {
				r.handle(d.msg)
			}
		case sig := <-o.Signals:
			r.Log.Info("signal", "signal", sig.String())
			r.handle(SignalReceived{sig.String()})
		case ev, ok := <-events:
			if !ok {
				events = nil
				r.handle(AgentGone{})
				continue
			}
			r.agentEvent(ev)
		}
	}
	return *r.exit
}

// probe asks whether the engine is fit: first before there is a task, so that no task has to wait for the answer.
func (r *runner) probe() {
	r.spawn(func() delivery {
		if r.Engine == nil {
			return delivery{msg: EngineProbed{errors.New("there is no client for it")}}
		}
		err := r.awaitFit(r.launch)
		return delivery{EngineProbed{err}, func() { r.sweep(err == nil) }}
	})
}

// sweep cleans up after executors that died. What needs the engine waits for the next executor where it is not fit.
func (r *runner) sweep(fit bool) {
	options := SweepOptions{RunDir: r.RunDir, CgroupRoot: r.CgroupRoot, Log: r.Log}
	if fit {
		options.Engine, options.EngineHost = r.Engine, r.Engine.Host()
	}
	r.ops.Go(func() {
		if _, err := Sweep(r.ctx, options); err != nil {
			r.Log.Error("sweep after dead executors", "error", err)
		}
	})
}

// end stops timers and operations and waits for the latter: each of them ends with ctx.
func (r *runner) end(cancel context.CancelFunc) {
	cancel()
	for _, t := range r.timers {
		t.Stop()
	}
	if c := r.container; c != nil {
		c.close()
	}
	r.ops.Wait()
	if c := r.container; c != nil {
		c.letGo()
	}
	if r.claim != nil {
		if err := r.claim.Release(r.clean); err != nil {
			r.Log.Error("the claim of the container", "error", err)
		}
	}
	r.writeReport()
	r.waitForReport()
	r.waitForWriters()
	for stream, s := range map[string]*Sink{"stdout": r.Stdout, "stderr": r.Stderr} {
		if _, dropped := s.Counts(); dropped > 0 {
			r.Log.Warn("output could not be written and was dropped", "stream", stream, "bytes", dropped)
		}
	}
}

// writersWait is how long Run waits for output to be written to whoever reads it, or does not.
const writersWait = time.Second

func (r *runner) waitForWriters() {
	written := make(chan struct{})
	go func() { r.writers.Wait(); close(written) }()
	select {
	case <-written:
	case <-time.After(writersWait):
		r.Log.Warn("nobody reads stdout or stderr; the rest of the output is given up")
	}
}

// spawn runs an operation that ends in one message.
func (r *runner) spawn(op func() delivery) {
	r.ops.Go(func() { r.post(op()) })
}

// post hands a message to the owner, and reports whether it was taken: not any more when Run is over. For operations only,
// since the owner would wait for itself.
func (r *runner) post(d delivery) bool {
	select {
	case r.inbox <- d:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// remark tells who reads the task's stderr, and the report, what an operation meets. For operations only.
func (r *runner) remark(line string) {
	r.Say(line)
	r.post(delivery{adopt: func() { r.events.Add(time.Now(), "engine", report.Warn, line) }})
}

func (r *runner) handle(msg Message) {
	r.logMessage(msg)
	r.noteMessage(msg)
	over := r.terminal != nil
	for _, c := range r.machine.Handle(time.Now(), msg) {
		if kind, text := describeCommand(c); kind != "" {
			r.events.Add(time.Now(), kind, report.Info, text)
		}
		r.carryOut(c)
	}
	if !over {
		r.writeReport()
	}
}

func (r *runner) agentEvent(ev session.Event) {
	switch ev := ev.(type) {
	case session.Subscribed:
		r.handle(Subscribed{Framework: ev.Framework})
	case session.Launch:
		r.handle(Launched{TaskID: ev.Task.TaskID.Value, Raw: ev.Raw, Err: ev.Err})
	case session.LaunchGroup:
		r.handle(GroupLaunched{TaskIDs: ev.TaskIDs})
	case session.Kill:
		r.handle(KillAsked{TaskID: ev.TaskID, Grace: ev.Grace})
	case session.Shutdown:
		r.handle(ShutdownAsked{})
	case session.Acknowledged:
		r.handle(Acknowledged{TaskID: ev.TaskID, State: ev.State})
	case session.Lost:
		r.handle(AgentLost{Err: ev.Err})
		r.Say("no agent takes this executor back: " + ev.Err.Error())
	}
}
