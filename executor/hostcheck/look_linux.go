package hostcheck

import (
	"context"
	"time"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage"
)

// Limits of the look-ups. The engine's own calls have those of config.yaml, for a ping and an info.
const (
	// Limit is how long Look takes at most, whatever hangs.
	Limit = 30 * time.Second
	// engineLimit leaves room for what is looked up once the engine has answered.
	engineLimit = Limit - lookLimit
	// lookLimit is for what only reads /proc, cgroups and small files: it takes milliseconds.
	lookLimit = 10 * time.Second
)

// Options say what is looked at.
type Options struct {
	Config   config.File
	Storage  storage.Settings
	Operator func() Operator // looks at the operator's files
	Proc     string          // where processes are looked for; "" for /proc
}

// Look looks at the host and returns what it is like. It ends within [Limit], and when ctx does.
func Look(ctx context.Context, o Options) Lines {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	if o.Proc == "" {
		o.Proc = "/proc"
	}
	docker := begin(ctx, engineLimit, func(ctx context.Context) Engine { return lookAtEngine(ctx, o.Config) })
	agents := begin(ctx, lookLimit, func(context.Context) Agents { return lookAtAgents(o.Proc) })
	kernel := begin(ctx, lookLimit, func(context.Context) Kernel { return lookAtKernel(o.Proc) })
	claims := begin(ctx, lookLimit, func(context.Context) Claims { return lookAtClaims(o.Config.RunDirectory) })
	files := begin(ctx, lookLimit, func(context.Context) Operator { return o.Operator() })

	e, engineLines := docker.take(func(e Engine) Lines { return e.Lines() }, "engine")
	a, _ := agents.take(nil, "agent")
	written, fileLines := files.take(Operator.Lines, "files")
	rooms := begin(ctx, lookLimit, func(ctx context.Context) Storage { return lookAtStorage(ctx, o.Storage, e.Info, a) })
	leaf := begin(ctx, lookLimit, func(context.Context) NestedLeaf { return lookAtNestedLeaf(a) })

	all := engineLines
	_, some := rooms.take(Storage.Lines, "storage")
	all = append(all, some...)
	_, some = kernel.take(func(k Kernel) Lines { k.ClassIDs = written.ClassIDs; return k.Lines() }, "kernel")
	all = append(all, some...)
	all = append(all, fileLines...)
	_, some = agents.take(func(a Agents) Lines {
		a.EngineHost, a.EngineAPI, a.ClassIDs = o.Config.Engine.Host, e.Info.APIVersion, written.ClassIDs
		return a.Lines()
	}, "agent")
	all = append(all, some...)
	_, some = leaf.take(func(n NestedLeaf) Lines { return Lines{n.Line(e.Info.CgroupDriver, a.Custom())} }, "agent")
	all = append(all, some...)
	_, some = claims.take(func(c Claims) Lines { return Lines{c.Line()} }, "executors")
	return append(all, some...)
}

// under is a look-up under way.
type under[T any] struct {
	done  chan struct{} // closed once found is there
	found T
	over  <-chan struct{} // its limit is
	limit time.Duration
}

// begin begins a look-up, which nobody waits for any more when its limit is over.
func begin[T any](ctx context.Context, limit time.Duration, look func(context.Context) T) *under[T] {
	ctx, cancel := context.WithTimeout(ctx, limit)
	u := &under[T]{done: make(chan struct{}), over: ctx.Done(), limit: limit}
	go func() {
		defer cancel()
		u.found = look(ctx)
		close(u.done) // before ctx ends: whoever waits finds both, and prefers this
	}()
	return u
}

// take waits for what was found, and makes lines of it; without it there is one that says so.
func (u *under[T]) take(say func(T) Lines, subject string) (found T, all Lines) {
	select {
	case <-u.done:
	case <-u.over:
		select {
		case <-u.done:
		default:
			return found, Unanswered(subject, u.limit)
		}
	}
	if say != nil {
		all = say(u.found)
	}
	return u.found, all
}

// lookAtStorage asks the filesystems, each of which may hang.
func lookAtStorage(ctx context.Context, s storage.Settings, info engine.Info, agents Agents) Storage {
	found := Storage{Settings: s, Engine: storage.Engine{
		Driver:        info.Driver,
		DriverStatus:  info.DriverStatus,
		DockerRootDir: info.DockerRootDir,
		KernelVersion: info.KernelVersion,
		Warnings:      info.Warnings,
	}}
	if found.Engine.Check() != nil {
		return found
	}
	workDir := ""
	if len(agents.Agents) > 0 {
		workDir = agents.Agents[0].WorkDir()
	}
	found.Rooms = append(new(storage.Looker).Look(ctx, storage.LookLimit, storage.Places(found.Engine, s.ContainerdRoot, workDir)), storage.Pools(found.Engine)...)
	return found
}
