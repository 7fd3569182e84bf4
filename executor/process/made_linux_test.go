package process

import (
	"os"
	"path/filepath"
	"testing"
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
