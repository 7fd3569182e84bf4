package admission

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWhetherALaunchWaitsIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir() + "/engine"
		g, looker := newGate(t, dir), newGate(t, dir)
		if looker.Awaited(Start) {
			t.Error("nobody is there, and somebody waits")
		}
		var leaves []func()
		for range 2 { // all slots
			leave, _ := enter(t, g, Start)
			leaves = append(leaves, leave)
		}
		if looker.Awaited(Start) {
			t.Error("nobody waits for a slot")
		}
		time.AfterFunc(time.Second, func() {
			if !looker.Awaited(Start) || looker.Awaited(Pull) {
				t.Errorf("one waits for a start: start %t, pull %t", looker.Awaited(Start), looker.Awaited(Pull))
			}
			leaves[0]()
		})
		third, _ := enter(t, g, Start)
		if looker.Awaited(Start) {
			t.Error("it has its slot")
		}
		third()
		leaves[1]()
	})
}
