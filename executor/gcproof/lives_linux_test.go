package gcproof

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// make soak has 300 and 20.
var (
	manyImages = flag.Int("gcproof.images", 60, "how many `images` the host has, at most 400")
	manyTasks  = flag.Int("gcproof.tasks", 8, "how many `tasks` start and stop at a time while gc removes images")
)

// crowd is tasks that start and stop while gc makes room, each from an image of its own.
type crowd struct {
	*host
	*team
	begun atomic.Int64 // lives
	room  atomic.Bool  // gc is done
}

// files of an image that no task runs from.
const bulk = 10

func TestNoStartFailsWhileGCMakesRoom(t *testing.T) {
	h := newHost(t)
	c := &crowd{host: h, team: h.pulled(*manyTasks)}
	for n := range c.pushed {
		if !wanted(n) {
			h.used(c.ids[n], time.Minute)
		}
	}
	ids := h.images("h.example", *manyImages-len(c.pushed), bulk)
	h.want(uint64(len(ids) * bulk))
	h.change(func(k *keys) { k.cycle = 1 }) // so that gc learns at once what it wants
	goroutines, files := runtime.NumGoroutine(), openFiles(t)

	h.gcOnce()
	h.lost(c.team, 0)
	var workers sync.WaitGroup
	for n := range c.pushed {
		workers.Go(func() { c.live(n) })
	}
	began, removed, spared, hindered := time.Now(), 0, 0, 0
	for !t.Failed() && !c.room.Load() {
		r := h.gcOnce()
		for _, one := range r.Images.Images {
			if one.Removed {
				removed++
			} else {
				spared++
			}
		}
		if r.Images.Ended != "" {
			hindered++
		}
		if len(r.Failed) > 0 {
			t.Errorf("%+v", r)
		}
		c.room.Store(r.room())
	}
	took, beside := time.Since(began), int(c.begun.Load())
	workers.Wait()
	if beside < *manyTasks {
		t.Errorf("gc was done when %d tasks had begun to start", beside)
	}
	h.gcToItsEnd() // what was pulled last may go again

	if free := h.free(); free < h.until {
		t.Errorf("%d inodes are free, and %d are to be", free, h.until)
	}
	again := 0
	for n := range c.pushed {
		again += c.pulls(n) - 1
		if !wanted(n) && c.pulls(n) != 1 {
			t.Errorf("image %d was pulled %d times", n, c.pulls(n))
		}
	}
	if again == 0 {
		t.Error("no task had to pull the image that gc had removed")
	}
	t.Logf("gc removed %d images in %s, spared %d that came into use, and was hindered %d times; %d tasks began meanwhile, %d images were pulled again",
		removed, took.Round(time.Millisecond), spared, hindered, beside, again)
	h.nothingLeft()
	h.checkRecord()
	await(t, "goroutines and file descriptors to return to the base line", func() bool {
		return runtime.NumGoroutine() <= goroutines && openFiles(t) <= files
	})
}

// wanted are the images that were last used weeks ago as soon as their task has ended: gc wants them before all others, just when the next
// task begins to start.
func wanted(image int) bool { return image%4 != 3 }

// live plays three lives with an image, one after the other, or fewer if gc is done before.
func (c *crowd) live(image int) {
	for lives := range 3 {
		if lives > 0 && (c.t.Failed() || c.room.Load()) {
			return
		}
		c.begun.Add(1)
		c.t.Run(fmt.Sprintf("image %d, life %d", image, lives), func(t *testing.T) {
			l := c.launch(t, modes[lives%len(modes)], c.pushed[image].Ref, nil)
			l.runs()
			l.finishes()
			if wanted(image) {
				h := *c.host
				h.t = t
				h.usedLongAgo(c.team, image)
			}
		})
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries) - 1 // the one that is being read
}
