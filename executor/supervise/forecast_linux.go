package supervise

import (
	"context"
	"time"

	"mesos-docker-executor/storage"
)

// watchTry is how long an executor waits before it looks again whether another one still watches the disks: nearly all of a host's
// executors are idle, and are to stay so.
const watchTry = 5 * time.Minute

// watchDisks watches the engine's disks while the task runs, unless another executor of the host does.
func (r *runner) watchDisks(ctx context.Context) {
	for ; ctx.Err() == nil; r.pause(ctx, watchTry) {
		if release := r.Gate.Watch(); release != nil {
			r.watchRoom(ctx, storage.SampleEvery)
			release()
		}
	}
}

// watchRoom tells the operator, in the log and in the report, of a disk whose room for new containers will soon be used up. The task has
// nothing to fear from that. The engine is not asked: of its devicemapper pools, which no filesystem shows, only launches know.
func (r *runner) watchRoom(ctx context.Context, every time.Duration) {
	said, known := r.lastSaid()
	if !known {
		return
	}
	places := storage.Places(said, r.Storage.ContainerdRoot, r.Sandbox)
	watch := roomWatch{thresholds: r.Storage.Thresholds}
	for {
		r.pause(ctx, every)
		rooms := r.looker.Look(ctx, storage.LookLimit, places)
		if ctx.Err() != nil {
			return
		}
		r.passOn(watch.sample(time.Now(), rooms), false)
	}
}
