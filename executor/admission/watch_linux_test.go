package admission

import "testing"

func TestOneExecutorOfAHostWatches(t *testing.T) {
	dir := t.TempDir()
	gates := []*Gate{New(Options{Dir: dir, Engine: "unix:///a.sock"}), New(Options{Dir: dir, Engine: "unix:///a.sock"})}
	release := gates[0].Watch()
	if release == nil {
		t.Fatal("nobody watches")
	}
	if gates[1].Watch() != nil {
		t.Error("two watch")
	}
	if other := New(Options{Dir: dir, Engine: "unix:///b.sock"}).Watch(); other == nil {
		t.Error("another engine is not watched")
	} else {
		other()
	}
	if turn := gates[1].turn(1); turn == nil {
		t.Error("nobody may probe while somebody watches")
	} else {
		turn()
	}
	release()
	if release = gates[1].Watch(); release == nil {
		t.Fatal("nobody can follow the one that has ended")
	}
	release()
}

func TestExecutorThatSharesNothingWatchesForItself(t *testing.T) {
	gate := New(Options{Engine: "unix:///a.sock"})
	gate.Watch() // finds out
	release := gate.Watch()
	if release == nil {
		t.Fatal("does not watch")
	}
	release()
}
