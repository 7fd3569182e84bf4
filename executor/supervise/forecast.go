package supervise

import (
	"time"

	"mesos-docker-executor/storage"
)

// roomWatch sees coming that a host will take no more containers. It reads no clock and looks at nothing.
type roomWatch struct {
	thresholds storage.Thresholds
	samples    map[string][]storage.Sample // by the path of a room's first place
	told       map[string]time.Time
}

// sample takes what was seen at that time and returns what is to be told of it. A room is told of once, and again only if that still
// holds after the time of a forecast.
func (w *roomWatch) sample(at time.Time, rooms []storage.Room) storage.Verdict {
	var news storage.Verdict
	samples := map[string][]storage.Sample{} // a disk that is gone takes its own along
	for _, room := range rooms {
		path := room.Places[0].Path
		if room.Err != nil {
			continue
		}
		samples[path] = storage.Keep(w.samples[path], storage.Sample{At: at, Bytes: room.Bytes.Free, Inodes: room.Inodes.Free})
		verdict := w.thresholds.Forecast(room, samples[path])
		if last := w.told[path]; len(verdict.Findings) == 0 || !last.IsZero() && at.Sub(last) < storage.ForecastWithin {
			continue
		}
		if w.told == nil {
			w.told = map[string]time.Time{}
		}
		w.told[path] = at
		news.Add(verdict)
	}
	w.samples = samples
	return news
}
