package hostcheck

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/storage"
)

// Limits of the look-ups. The engine's own calls have those of config.yaml, for a ping and an info, within engineLimit.
const (
	// Limit is how long Look takes at most, whatever hangs.
	Limit = configLimit + engineLimit + lookLimit
	// configLimit is for reading config.yaml, without which nobody knows what to look at.
	configLimit = 3 * time.Second
	engineLimit = 20 * time.Second
	// lookLimit is for what only reads /proc, cgroups and small files, which takes milliseconds, and for disks (storage.LookLimit).
	lookLimit = 7 * time.Second
)

// Options say what is looked at.
type Options struct {
	// Config reads the host's config.yaml. Of one that is wrong it returns an error, and Operator tells what is wrong.
	Config func() (config.File, error)
	// Operator looks at the operator's files.
	Operator func(config.File) Operator
	Proc     string // where processes are looked for; "" for /proc
}

// Look looks at the host and returns what it is like. It ends within [Limit], and when ctx does.
func Look(ctx context.Context, o Options) Lines {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	return look(ctx, o, limits{configLimit, engineLimit, lookLimit})
}

// limits are those of the look-ups, for tests to be shorter.
type limits struct{ config, engine, look time.Duration }

func look(ctx context.Context, o Options, limit limits) Lines {
	if o.Proc == "" {
		o.Proc = "/proc"
	}
	agents := begin(ctx, limit.look, func(context.Context) Agents { return lookAtAgents(o.Proc) })
	kernel := begin(ctx, limit.look, func(context.Context) Kernel { return lookAtKernel(o.Proc) })
	file, isDefault := takeConfig(begin(ctx, limit.config, func(context.Context) readConfig { return newReadConfig(o.Config()) }))
	docker := begin(ctx, limit.engine, func(ctx context.Context) Engine { return lookAtEngine(ctx, file) })
	claims := begin(ctx, limit.look, func(context.Context) Claims { return lookAtClaims(file.RunDirectory) })
	record := begin(ctx, limit.look, func(context.Context) Record { return lookAtRecord(file.GC.Directory) })
	files := begin(ctx, limit.look, func(context.Context) Operator { return o.Operator(file) })

	e, engineLines := docker.take(func(e Engine) Lines { return e.Lines() }, "engine")
	a, lost := agents.take(nil, "agent")
	written, fileLines := files.take(Operator.Lines, "files")
	rooms := begin(ctx, limit.look, func(ctx context.Context) Storage { return lookAtStorage(ctx, file.Storage.Settings(), e, a) })
	leaves := begin(ctx, limit.look, func(context.Context) NestedLeaves { return lookAtNestedLeaves(a) })

	all := append(isDefault, engineLines...)
	_, some := rooms.take(Storage.Lines, "storage")
	all = append(all, some...)
	_, some = record.take(func(r Record) Lines { return Lines{r.Line()} }, "storage")
	all = append(all, some...)
	_, some = kernel.take(func(k Kernel) Lines { k.ClassIDs = written.ClassIDs; return k.Lines() }, "kernel")
	all = append(all, some...)
	all = append(all, fileLines...)
	_, some = agents.take(func(a Agents) Lines {
		a.EngineHost, a.EngineAPI, a.ClassIDs = file.Engine.Host, e.Info.APIVersion, written.ClassIDs
		return a.Lines()
	}, "agent")
	all = append(all, some...)
	if lost == nil && a.Err == nil { // else nobody knows whether it is needed
		_, some = leaves.take(func(n NestedLeaves) Lines { return n.Lines(e.Info.CgroupDriver) }, "agent")
		all = append(all, some...)
	}
	_, some = claims.take(func(c Claims) Lines { return Lines{c.Line()} }, "executors")
	return append(all, some...)
}

// readConfig is what came of reading config.yaml.
type readConfig struct {
	file config.File
	err  error
}

func newReadConfig(file config.File, err error) readConfig { return readConfig{file, err} }

// takeConfig goes by the defaults if there is no config.yaml to go by, and says so before anything else: it may be another engine.
func takeConfig(reading *under[readConfig]) (config.File, Lines) {
	read, unread := reading.take(nil, "files")
	if unread == nil && read.err == nil {
		return read.file, nil
	}
	file, l := config.Default(), lines{subject: "engine"}
	l.warn("config", "config.yaml is wrong or cannot be read, so this page is about the engine at "+file.Engine.Host+", with the default thresholds",
		"do what the line config of the files says, and run doctor again")
	return file, l.all
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

// lookAtStorage asks the filesystems, each of which may hang. Of an engine that says nothing now, what it said before will do.
func lookAtStorage(ctx context.Context, s storage.Settings, e Engine, agents Agents) Storage {
	found := Storage{Settings: s, Engine: e.Info.Storage()}
	if found.Engine.Check() != nil && e.Kept.Engine.Check() == nil {
		found.Engine, found.Said = e.Kept.Engine, e.Kept.At
	}
	if found.Engine.Check() != nil {
		return found
	}
	places := storage.Places(found.Engine, s.ContainerdRoot, "")
	for _, agent := range agents.Agents {
		place := storage.Place{Path: agent.WorkDir(), Use: storage.Sandbox}
		if filepath.IsAbs(place.Path) && !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	found.Rooms = append(new(storage.Looker).Look(ctx, storage.LookLimit, places), storage.Pools(found.Engine)...)
	return found
}
