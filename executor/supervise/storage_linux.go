package supervise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/report"
	"mesos-docker-executor/storage"
)

// Between two looks at storage that is unfit.
const (
	roomPause     = 500 * time.Millisecond // doubles up to roomPauseMost
	roomPauseMost = 5 * time.Second
)

// awaitRoom returns nil once the host's storage takes one more container, and an [*UnfitStorageError] when it hasn't for the time that a launch
// has for it. Waiting is for what cannot change so soon, too: a host with the wrong storage driver that fails at once would be
// given every task of a framework that tries again. An engine that is asked and does not answer may end it as well, as unfit.
func (r *runner) awaitRoom(ctx context.Context, need storage.Need) error {
	began, told := time.Now(), false
	for pause := roomPause; ; pause = min(2*pause, roomPauseMost) {
		verdict, err := r.admit(ctx, need)
		reasons, waited := verdict.Reasons(storage.Refuse), time.Since(began)
		switch bad := (*storage.BadAnswerError)(nil); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &bad):
			reasons = bad.Error() + "; see what docker info says"
		case err != nil:
			return err
		case verdict.Decision() != storage.Refuse:
			r.passOn(verdict, told)
			return nil
		}
		if waited >= r.LaunchWait {
			return &UnfitStorageError{Reasons: reasons, Waited: waited}
		}
		if !told {
			told = true
			r.remark(fmt.Sprintf("waiting up to %s for fit storage: %s", r.LaunchWait, reasons))
		}
		r.pause(ctx, min(pause, r.LaunchWait-waited))
	}
}

// passOn tells the operator, in the log and in the report, of what does not keep a container from starting. It is no affair of who reads the
// task's stderr or its updates.
func (r *runner) passOn(verdict storage.Verdict, waited bool) {
	if waited {
		r.Log.Info("the storage is fit now")
	}
	for _, f := range verdict.Findings {
		r.Log.Warn("storage", "finding", f.Reason, "remedy", f.Remedy)
		r.post(delivery{adopt: func() { r.events.Add(time.Now(), "engine", report.Warn, "storage: "+f.String()) }})
	}
}

// admit looks once.
func (r *runner) admit(ctx context.Context, need storage.Need) (storage.Verdict, error) {
	said, err := r.engineSaid(ctx)
	if err != nil {
		return storage.Verdict{}, err
	}
	verdict, _, err := r.Storage.Admit(ctx, &r.looker, said, r.Sandbox, need)
	return verdict, err
}

// engineSaid returns what the engine says of its storage. It asks only if neither this executor nor another one of the host has heard
// it lately (see fresh), and an engine that is slow or talks nonsense is believed what it said up to ten minutes ago. The error is
// that of an engine that is unfit, or a [*storage.BadAnswerError].
func (r *runner) engineSaid(ctx context.Context) (storage.Engine, error) {
	own := r.ownKnown()
	if fresh(own, time.Now()) {
		return own.Engine, nil
	}
	last, usable := latest(own, r.othersKnown(), time.Now())
	if fresh(last, time.Now()) {
		return last.Engine, nil
	}
	if !usable {
		if err := r.awaitFit(ctx); err != nil {
			return storage.Engine{}, err
		}
		said := r.info.Load().Storage()
		return said, said.Check()
	}
	if open, _ := r.Gate.Open(); open { // then it is asked less, and by one executor at a time
		return last.Engine, nil
	}
	if err := r.askEngine(ctx); err != nil {
		if ctx.Err() == nil {
			r.Gate.Failed(err)
			r.Log.Warn("what the engine said of its storage before counts, as it says nothing now", "said", last.At, "error", err)
		}
		return last.Engine, ctx.Err()
	}
	if said := r.info.Load().Storage(); said.Check() == nil {
		return said, nil
	}
	return last.Engine, nil
}

// fresh reports whether an answer needs no new one. What a pool has free is told by the engine alone, so a launch that waits for room there
// would wait in vain for as long as it doesn't ask.
func fresh(k storage.Known, now time.Time) bool {
	if len(storage.Pools(k.Engine)) > 0 && now.Sub(k.At) > roomPauseMost {
		return false
	}
	return k.Fresh(now)
}

// learn keeps what the engine said, for this executor and for the others. For operations only.
func (r *runner) learn(info engine.Info) {
	k := storage.Known{Engine: info.Storage(), At: time.Now()}
	if err := k.Engine.Check(); err != nil {
		r.Log.Warn("storage", "error", err)
		return
	}
	if before := r.ownKnown().Engine.Warnings; !slices.Equal(before, k.Engine.Warnings) {
		r.Log.Info("the engine warns", "of", k.Engine.Warnings)
	}
	r.known.Store(&k)
	r.ops.Go(func() {
		err := r.Gate.Keep(func(before []byte) []byte { return keepKnown(before, k) })
		if err != nil {
			r.Log.Warn("what the engine said of its storage is not kept for the others of this host", "error", err)
		}
	})
}

func (r *runner) ownKnown() storage.Known {
	if k := r.known.Load(); k != nil {
		return *k
	}
	return storage.Known{}
}

func (r *runner) othersKnown() storage.Known {
	text, err := r.Gate.Kept()
	if text == nil && err == nil {
		return storage.Known{}
	}
	var k storage.Known
	if err == nil {
		k, err = storage.DecodeKnown(text)
	}
	if err != nil {
		r.Log.Warn("what the engine has told others of this host cannot be used", "error", err,
			"remedy", "remove engine/*.info.json below run_directory, if no other version of this program runs here")
		return storage.Known{}
	}
	return k
}

// lastSaid returns what is known of the engine's storage without asking, however old: where the engine keeps its images and containers does
// not change while they are in use.
func (r *runner) lastSaid() (said storage.Engine, known bool) {
	own := r.ownKnown()
	if k, usable := latest(own, r.othersKnown(), time.Now()); usable {
		return k.Engine, true
	}
	return own.Engine, own.Engine.Check() == nil
}

// followPull cancels a pull as soon as its layers turn out to need more than there is. Whether they do is found out beside the
// pull, whose steps must not wait for a filesystem. The returned functions are for the pull's goroutine; end waits for the last look.
func (r *runner) followPull(ctx context.Context, cancel context.CancelCauseFunc) (step func(engine.Progress), again, end func()) {
	room, needs, done := pullRoom{}, make(chan storage.Need, 1), make(chan struct{})
	go func() {
		defer close(done)
		for need := range needs {
			if err := r.stillFits(ctx, need); err != nil {
				cancel(err)
			}
		}
	}()
	step = func(p engine.Progress) {
		if need, grown := room.step(p); grown {
			select {
			case <-needs: // the one before has not been looked at yet
			default:
			}
			needs <- need
		}
	}
	return step, room.again, func() { cancel(nil); close(needs); <-done }
}

// stillFits returns an [*UnfitStorageError] if the need is more than what is free. A filesystem that does not answer says nothing of that, and is a matter for
// the next admission.
func (r *runner) stillFits(ctx context.Context, need storage.Need) error {
	said, known := r.lastSaid()
	if !known {
		return nil
	}
	rooms := append(r.looker.Look(ctx, storage.LookLimit, storage.Places(said, r.Storage.ContainerdRoot, "")), storage.Pools(said)...)
	for _, room := range rooms {
		if room.Err != nil {
			return nil
		}
	}
	if verdict := r.Storage.Thresholds.Judge(rooms, need); verdict.Decision() == storage.Refuse {
		return &UnfitStorageError{Reasons: verdict.Reasons(storage.Refuse), Cancelled: true, need: need}
	}
	return nil
}
