package hostcheck

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"mesos-docker-executor/storage"
)

// recorded is what a daemon answered to GET /info, from the recordings of package storage.
func recorded(t *testing.T, name string) (e storage.Engine) {
	t.Helper()
	text, err := os.ReadFile("../../storage/testdata/info/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestStorage(t *testing.T) {
	const gib = 1 << 30
	room := func(path string, bytes, inodes uint64) storage.Room {
		return storage.Room{
			Places: []storage.Place{{Path: path, Use: storage.Layers}},
			Bytes:  storage.Amount{Free: bytes, Total: 100 * gib}, Inodes: storage.Amount{Free: inodes, Total: 6_500_000},
		}
	}
	full, dead := room("/var/lib/docker", 9*gib, 300_000), room("/mnt/dead", 0, 0)
	dead.Err = errors.New("stale file handle")
	for _, c := range []struct {
		engine string // of storage's recordings
		rooms  []storage.Room
		want   []string
	}{
		{"recorded/overlay2-ext4", []storage.Room{room("/var/lib/docker", 80*gib, 6_000_000)},
			[]string{"ok driver: overlay2, data root /var/lib/docker", "ok room: /var/lib/docker (layers) has 80GiB of 100GiB free (80 %) and 6000000 of 6500000 inodes"}},
		{"recorded/overlay2-ext4", []storage.Room{room("/var/lib/docker", 12*gib, 6_000_000)},
			[]string{"ok driver: overlay2", "warn room: 12GiB of 100GiB free (12 %), less than 15 %"}},
		{"recorded/overlay2-ext4", []storage.Room{full},
			[]string{"ok driver: overlay2", "fail room: 9GiB of 100GiB free", "fail room: 300000 of 6500000 inodes free"}},
		{"recorded/overlay2-ext4", []storage.Room{dead}, []string{"ok driver: overlay2", "fail room: stale file handle"}},
		{"recorded/btrfs", nil, []string{"warn driver: btrfs is seldom used"}},
		{"recorded/vfs-ext4", nil, []string{"fail driver: copies the whole image"}},
		{"handmade/devicemapper-loop", nil, []string{"fail driver: loop"}},
		{"handmade/empty", nil, []string{"warn driver: not known"}},
	} {
		s := Storage{Settings: storage.DefaultSettings(), Engine: recorded(t, c.engine), Rooms: c.rooms}
		t.Run(c.engine, func(t *testing.T) { expect(t, s.Lines(), c.want...) })
	}
}

func TestAnswerWithoutADriverLetsNoTaskStart(t *testing.T) {
	expect(t, Storage{Settings: storage.DefaultSettings(), Engine: storage.Engine{KernelVersion: "6.1.0"}}.Lines(), "fail driver: not known, so no task starts: ")
}

func TestStorageOfAnEngineThatHangsIsWhatItSaidBefore(t *testing.T) {
	s := Storage{Settings: storage.DefaultSettings(), Engine: recorded(t, "recorded/overlay2-ext4"), Said: time.Unix(0, 0)}
	expect(t, s.Lines(), "warn answer: this is by what it told an executor at 1970-01-01T00:00:00Z", "ok driver: overlay2")
}
