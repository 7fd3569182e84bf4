package process

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestWatchMadeTellsOfANewCgroup(t *testing.T) {
	f := newLeaf(t)
	dirs, err := f.watchDirs(testID)
	if err != nil {
		t.Fatal(err)
	}
	made, stop := watchMade(dirs)
	defer stop()
	if made == nil {
		t.Fatal("not watched, although the leaf is there")
	}
	if anyExists(dirs) {
		t.Error("the container's cgroup is taken to be there already")
	}
	if err := os.Mkdir(dirs[0], 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dirs[0]) })
	select {
	case <-made:
	case <-time.After(10 * time.Second):
		t.Error("the kernel did not tell")
	}
	if !anyExists(dirs) {
		t.Error("the container's cgroup is not found")
	}
}

func TestWatchMadeLeavesALeafThatIsNotThereToTheClock(t *testing.T) {
	made, stop := watchMade([]string{filepath.Join(t.TempDir(), "leaf", "container")})
	stop()
	if made != nil {
		t.Error("a missing folder is said to be watched")
	}
}

// Whoever waits for news that cannot come would look rarely for ever.
func TestWatchMadeEndsWhenTheEventsBreakOff(t *testing.T) {
	news := make(chan struct{}, 1)
	tell(io.MultiReader(iotest.OneByteReader(strings.NewReader("ab")), iotest.ErrReader(io.ErrUnexpectedEOF)), news)
	if _, more := <-news; !more {
		t.Error("two events were not told")
	}
	if _, more := <-news; more {
		t.Error("news go on after the events ended")
	}
}

func TestStoppedWatchIsClosed(t *testing.T) {
	made, stop := watchMade([]string{filepath.Join(t.TempDir(), "container")})
	stop()
	if _, more := <-made; more {
		t.Error("something comes after the stop")
	}
}
