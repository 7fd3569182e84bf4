package supervise

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/storage"
)

// filling is a disk of 1000 GB with this much free.
func filling(path string, free uint64) storage.Room {
	return storage.Room{
		Places: []storage.Place{{Path: path, Use: storage.DataRoot}},
		Bytes:  storage.Amount{Free: free * 1e9, Total: 1e12}, Inodes: storage.Amount{Free: 5e7, Total: 6e7},
	}
}

// It fills, somebody makes room after the warning, and it fills again.
func TestFillingDiskIsToldOfOnceInAWhile(t *testing.T) {
	watch := roomWatch{thresholds: storage.DefaultThresholds()}
	at := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	var told []int
	for n := range 120 { // two a minute; below 100 GB, containers are refused
		free := uint64(130 - n%60)
		news := watch.sample(at.Add(time.Duration(n)*storage.SampleEvery), []storage.Room{filling("/var/lib/docker", free), filling("/quiet", 500)})
		if len(news.Findings) == 0 {
			continue
		}
		told = append(told, n)
		if reasons := news.Reasons(storage.Warn); !strings.Contains(reasons, "/var/lib/docker") || strings.Contains(reasons, "/quiet") {
			t.Error(reasons)
		}
	}
	if len(told) != 2 || told[0] > 15 || told[1] < 60 {
		t.Errorf("told at %v", told)
	}
}

func TestDiskThatIsGoneBeginsAnew(t *testing.T) {
	watch := roomWatch{thresholds: storage.DefaultThresholds()}
	at := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for n := range 20 {
		room := filling("/var/lib/docker", uint64(120-n))
		if n%4 == 3 {
			room.Err = errors.New("is gone")
		}
		if news := watch.sample(at.Add(time.Duration(n)*storage.SampleEvery), []storage.Room{room}); len(news.Findings) != 0 {
			t.Errorf("after %d samples in a row: %s", n%4, news.Reasons(storage.Warn))
		}
	}
}
