package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const soonEnough = 20 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soonEnough); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// tmpfs mounts one and returns where.
func tmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, options))
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	return dir
}

// hung mounts a filesystem whose server never answers; release makes the server go away.
func hung(t *testing.T) (dir string, release func()) {
	t.Helper()
	dir = t.TempDir()
	server, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(t, err)
	release = sync.OnceFunc(func() { unix.Close(server) }) // whoever waits for an answer gets an error
	t.Cleanup(func() {
		release()
		must(t, unix.Unmount(dir, unix.MNT_DETACH))
	})
	must(t, unix.Mount("hung", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", server)))
	return dir, release
}

func mkdir(t *testing.T, parts ...string) string {
	t.Helper()
	dir := filepath.Join(parts...)
	must(t, os.MkdirAll(dir, 0o755))
	return dir
}

// only wants one room, without an error.
func only(t *testing.T, rooms []Room) Room {
	t.Helper()
	if len(rooms) != 1 || rooms[0].Err != nil {
		t.Fatalf("want one room: %+v", rooms)
	}
	return rooms[0]
}

func TestLookTellsBytesAndInodes(t *testing.T) {
	dir := tmpfs(t, "size=1m,nr_inodes=100")
	must(t, os.WriteFile(filepath.Join(dir, "file"), make([]byte, 256<<10), 0o600))
	var l Looker
	r := only(t, l.Look(t.Context(), soonEnough, []Place{{Path: dir}}))
	// The folder itself takes an inode.
	if (r.Bytes != Amount{768 << 10, 1 << 20}) || (r.Inodes != Amount{98, 100}) {
		t.Errorf("%+v", r)
	}
}

func TestFilesystemWithoutInodesHasNoLimit(t *testing.T) {
	var l Looker
	if r := only(t, l.Look(t.Context(), soonEnough, []Place{{Path: tmpfs(t, "size=1m,nr_inodes=0")}})); r.Inodes != (Amount{}) {
		t.Errorf("%+v", r)
	}
}

func TestBlocksAreCountedInFragments(t *testing.T) {
	for name, c := range map[string]struct {
		on   unix.Statfs_t
		want Room
	}{
		"fragments":         {unix.Statfs_t{Bsize: 1 << 20, Frsize: 512, Blocks: 100, Bavail: 50}, Room{Bytes: Amount{50 * 512, 100 * 512}}},
		"no fragments":      {unix.Statfs_t{Bsize: 4096, Blocks: 100, Bavail: 50}, Room{Bytes: Amount{50 * 4096, 100 * 4096}}},
		"less than nothing": {unix.Statfs_t{Bsize: 1, Blocks: 100, Bavail: ^uint64(9)}, Room{Bytes: Amount{0, 100}}},
		"more than 64 bits": {unix.Statfs_t{Bsize: 4096, Blocks: 1<<52 + 1, Bavail: 1<<52 + 1}, Room{Bytes: Amount{math.MaxUint64, math.MaxUint64}}},
		"no limit":          {unix.Statfs_t{Bsize: 1, Blocks: 9, Files: 7, Ffree: math.MaxUint64}, Room{Bytes: Amount{0, 9}}},
		"no inodes":         {unix.Statfs_t{Bsize: 1, Blocks: 9, Ffree: 7}, Room{Bytes: Amount{0, 9}}},
	} {
		if r := roomOf(&c.on); r.Bytes != c.want.Bytes || r.Inodes != c.want.Inodes {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestFoldersOnOneFilesystemAreOneRoom(t *testing.T) {
	root, other := tmpfs(t, ""), tmpfs(t, "")
	e := Engine{Driver: "overlay2", DockerRootDir: root}
	mkdir(t, root, "overlay2")
	must(t, unix.Mount(mkdir(t, other, "logs"), mkdir(t, root, "containers"), "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(filepath.Join(root, "containers"), 0)) })
	var l Looker
	rooms := l.Look(t.Context(), soonEnough, Places(e, "", other))
	if len(rooms) != 2 || rooms[0].name() != root+" (data root, layers)" || rooms[1].name() != other+" (containers, sandbox)" {
		t.Errorf("%+v", rooms)
	}
}

func TestFolderThatIsNotThere(t *testing.T) {
	root := t.TempDir()
	var l Looker
	r := only(t, l.Look(t.Context(), soonEnough, Places(Engine{Driver: "overlay2", DockerRootDir: root}, "", "")))
	if len(r.Places) != 1 {
		t.Errorf("%+v", r)
	}
	for _, path := range []string{root + "/none", ""} {
		rooms := l.Look(t.Context(), soonEnough, []Place{{Path: path, Use: DataRoot}})
		if len(rooms) != 1 || !errors.Is(rooms[0].Err, fs.ErrNotExist) {
			t.Errorf("%q: %+v", path, rooms)
		}
	}
	must(t, os.WriteFile(root+"/file", nil, 0o600))
	if rooms := l.Look(t.Context(), soonEnough, []Place{{Path: root + "/file/x", Use: Layers}}); len(rooms) != 1 || !errors.Is(rooms[0].Err, unix.ENOTDIR) {
		t.Errorf("%+v", rooms)
	}
}

func TestContainerdsRootIsLookedAtUnlessDockerHasItsOwn(t *testing.T) {
	root, host := tmpfs(t, ""), tmpfs(t, "")
	e := answers(t)["recorded/containerd-overlayfs"]
	e.DockerRootDir = root
	var l Looker
	rooms := l.Look(t.Context(), soonEnough, Places(e, host, ""))
	if len(rooms) != 2 || rooms[1].name() != host+" (layers, downloads)" {
		t.Errorf("%+v", rooms)
	}
	mkdir(t, root, "containerd/daemon/io.containerd.snapshotter.v1.overlayfs")
	if r := only(t, l.Look(t.Context(), soonEnough, Places(e, host, ""))); len(r.Places) != 3 {
		t.Errorf("%+v", r)
	}
}

// Otherwise a host whose containerd keeps its images elsewhere would fill up unseen.
func TestContainerdsRootThatIsNotThereIsTold(t *testing.T) {
	e := answers(t)["recorded/containerd-overlayfs"]
	e.DockerRootDir = tmpfs(t, "")
	var l Looker
	rooms := l.Look(t.Context(), soonEnough, Places(e, t.TempDir()+"/none", ""))
	v := Thresholds{}.Judge(rooms, Need{Extract: 1})
	checkVerdict(t, "containerd elsewhere", v, Warn, "/none (layers, downloads)")
	if !strings.Contains(v.Reasons(Warn), "storage.containerd_root") {
		t.Errorf("%q", v.Findings)
	}
}

// threads are those of this process.
func threads(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/task")
	must(t, err)
	return len(all)
}

func TestHungFilesystemIsLeftAlone(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	dir, release := hung(t)
	good := t.TempDir()
	var l Looker
	places := []Place{{Path: dir, Use: DataRoot}, {Path: good, Use: Sandbox}, {Path: filepath.Join(dir, "overlay2"), Use: Layers}}
	began := time.Now()
	rooms := l.Look(t.Context(), 100*time.Millisecond, places)
	if took := time.Since(began); took > soonEnough {
		t.Errorf("it took %s", took)
	}
	if len(rooms) != 2 || !silent(rooms[0].Err) || rooms[1].Err != nil || rooms[0].name() != dir+" (data root, layers)" || !strings.Contains(rooms[0].Err.Error(), dir) {
		t.Fatalf("%+v", rooms)
	}
	// Those that look again wait for the same answer.
	stuck := threads(t)
	for range 50 {
		if rooms := l.Look(t.Context(), time.Millisecond, places[:1]); !silent(rooms[0].Err) {
			t.Fatalf("%+v", rooms)
		}
	}
	if now := threads(t); now > stuck+10 {
		t.Errorf("%d threads have become %d", stuck, now)
	}
	checkVerdict(t, "hung", DefaultThresholds().Judge(rooms[:1], Need{}), Refuse, "does not answer within 1")
	release()
	eventually(t, "all looks to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if rooms := l.Look(t.Context(), soonEnough, places[:1]); len(rooms) != 1 || rooms[0].Err == nil || silent(rooms[0].Err) {
		t.Errorf("without a server: %+v", rooms)
	}
}

// A file for a data root fails each folder in it, and two hung filesystems hang on their own.
func TestOneTroubleIsOneRoom(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	one, _ := hung(t)
	other, _ := hung(t)
	var l Looker
	var got []string
	for _, r := range l.Look(t.Context(), 100*time.Millisecond, []Place{
		{Path: file + "/data", Use: DataRoot}, {Path: file + "/data/overlay2", Use: Layers}, {Path: file + "/database", Use: Containers},
		{Path: one, Use: Downloads}, {Path: one + "/tmp", Use: Containers}, {Path: other, Use: Sandbox},
	}) {
		if r.Err == nil {
			t.Errorf("%+v", r)
		}
		got = append(got, r.name())
	}
	want := []string{file + "/data (data root, layers)", file + "/database (containers)", one + " (downloads, containers)", other + " (sandbox)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLookEndsWithItsContext(t *testing.T) {
	dir, release := hung(t)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var l Looker
	if rooms := l.Look(ctx, soonEnough, []Place{{Path: dir}}); len(rooms) != 1 || !silent(rooms[0].Err) {
		t.Errorf("%+v", rooms)
	}
}

func TestLooksFromManyGoroutines(t *testing.T) {
	dir := t.TempDir()
	var l Looker
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 20 {
				if rooms := l.Look(t.Context(), soonEnough, []Place{{Path: dir}, {Path: "/proc"}}); len(rooms) != 2 || rooms[0].Err != nil {
					t.Errorf("%+v", rooms)
				}
			}
		})
	}
	all.Wait()
}
