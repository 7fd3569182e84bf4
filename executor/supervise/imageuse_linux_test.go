package supervise

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/storage/imageuse"
)

// recording keeps a record of image use, and hands over the image that was found.
func recording(t *testing.T, found chan<- string) (dir string, option lifeOption) {
	dir = filepath.Join(t.TempDir(), "images")
	return dir, func(_ *life, o *Options) {
		o.ImageUse = dir
		o.Settings.ReviewImage = func(image engine.Image, _ *task.Plan) *task.Refusal {
			found <- image.ID
			return nil
		}
	}
}

func usedAt(t *testing.T, dir, imageID string) time.Time {
	t.Helper()
	uses, _, err := imageuse.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return uses[imageID]
}

func TestUseOfTheImageIsWrittenDownAtBothEnds(t *testing.T) {
	found := make(chan string, 1)
	dir, option := recording(t, found)
	l := begin(t, option)
	l.launch(busybox("exec sleep 600"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	image := <-found
	atStart := usedAt(t, dir, image)
	if atStart.IsZero() {
		t.Error("nothing is written down at the start")
	}
	kill(l, 0)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits(0)
	if atEnd := usedAt(t, dir, image); !atEnd.After(atStart) {
		t.Errorf("written down at the start %s, at the end %s", atStart, atEnd)
	}
}

func TestRecordThatCannotBeKeptKeepsNoTaskFromRunning(t *testing.T) {
	l := begin(t, func(_ *life, o *Options) {
		o.ImageUse = filepath.Join(t.TempDir(), "images")
		if err := os.WriteFile(o.ImageUse, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	l.launch(busybox("true"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	if log := l.log.String(); !strings.Contains(log, "not written down for gc") || !strings.Contains(log, "images: not a directory") {
		t.Error(log)
	}
}

// removable is an image that is here and in a registry, with the record that a clean-up has of it.
func removable(t *testing.T) (ref string, image engine.Image, other *engine.Engine, record *imageuse.Folder, option lifeOption) {
	t.Helper()
	ref = pushShell(t, startRegistry(t), "cleaned", "back again").Ref
	other = openEngine(t, docker.Host)
	if _, err := other.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := other.Pull(t.Context(), ref, engine.PullOptions{}); err != nil {
		t.Fatal(err)
	}
	image, err := other.Image(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	dir, option := recording(t, make(chan string, 1))
	if record, err = imageuse.Open(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(record.Close)
	return ref, image, other, record, option
}

// runsOnceMore waits for the end of a task whose image was looked for again.
func (l *life) runsOnceMore() {
	l.t.Helper()
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	wantFile(l.t, l.stdout, "version back again\n")
	if log := l.log.String(); !strings.Contains(log, "is looked for again") {
		l.t.Error(log)
	}
}

func TestImageThatWasBeingRemovedIsLookedForAgain(t *testing.T) {
	ref, image, other, record, option := removable(t)
	_, release, err := record.Hold(image.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	l := begin(t, option)
	l.launch(shell(ref, false))
	await(t, "the launch to have found its image", func() bool {
		uses, err := record.Uses()
		return err == nil && !uses[image.ID].IsZero()
	})
	if err := other.RemoveImage(t.Context(), ref); err != nil {
		t.Error(err)
	}
	release()
	l.runsOnceMore()
}

func TestImageThatWasRemovedBeforeItsUseWasWrittenDownIsLookedForAgain(t *testing.T) {
	ref, image, other, record, option := removable(t)
	p := struck(t, docker, "image#1=hang-answer")
	l := begin(t, withHost(p.Host), option)
	l.launch(shell(ref, false))
	awaitHeld(t, p)
	_, release, err := record.Hold(image.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.RemoveImage(t.Context(), ref); err != nil {
		t.Error(err)
	}
	release()
	p.Clear()
	l.runsOnceMore()
}

// hungRecord is a disk that hangs until the test is over. Then the question that was asked goes on, and may make the record's folder where
// the disk was, which nobody would remove.
func hungRecord(t *testing.T, dir string) string {
	t.Helper()
	t.Cleanup(func() {
		await(t, "the last question about the use of an image to end", func() bool {
			all := make([]byte, 4<<20)
			return !bytes.Contains(all[:runtime.Stack(all, true)], []byte("/imageuse."))
		})
	})
	return hungFolder(t, dir)
}

// The images of the engine are on another disk than the record, so the host is fit for tasks.
func TestRecordWhoseDiskHangsIsWaitedForOnce(t *testing.T) {
	hung := hungRecord(t, filepath.Join(t.TempDir(), "hung"))
	l := begin(t, func(_ *life, o *Options) { o.ImageUse = filepath.Join(hung, "images") })
	began := time.Now()
	l.launch(busybox("true"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	if took := time.Since(began); took >= useLimit {
		t.Errorf("the launch took %s", took)
	}
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	if log := l.log.String(); !strings.Contains(log, "not written down for gc") {
		t.Error(log)
	}
}

func TestRecordWhoseDiskHangsLaterKeepsNoContainer(t *testing.T) {
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	lead := func(to string) {
		if err := errors.Join(os.Symlink(to, disk+".new"), os.Rename(disk+".new", disk)); err != nil {
			t.Fatal(err)
		}
	}
	lead(t.TempDir())
	l := begin(t, func(_ *life, o *Options) { o.ImageUse = filepath.Join(disk, "images") })
	l.launch(busybox("exec sleep 600"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	lead(hungRecord(t, filepath.Join(dir, "hung")))
	t.Cleanup(func() { lead("nowhere") }) // for the question that goes on once the disk answers
	kill(l, 0)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits(0)
}

// A disk that hangs does not hear that nobody waits any more.
func TestRecordThatHangsKeepsNobodyWaiting(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	hangs, done := make(chan struct{}), make(chan struct{})
	var asked atomic.Bool
	told := errors.New("the task is given up")
	_, err := beside(ctx, &asked, soonEnough, func(context.Context) (bool, error) {
		defer close(done)
		cancel(told)
		<-hangs
		return false, io.EOF
	})
	if !errors.Is(err, told) {
		t.Errorf("got %v", err)
	}
	answers := func(context.Context) (bool, error) { return true, nil }
	if _, err := beside(t.Context(), &asked, soonEnough, answers); !errors.Is(err, errUnanswered) {
		t.Errorf("asked again meanwhile: %v", err)
	}
	close(hangs)
	<-done
	await(t, "the disk to answer again", func() bool {
		got, err := beside(t.Context(), &asked, soonEnough, answers)
		return got && err == nil
	})
}
